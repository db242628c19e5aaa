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
from typing import Any, Protocol, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import ConsumerStoppedError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.chunks import Chunk
from streams.kafka import client_options
from streams.settings import Settings

log = logging.getLogger("tocsin.consumer")

POLL_BUSY_SECONDS = 0.01
"""Wait for records while some partitions are in hand: they must be asked for again soon after they come free."""
POLL_IDLE_SECONDS = 0.25
RESUME_SECONDS = 8.0
"""After an assignment, until reading must have begun; it takes milliseconds."""
FETCH_WAIT_MS = 20
"""How long the broker may wait for records. A partition that comes free joins the next fetch only: this is what it waits."""


class Hooks(Protocol):
    """What a role does around a rebalance."""

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """Before the committed offsets are read; an exception ends the process."""

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """After the chunks in hand are finished, or the time for it is over."""


class Fetched:
    """Records of one partition, and where the reader stands behind them."""

    __slots__ = ("position", "records")

    def __init__(self, records: list[Any], position: int) -> None:
        self.records = records
        self.position = position


class ChunkThread(driver.AIOKafkaConsumerThread):
    """The aiokafka consumer in its own thread, so that heartbeats go on while messages are judged."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        # Faust would read uncommitted records, and wait 1.5 s a fetch, whatever its settings say.
        consumer = cast("ChunkConsumer", self.consumer)
        settings = consumer.settings
        self._assignor = RoundRobinPartitionAssignor
        return AIOKafkaConsumer(
            **client_options(settings),
            group_id=self.app.conf.id,
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=consumer.max_records,
            max_poll_interval_ms=300_000,
            max_partition_fetch_bytes=consumer.max_bytes,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            session_timeout_ms=int(settings.session_timeout * 1000),
            heartbeat_interval_ms=int(settings.session_timeout * 1000 / 6),
            rebalance_timeout_ms=int(settings.rebalance_timeout * 1000),
            request_timeout_ms=max(10_000, int(settings.rebalance_timeout * 1000) + 5_000),
        )

    async def fetch(self, partitions: set[TP], timeout: float, max_records: int) -> dict[TP, Fetched]:
        """Records of these partitions (never an empty set: to aiokafka that means all of them)."""
        return cast("dict[TP, Fetched]", await self.call_thread(self._fetch, partitions, timeout, max_records))

    async def _fetch(self, partitions: set[TP], timeout: float, max_records: int) -> dict[TP, Fetched]:
        if not self.consumer.flow_active:
            return {}
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        subscriptions = fetcher._subscriptions
        if subscriptions.reassignment_in_progress:
            return {}
        assignment = subscriptions.subscription.assignment
        with subscriptions.fetch_context():
            records = await fetcher.fetched_records(partitions, timeout=timeout, max_records=max_records)
            if subscriptions.subscription.assignment is not assignment:
                # A rebalance came and went meanwhile: these are records of the new assignment, which the agent does not
                # know yet and would throw away, while the position stands behind them already.
                for tp, batch in records.items():
                    consumer.seek(tp, batch[0].offset)
                return {}
            # The position passes transaction markers, so that a lag of nothing reads zero.
            return {tp: Fetched(batch, await consumer.position(tp)) for tp, batch in records.items()}

    async def give_back(self, fetched: dict[TP, Fetched], taken: set[TopicPartition]) -> None:
        """Reads records again that were fetched and handed to nobody, where the position still stands behind them."""
        await self.call_thread(self._give_back, fetched, set(taken))

    async def _give_back(self, fetched: dict[TP, Fetched], taken: set[TopicPartition]) -> None:
        subscription = self._ensure_consumer()._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return
        for tp, batch in fetched.items():
            state = subscription.assignment.state_value(tp) if tp in subscription.assignment.tps else None
            if tp not in taken and state is not None and state.has_valid_position and state.position == batch.position:
                self._ensure_consumer().seek(tp, batch.records[0].offset)

    async def committed(self, tp: TopicPartition) -> tuple[int | None, str]:
        """The group's offset and its metadata."""
        return cast("tuple[int | None, str]", await self.call_thread(self._committed, tp))

    async def _committed(self, tp: TopicPartition) -> tuple[int | None, str]:
        # Consumer.committed() drops the metadata; the coordinator that it asks returns both.
        found = await self._ensure_consumer()._coordinator.fetch_committed_offsets([tp])
        entry = found.get(tp)
        if entry is None or entry.offset < 0:
            return None, ""
        return entry.offset, entry.metadata

    async def commit_offset(self, tp: TopicPartition, offset: int, metadata: str) -> None:
        """Commits within the group's generation.

        Raises:
            KafkaError: not the owner any more, or the coordinator is away.
        """
        await self.call_thread(self._ensure_consumer().commit, {tp: OffsetAndMetadata(offset, metadata)})

    def refused(self) -> BaseException | None:
        """What the group's coordinator refused for good; aiokafka keeps it for a poll that Faust never makes."""
        coordinator = None if self._consumer is None else getattr(self._consumer, "_coordinator", None)
        return None if coordinator is None else getattr(coordinator, "_pending_exception", None)

    async def backlog(self) -> dict[TopicPartition, tuple[int, int]]:
        """(position, end of committed records) of every assigned partition."""
        return cast("dict[TopicPartition, tuple[int, int]]", await self.call_thread(self._backlog))

    async def _backlog(self) -> dict[TopicPartition, tuple[int, int]]:
        consumer = self._ensure_consumer()
        found = {}
        unknown = []
        for tp in consumer.assignment():
            end = consumer.last_stable_offset(tp)
            state = consumer._subscription.subscription.assignment.state_value(tp)
            if end is not None and end >= 0 and state is not None and state.has_valid_position:
                found[tp] = (state.position, end)
            else:
                unknown.append(tp)
        # One that was never fetched since it was assigned has a lag, too; who does not see it does not see that it is stuck.
        ends = await consumer.end_offsets(unknown) if unknown else {}
        for tp, end in ends.items():
            found[tp] = (await consumer.committed(tp) or 0, end)
        return found


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

    _thread: ChunkThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.busy: set[TopicPartition] = set()
        self.in_hand: set[TopicPartition] = set()
        self.resting: dict[TopicPartition, float] = {}
        self.generation = 0
        self.assigned_at: float | None = None
        self.last_chunk_at = time.monotonic()
        self._idle = asyncio.Event()

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
        if not free:
            await asyncio.sleep(POLL_BUSY_SECONDS)
            return
        wait = POLL_BUSY_SECONDS if self.busy or self.resting else POLL_IDLE_SECONDS
        fetched = await self._thread.fetch(free, wait, self.max_records)
        for tp, batch in fetched.items():
            if generation != self.generation or not self.flow_active or self.should_stop:
                # A rebalance came between: whoever owns a partition now reads it from its committed offset. Where that is
                # this reader, and it stands behind these records already, they are given back.
                await self._thread.give_back(fetched, self.busy)
                return
            self.busy.add(tp)
            chunk = Chunk(tp, batch.records, batch.position, self.topic_ids.get(tp.topic, ""), generation)
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
        self.last_chunk_at = time.monotonic()
        return True

    def done(self, chunk: Chunk, rest: float = 0.0) -> None:
        """The agent has finished a chunk; its partition may be read again after `rest` seconds."""
        if rest > 0:
            self.resting[chunk.tp] = time.monotonic() + rest
        if chunk.generation == self.generation:
            self.busy.discard(chunk.tp)
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
        """Finishes what is in hand, then lets go."""
        await super().on_partitions_revoked(revoked)
        self.generation += 1
        self.assigned_at = None
        self.busy.clear()
        await self.hooks.revoked(set(revoked))

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Fences first; only then may Faust ask for the committed offsets (it does so in the parent)."""
        self.generation += 1
        self.busy.clear()
        await self.hooks.assigned(set(assigned), self.generation)
        await super().on_partitions_assigned(assigned, generation_id)
        self.assigned_at = time.monotonic()
        self.last_chunk_at = time.monotonic()

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
        return await self._thread.committed(tp)

    async def commit_offset(self, tp: TopicPartition, offset: int, metadata: str = "") -> None:
        """Commits one offset, fenced by the group's generation; raises KafkaError where it was not taken."""
        await self._thread.commit_offset(tp, offset, metadata)

    async def backlog(self) -> dict[TopicPartition, tuple[int, int]]:
        """(position, end of committed records) of the assigned partitions."""
        return await self._thread.backlog()


class ChunkTransport(driver.Transport):
    """Faust's Kafka transport, with our consumer."""

    Consumer = ChunkConsumer


def partitions_of(topic: str, partitions: Iterable[TopicPartition]) -> list[int]:
    """The partition numbers of one topic, sorted."""
    return sorted(tp.partition for tp in partitions if tp.topic == topic)
