"""One destination: a consumer group of its own, which delivers each alert and then commits.

What one destination cannot take waits for it alone, and its lag shows it. An alert that is refused becomes a dead letter, and the
next goes on; a destination that is away is asked again, up to a bound.
Owns: that order of things. Must never: commit past an alert that was neither delivered, nor became a dead letter.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from functools import partial

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError
from aiokafka.structs import ConsumerRecord

from agents.notify.courier import Courier, Letter
from agents.notify.destinations import Apprise, Destination
from agents.notify.gather import Due, Gather, Marks
from agents.notify.sending import Parcel, Sender
from schemas.base import Invalid
from schemas.decision import Alert
from schemas.reading import read
from streams import metrics
from streams.app import ChunkApp
from streams.chunks import Chunk
from streams.health import HealthReporter
from streams.kafka import end_offsets, reader, started
from streams.roles import GroupRole
from streams.settings import Settings

CHUNK = 50
CHUNK_BYTES = 8_000_000
AT_ONCE = 4
"""Partitions that are delivered from at the same time."""
COMMIT_SECONDS = 1.0
"""Longest that what is delivered stays uncommitted: what a kill would have delivered again."""
TICK_SECONDS = 0.25
LAST_SECONDS = 2.0
"""For what is held, at the end; what is not told then is read again."""
MOST_TOLD = 20_000
"""Decisions that are remembered, so that one that rang on two topics is told once."""
Told = tuple[str, str]
"""A decision's id and its alert's `change`: the same on every topic where it rang."""


class Delivery(GroupRole):
    """Delivers to one destination, under the group `<prefix>notify.<name>`.

    Args:
        sender: the way there; started and stopped here.
        group_of: what an alert's group is gathered under.
        letter: writes a dead letter, and returns when it is written.
    """

    may_wait = True

    def __init__(
        self,
        settings: Settings,
        health: HealthReporter,
        destination: Destination,
        sender: Sender,
        group_of: Callable[[str], str],
        letter: Letter,
    ) -> None:
        super().__init__(settings, health)
        self.name = f"notify.{destination.name}"
        self.destination = destination
        self._sender = sender
        self._group_of = group_of
        self._courier = Courier(destination, sender, health, letter, self._counted)
        self._topics = {settings.topic(one): one for one in destination.wanted.topics()}
        target = destination.target
        self._gather = Gather(target.gather, target.most) if isinstance(target, Apprise) else None
        self._marks: defaultdict[TopicPartition, Marks] = defaultdict(Marks)
        self._reached_offsets: dict[TopicPartition, int] = {}
        self._held: dict[tuple[TopicPartition, int], tuple[ConsumerRecord[bytes | None, bytes | None], Told]] = {}
        self._told: OrderedDict[Told, None] = OrderedDict()
        self._under_way: set[Told] = set()
        self._ticking: asyncio.Task[None] | None = None
        self.app = ChunkApp(
            settings,
            self.name,
            list(self._topics),
            self.handle,
            self,
            max_records=CHUNK,
            max_bytes=CHUNK_BYTES,
            concurrency=AT_ONCE,
            shared="by number",  # a customer's alerts of all priorities come to one worker
        )

    # --- lifecycle

    async def start(self) -> None:
        """The way there, then the group."""
        await self._sender.start()
        if self._gather is not None:
            self._ticking = asyncio.create_task(self._tick())
        await super().start()

    async def stop(self) -> None:
        """Ends waits, tells what is held if that succeeds at once, and leaves the group."""
        self._courier.stopping.set()
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        if self._gather is not None and not self._courier.away:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._last_words(self._gather), LAST_SECONDS)
        await super().stop()
        await self._sender.stop()

    async def _last_words(self, gather: Gather) -> None:
        for due in gather.due(time.monotonic(), all_of_it=True):
            if (await self._sender.send(due.parcel)).kind != "delivered":
                return
            await self._release(due)

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""
        ticking = self._ticking
        ended = ticking.exception() if ticking is not None and ticking.done() and not ticking.cancelled() else None
        return super().failed or ended

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """A destination that is new begins with what rings from now on, on every partition, and that is committed at once: one
        without any alert yet would else begin behind the first one, after a restart."""
        self._forget()
        offsets = {tp: (await self.app.consumer.committed(tp))[0] for tp in partitions}
        new = [TopicPartition(*tp) for tp, offset in offsets.items() if offset is None]
        if not new:
            return
        client = await started(reader(self.settings), self.settings)
        try:
            ends = await end_offsets(client, new)
        finally:
            await client.stop()
        for tp, offset in ends.items():
            await self.app.consumer.commit_offset(tp, offset)

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """What is held is read again by whoever comes next."""
        self._forget()

    def _forget(self) -> None:
        self._marks.clear()
        self._reached_offsets.clear()
        for _, told in self._held.values():
            self._told.pop(told, None)
        self._held.clear()
        if self._gather is not None:
            self._gather.forget()

    # --- chunks

    async def handle(self, chunk: Chunk) -> None:
        """Delivers what a chunk holds, in order; commits as it goes."""
        committed_at = time.monotonic()
        for record in chunk.records:
            if self._over(chunk.generation) or not await self._take(chunk, record):
                return
            self._reached_offsets[chunk.tp] = record.offset + 1
            self.app.consumer.progressed(chunk.tp)
            if time.monotonic() - committed_at >= COMMIT_SECONDS:
                committed_at = time.monotonic()
                await self._commit(chunk.tp, chunk.generation)
        self._reached_offsets[chunk.tp] = chunk.next_offset
        await self._commit(chunk.tp, chunk.generation)
        self.finished(chunk)

    def _over(self, generation: int) -> bool:
        return self._courier.stopping.is_set() or generation != self.app.consumer.generation

    async def _commit(self, tp: TopicPartition, generation: int) -> None:
        if generation != self.app.consumer.generation or tp not in self._reached_offsets:
            return
        try:
            await self.app.consumer.commit_offset(tp, self._marks[tp].below(self._reached_offsets[tp]))
        except CommitFailedError:
            if generation == self.app.consumer.generation and not self._courier.stopping.is_set():
                raise

    async def _take(self, chunk: Chunk, record: ConsumerRecord[bytes | None, bytes | None]) -> bool:
        """Whether a record is done with, or held; False where it must be taken again by whoever is next."""
        try:
            alert = read(record.value, Alert)
        except Invalid as fault:
            self.health.alarm("alert_unreadable", f"{record.topic} offset {record.offset}: {fault.detail}")
            return True
        told = (alert.decision.id, alert.change)
        # The other copy, where it is under way, is not committed before it is delivered.
        if (
            told in self._told
            or told in self._under_way
            or not self.destination.wanted.takes(alert, self._topics[record.topic])
        ):
            return True
        place = (chunk.tp, record.offset)
        if self._gather is not None and not self._gather.rings(
            alert, self._group_of(alert.group), place, time.monotonic()
        ):
            self._marks[chunk.tp].hold(record.offset)
            self._held[place] = (record, told)
            self._remember(told)
            self._counted("gathered")
            return True
        self._under_way.add(told)
        try:
            over = partial(self._over, chunk.generation)
            if not await self._courier.deliver(Parcel(alert), record.timestamp / 1000, [record], over):
                return False
        finally:
            self._under_way.discard(told)
        self._remember(told)
        return True

    def _counted(self, outcome: str) -> None:
        metrics.NOTIFY_DELIVERIES.labels(self.destination.name, outcome).inc()
        self.count(**{outcome: 1})

    def _remember(self, told: Told) -> None:
        self._told[told] = None
        while len(self._told) > MOST_TOLD:
            self._told.popitem(last=False)

    # --- what is held

    async def _tick(self) -> None:
        """Tells what is due, for ever."""
        assert self._gather is not None
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.app.consumer.assigned_at is None:
                continue
            generation = self.app.consumer.generation
            for due in self._gather.due(time.monotonic()):
                records = [self._held[place][0] for place in due.places if place in self._held]
                arrived = min((record.timestamp / 1000 for record in records), default=time.time())
                if await self._courier.deliver(due.parcel, arrived, records, partial(self._over, generation)):
                    await self._release(due)

    async def _release(self, due: Due) -> None:
        for place in due.places:
            self._marks[place[0]].release(place[1])
            self._held.pop(place, None)
        for tp in {place[0] for place in due.places}:
            await self._commit(tp, self.app.consumer.generation)
