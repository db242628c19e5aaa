"""Shadow: another policy or another model judges every message beside the one in force. Recorded, ringing nothing.

What it would have decided goes to the topic `shadow` and its table; `deploy/clickhouse/queries/shadow.sql` holds both against
what people said. Owns: that it is another. Must never: ring, write a decision, or a dead letter (triage does).
"""

from __future__ import annotations

from aiokafka.structs import ConsumerRecord

from agents.scoring.judge import Judge, Judged
from agents.triage import Triage
from schemas.decision import Decision, encode
from schemas.message import Message
from streams.chunks import Chunk
from streams.errors import TocsinError
from streams.health import HealthReporter
from streams.outputs import Outputs, cloud_event, trace_of
from streams.settings import Settings

SOURCE = "tocsin/shadow"


class Shadow(Triage):
    """The role `shadow`.

    Raises:
        TocsinError: nothing says what it should be the shadow of.
    """

    name = "shadow"

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        if settings.shadow_policy is None and settings.shadow_model is None:
            raise TocsinError(
                "the role shadow needs something to try: set TOCSIN_SHADOW_POLICY to the name of a policy that `tocsin policy "
                "push` published, or TOCSIN_SHADOW_MODEL to a base's file"
            )
        other = {
            "policy": settings.shadow_policy or settings.policy,
            "model": settings.shadow_model or settings.model,
            "start_from": "latest",
        }
        super().__init__(settings.model_copy(update=other), health)

    def _refuse(self, record: ConsumerRecord[bytes | None, bytes | None], outputs: Outputs, fault: Exception) -> None:
        """Nothing: triage says it."""

    def _add(
        self,
        record: ConsumerRecord[bytes | None, bytes | None],
        message: Message,
        judged: Judged,
        judge: Judge,
        outputs: Outputs,
        now_ms: int,
    ) -> Decision:
        decision = judged.decision
        if judged.failure is not None:
            self.health.alarm(
                "shadow_failed",
                f"{record.topic}/{record.partition} offset {record.offset}: {judged.failure!r}",
                where=type(judged.failure).__name__,
            )
        headers = cloud_event("tocsin.decision.v1", SOURCE, decision.id, decision.decided_at, trace_of(record.headers))
        topic = self.settings.topic("shadow")
        outputs.add(topic, record.partition, decision.customer_id.encode(), encode(decision), headers)
        return decision

    def _observe(self, chunk: Chunk, decided: list[Decision]) -> None:
        self.finished(chunk)
        self.count(messages=len(chunk.records), decisions=len(decided))
