"""The consumer: partitions that were assigned and are not read do not go unseen."""

from __future__ import annotations

import time
from typing import Any

import pytest
from faust.types import TP

from streams.consumer import RESUME_SECONDS, ChunkConsumer

FIRST, SECOND = TP("messages", 0), TP("messages", 1)


class Assigned(ChunkConsumer):
    """A consumer as Faust left it, without Kafka."""

    def __init__(self, since: float | None, flow: bool, active: set[TP]) -> None:
        self.assigned_at = None if since is None else time.monotonic() - since
        self.flow_active = flow
        self._own_active = active

    def assignment(self) -> Any:
        return {FIRST, SECOND}

    def _get_active_partitions(self) -> Any:
        return self._own_active


@pytest.mark.parametrize(
    ("since", "flow", "active", "stalled"),
    [
        (RESUME_SECONDS + 1, True, {FIRST, SECOND}, False),
        (RESUME_SECONDS + 1, True, {SECOND}, True),
        (RESUME_SECONDS + 1, False, {FIRST, SECOND}, True),
        (RESUME_SECONDS / 2, False, set(), False),
        (None, False, set(), False),
    ],
)
def test_partitions_assigned_and_not_read_are_a_stall(
    since: float | None, flow: bool, active: set[TP], stalled: bool
) -> None:
    assert Assigned(since, flow, active).stalled is stalled
