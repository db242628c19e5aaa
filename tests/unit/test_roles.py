"""A role's figures: lag, latencies, and when it counts as stuck."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from streams.consumer import ChunkConsumer
from streams.health import HealthReporter
from streams.roles import GroupRole, percentile
from streams.settings import load
from streams.worker import Worker

TP, OTHER = TopicPartition("messages", 0), TopicPartition("messages", 1)


def role(position: int, end: int, *, in_hand: set[TopicPartition], quiet_seconds: float) -> GroupRole:
    """A role that took its last chunk of TP so long ago, and one of OTHER just now."""

    async def backlog() -> dict[TopicPartition, tuple[int, int]]:
        return {TP: (position, end)}

    consumer = ChunkConsumer.__new__(ChunkConsumer)
    consumer.backlog = backlog  # type: ignore[method-assign]
    consumer.in_hand = in_hand
    consumer._moved = {TP: time.monotonic() - quiet_seconds, OTHER: time.monotonic()}
    one = GroupRole(load(), SimpleNamespace())  # type: ignore[arg-type]  # no alarm is raised here
    one.name = "record"
    one.app = SimpleNamespace(consumer=consumer, ready=True)  # type: ignore[assignment]
    return one


async def test_records_to_take_and_nothing_in_hand_for_long_is_stuck() -> None:
    figures = await role(5, 9, in_hand=set(), quiet_seconds=100).figures()
    assert figures["lag_records"] == 4
    assert figures["stuck_seconds"] >= 100


async def test_a_chunk_in_hand_for_long_is_stuck_but_where_somebody_else_is_waited_for() -> None:
    for end in (5, 9):
        triage, record = (role(5, end, in_hand={TP}, quiet_seconds=4000) for _ in range(2))
        record.may_wait = True
        assert (await triage.figures())["stuck_seconds"] >= 4000
        assert (await record.figures())["stuck_seconds"] == 0


async def test_nothing_to_take_is_not_stuck_and_reads_zero() -> None:
    figures = await role(9, 9, in_hand=set(), quiet_seconds=4000).figures()
    assert (figures["lag_records"], figures["lag_seconds"], figures["stuck_seconds"]) == (0, 0.0, 0.0)


async def test_a_record_after_a_quiet_hour_is_not_stuck() -> None:
    quiet = role(9, 9, in_hand=set(), quiet_seconds=4000)
    await quiet.figures()
    assert quiet.app.consumer.stuck_seconds([TP]) < 4000


@pytest.mark.parametrize(("share", "expected"), [(0.5, 3.0), (0.99, 5.0), (0.0, 1.0)])
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], share) == expected
    assert percentile([], share) is None


class Ending:
    """A role that ends; aiokafka lets the cancellation of its own tasks out of its `stop`."""

    def __init__(self, fault: BaseException | None = None) -> None:
        self.name, self.fault, self.stopped = "one", fault, False

    async def stop(self) -> None:
        self.stopped = True
        if self.fault is not None:
            raise self.fault


async def test_a_cancellation_from_within_a_roles_end_does_not_keep_the_others_from_theirs() -> None:
    worker = Worker(load(), [], [])
    first, last = Ending(), Ending(asyncio.CancelledError())
    worker._roles = cast("Any", [first, last])
    await worker._end(HealthReporter(load(), "worker"))
    assert (first.stopped, last.stopped) == (True, True)
