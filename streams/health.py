"""What Tocsin says of itself on `health`: alarms at once, a worker's own figures every ten seconds.

Owns: sending them. Must never: hold up a chunk; an alarm that cannot be sent is logged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Literal

from aiokafka import AIOKafkaProducer

from schemas.base import timestamp
from schemas.decision import encode
from schemas.operations import Health
from streams import metrics
from streams.kafka import producer, started
from streams.outputs import cloud_event, new_id
from streams.settings import Settings

log = logging.getLogger("tocsin.health")

REPEAT_SECONDS = 60.0
"""The same alarm from the same place is not sent again sooner."""


class HealthReporter:
    """One for each process.

    Args:
        component: what stands in `component` and as the record's key, e.g. `triage@host-123`.
    """

    def __init__(self, settings: Settings, component: str) -> None:
        self._settings = settings
        self._component = component
        self._producer: AIOKafkaProducer | None = None
        self._sent: dict[tuple[str, str | None], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connects; raises TocsinError where Kafka is away."""
        self._producer = await started(producer(self._settings), self._settings)

    async def stop(self) -> None:
        """Sends what is under way, for a second at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        if self._producer is not None:
            await self._producer.stop()

    def alarm(
        self,
        code: str,
        detail: str,
        *,
        severity: Literal["info", "warning", "critical"] = "warning",
        where: str | None = None,
        figures: dict[str, Any] | None = None,
    ) -> None:
        """Raises an alarm, in the background; repeats within a minute are dropped."""
        now = time.monotonic()
        last = self._sent.get((code, where))
        if last is not None and now - last < REPEAT_SECONDS:
            return
        if len(self._sent) > 10_000:
            self._sent.clear()
        self._sent[code, where] = now
        metrics.ALARMS.labels(code).inc()
        log.warning("%s: %s", code, detail, extra={"fields": {"code": code, "where": where}})
        self.report(code, detail=detail, severity=severity, where=where, figures=figures)

    def report(
        self,
        code: str,
        *,
        detail: str | None = None,
        severity: Literal["info", "warning", "critical"] = "info",
        where: str | None = None,
        figures: dict[str, Any] | None = None,
    ) -> None:
        """Sends one health record, in the background."""
        at = timestamp(time.time_ns() // 1_000_000)
        record = Health(
            code=code,
            component=self._component,
            severity=severity,
            at=at,
            where=where,
            detail=detail,
            figures=figures or {},
        )
        task = asyncio.create_task(self._send(record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, record: Health) -> None:
        if self._producer is None:
            return
        try:
            await self._producer.send_and_wait(
                self._settings.topic("health"),
                encode(record),
                key=self._component.encode(),
                partition=0,
                headers=cloud_event("tocsin.health.v1", "tocsin/worker", new_id(), record.at),
            )
        except Exception as error:
            log.error("health record %s was not sent: %s", record.code, error)
