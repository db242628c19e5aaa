"""The consumer's other half: aiokafka in a thread of its own, what it fetched, and where it stands.

Owns: positions. aiokafka moves one when it hands records over, not when they are finished, and Faust starts each
assignment at the committed offset; whatever lies between is read again or known to be empty.
Must never: decide which partition is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.kafka import client_options
from streams.membership import keep_out

if TYPE_CHECKING:
    from streams.consumer import ChunkConsumer

FETCH_WAIT_MS = 20
"""How long the broker may wait for records, where no partition is in hand."""
FETCH_WAIT_BUSY_MS = 3
"""And where one is: when it comes free it joins the next fetch only, so this is what it waits."""

METADATA_MS = 5_000
"""How old what a consumer knows about its topics may become. A refresh that fails is not repeated before: a member that
joined while the broker was away shared out what it knew, which was nothing, and read nothing for aiokafka's five minutes."""

COMMIT_RETRY_SECONDS = 0.1


class OneMemberAssignor(RangePartitionAssignor):  # type: ignore[misc]  # aiokafka has no types
    """Every partition of every topic to one member; the others stand by."""

    name = "one-member"

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """The share of each member, by its id."""
        first = min(members)
        shares: dict[str, ConsumerProtocolMemberAssignment] = super().assign(cluster, {first: members[first]})
        nothing = ConsumerProtocolMemberAssignment(cls.version, [], b"")
        return {member: shares.get(member, nothing) for member in members}


Shared = Literal["in turn", "by number", "to one"]
"""How a group's members share its partitions: in turn, no member is left with more than one above the others; by number, equal
numbers of all topics go to one member (they have equally many partitions); to one, the others stand by."""
ASSIGNORS: dict[Shared, Any] = {
    "in turn": RoundRobinPartitionAssignor,
    "by number": RangePartitionAssignor,
    "to one": OneMemberAssignor,
}


@dataclass(slots=True)
class Fetched:
    """Records of one partition; where the reader stood before them, and stands behind them."""

    records: list[Any]
    begin: int | None
    position: int


@dataclass(slots=True)
class _Wanted:
    """Partitions that a fetch under way is for, and where reading of each began."""

    partitions: set[TP]
    begins: dict[TP, int | None]


def keep_asking(fetcher: Any) -> None:
    """Wakes aiokafka's fetcher again where it looked too early.

    That a request is answered is noted by a callback; a fetcher that another event wakes in the same turn of the loop does
    not know yet, asks for nothing, and sleeps for 0.2 s beside records that wait.
    """
    look = fetcher._get_actions_per_node

    def look_again(assignment: Any) -> Any:
        if len(fetcher._in_flight) > len(fetcher._pending_tasks):
            # The callback is in this turn's queue already, so this one comes after it.
            asyncio.get_running_loop().call_soon(fetcher._notify, fetcher._wait_consume_future)
        return look(assignment)

    fetcher._get_actions_per_node = look_again


class Member(NamedTuple):
    """As whom a consumer was given its partitions."""

    generation: int
    id: str


class ChunkThread(driver.AIOKafkaConsumerThread):
    """The aiokafka consumer in its own thread, so that heartbeats go on while messages are judged."""

    member: Member | None = None
    _wanted: _Wanted | None = None
    _empty: tuple[Any, dict[TP, tuple[int | None, int]]] = (None, {})
    """Of an assignment: what was read behind the last record of a partition and held none, such as transaction markers."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        # Faust would read uncommitted records, and wait 1.5 s a fetch, whatever its settings say.
        consumer = cast("ChunkConsumer", self.consumer)
        settings = consumer.settings
        self._assignor = ASSIGNORS[consumer.shared]
        return AIOKafkaConsumer(
            **client_options(settings),
            group_id=self.app.conf.id,
            group_instance_id=settings.instance or None,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=consumer.max_records,
            max_poll_interval_ms=300_000,
            max_partition_fetch_bytes=consumer.max_bytes,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=METADATA_MS,
            session_timeout_ms=int(settings.session_timeout * 1000),
            heartbeat_interval_ms=int(settings.session_timeout * 1000 / 6),
            rebalance_timeout_ms=int(settings.rebalance_timeout * 1000),
            request_timeout_ms=max(10_000, int(settings.rebalance_timeout * 1000) + 5_000),
        )

    async def on_start(self) -> None:
        """Starts the consumer, and sees to it that it asks for records without a pause, and does not fight for its name."""
        await super().on_start()
        consumer = self._ensure_consumer()
        keep_asking(consumer._fetcher)
        if instance := cast("ChunkConsumer", self.consumer).settings.instance:
            keep_out(consumer._coordinator, instance)

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
        if self._empty[0] is not assignment:
            self._empty = (assignment, {})
        # aiokafka fetches ahead what was handed over just now; then it holds back all that this broker has, for 100 ms,
        # because nobody takes it. A partition in hand is paused instead, and read when it comes free: newer, and more.
        for tp in assignment.tps:
            state = assignment.state_value(tp)
            state.resume() if tp in partitions else state.pause()
        fetcher._prefetch_backoff = 0.0  # nor is another partition held back for the rest of a chunk
        fetcher._fetch_max_wait_ms = FETCH_WAIT_MS if assignment.tps <= partitions else FETCH_WAIT_BUSY_MS
        wanted = self._wanted = _Wanted(partitions, {tp: self._begin(tp) for tp in partitions & assignment.tps})
        with subscriptions.fetch_context():
            try:
                records = await fetcher.fetched_records(wanted.partitions, timeout=timeout, max_records=max_records)
            finally:
                self._wanted = None
            if subscriptions.subscription.assignment is not assignment:
                # A rebalance came and went meanwhile: these are records of the new assignment, which the agent does not
                # know yet and would throw away, while the position stands behind them already.
                for tp, batch in records.items():
                    consumer.seek(tp, batch[0].offset)
                return {}
            for tp in records:
                assignment.state_value(tp).pause()
                fetcher._fetch_max_wait_ms = FETCH_WAIT_BUSY_MS
            for tp, begin in wanted.begins.items():
                if tp not in records and (position := self._stands(tp)) is not None:
                    self._empty[1][tp] = (begin, position)
            # The position passes transaction markers, so that a lag of nothing reads zero.
            return {tp: Fetched(batch, wanted.begins[tp], await consumer.position(tp)) for tp, batch in records.items()}

    def release(self, tp: TP) -> None:
        """A partition came free: the fetch under way, if any, is for it as well. From any thread."""
        with suppress(RuntimeError):  # the thread has ended
            self.thread_loop.call_soon_threadsafe(self._release, tp)

    def _release(self, tp: TP) -> None:
        subscription = None if self._consumer is None else self._consumer._subscription.subscription
        if self._wanted is None or subscription is None or self._empty[0] is not subscription.assignment:
            return  # the next fetch is for it
        if tp in self._empty[0].tps and tp not in self._wanted.partitions:
            self._empty[0].state_value(tp).resume()
            self._wanted.begins[tp] = self._begin(tp)
            self._wanted.partitions.add(tp)
            fetcher = self._ensure_consumer()._fetcher
            if tp in fetcher._records:  # more than one chunk may hold was fetched; nothing else would end the wait
                for waiter in fetcher._fetch_waiters:
                    fetcher._notify(waiter)

    def _stands(self, tp: TP) -> int | None:
        state = self._empty[0].state_value(tp)
        return cast("int", state.position) if state is not None and state.has_valid_position else None

    def _begin(self, tp: TP) -> int | None:
        """Where reading began: before what was read since the last record and held none, if nobody sought elsewhere since."""
        stands = self._stands(tp)
        begin, end = self._empty[1].pop(tp, (stands, stands))
        return begin if end == stands else stands

    async def first(self, tp: TP) -> int:
        """The oldest offset that Kafka still has."""
        found = await self.call_thread(self._ensure_consumer().beginning_offsets, [tp])
        return cast("int", found[tp])

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

    async def committed(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        """The group's offsets and their metadata, of those partitions that have one."""
        found = await self.call_thread(self._committed, list(tps))
        return cast("dict[TopicPartition, OffsetAndMetadata]", found)

    async def _committed(self, tps: list[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        # Consumer.committed() drops the metadata; the coordinator that it asks returns both.
        found = await self._ensure_consumer()._coordinator.fetch_committed_offsets(tps) if tps else {}
        return {tp: entry for tp, entry in found.items() if entry.offset >= 0}

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Notes as whom the partitions were given to us."""
        self.member = Member(generation_id, self._ensure_consumer()._coordinator.member_id)
        await super().on_partitions_assigned(assigned, generation_id)

    async def commit_offset(self, tp: TopicPartition, offset: int, metadata: str, member: Member | None) -> None:
        """Commits as that member, or not at all; waits for a coordinator that is away.

        Raises:
            KafkaError: that member is not in the group any more.
        """
        await self.call_thread(self._commit_offset, tp, OffsetAndMetadata(offset, metadata), member)

    async def _commit_offset(self, tp: TopicPartition, offset: OffsetAndMetadata, member: Member | None) -> None:
        coordinator = self._ensure_consumer()._coordinator
        while True:
            await coordinator.ensure_coordinator_known()
            async with coordinator._commit_lock:
                # Nothing else runs between this question and the request. aiokafka commits as whoever it is by then: as a
                # later generation, after a retry, or as nobody, once it was refused; and Kafka takes nobody's commits
                # while the group is empty.
                if member is None or member != (coordinator.generation, coordinator.member_id):
                    raise CommitFailedError(
                        f"offset {offset.offset} of {tp}: the group has gone on without this member"
                    )
                try:
                    await coordinator._do_commit_offsets(None, {tp: offset})
                    return
                except (UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError) as error:
                    raise CommitFailedError(f"offset {offset.offset} of {tp}: {error}") from None
                except KafkaError as error:
                    if not error.retriable:
                        raise
            await asyncio.sleep(COMMIT_RETRY_SECONDS)

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
