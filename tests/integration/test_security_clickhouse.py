"""ClickHouse over TLS with a password, and users with the grants of roles.sql and no more, on the real engine."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.console.around import Around
from agents.console.entry import Entry
from agents.console.history import History
from agents.console.rules import PHRASES
from agents.console.trends import Trends
from agents.door.lookup import ClickHouse, Told
from agents.recording import Away, Refused
from agents.recording.sink import Sink
from agents.recording.tables import TABLES
from agents.recording.target import statements
from schemas.decision import Alert
from streams.errors import TocsinError
from streams.settings import load
from tests.browser.kit import alert
from tests.closed_kafka import Authority

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
ROLES_SQL = (ROOT / "deploy/clickhouse/access/roles.sql").read_text("utf-8")
USERS = ("tocsin_init", "tocsin_recorder", "tocsin_console", "tocsin_door", "tocsin_dashboards")
CONFIG = "<clickhouse><users_config>{users}</users_config></clickhouse>"
USERS_XML = """<clickhouse>
<profiles><default>{profile}</default></profiles><quotas><default/></quotas>
<users><default><no_password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
<grants>{grants}</grants></default></users>
</clickhouse>"""
DECISION = b'{"id":"d1","message_id":"m1","priority":"p0","received_at":"%d","_offset":%d,"_topic_id":"t"}'


def sql() -> list[str]:
    lines = [line for line in ROLES_SQL.splitlines() if not line.startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]


def grants(role: str) -> list[str]:
    """What roles.sql grants on tables, as users.xml says it: to nobody by name."""
    found = [
        " ".join(part.split()).removesuffix(f" TO {role}")
        for part in sql()
        if part.endswith(f" TO {role}") and " ON " in part
    ]
    assert found
    return found


@contextmanager
def front(engine: Path, *arguments: str) -> Iterator[str]:
    argv = [sys.executable, "-m", "tests.clickhouse_front", "--path", str(engine), *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


@contextmanager
def granted(folder: Path, role: str, profile: str = "") -> Iterator[Sink]:
    """The engine's one user with the role's grants, over the same data as before."""
    queries = "".join(f"<query>{grant}</query>" for grant in grants(role))
    users, config = folder / f"{role}.users.xml", folder / f"{role}.xml"
    users.write_text(USERS_XML.format(grants=queries, profile=profile))
    config.write_text(CONFIG.format(users=users))
    with front(folder / "engine", "--config", str(config)) as port:
        yield Sink(f"http://127.0.0.1:{port}/tocsin")


async def refused(sink: Sink, question: str) -> None:
    with pytest.raises(Away, match="lacks the grant") as caught:
        await sink.query(question)
    assert "deploy/clickhouse/access" in str(caught.value)


def test_roles_sql_is_read_by_the_engine_and_made_by_nobody_else(tmp_path: Path) -> None:
    async def story() -> None:
        with front(tmp_path / "engine") as port:
            sink = Sink(f"http://127.0.0.1:{port}/default")
            for statement in sql():
                passwords = dict.fromkeys(re.findall(r"\{(\w+):String\}", statement), "x")
                assert await sink.query(f"EXPLAIN AST {statement}", passwords)
            with pytest.raises((Away, Refused), match="SYNTAX_ERROR"):
                await sink.query("EXPLAIN AST GRANT SELEKT ON tocsin.x TO y")
            await sink.close()

    asyncio.run(story())
    assert not any("GRANT" in statement or "CREATE USER" in statement for statement in statements("tocsin"))
    assert "GRANT OPTION" not in ROLES_SQL
    assert set(re.findall(r"^CREATE USER IF NOT EXISTS (\w+)", ROLES_SQL, re.MULTILINE)) == set(USERS)
    for role in USERS:
        assert all(re.search(r" ON tocsin\.(\*|\w+)$", grant) for grant in grants(role))


def test_the_grants_are_enough_for_what_each_does_and_for_nothing_else(tmp_path: Path) -> None:
    async def story() -> None:
        with granted(tmp_path, "tocsin_init") as sink:
            await sink.ensure_tables()
            await sink.ensure_tables()
            for question in (
                "SELECT text FROM messages",
                "DROP TABLE messages",
                "CREATE TABLE default.x (a Int8) ENGINE=Log",
            ):
                await refused(sink, question)
            await sink.close()
        with granted(tmp_path, "tocsin_recorder") as sink:
            for number, table in enumerate(TABLES.values()):
                await sink.insert(
                    table, [DECISION % (int(time.time()), number)] if table == "decisions" else [b"{}"], f"t{number}"
                )
                assert await sink.mark(table, "t", 0) == (number if table == "decisions" else None)
            for question in (
                "SELECT text FROM messages",
                "SELECT * FROM decisions",
                "SELECT count() FROM decisions_1m",
                "ALTER TABLE decisions DELETE WHERE 1",
                "TRUNCATE TABLE health",
                "CREATE TABLE x (a Int8) ENGINE = Log",
                "INSERT INTO decisions_1m (priority) VALUES ('p0')",
            ):
                await refused(sink, question)
            await sink.close()
        with granted(tmp_path, "tocsin_console") as sink:
            history = History(sink)
            assert (await history.rows())["decisions"] == 1
            assert set((await history.counts())["counts"]) == {"p0", "p1", "p2", "p3"}
            ring = msgspec.convert(alert(1, "It smokes", "p0"), Alert)
            around = await Around(history).of(Entry(ring.message, 0, ring))
            assert set(around) == {"conversation", "past", "standing"}
            assert (await Trends(history).all("Europe/Paris"))["zone"] == "Europe/Paris"
            await history.rows_of(PHRASES, {})
            for question in (
                "SELECT id FROM decisions",
                "SELECT attributes FROM messages",
                "SELECT reviewer FROM feedback",
                "SELECT value FROM dead_letters",
                "SELECT customers FROM decisions_1m",
            ):
                await refused(sink, question)
            await refused(sink, "INSERT INTO health (code) VALUES ('x')")
            await history.close()
        with granted(tmp_path, "tocsin_door") as sink:
            lookup = ClickHouse(sink)
            assert await lookup.conversation("zendesk:1") == [] and await lookup.message("m1") is None
            (one,) = await lookup.decided([Told(name, "c1", "v1", "x", "en", "email", 0) for name in ("d1", "m1")])
            assert (one.id, one.priority) == ("m1", "p0")
            for question in (
                "SELECT author_name FROM messages",
                "SELECT reasons FROM decisions",
                "SELECT reviewer FROM feedback",
            ):
                await refused(sink, question)
            await lookup.close()
        with granted(tmp_path, "tocsin_dashboards", "<readonly>2</readonly>") as sink:
            for dashboard in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json")):
                for panel in json.loads(dashboard.read_text("utf-8"))["panels"]:
                    for target in panel.get("targets", []):
                        if "rawSql" in target:
                            await sink.query("EXPLAIN " + plain(target["rawSql"]))
            assert len(await sink.query("SELECT * FROM current_decisions")) == 1
            for question in (
                "SELECT text FROM messages",
                "SELECT value FROM dead_letters",
                "SELECT key FROM dead_letters",
            ):
                await refused(sink, question)
            for question in ("INSERT INTO health (code) VALUES ('x')", "DROP TABLE health"):
                with pytest.raises(Away, match=r"lacks the grant|readonly"):
                    await sink.query(question)
            await sink.close()

    asyncio.run(story())


def plain(question: str) -> str:
    """A panel's SQL with a time range in place of Grafana's macros."""
    question = re.sub(r"\$__timeFilter(?:_ms)?\((\w+)\)", r"\1 > now() - 3600", question)
    question = re.sub(r"\$__timeInterval(?:_ms)?\((\w+)\)", r"toStartOfMinute(\1)", question)
    question = re.sub(r"\$__(?:fromTime|toTime)(?:_ms)?", "now()", question)
    return question.replace("$__interval_s", "60")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder / "clickhouse-tls")


def test_over_tls_with_a_password_and_what_is_wrong_is_said(authority: Authority, tmp_path: Path) -> None:
    password, file = secrets.token_urlsafe(18) + "@/#:", tmp_path / "password"
    file.write_text(password)
    escaped = "".join(f"%{ord(each):02X}" for each in password)
    certificate, key = authority.sign("clickhouse")
    stranger = Authority(tmp_path, "stranger").ca
    tls = ("--cert", str(certificate), "--key", str(key), "--user", "recorder", "--password-file", str(file))

    def way(url: str, ca: Path | None) -> Sink:
        return Sink(load(_env_file=None, clickhouse=url, clickhouse_ca=ca).clickhouse.get_secret_value())

    async def fails(sink: Sink, named: str) -> None:
        with pytest.raises(TocsinError, match=named) as caught:
            await sink.ensure_tables()
        with pytest.raises(Away) as later:  # what the recorder logs, and says on `health`
            await sink.query("SELECT 1")
        for told in (str(caught.value), str(later.value)):
            assert password not in told
            assert escaped not in told
            assert "\n" not in told
        await sink.close()

    async def story() -> None:
        with front(tmp_path / "engine", *tls) as port:
            good = f"https://recorder:{escaped}@127.0.0.1:{port}/tocsin"
            sink = way(good, authority.ca)
            await sink.ensure_tables()
            await sink.insert("decisions", [DECISION % (int(time.time()), 0)], "a")
            assert (await sink.query("SELECT count() AS n FROM decisions"))[0]["n"] == 1
            await sink.close()
            named = way(good.replace("127.0.0.1", "localhost"), authority.ca)
            assert await named.query("SELECT 1 AS one")
            await named.close()
            await fails(way(good, None), "TOCSIN_CLICKHOUSE_CA")
            await fails(way(good, stranger), "TOCSIN_CLICKHOUSE_CA")
            await fails(way(good.replace("recorder:", "recorder:x"), authority.ca), "refuses user 'recorder'")
            await fails(way(good.replace("recorder:", "nobody:"), authority.ca), "refuses user 'nobody'")
            await fails(way(good.replace("https", "http"), authority.ca), r"TOCSIN_CLICKHOUSE\)")
        with front(tmp_path / "engine") as port:
            await fails(way(f"https://recorder:{escaped}@127.0.0.1:{port}/tocsin", authority.ca), "does not speak TLS")
        await fails(way(good, authority.ca), r"TOCSIN_CLICKHOUSE\) does not answer")

    asyncio.run(story())
    for ca in (tmp_path / "nowhere.pem", key):
        with pytest.raises(TocsinError, match="TOCSIN_CLICKHOUSE_CA"):
            way("https://h/tocsin", ca)
    with pytest.raises(TocsinError, match="write @ as %40") as caught:
        way("https://u:hush-hush/x@h/tocsin", None)
    assert "hush" not in str(caught.value)


def test_a_ca_that_the_url_has_no_use_for_is_left_alone(tmp_path: Path) -> None:
    for url in ("http://h:1/t", f"chdb://{tmp_path}"):
        found: Any = load(_env_file=None, clickhouse=url, clickhouse_ca=tmp_path / "nowhere.pem")
        assert found.clickhouse.get_secret_value() == url
