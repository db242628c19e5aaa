"""The recorder's stage for tests on the real engine: a database, in this process or behind HTTP, and a group's offsets.

Test modules take the fixtures `backend` and `play` from here; a test that asks for `play` runs on both. HTTP is
`tests/clickhouse_front.py`, a process of its own. chdb takes one path a process, so a module's engine is closed before
the next one's opens.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from agents.recording.recorder import Recorder
from agents.recording.sink import Sink
from agents.recording.tables import TABLES, Record, Tables
from schemas.base import timestamp
from schemas.operations import DeadLetter
from streams.chunks import Chunk
from tests.unit.test_tables import decision

ROOT = Path(__file__).resolve().parents[2]
NOW = int(time.time() * 1000)


@dataclass
class Backend:
    """An engine: the URL of a database on it, and its fault switches (none in this process)."""

    url: Callable[[str], str]
    control: str | None = None
    databases: int = 0

    def faults(self, **faults: Any) -> dict[str, Any]:
        assert self.control is not None
        request = urllib.request.Request(self.control + "/faults", orjson.dumps(faults))
        with urllib.request.urlopen(request, timeout=10) as response:
            found = orjson.loads(response.read())
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module", params=["chdb", "http"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    with tempfile.TemporaryDirectory() as folder:
        if request.param == "chdb":
            yield Backend(lambda database: f"chdb://{folder}?database={database}")
            return
        command = [sys.executable, "-m", "tests.clickhouse_front", "--path", folder]
        front = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            assert front.stdout is not None
            port, control = front.stdout.readline().split()
            yield Backend(lambda database: f"http://127.0.0.1:{port}/{database}", f"http://127.0.0.1:{control}")
        finally:
            front.terminate()
            assert front.wait(10) == 0


@dataclass
class Stage:
    """A recorder on a database of its own, with a group's offsets in memory."""

    sink: Sink
    backend: Backend
    group: dict[TopicPartition, tuple[int | None, str]] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    async def committed(self, tp: TopicPartition) -> tuple[int | None, str]:
        return self.group.get(tp, (None, ""))

    async def commit(self, tp: TopicPartition, offset: int, metadata: str) -> None:
        self.group[tp] = (offset, metadata)

    async def end(self, tp: TopicPartition) -> int:
        return 1_000_000

    async def report(self, letter: DeadLetter) -> None:
        self.dead.append(letter)

    def recorder(self) -> Recorder:
        return Recorder(
            self.sink,
            self,
            Tables(lambda name, language: len(name)).row,
            {f"tocsin.{kind}": kind for kind in TABLES},
            self.report,
            away=lambda tp, error, attempt: self.failures.append(str(error)),
            first_retry=0.01,
        )

    async def record(self, kind: str, values: list[Any], first: int = 0, partition: int = 0, times: Any = None) -> None:
        """One chunk through a new member of the group."""
        tp = TopicPartition(f"tocsin.{kind}", partition)
        records = [
            record(kind, first + place, value, partition, times[place] if times else NOW)
            for place, value in enumerate(values)
        ]
        recorder = self.recorder()
        await recorder.assigned([tp])
        assert await recorder.handle(Chunk(tp, records, first + len(values), "life"))

    async def value(self, sql: str) -> Any:
        rows = await self.sink.query(sql)
        assert len(rows) == 1
        assert len(rows[0]) == 1
        return next(iter(rows[0].values()))

    async def counts(self) -> tuple[int, int, int]:
        """Decisions in the raw table, in the minutes and in the hours."""
        return (
            await self.value("SELECT count() FROM decisions"),
            await self.value("SELECT sum(decisions) FROM decisions_1m"),
            await self.value("SELECT sum(decisions) FROM decisions_1h"),
        )


def record(kind: str, offset: int, value: Any, partition: int = 0, at: int = 0) -> Record:
    data = value if isinstance(value, bytes) or value is None else orjson.dumps(value)
    return ConsumerRecord(f"tocsin.{kind}", partition, offset, at or NOW, 1, b"c1", data, None, 2, 0, ())


def decided(number: int, **changes: Any) -> dict[str, Any]:
    at = timestamp(NOW)
    fresh = {"sent_at": at, "received_at": at, "decided_at": at, "id": f"d{number}", "message_id": f"m{number}"}
    return decision(**{**fresh, **changes})


@pytest.fixture
def play(backend: Backend) -> Iterator[Callable[[Callable[[Stage], Awaitable[None]]], None]]:
    """Runs a story on a fresh database."""
    backend.databases += 1
    sink = Sink(backend.url(f"test_{backend.databases}"))

    def run(story: Callable[[Stage], Awaitable[None]]) -> None:
        async def whole() -> None:
            try:
                await sink.ensure_tables()
                await story(Stage(sink, backend))
            finally:
                await sink.close()

        asyncio.run(whole())

    yield run
    if backend.control is not None:
        backend.faults()


Play = Callable[[Callable[[Stage], Awaitable[None]]], None]
