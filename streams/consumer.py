"""How records reach an agent: as chunks, through a Faust consumer that commits nothing itself.

Faust pays over 100 us an event and may commit what was never finished (docs/delivery.md); handed a chunk
as one event it pays once for thousands, and whoever finishes the chunk commits it.
Owns: fetching, chunk bounds, which partitions are in hand. Must never: commit by itself, or look into a record.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any, Protocol, cast

from aiokafka import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.chunks import Chunk
from streams.fetching import ChunkThread, Member, Shared
from streams.settings import Settings

log = logging.getLogger("tocsin.consumer")

POLL_SECONDS = 0.25
"""Wait for records, or for a partition to come free."""
RESUME_SECONDS = 8.0
"""After an assignment, until reading must have begun; it takes milliseconds."""


class Hooks(Protocol):
    """What a role does around a rebalance."""

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """Before the committed offsets are read; an exception ends the process."""

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """After the chunks in hand are finished, or the time for it is over."""


class ChunkConsumer(driver.Consumer):
    """Hands the agent chunks; a partition whose chunk is in hand is not read until it is finished.

    That is the back-pressure: memory holds one chunk and one fetch of each partition, and the next chunk is as large
    as the backlog that grew meanwhile, up to the bound.
    """

    settings: Settings
    hooks: Hooks
    max_records: int
    max_bytes: int
    drain_seconds: float
    topic_ids: dict[str, str]
    shared: Shared = "in turn"

    _thread: ChunkThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.busy: set[TopicPartition] = set()
        self.in_hand: set[TopicPartition] = set()
        self.resting: dict[TopicPartition, float] = {}
        self._ended: dict[TopicPartition, int] = {}
        self._member: Member | None = None
        self.generation = 0
        self.assigned_at: float | None = None
        self._moved: dict[TopicPartition, float] = {}
        self._idle = asyncio.Event()
        self._freed = asyncio.Event()

    def _new_consumer_thread(self) -> ChunkThread:
        return ChunkThread(self, loop=self.loop, beacon=self.beacon)

    # --- fetching

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Chunks, each as the value of one message; `timeout` is ours, not Faust's."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
        self.not_waiting_next_records.set()
        generation = self.generation
        now = time.monotonic()
        self.resting = {tp: until for tp, until in self.resting.items() if until > now}
        free = {tp for tp in self._get_active_partitions() if tp not in self.busy and tp not in self.resting}
        wait = min([POLL_SECONDS, *(until - now for until in self.resting.values())])
        if not free:
            self._freed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), wait)
            return
        fetched = await self._thread.fetch(free, wait, self.max_records)
        for tp, batch in fetched.items():
            if generation != self.generation or not self.flow_active or self.should_stop:
                # A rebalance came between: whoever owns a partition now reads it from its committed offset. Where that is
                # this reader, and it stands behind these records already, they are given back.
                await self._thread.give_back(fetched, self.busy)
                return
            self.busy.add(tp)
            chunk = Chunk(tp, batch.records, batch.position, self.topic_ids.get(tp.topic, ""), generation, batch.begin)
            yield tp, self._chunk_message(tp, chunk)

    def _chunk_message(self, tp: TopicPartition, chunk: Chunk) -> ConsumerMessage:
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            chunk.last,
            time.time(),
            0,
            [],
            None,
            cast("bytes", chunk),  # Faust carries a message's value as it is
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def take(self, chunk: Chunk) -> bool:
        """The agent begins a chunk; False where a rebalance has made it somebody else's."""
        if chunk.generation != self.generation:
            return False
        self.in_hand.add(chunk.tp)
        self.progressed(chunk.tp)
        return True

    def progressed(self, tp: TopicPartition) -> None:
        """The agent took a chunk of this partition, or finished a part of one: it is not stuck."""
        self._moved[tp] = time.monotonic()

    def stuck_seconds(self, behind: Iterable[TopicPartition]) -> float:
        """How long the partition that waits longest has made no progress; to be asked every few seconds.

        Args:
            behind: partitions with records to take; one with none, and none in hand, waits for nothing.
        """
        now = time.monotonic()
        waiting = {*behind, *self.in_hand}
        self._moved = {tp: since if tp in waiting else now for tp, since in self._moved.items()}
        return max((now - self._moved.setdefault(tp, now) for tp in waiting), default=0.0)

    async def expect(self, partitions: set[TopicPartition]) -> None:
        """Notes where the group has read to; the first chunk of a partition begins there."""
        self._ended = {tp: entry.offset for tp, entry in (await self._thread.committed(partitions)).items()}

    async def missing(self, chunk: Chunk) -> int:
        """How many offsets before a chunk were never handed out, though Kafka has them: a hole in what is read.

        Faust and aiokafka each keep a position of their own, and rebalances that overlap have set one past what the other
        had handed over. Nobody would notice: the offset committed next covers the hole.
        """
        ended = self._ended.get(chunk.tp)
        if chunk.first <= (ended or 0):
            return 0
        kept = await self._thread.first(chunk.tp)
        if ended is not None and kept > ended:
            log.error("%s: Kafka removed offsets %d to %d before they were read", chunk.tp, ended, kept - 1)
        return max((chunk.begin or 0) - max(ended or 0, kept), 0)

    def done(self, chunk: Chunk, rest: float = 0.0) -> None:
        """The agent has finished a chunk; its partition may be read again after `rest` seconds."""
        if rest > 0:
            self.resting[chunk.tp] = time.monotonic() + rest
        if chunk.generation == self.generation:
            self.busy.discard(chunk.tp)
            self._ended[chunk.tp] = chunk.next_offset
            self._freed.set()
            if rest <= 0:
                self._thread.release(chunk.tp)
        self.in_hand.discard(chunk.tp)
        if not self.in_hand:
            self._idle.set()

    # --- Faust's own commits and waits: none

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commits nothing: offsets belong to whoever finishes a chunk."""
        return False

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commits nothing."""
        return False

    async def wait_empty(self) -> None:
        """Waits for the chunks in hand, at most `drain_seconds`; Faust's own wait has no bound."""
        deadline = time.monotonic() + self.drain_seconds
        while self.in_hand and time.monotonic() < deadline:
            self._idle.clear()
            try:
                await asyncio.wait_for(self._idle.wait(), max(deadline - time.monotonic(), 0.01))
            except TimeoutError:
                break
        if self.in_hand:
            log.warning("chunks still in hand after %.1f s: %s", self.drain_seconds, sorted(self.in_hand))

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust's livelock detector watches commits, and there are none."""

    # --- rebalances

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Waits for what is in hand, then lets go.

        The generation ends first, so that an agent drops what it has not begun to commit: a worker short of CPU would
        else finish thousands of records while the group waits, be too late, and have to leave.
        """
        self.generation += 1
        self.assigned_at = None
        await super().on_partitions_revoked(revoked)
        self.busy.clear()
        self._freed.set()
        await self.hooks.revoked(set(revoked))

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Fences first; only then may Faust ask for the committed offsets (it does so in the parent)."""
        self.generation += 1
        self.busy.clear()
        self._freed.set()
        self._member = self._thread.member
        await self.hooks.assigned(set(assigned), self.generation)
        await super().on_partitions_assigned(assigned, generation_id)
        self.assigned_at = time.monotonic()
        self._moved = dict.fromkeys(assigned, self.assigned_at)

    @property
    def stalled(self) -> bool:
        """Whether partitions were assigned, and Faust has not begun to read them since: two rebalances in a row may do that."""
        if self.assigned_at is None or time.monotonic() - self.assigned_at < RESUME_SECONDS:
            return False
        return not self.flow_active or not self.assignment() <= self._get_active_partitions()

    @property
    def refused(self) -> BaseException | None:
        """What the group's coordinator refused for good, such as rights or a session timeout."""
        return self._thread.refused()

    # --- offsets, for a role that commits them itself

    async def committed(self, tp: TopicPartition) -> tuple[int | None, str]:
        """The group's offset of a partition (None: never committed) and the metadata committed with it."""
        entry = (await self._thread.committed([tp])).get(tp)
        return (None, "") if entry is None else (entry.offset, entry.metadata)

    async def commit_offset(self, tp: TopicPartition, offset: int, metadata: str = "") -> None:
        """Commits one offset as the member that was given the partitions; raises KafkaError where it is that no more."""
        await self._thread.commit_offset(tp, offset, metadata, self._member)

    async def backlog(self) -> dict[TopicPartition, tuple[int, int]]:
        """(position, end of committed records) of the assigned partitions."""
        return await self._thread.backlog()


class ChunkTransport(driver.Transport):
    """Faust's Kafka transport, with our consumer."""

    Consumer = ChunkConsumer


def partitions_of(topic: str, partitions: Iterable[TopicPartition]) -> list[int]:
    """The partition numbers of one topic, sorted."""
    return sorted(tp.partition for tp in partitions if tp.topic == topic)
