"""Learn: each accepted feedback becomes a lesson, the lesson changes the model, and every scorer hears of it.

One writer, one order. Lesson, model update, the human's decision with its alerts, and the input offset are one
transaction; so a learner that is killed at any moment comes back to the same weights, bit for bit.
Owns: that transaction, and snapshots. Must never: put text into a lesson.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import ChainMap

from aiokafka import TopicPartition

from agents import alerts
from agents.deadletters import DeadLetters
from agents.feedback import Accepted, accept, message_of, rings
from agents.handout import PolicyHandout, last_snapshot, load_base
from agents.model_health import ModelHealth
from agents.quarantine import quarantine, told
from agents.scoring.learner import Learner
from agents.scoring.policy import Policy
from schemas.arrays import unpack
from schemas.base import MAX_OUTPUT_BYTES, Invalid, timestamp
from schemas.decision import encode
from schemas.learning import Lesson
from schemas.people import read_feedback
from schemas.reading import read
from streams import metrics, topics
from streams.app import ChunkApp
from streams.chunks import Chunk
from streams.follow import Record, read_to_end
from streams.health import HealthReporter
from streams.outputs import Outputs, cloud_event, trace_of
from streams.roles import GroupRole
from streams.settings import Settings
from streams.transactions import Transactions

log = logging.getLogger("tocsin.learn")

SOURCE = "tocsin/learn"
CHUNK_LESSONS = 200
"""Feedback in one transaction: learning takes about a millisecond each, and the transaction must not time out."""
SNAPSHOT_LESSONS = 1000
SNAPSHOT_SECONDS = 300.0


class Learn(GroupRole):
    """The role `learn`."""

    name = "learn"

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        super().__init__(settings, health)
        self._transactions = Transactions(settings, settings.group(self.name))
        self._learner = Learner(load_base(settings))
        self._ledger: dict[str, Lesson] = {}
        self._read_to = 0
        self._policies = PolicyHandout(settings, health, self._on_policy)
        self._policy: Policy | None = None
        self._dead = DeadLetters(settings, health, SOURCE)
        self._snapshot_at = time.monotonic()
        self._snapshot_offset = 0
        self._model_health = ModelHealth(health, lambda: self._learner)
        self._quality_task: asyncio.Task[None] | None = None
        self.app = ChunkApp(
            settings,
            self.name,
            [settings.topic("feedback")],
            self.handle,
            self,
            max_records=min(settings.chunk_records, CHUNK_LESSONS),
            max_bytes=settings.chunk_bytes,
            concurrency=1,
        )

    # --- lifecycle

    async def start(self) -> None:
        """The last snapshot, then every lesson; only then the group."""
        await topics.check(self.settings)
        self._policy = await self._policies.start()
        await self._restore()
        await self._catch_up()
        log.info("model %s, %d lessons", self._learner.version, len(self._ledger))
        self._quality_task = asyncio.create_task(self._model_health.report())
        await super().start()

    async def stop(self) -> None:
        """Finishes what is in hand."""
        await super().stop()
        if self._quality_task is not None:
            self._quality_task.cancel()
        await self._transactions.close()
        await self._policies.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""
        return super().failed or self._policies.failed

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """Fences the previous learner, then learns what it may have written last."""
        await self._transactions.assign(partitions)
        if partitions:
            await self._catch_up()
            await self._quarantine(next(iter(partitions)))
            if self._learner.offset > self._snapshot_offset:
                await self._snapshot(next(iter(partitions)))

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """Lets the producer go."""
        await self._transactions.revoke()

    def _on_policy(self, policy: Policy) -> None:
        self._policy = policy

    # --- the model's state: a snapshot and the lessons behind it

    async def _restore(self) -> None:
        latest = await last_snapshot(self.settings, self._learner.base)
        if latest is None:
            return
        try:
            unpack(latest)
            self._learner.restore(latest)
        except Invalid as fault:
            self.health.alarm(
                "model_refused",
                f"the snapshot of {self._learner.base.id}: {fault.detail}; learning anew from the lessons",
            )
            return
        self._snapshot_offset = self._learner.offset

    async def _catch_up(self) -> None:
        topic = self.settings.topic("lessons")
        async for record in read_to_end(self.settings, topic, self._read_to):
            self._read_to = record.offset + 1
            if record.key != self._learner.base.id.encode():
                continue
            lesson = read(record.value, Lesson)
            if record.offset < self._learner.offset:
                self._learner.remember(lesson, record.offset + 1)
            else:
                self._learner.learn(lesson, record.offset + 1)
                self._model_health.tested(self._learner.tested, past=True)
            self._note(lesson)

    def _note(self, lesson: Lesson) -> None:
        lesson.features, lesson.values = [], []
        self._ledger[lesson.feedback_id] = lesson

    # --- chunks

    async def handle(self, chunk: Chunk) -> None:
        """Learns a chunk of feedback."""
        begin = 0
        while begin < len(chunk.records):
            begin = await self._some(chunk, begin)
            self.app.consumer.progressed(chunk.tp)
            if chunk.generation != self.app.consumer.generation:
                return  # a rebalance came meanwhile: whoever owns the partition now, reads the rest again
            await self._quarantine(chunk.tp)
        self.finished(chunk)
        metrics.MODEL_OFFSET.labels(self.name).set(self._learner.offset)
        self.count(messages=len(chunk.records))
        await self._maybe_snapshot(chunk.tp)

    async def _some(self, chunk: Chunk, begin: int) -> int:
        """One transaction, from a record on: what teaches, or one that takes lessons back alone; where the next begins.

        Taking back learns all lessons anew. However many they are, that is done before the transaction, which the broker
        ends after ten seconds.
        """
        outputs, at = Outputs(), timestamp(time.time_ns() // 1_000_000)
        accepted: list[Accepted] = []
        rest: Learner | None = None
        end = begin
        for end in range(begin, len(chunk.records)):
            record = chunk.records[end]
            try:
                one = self._accept(record, at, {each.feedback.id: each.lesson for each in accepted})
            except Invalid as fault:
                self._dead.add(outputs, record, fault)
                continue
            if one is None:
                continue
            takes = one.lesson.kind != "learn"
            if takes and end > begin:
                break
            accepted.append(one)
            if takes:
                rest = await asyncio.to_thread(self._learner.anew, one.lesson)
                end += 1
                break
        else:
            end = len(chunk.records)
        if chunk.generation == self.app.consumer.generation:
            behind = chunk.records[end].offset if end < len(chunk.records) else chunk.next_offset
            await self._write(chunk.tp, behind, accepted, rest, outputs)
        return end

    async def _write(
        self,
        tp: TopicPartition,
        next_offset: int,
        accepted: list[Accepted],
        rest: Learner | None,
        outputs: Outputs,
    ) -> None:
        topic, lessons = self.settings.topic("lessons"), Outputs()
        for one in accepted:
            self._add(lessons, one.lesson, trace_of(one.record.headers))
        async with self._transactions.transaction(tp, next_offset) as producer:
            # Lessons first: the version of the model is their offset, which Kafka gives.
            firsts = await lessons.send(producer)
            offset = firsts.get((topic, 0), 0)
            for place, one in enumerate(accepted):
                self._learn(one.lesson, trace_of(one.record.headers), offset + place, rest, outputs)
                self._ring(one, outputs)
                self._note(one.lesson)
                self._read_to = offset + place + 1
                await asyncio.sleep(0)
            await outputs.send(producer)
        now = time.time() * 1000
        for one in accepted:
            metrics.LESSONS.labels(one.lesson.kind).inc()
            metrics.FEEDBACK_SECONDS.observe(max(now - one.record.timestamp, 0.0) / 1000)
        self.count(lessons=len(accepted))

    def _add(self, lessons: Outputs, lesson: Lesson, trace: bytes | None) -> None:
        headers = cloud_event("tocsin.lesson.v1", SOURCE, lesson.id, lesson.at, trace)
        lessons.add(self.settings.topic("lessons"), 0, self._learner.base.id.encode(), encode(lesson), headers)

    def _accept(self, record: Record, at: str, earlier: dict[str, Lesson]) -> Accepted | None:
        """What a feedback becomes; None where it was learned before.

        Args:
            earlier: lessons of the same chunk, by feedback id.

        Raises:
            Invalid: it cannot be read, or takes back what was never learned.
        """
        feedback = read_feedback(record.value)
        if self._learner.knows(feedback.id) or feedback.id in earlier:
            return None
        policy = self._policy
        assert policy is not None  # set before the group is joined
        base, version = self._learner.base.id, self._learner.version
        return accept(record, feedback, at, base, version, policy, ChainMap(self._ledger, earlier))

    def _learn(self, lesson: Lesson, trace: bytes | None, offset: int, rest: Learner | None, outputs: Outputs) -> None:
        update = self._learner.learn(lesson, offset + 1, rest)
        self._model_health.tested(self._learner.tested)
        if update is not None:
            headers = cloud_event("tocsin.model-update.v1", SOURCE, self._learner.version, lesson.at, trace)
            base, value = self._learner.base.id.encode(), encode(update)
            if len(value) > MAX_OUTPUT_BYTES:
                # Taking much back changes much: scorers wait for the snapshot that follows at once.
                self._snapshot_offset = -SNAPSHOT_LESSONS
                return
            outputs.add(self.settings.topic("model-updates"), 0, base, value, headers)

    async def _quarantine(self, tp: TopicPartition) -> None:
        """Leaves out what suspected reviewers teach, a transaction each."""
        while (suspect := self._learner.suspect) is not None:
            topic, at = self.settings.topic("lessons"), timestamp(time.time_ns() // 1_000_000)
            lesson = quarantine(suspect, self._learner.base.id, at)
            rest = await asyncio.to_thread(self._learner.anew, lesson)
            lessons, outputs = Outputs(), Outputs()
            self._add(lessons, lesson, None)
            async with self._transactions.transaction(tp, None) as producer:
                offset = (await lessons.send(producer)).get((topic, 0), 0)
                self._learn(lesson, None, offset, rest, outputs)
                self._note(lesson)
                self._read_to = offset + 1
                await outputs.send(producer)
            metrics.LESSONS.labels(lesson.kind).inc()
            figures = suspect._asdict() | {"feedback_id": lesson.feedback_id}
            self.health.alarm(
                "reviewer_quarantined",
                told(suspect, lesson),
                where=suspect.reviewer,
                severity="critical",
                figures=figures,
            )

    def _ring(self, one: Accepted, outputs: Outputs) -> None:
        """The human's decision, or the replaced one anew, with its alerts."""
        decision, policy = one.decision, self._policy
        if decision is None or one.before is None or policy is None:
            return
        trace, partition = trace_of(one.record.headers), decision.source.partition
        alerts.add_decision(outputs, self.settings, decision, partition, SOURCE, trace)
        ringing = rings(one.before, one.was_asked, decision.priority)
        if ringing is not None:
            change, names = ringing
            message = message_of(one.feedback, decision)
            rung = alerts.alert(decision, message, policy, time.time_ns() // 1_000_000, change)
            alerts.ring(outputs, self.settings, rung, partition, SOURCE, trace, names)

    # --- snapshots

    async def _maybe_snapshot(self, tp: TopicPartition) -> None:
        fresh = self._learner.offset - self._snapshot_offset
        if fresh >= SNAPSHOT_LESSONS or (fresh and time.monotonic() - self._snapshot_at > SNAPSHOT_SECONDS):
            await self._snapshot(tp)

    async def _snapshot(self, tp: TopicPartition) -> None:
        outputs = Outputs()
        at = timestamp(time.time_ns() // 1_000_000)
        base = self._learner.base.id.encode()
        headers = cloud_event("tocsin.model-snapshot.v1", SOURCE, self._learner.version, at)
        outputs.add(self.settings.topic("models"), 0, base, self._learner.snapshot(), headers)
        async with self._transactions.transaction(tp, None) as producer:
            await outputs.send(producer)
        self._snapshot_offset, self._snapshot_at = self._learner.offset, time.monotonic()
        log.info("snapshot %s", self._learner.version)
