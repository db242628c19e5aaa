"""What the recorder's client of ClickHouse does where a call is under way."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from agents.recording.sink import Sink


class Engine:
    """A client whose answers wait until they are allowed, and which knows whether it was closed."""

    def __init__(self) -> None:
        self.asked, self.may_answer, self.closed = threading.Event(), threading.Event(), False

    def query(self, _sql: str, parameters: object = None) -> Engine:
        self.asked.set()
        self.may_answer.wait(30)
        return self

    def named_results(self) -> list[dict[str, int]]:
        return [{"1": 1}]

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("in_process", "closed"), [(True, False), (False, True)])
def test_an_engine_in_this_process_is_not_closed_under_a_call(in_process: bool, closed: bool, tmp_path: Path) -> None:
    """chDB crashes the process there; a client over HTTP is closed at once, so that nobody waits for a dead server."""

    async def scenario() -> bool:
        sink, engine = Sink(f"chdb://{tmp_path}" if in_process else "http://127.0.0.1:1/tocsin"), Engine()
        sink._client = engine  # type: ignore[assignment]  # stands in for a real one, whose answer comes too fast
        asking = asyncio.create_task(sink.query("SELECT 1"))
        await asyncio.to_thread(engine.asked.wait, 30)
        await sink.close()
        under_call = engine.closed
        engine.may_answer.set()
        assert await asking == [{"1": 1}]
        await sink.close()
        assert engine.closed
        return under_call

    assert asyncio.run(scenario()) is closed
