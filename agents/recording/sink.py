"""The way to ClickHouse: a server over HTTP(S) or the engine in this process, the same calls for both.

Owns: the client, the settings that make a token count, and which errors are for ever.
Must never: retry on its own; the recorder must know what was asked, and under which token.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import clickhouse_connect
import cramjam
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from agents.recording import Away, Refused
from agents.recording.target import Target, statements
from streams.errors import TocsinError

T = TypeVar("T")

INSERT_SETTINGS: dict[str, Any] = {
    # A token counts only with the first two here and a deduplication window on the table and on its views' targets, and
    # not with async_insert, which 26.9 turns on by default.
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "async_insert": 0,
    # One block: an insert is all or nothing only within one.
    "max_insert_block_size": 1_048_449,
    "min_insert_block_size_rows": 1_048_449,
    "min_insert_block_size_bytes": 1_000_000_000,
    "max_insert_threads": 1,
    "input_format_parallel_parsing": 0,
    # Status 200 only when the insert is in, not when it begins.
    "wait_end_of_query": 1,
    "send_progress_in_http_headers": 0,
    "input_format_skip_unknown_fields": 1,
    "input_format_null_as_default": 1,
    "input_format_json_named_tuples_as_objects": 1,
    "input_format_json_defaults_for_missing_elements_in_named_tuple": 1,
    "input_format_json_ignore_unknown_keys_in_named_tuple": 1,
}
REFUSALS = frozenset((6, 25, 26, 27, 34, 38, 41, 53, 69, 70, 72, 117, 128, 131, 190, 321, 349, 407, 467, 469, 691))
"""ClickHouse's codes for rows it cannot read or may not take (parse errors, types, ranges, constraints). All others may
pass or are a person's to mend (away, memory, disk full 243, too many parts 252, no such table 60, no access 497)."""
_STRANGER = frozenset((192, 193, 194, 516))
"""No such user, or not with this password."""
_NO_RIGHT = 497
_GRANT = re.compile(r"have the grant (.+?)\. \(ACCESS_DENIED\)")
_VERIFY = re.compile(r"certificate verify failed: ([^(\n]+?) \(_ssl")
_IN_A_VIEW = "while pushing to view"
_CREATES = re.compile(r"^CREATE (?:TABLE|VIEW|MATERIALIZED VIEW) IF NOT EXISTS (\w+)")


class Unusable(Away, TocsinError):
    """ClickHouse is away, and a person may have to mend why: for a command that does not wait, one sentence."""


class Sink:
    """One role's client of ClickHouse. It connects when it is first asked, so ClickHouse may be away at start.

    Args:
        url: see `Target.parse`.
    """

    def __init__(self, url: str) -> None:
        self._target = Target.parse(url)
        self._client: Client | None = None
        self._opening = threading.Lock()
        self._over_http = self._target.options["interface"] != "chdb"
        self._complete = False
        self._under_way = 0

    @property
    def in_process(self) -> bool:
        """Whether the engine runs in this process, which then owns its folder."""
        return not self._over_http

    @property
    def database(self) -> str:
        """The database that unqualified names mean."""
        return self._target.database

    async def ensure_tables(self) -> None:
        """Creates what is missing of the database, its tables and views; changes nothing that is there.

        Raises:
            Unusable: an Away.
            Refused
        """
        create, *rest = statements(self.database)

        def run(client: Client) -> None:
            client.command(create, use_database=False)
            for statement in rest:
                client.command(statement)

        try:
            await self._ask(run)
        except Unusable:
            raise
        except Away as error:
            raise Unusable(f"ClickHouse at {self._target.place} (TOCSIN_CLICKHOUSE) does not answer: {error}") from None

    def own_inserts(self) -> None:
        """Keeps inserts of an engine in this process, which owns its folder, beside the engine's own files; call it once.

        clickhouse-connect hands them to the engine as temporary files, and `kill -9` leaves one: customers' words, among
        everybody's. Here the next start takes it away.
        """
        if self.in_process:
            folder = Path(self._target.options["path"]) / "inserts"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            tempfile.tempdir = str(folder)

    async def insert(self, table: str, rows: Sequence[bytes], token: str) -> None:
        """Inserts rows (JSON objects) under a token, all or none of them.

        JSON text and not Native columns: measured with chdb 26.9 on `decisions` (2.2 KB a record), 20,000 rows take
        0.47 s and 37 us of CPU a row as JSONEachRow, 0.94 s and 64 us as columns, whose nested types clickhouse-connect
        packs in Python; and a record is nearly its row's JSON already.

        Raises:
            Away: not taken, or no answer: send the same rows with the same token again.
            Refused: none taken, ever.
        """
        settings = {**INSERT_SETTINGS, "insert_deduplication_token": token}
        compression = "zstd" if self._over_http else None

        def send(client: Client) -> None:
            self._check_complete(client)
            body = b"\n".join(rows)
            if compression:
                # Level 1: a sixth of the bytes for 4 us a row; cramjam's lz4 takes 20 us for a quarter.
                body = bytes(cramjam.zstd.compress(body, 1))
            client.raw_insert(table, insert_block=body, fmt="JSONEachRow", settings=settings, compression=compression)

        await self._ask(send)

    async def mark(self, table: str, topic_id: str, partition: int) -> int | None:
        """The highest `_offset` of this partition of this topic in the table, None without rows. Raises Away."""
        found = await self.query(
            f"SELECT max(_offset) AS mark, count() AS rows FROM {table} "  # noqa: S608  # a name of ours
            "WHERE _topic_id = {topic_id:String} AND _partition = {partition:UInt32}",
            {"topic_id": topic_id, "partition": partition},
        )
        return int(found[0]["mark"]) if found[0]["rows"] else None

    async def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a SELECT by column name; `{name:Type}` in it stands for a parameter. Raises Away, Refused."""
        return await self._ask(lambda client: list(client.query(sql, parameters=parameters).named_results()))

    async def close(self) -> None:
        """Lets go of the client; an answer that is still awaited is not waited for.

        An engine in this process that is still at work stays open: it crashes where it is closed under a call.
        """
        if self._under_way and self.in_process:
            return
        client, self._client = self._client, None
        if client is not None:
            await self._in_thread(client.close)

    async def _ask(self, question: Callable[[Client], T]) -> T:
        try:
            return await self._in_thread(lambda: question(self._open()))
        except (ClickHouseError, HTTPError, OSError) as error:
            raise classified(error, self._target) from error

    async def _in_thread(self, call: Callable[[], T]) -> T:
        """Runs a blocking call in a daemon thread: unlike a pool's, it does not keep the process from ending."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            self._under_way -= 1
            if answer.done():  # whoever asked was cancelled
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)  # type: ignore[arg-type]  # T may be None itself

        def run() -> None:
            try:
                outcome: tuple[T | None, BaseException | None] = (call(), None)
            except BaseException as error:  # handed to whoever asked
                outcome = (None, error)
            try:
                loop.call_soon_threadsafe(settle, *outcome)
            except RuntimeError:  # the loop is closed: the process is ending
                pass

        self._under_way += 1
        threading.Thread(target=run, name="clickhouse", daemon=True).start()
        return await answer

    def _check_complete(self, client: Client) -> None:
        """Rows that come before a roll-up's view does would be missing from it for ever."""
        if self._complete:
            return
        found = client.query("SELECT name FROM system.tables WHERE database = currentDatabase()").result_columns
        wanted = [name for statement in statements(self.database) for name in _CREATES.findall(statement)]
        missing = sorted(set(wanted).difference(*found))
        if missing:
            raise Away(f"database {self.database} lacks {', '.join(missing)}: run `tocsin init`")
        self._complete = True

    def _open(self) -> Client:
        with self._opening:
            if self._client is None:
                # Without a database: it may not be there yet, and the handshake would fail.
                client = clickhouse_connect.get_client(**self._target.options)
                client.database = self.database
                self._client = client
            return self._client


def classified(error: Exception, target: Target | None = None) -> Away | Refused:
    """Whether an error of clickhouse-connect or of the network is for ever; the text says what to mend, where it is known."""
    code = getattr(error, "code", None)
    detail = " ".join(str(error).split())[:600]
    # Refused by a roll-up or another view's target: the source may hold the rows already, so they are not out.
    if code in REFUSALS and _IN_A_VIEW not in str(error):
        return Refused(detail, code)
    mend = None if target is None else _mend(target, code, detail)
    return Away(detail or type(error).__name__) if mend is None else Unusable(mend)


def _mend(target: Target, code: int | None, detail: str) -> str | None:
    """One sentence for what no waiting mends."""
    where, user = f"ClickHouse at {target.place} (TOCSIN_CLICKHOUSE)", target.options.get("username")
    if code in _STRANGER:
        return f"{where} refuses user {user!r} with that password: mend them in the URL"
    if code == _NO_RIGHT:
        wanted = _GRANT.search(detail)
        return f"{where}: user {user!r} lacks the grant {wanted[1] if wanted else detail}; deploy/clickhouse/access has them all"
    if "CERTIFICATE_VERIFY_FAILED" in detail:
        reason = _VERIFY.search(detail)
        return (
            f"the certificate of {where} is not trusted ({reason[1] if reason else 'no reason given'}): set "
            "TOCSIN_CLICKHOUSE_CA to the PEM file of the authority that signed it, and use a name that it holds"
        )
    if "WRONG_VERSION_NUMBER" in detail:
        return f"{where} does not speak TLS on this port: use http://, or the port for https:// (8443)"
    return None
