"""A role's app at its end: what is in hand is finished, and nothing new is begun."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from faust.types import TP

from streams import app as module
from streams.app import ChunkApp
from streams.chunks import Chunk
from streams.settings import load

PLACE = TP("tocsin.messages", 0)


class Role:
    """Notes what it is asked to do; it cannot take partitions."""

    def __init__(self) -> None:
        self.handled: list[Chunk] = []
        self.app = ChunkApp(load(), "triage", [PLACE.topic], self.handle, self, max_records=10, max_bytes=1 << 20)

    async def handle(self, chunk: Chunk) -> None:
        self.handled.append(chunk)
        await self.meanwhile()
        raise RuntimeError("the producer is closed")

    async def meanwhile(self) -> None:
        """What happens before the chunk fails."""

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        raise RuntimeError("a transaction of the last assignment is under way")

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """Nothing to close."""


class Left(BaseException):
    """The process would have ended."""


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> Role:
    def leave(reason: str, error: BaseException | None = None) -> None:
        raise Left(reason)

    async def stop() -> None:
        """Faust's part, which needs Kafka."""

    monkeypatch.setattr(module, "leave", leave)
    role = Role()
    monkeypatch.setattr(role.app._app, "stop", stop)
    return role


async def test_partitions_that_come_while_it_stops_are_not_taken(role: Role) -> None:
    with pytest.raises(Left, match="cannot take 1 partitions"):
        await role.app.assigned({PLACE}, 1)
    await role.app.stop()
    await role.app.assigned({PLACE}, 1)


@pytest.mark.parametrize("stops", [False, True])
async def test_a_chunk_that_fails_ends_the_process_with_seventy_unless_it_stops_anyway(
    role: Role, monkeypatch: pytest.MonkeyPatch, stops: bool
) -> None:
    async def stream() -> AsyncIterator[Chunk]:
        record: Any = SimpleNamespace(offset=0)
        yield Chunk(PLACE, [record], 1, generation=role.app.consumer.generation)

    async def missing(chunk: Chunk) -> int:
        return 0

    monkeypatch.setattr(role.app.consumer, "missing", missing)
    if stops:
        monkeypatch.setattr(role, "meanwhile", role.app.stop)
    with nullcontext() if stops else pytest.raises(Left, match="could not finish"):
        await role.app._agent(cast("Any", stream()))
    assert len(role.handled) == 1


async def test_a_chunk_that_comes_while_it_stops_is_not_begun(role: Role) -> None:
    async def stream() -> AsyncIterator[Chunk]:
        yield Chunk(PLACE, cast("Any", []), 1, generation=role.app.consumer.generation)

    await role.app.stop()
    await role.app._agent(cast("Any", stream()))
    assert role.handled == []
    assert role.app.consumer.in_hand == set()
