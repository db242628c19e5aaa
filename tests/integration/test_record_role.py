"""The role `record` against a ClickHouse over HTTP that is away at first, and a recorder that is killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from agents.stack import free_port
from streams.settings import Settings
from tests.harness import Worker, message, produce, tocsin, values, wait_for, wait_values

pytestmark = pytest.mark.integration


class Front:
    """The HTTP front over the real engine, started when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it serves."""
        argv = [sys.executable, "-m", "tests.clickhouse_front", "--path", str(self._folder), "--port", str(self.port)]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline()

    def stop(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)

    def count(self, table: str) -> int:
        """Rows of a table."""
        query = urllib.parse.urlencode({"query": f"SELECT count() FROM tocsin.{table} FORMAT TabSeparated"})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/?{query}", timeout=10) as answer:
            return int(answer.read())


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    one = Front(tmp_path / "engine")
    yield one
    one.stop()


async def test_rows_wait_in_kafka_while_clickhouse_is_away_and_come_once_through_a_kill(
    settings: Settings, front: Front, tmp_path: Path
) -> None:
    over_http = settings.model_copy(update={"clickhouse": SecretStr(f"http://127.0.0.1:{front.port}/tocsin")})
    made = await asyncio.to_thread(tocsin, settings, "init")  # topics and policy: ClickHouse is away still
    assert made.returncode == 0, made.stderr
    workers = [Worker(over_http, role, folder=tmp_path) for role in ("triage", "record")]
    try:
        await produce(settings, "messages", [message(n, "hello there, how are you today") for n in range(500)])
        decisions = await wait_values(settings, "decisions", lambda found: len(found) == 500, "decisions go on")
        alarms = await wait_values(
            settings, "health", lambda found: any(one["code"] == "clickhouse_away" for one in found), "the alarm"
        )
        assert any(one["code"] == "clickhouse_away" for one in alarms)
        front.start()
        made = await asyncio.to_thread(tocsin, over_http, "init")
        assert made.returncode == 0, made.stderr
        await asyncio.to_thread(wait_for, lambda: front.count("decisions") == 500, "the rows that waited")
        workers[1].kill()
        await produce(settings, "messages", [message(n, "hello there, how are you today") for n in range(500, 900)])
        workers[1] = Worker(over_http, "record", folder=tmp_path)
        await asyncio.to_thread(wait_for, lambda: front.count("decisions") >= 900, "the rows behind the kill")
        await asyncio.to_thread(wait_for, lambda: front.count("messages") >= 900, "the messages")
    finally:
        for worker in workers:
            worker.stop()
    assert len(decisions) == 500
    assert (front.count("decisions"), front.count("messages")) == (900, 900)
    assert await values(settings, "dead-letters") == []


async def test_inserts_lie_beside_the_engine_and_what_a_kill_left_is_taken_away(
    settings: Settings, tmp_path: Path
) -> None:
    made = await asyncio.to_thread(tocsin, settings, "init")
    assert made.returncode == 0, made.stderr
    inserts, elsewhere = tmp_path / "clickhouse" / "inserts", tmp_path / "elsewhere"
    inserts.mkdir(parents=True)
    elsewhere.mkdir()
    left = inserts / "left.raw"
    left.write_text("what a customer wrote")
    worker = await asyncio.to_thread(lambda: Worker(settings, "record", folder=tmp_path, TMPDIR=str(elsewhere)))
    try:
        assert not left.exists()
        before = inserts.stat().st_mtime_ns, elsewhere.stat().st_mtime_ns
        await produce(settings, "messages", [message(1, "hello there, how are you today")])
        await asyncio.to_thread(
            wait_for, lambda: 'tocsin_rows_total{table="messages"} 1.0' in worker.metric("tocsin_"), "a row"
        )
    finally:
        worker.stop()
    assert inserts.stat().st_mtime_ns > before[0], "the insert was no file here"
    assert elsewhere.stat().st_mtime_ns == before[1]
