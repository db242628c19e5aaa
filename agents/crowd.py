"""Crowd: many messages that are one event. One writer over all partitions.

Reads `messages` and `decisions`; what it keeps stands in the topic `crowd`, written by the same transaction that carries the
incidents it tells of and the offsets it has read to, so that another worker goes on where it stopped: none is lost, none opened
twice.
Owns: that transaction, and when a look is had. What is an incident is `agents.incidents`'. Must never: hold up triage, or write a
decision.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from agents.handout import PolicyHandout
from agents.incidents.bursts import LOOK_MS
from agents.incidents.crowd import Crowd, Told
from agents.incidents.meaning import shipped, words_of
from agents.incidents.state import packed, packed_days, restore, restore_days
from agents.incidents.window import Seen
from agents.listening import Listening
from agents.scoring.policy import Policy
from agents.seeing import counted, seen_of
from schemas.base import Invalid, timestamp
from schemas.decision import Decision, Why, encode
from schemas.incident import Incident
from schemas.message import Message, read_message
from schemas.reading import read
from streams import metrics, topics
from streams.app import ChunkApp
from streams.chunks import Chunk
from streams.follow import read_to_end
from streams.health import HealthReporter
from streams.outputs import Outputs, cloud_event
from streams.roles import GroupRole
from streams.settings import Settings
from streams.transactions import Transactions

log = logging.getLogger("tocsin.crowd")

SOURCE = "tocsin/crowd"
SAVE_SECONDS = 20.0
"""State is written at least this often while messages come; what is told of is written at once."""
TICK_SECONDS = 0.5
BEHIND_SECONDS = 60.0
"""How long a decision waits for its message to be read; triage read it, so it is there."""
AHEAD_SECONDS = 5.0
"""How long one partition waits for the others, where they are behind."""
AHEAD_MS = 30_000
"""How far one partition may be read ahead of the others in time: a look is had at all of them."""
MARKERS = 20
"""Offsets of a partition that may be transaction markers alone."""
MOST_WAITING = 20_000
"""Messages of a partition whose decisions were not read yet; beyond, the next are not read before."""


class _Texts:
    """Messages of one partition that wait for their decisions."""

    def __init__(self) -> None:
        self.by_offset: OrderedDict[int, Message] = OrderedDict()
        self.reached = 0
        self.moved = asyncio.Event()

    def of(self, decision: Decision) -> Message | None:
        """The message of a decision; those before it were decided before it, or never will be."""
        offset = decision.source.offset
        if decision.supersedes is not None:
            return None
        while self.by_offset and next(iter(self.by_offset)) < offset:
            self.by_offset.popitem(last=False)
        return self.by_offset.pop(offset, None)

    @property
    def begin(self) -> int:
        """Where another owner must begin to read, to know those that wait."""
        return next(iter(self.by_offset), self.reached)

    def read_to(self, offset: int) -> None:
        self.reached = max(self.reached, offset)
        self.moved.set()
        self.moved = asyncio.Event()


class CrowdRole(GroupRole):
    """The role `crowd`."""

    name = "crowd"

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        super().__init__(settings, health)
        self._transactions = Transactions(settings, settings.group(self.name), one=True)
        self._policies = PolicyHandout(settings, health, self._on_policy)
        self._listening = Listening(settings, health)
        self._policy: Policy | None = None
        self._crowd: Crowd | None = None
        self._lock = asyncio.Lock()
        self._texts: dict[int, _Texts] = {}
        self._offsets: dict[TopicPartition, int] = {}
        self._heard: dict[int, int] = {}
        self._saved_at = -math.inf
        self._unsaved = False
        self._behind = False
        self._quarter = 0
        self._ticking: asyncio.Task[None] | None = None
        self.app = ChunkApp(
            settings,
            self.name,
            [settings.topic("messages"), settings.topic("decisions")],
            self.handle,
            self,
            max_records=settings.chunk_records,
            max_bytes=settings.chunk_bytes,
            concurrency=2 * settings.partitions,  # a decision may wait for its message, which must not wait for it
            shared="to one",
        )

    # --- lifecycle

    async def start(self) -> None:
        """Policy first, then the group."""
        await topics.check(self.settings)
        await asyncio.to_thread(shipped)
        self._on_policy(await self._policies.start())
        await self._listening.start()
        self._ticking = asyncio.create_task(self._tick())
        await super().start()

    async def stop(self) -> None:
        """Keeps what was taken, then leaves the group."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        async with self._lock:
            if self._crowd is not None and self._unsaved:
                await self._look(self._crowd, last=True)
        await super().stop()
        await self._transactions.close()
        await self._listening.stop()
        await self._policies.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""
        ticking = self._ticking
        ended = ticking.exception() if ticking is not None and ticking.done() and not ticking.cancelled() else None
        return super().failed or self._policies.failed or self._listening.failed or ended

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """Fences the previous owner, then takes over what it kept."""
        async with self._lock:
            self._crowd, self._offsets, self._texts, self._heard, self._unsaved = None, {}, {}, {}, False
            await self._transactions.assign(partitions)
            if not partitions:
                return
            self._texts = {tp.partition: _Texts() for tp in partitions}
            for tp in partitions:
                offset, _ = await self.app.consumer.committed(tp)
                if offset is not None:
                    self._offsets[tp] = offset
                if tp.topic == self.settings.topic("messages"):
                    self._texts[tp.partition].read_to(offset or 0)
            self._crowd = await self._restored()

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """Lets go; what was taken since the last transaction is taken again by whoever comes next."""
        async with self._lock:
            self._crowd = None
            await self._transactions.revoke()

    async def _restored(self) -> Crowd:
        latest: dict[bytes, bytes] = {}
        async for record in read_to_end(self.settings, self.settings.topic("crowd")):
            if record.value is not None:
                latest[record.key] = record.value
        crowd = Crowd(shipped(), self._why())
        try:
            if b"days" in latest:
                restore_days(crowd, latest[b"days"])
            if b"state" in latest:
                restore(crowd, latest[b"state"])
        except Invalid as fault:
            self.health.alarm("crowd_refused", f"what crowd kept: {fault.detail}; it begins anew")
            crowd = Crowd(shipped(), self._why())
        self._quarter = crowd.days.quarter
        self._saved_at = -math.inf
        return crowd

    def _on_policy(self, policy: Policy) -> None:
        self._policy = policy
        if self._crowd is not None:
            self._crowd.why = self._why()

    def _why(self) -> dict[str, Why]:
        kinds = ("burst", "slow", "spam", "raid", "impostor", "budget")
        sentences = {kind: self.policy.why.get(f"incident_{kind}") for kind in kinds}
        return {kind: Why(one.en, one.fr) for kind, one in sentences.items() if one is not None}

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        assert self._policy is not None  # set before the group is joined
        return self._policy

    # --- chunks

    async def handle(self, chunk: Chunk) -> None:
        """Takes one chunk; it is committed with the next transaction."""
        texts = self._texts.get(chunk.tp.partition)
        if texts is None:
            return  # a rebalance came between
        decided = _decided(chunk) if chunk.tp.topic == self.settings.topic("decisions") else None
        if not await (self._room(chunk, texts) if decided is None else self._messages_read(chunk, decided, texts)):
            return
        async with self._lock:
            if chunk.generation != self.app.consumer.generation or self._crowd is None:
                return
            if decided is None:
                self._remember(chunk, texts)
                texts.read_to(chunk.next_offset)
            else:
                self._crowd.take(self._seen(decided, texts))
                self._heard[chunk.tp.partition] = chunk.records[-1].timestamp
                self._offsets[chunk.tp] = chunk.next_offset
            self._offsets[TopicPartition(self.settings.topic("messages"), chunk.tp.partition)] = texts.begin
            self._unsaved = True
        self.finished(chunk)
        self.count(messages=len(chunk.records))

    def _remember(self, chunk: Chunk, texts: _Texts) -> None:
        for record in chunk.records:
            try:
                message = read_message(record.value, record.timestamp).message
            except Invalid:
                continue  # triage makes its dead letter
            if message.author_role == "customer":
                texts.by_offset[record.offset] = message

    def _seen(self, decided: list[tuple[int, Decision]], texts: _Texts) -> list[tuple[Seen, list[str]]]:
        found = []
        for at, decision in decided:
            message = texts.of(decision)
            if message is not None and counted(decision) and not self._passes_by(decision.customer_id):
                found.append((seen_of(decision, message, at, self.policy), words_of(message.text)))
        return found

    def _passes_by(self, customer: str) -> bool:
        return customer in self.policy.history.switched_off

    async def _messages_read(self, chunk: Chunk, decided: list[tuple[int, Decision]], texts: _Texts) -> bool:
        """Waits until the messages of a chunk's decisions were read, and no other partition is far behind; False where a
        rebalance came between."""
        furthest = max((decision.source.offset for _, decision in decided), default=-1)
        begun = time.monotonic()

        def waits() -> bool:
            waited = time.monotonic() - begun
            behind = texts.reached <= furthest and waited < BEHIND_SECONDS
            return behind or (waited < AHEAD_SECONDS and self._ahead(chunk))

        return await self._while(chunk, texts, waits)

    async def _room(self, chunk: Chunk, texts: _Texts) -> bool:
        """Waits until enough of the messages read so far were decided; False where a rebalance came between."""
        return await self._while(chunk, texts, lambda: len(texts.by_offset) >= MOST_WAITING)

    async def _while(self, chunk: Chunk, texts: _Texts, waits: Callable[[], bool]) -> bool:
        while waits():
            if chunk.generation != self.app.consumer.generation:
                return False
            try:
                await asyncio.wait_for(texts.moved.wait(), 0.1)
            except TimeoutError:
                self.app.consumer.progressed(chunk.tp)
        return chunk.generation == self.app.consumer.generation

    def _ahead(self, chunk: Chunk) -> bool:
        others = [at for number, at in self._heard.items() if number != chunk.tp.partition]
        return bool(others) and chunk.records[0].timestamp > min(others) + AHEAD_MS and self._behind

    # --- looks

    async def _tick(self) -> None:
        """Has a look every few seconds of the messages' time, for ever."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self._notice_backlog()
            async with self._lock:
                if self._crowd is not None and self.app.consumer.assigned_at is not None:
                    await self._look(self._crowd)

    async def _notice_backlog(self) -> None:
        """Whether what is handed over was written a while ago, and there is more: then its time is the time."""
        old = bool(self._heard) and max(self._heard.values()) < time.time() * 1000 - AHEAD_MS
        if not old or self.app.consumer.assigned_at is None:
            self._behind = False
            return
        try:
            backlog = await self.app.consumer.backlog()
        except KafkaError as error:
            log.warning("the backlog is not known: %r", error)
            return
        # Behind the last record stand transaction markers: a few offsets are none.
        self._behind = sum(end - position for position, end in backlog.values()) > MARKERS * len(backlog)

    async def _look(self, crowd: Crowd, *, last: bool = False) -> None:
        now = time.time_ns() // 1_000_000
        if self._behind:
            now = min(max(self._heard.values()), now)
        if now - crowd.looked_at < (1 if last else LOOK_MS):
            return
        generation = self.app.consumer.generation
        told = crowd.look(now, self.policy.crowd)
        due = self._unsaved and (last or time.monotonic() - self._saved_at >= SAVE_SECONDS)
        if told.incidents or told.silent or due:
            outputs = self._outputs(crowd, told)
            if generation == self.app.consumer.generation and self._offsets:
                await self._write(crowd, outputs)
        for one in told.silent:
            self.health.alarm(
                "source_silent",
                f"{one.channel} has been silent since {timestamp(one.since)}; about {one.expected:.0f} messages, at least, are "
                "usual in that time: look at what brings them",
                where=one.channel,
            )

    def _outputs(self, crowd: Crowd, told: Told) -> Outputs:
        outputs = Outputs()
        for incident in told.incidents:
            self._tell(outputs, incident)
        now = timestamp(time.time_ns() // 1_000_000)
        topic = self.settings.topic("crowd")
        records = {b"state": packed(crowd)}
        if crowd.days.quarter != self._quarter:
            records[b"days"] = packed_days(crowd)
        for key, value in records.items():
            identity = blake2b(value, digest_size=16).hexdigest()
            headers = cloud_event("tocsin.crowd.v1", SOURCE, identity, now)
            outputs.add(topic, 0, key, value, headers)
        return outputs

    def _tell(self, outputs: Outputs, incident: Incident) -> None:
        incident.first.source = msgspec.structs.replace(incident.first.source, topic=self.settings.topic("messages"))
        identity = f"{incident.id}-{incident.state}-{incident.messages}"
        headers = cloud_event("tocsin.incident.v1", SOURCE, identity, incident.at)
        outputs.add(self.settings.topic("incidents"), 0, incident.id.encode(), encode(incident), headers)
        metrics.INCIDENTS.labels(incident.kind, incident.state).inc()

    async def _write(self, crowd: Crowd, outputs: Outputs) -> None:
        async with self._transactions.together(self._offsets) as producer:
            await outputs.send(producer)
        self._saved_at, self._quarter, self._unsaved = time.monotonic(), crowd.days.quarter, False


def _decided(chunk: Chunk) -> list[tuple[int, Decision]]:
    """The decisions of a chunk and when each arrived (ms), without what cannot be read: record makes the dead letter of that."""
    found = []
    for record in chunk.records:
        try:
            found.append((record.timestamp, read(record.value, Decision)))
        except Invalid:
            continue
    return found
