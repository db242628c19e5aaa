"""Triage: every customer message gets its decision, its alerts, or one dead letter; exactly once.

Owns: what a chunk of `messages` becomes. Stateless: any number of workers may come and go.
Must never: let one message hold up another, or commit an offset outside the transaction of its outputs.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord
from msgspec import UNSET

from agents import alerts
from agents.answered import AnsweredHandout
from agents.deadletters import DeadLetters
from agents.handout import ModelHandout, PolicyHandout, load_base
from agents.resume import behind_decisions
from agents.scoring.judge import Asked, Judge, Judged
from schemas.base import Invalid, timestamp
from schemas.decision import Decision, Source
from schemas.message import Message, read_message
from streams import metrics, topics
from streams.app import ChunkApp
from streams.chunks import Chunk
from streams.errors import TocsinError
from streams.health import HealthReporter
from streams.kafka import end_offsets, filled, reader, started
from streams.outputs import Outputs, trace_of
from streams.roles import GroupRole
from streams.settings import Settings
from streams.transactions import Transactions
from streams.turns import Turns

log = logging.getLogger("tocsin.triage")

SOURCE = "tocsin/triage"
BATCH = 32
"""Messages judged together: more gain nothing."""
SLICE_SECONDS = 0.02
"""Judging gives the event loop back this often: transactions of other partitions and model updates go on meanwhile."""


_Record: TypeAlias = ConsumerRecord[bytes | None, bytes | None]


class Triage(GroupRole):
    """The role `triage`."""

    name = "triage"

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        super().__init__(settings, health)
        group = settings.group(self.name)
        self._transactions = Transactions(settings, group)
        self._models = ModelHandout(settings, health, load_base(settings), self.name)
        self._policies = PolicyHandout(settings, health, self._on_policy)
        self._answered = AnsweredHandout(settings, health)
        self._judge: Judge | None = None
        self._dead = DeadLetters(settings, health, SOURCE)
        self._next: dict[TopicPartition, int] = {}
        self._turns = Turns()
        self.app = ChunkApp(
            settings,
            self.name,
            [settings.topic("messages")],
            self.handle,
            self,
            max_records=settings.chunk_records,
            max_bytes=settings.chunk_bytes,
        )

    async def start(self) -> None:
        """Model and policy first: no message is judged by half of them.

        Raises:
            TocsinError: topics are missing or their partition counts are unequal.
        """
        await topics.check(self.settings)
        await self._models.start()
        await self._answered.start()
        self._judge = Judge(await self._policies.start(), self._models.model)
        await super().start()

    async def stop(self) -> None:
        """Finishes what is in hand, leaves the group, then closes the producers."""
        await super().stop()
        await self._transactions.close()
        await self._models.stop()
        await self._answered.stop()
        await self._policies.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""
        return super().failed or self._models.failed or self._answered.failed or self._policies.failed

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """Fences the previous owners, then reads where they committed last."""
        await self._transactions.assign(partitions)
        offsets = {tp: (await self.app.consumer.committed(tp))[0] for tp in partitions}
        begin = await self._begin(offsets)
        for tp, offset in begin.items():
            await self.app.consumer.commit_offset(tp, offset)
        self._next = {tp: offset or 0 for tp, offset in {**offsets, **begin}.items()}

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """Lets the producers go."""
        await self._transactions.revoke()

    async def _begin(self, offsets: dict[TopicPartition, int | None]) -> dict[TopicPartition, int]:
        """Where to begin on partitions, other than at their committed offsets.

        Raises:
            TocsinError: decisions are there already of a partition without an offset: all would ring again.
        """
        new = [tp for tp, offset in offsets.items() if offset is None]
        wanted = list(offsets) if self.settings.start_from == "decided" else new
        if not wanted or self.settings.start_from == "earliest":
            return {}
        client = await started(reader(self.settings), self.settings)
        try:
            if self.settings.start_from == "latest":
                return await end_offsets(client, new)
            numbers = {TopicPartition(self.settings.topic("decisions"), tp.partition): tp for tp in wanted}
            decided = [numbers[tp] for tp in await filled(client, numbers)]
            if decided and self.settings.start_from == "refuse":
                raise TocsinError(
                    f"group {self.settings.group(self.name)} has no offset for partition {decided[0].partition} of "
                    f"{decided[0].topic}, though its decisions are not empty: it would ring up to 28 days again; set "
                    "TOCSIN_START_FROM to decided (behind the message decided last), earliest or latest"
                )
            begin: dict[TopicPartition, int] = {}
            for tp in decided:
                offset = await behind_decisions(client, self.settings, tp, SOURCE, offsets[tp])
                if offset is not None and offset != offsets[tp]:
                    log.warning(
                        "%s: the group's offset is %s, though all below %d is decided; on from there",
                        tp,
                        offsets[tp],
                        offset,
                    )
                    begin[tp] = offset
            return begin
        finally:
            await client.stop()

    def _on_policy(self, policy: object) -> None:
        if self._judge is not None:
            self._judge.set_policy(policy)  # type: ignore[arg-type]  # PolicyHandout gives a Policy

    # --- chunks

    async def handle(self, chunk: Chunk) -> None:
        """Judges a chunk, then writes its outputs and its offset in one transaction."""
        outputs = Outputs()
        decided: list[Decision] = []
        # What was committed since the consumer asked must not be decided again.
        records = [record for record in chunk.records if record.offset >= self._next.get(chunk.tp, 0)]
        async with self._turns.turn(len(records)):
            until = time.perf_counter() + SLICE_SECONDS
            begun = time.thread_time()
            for at in range(0, len(records), BATCH):
                if chunk.generation != self.app.consumer.generation:
                    return  # a rebalance waits for this: whoever owns the partition next reads it again
                self._batch(records[at : at + BATCH], outputs, decided)
                if time.perf_counter() > until:
                    metrics.SCORING_SECONDS.inc(time.thread_time() - begun)
                    await self._turns.give_way(len(records) - at)
                    until, begun = time.perf_counter() + SLICE_SECONDS, time.thread_time()
            metrics.SCORING_SECONDS.inc(time.thread_time() - begun)
        if chunk.generation != self.app.consumer.generation:
            return
        async with self._transactions.transaction(chunk.tp, chunk.next_offset) as producer:
            await outputs.send(producer)
        self._next[chunk.tp] = chunk.next_offset
        self._observe(chunk, decided)

    def _batch(self, records: Sequence[_Record], outputs: Outputs, decided: list[Decision]) -> None:
        """Judges some records; what one of them does wrong stays with it."""
        judge = self._judge
        assert judge is not None  # set before the group is joined
        now_ms = time.time_ns() // 1_000_000
        asked: list[Asked] = []
        of: list[_Record] = []
        for record in records:
            try:
                incoming = read_message(record.value, record.timestamp)
            except Exception as fault:
                self._refuse(record, outputs, fault)
                continue
            if incoming.message.author_role == "customer":
                source = Source(record.topic, record.partition, record.offset)
                asked.append(Asked(incoming, source, timestamp(record.timestamp)))
                of.append(record)
        decided_at = timestamp(now_ms)
        judged: list[Judged | None]
        try:
            judged = list(judge.decide_all(asked, decided_at))
        except Exception:  # a defect of ours: found out one by one on which
            judged = [None] * len(asked)
        for record, one, result in zip(of, asked, judged, strict=True):
            try:
                alone = result or judge.decide_all([one], decided_at)[0]
                decided.append(self._add(record, one.incoming.message, alone, judge, outputs, now_ms))
            except Exception as fault:
                self._refuse(record, outputs, fault)

    def _refuse(self, record: _Record, outputs: Outputs, fault: Exception) -> None:
        """What is wrong with one record becomes its dead letter, and holds up nothing behind it."""
        if not isinstance(fault, Invalid):  # a defect of ours
            log.error("messages %d offset %d", record.partition, record.offset, exc_info=fault)
            self.health.alarm("internal_error", f"{record.topic}/{record.partition} offset {record.offset}: {fault!r}")
            fault = Invalid("internal_error", f"{type(fault).__name__} in triage")
        self._dead.add(outputs, record, fault)

    def _add(
        self, record: _Record, message: Message, judged: Judged, judge: Judge, outputs: Outputs, now_ms: int
    ) -> Decision:
        decision = judged.decision
        if judged.failure is not None:
            metrics.SCORING_FAILED.inc()
            self.health.alarm(
                "scoring_failed",
                f"{record.topic}/{record.partition} offset {record.offset}: {judged.failure!r}; it went out unscored",
                severity="critical",
                where=type(judged.failure).__name__,
            )
        trace = trace_of(record.headers)
        # The alert first: whatever fails must fail before anything stands in the outputs.
        names = list(alerts.topics_of(decision))
        sample = not names and alerts.sampled(decision, judge.policy)
        rung = alerts.alert(decision, message, judge.policy, now_ms) if names or sample else None
        alerts.add_decision(outputs, self.settings, decision, record.partition, SOURCE, trace)
        if rung is not None:
            rung.asked_before = next(iter(self._answered.index.find(message.text, message.id, 1)), UNSET)
            if sample:
                rung.sample, names = True, ["review"]
            alerts.ring(outputs, self.settings, rung, record.partition, SOURCE, trace, names)
        return decision

    def _observe(self, chunk: Chunk, decided: list[Decision]) -> None:
        self.finished(chunk)
        now = time.time() * 1000
        arrived = {record.offset: record.timestamp for record in chunk.records}
        metrics.DECISION_SECONDS.observe(max(now - arrived[decision.source.offset], 0.0) / 1000 for decision in decided)
        kinds = Counter((decision.priority, decision.status, decision.decided_by) for decision in decided)
        for kind, count in kinds.items():
            metrics.DECISIONS.labels(*kind).inc(count)
        for name, count in Counter(name for decision in decided for name in alerts.topics_of(decision)).items():
            metrics.ALERTS.labels(name).inc(count)
        self.count(messages=len(chunk.records), decisions=len(decided))
