"""A ClickHouse server that is away, slow, full, or takes an insert and drops the answer: every row is in once."""

from __future__ import annotations

import asyncio
from typing import Any

import clickhouse_connect
import pytest

from agents.recording import Away
from agents.recording.sink import Sink
from agents.recording.target import Target
from tests.integration import recording_stage
from tests.integration.recording_stage import Backend, Play, Stage, decided

backend = recording_stage.backend
play = recording_stage.play
pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(120),
    pytest.mark.parametrize("backend", ["http"], indirect=True),
]


@pytest.mark.parametrize(
    "faults",
    [{"drop_answer": 5}, {"full": 3}, {"refuse": 4}, {"away": 5}, {"slow": 150}, {"drop_answer": 3, "full": 2}],
)
def test_whatever_the_server_does_every_row_is_in_once(backend: Backend, play: Play, faults: dict[str, Any]) -> None:
    async def story(stage: Stage) -> None:
        backend.faults(**faults)
        for first in (0, 10):
            await stage.record("decisions", [decided(n) for n in range(first, first + 10)], first=first)
        assert await stage.counts() == (20, 20, 20)
        assert bool(stage.failures) == ("slow" not in faults)
        assert ("full" not in faults) or any("NOT_ENOUGH_SPACE" in failure for failure in stage.failures)

    play(story)


def test_a_server_that_is_away_at_the_start_is_waited_for(backend: Backend) -> None:
    backend.faults(away=True)

    async def story() -> None:
        stage = Stage(Sink(backend.url("test_start")), backend)
        with pytest.raises(Away):
            await stage.sink.ensure_tables()
        waiting = asyncio.create_task(stage.record("decisions", [decided(1)]))
        while len(stage.failures) < 2:
            await asyncio.sleep(0.01)
        backend.faults()
        await stage.sink.ensure_tables()
        await waiting
        assert await stage.counts() == (1, 1, 1)
        await stage.sink.close()

    asyncio.run(story())


@pytest.mark.parametrize("compress", [False, "gzip", "lz4", "zstd"])
def test_the_front_speaks_native_blocks_both_ways(backend: Backend, compress: Any) -> None:
    options = Target.parse(backend.url("any")).options
    client = clickhouse_connect.get_client(**{**options, "compress": compress})
    client.command("CREATE OR REPLACE TABLE default.native (a UInt64, b Array(String)) ENGINE = Memory")
    client.insert("native", [[1, ["x"]], [2, []]], column_names=["a", "b"], database="default")
    assert client.query("SELECT * FROM default.native ORDER BY a").result_rows == [(1, ["x"]), (2, [])]
    with pytest.raises(Exception, match="UNKNOWN_TABLE") as caught:
        client.query("SELECT * FROM default.nothing")
    assert getattr(caught.value, "code", None) == 60
    assert client.ping()
    client.close()
