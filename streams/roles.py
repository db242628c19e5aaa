"""What every role with a consumer group has in common: its app, its lag, its figures.

Owns: lag in records and in seconds, latency percentiles, the sign of being stuck. Must never: know what a record means.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from typing import Any

from aiokafka import TopicPartition

from streams import metrics
from streams.app import ChunkApp
from streams.chunks import Chunk
from streams.health import HealthReporter
from streams.settings import Settings

_KEPT = 20_000
"""Latencies kept between two reports; at higher rates the newest."""


class GroupRole:
    """Base of triage, learn and record. Subclasses set `app` and override `assigned`, `revoked` and their handler."""

    name: str
    app: ChunkApp
    may_wait = False
    """Whether a chunk in hand may wait for somebody else: a recorder rightly does for hours, until ClickHouse is back."""

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        self.settings = settings
        self.health = health
        self._latencies: deque[float] = deque(maxlen=_KEPT)
        self._counts: dict[str, int] = {}
        self._reported_at = time.monotonic()
        self._reached: dict[TopicPartition, int] = {}
        self._clear_at = time.time()

    async def start(self) -> None:
        """Joins the group."""
        await self.app.start()

    async def stop(self) -> None:
        """Finishes what is in hand and leaves the group."""
        await self.app.stop()

    @property
    def ready(self) -> bool:
        """Whether partitions are assigned."""
        return self.app.ready

    @property
    def failed(self) -> BaseException | None:
        """Why the group's reader gave up, if it did."""
        return self.app.failed

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """New partitions; nothing was read from them yet."""

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """These partitions may be somebody else's from now on."""

    def count(self, **what: int) -> None:
        """Adds to the figures of the next report."""
        for name, number in what.items():
            self._counts[name] = self._counts.get(name, 0) + number

    def finished(self, chunk: Chunk) -> None:
        """A chunk is committed: remembers how long its records waited."""
        now = time.time() * 1000
        self._reached[chunk.tp] = chunk.records[-1].timestamp
        self._latencies.extend(max(now - record.timestamp, 0.0) / 1000 for record in chunk.records)

    async def figures(self) -> dict[str, Any]:
        """Rates, latencies, lag since the last call."""
        now = time.monotonic()
        elapsed = max(now - self._reported_at, 1e-9)
        self._reported_at = now
        counts, self._counts = self._counts, {}
        latencies = sorted(self._latencies)
        self._latencies.clear()
        backlog = await self.app.consumer.backlog() if self.ready else {}
        behind = {tp: end - position for tp, (position, end) in backlog.items() if end > position}
        lag, lag_seconds = sum(behind.values()), self._lag_seconds(behind)
        metrics.LAG_RECORDS.labels(self.name).set(lag)
        metrics.LAG_SECONDS.labels(self.name).set(lag_seconds)
        consumer = self.app.consumer
        stuck = consumer.stuck_seconds(behind)
        waits = bool(consumer.in_hand) and self.may_wait
        return {
            **counts,
            "seconds": round(elapsed, 3),
            "rate": round(len(latencies) / elapsed, 3),
            "latency_p50_seconds": percentile(latencies, 0.5),
            "latency_p99_seconds": percentile(latencies, 0.99),
            "lag_records": lag,
            "lag_seconds": round(lag_seconds, 3),
            "stuck_seconds": 0.0 if waits or not self.ready else stuck,
        }

    def _lag_seconds(self, behind: Collection[TopicPartition]) -> float:
        now = time.time()
        if not behind:
            self._clear_at = now
            return 0.0
        # The oldest record not taken came after the last one taken, and after the last time there was none.
        ages = [now - self._reached[tp] / 1000 for tp in behind if tp in self._reached]
        return min(max(ages, default=now - self._clear_at), now - self._clear_at)


def percentile(ordered: list[float], share: float) -> float | None:
    """The value below which `share` of an ordered list lies (nearest rank); None where the list is empty."""
    if not ordered:
        return None
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 6)
