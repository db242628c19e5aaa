"""Whether anybody hears what rings: a danger that no subscriber has read, and no open console page shows, rings at nobody.

A subscriber is a consumer group that commits offsets on `priority.p0`. Owns: that look, and its alarm. Must never: join a group,
or hold up what crowd does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import msgspec
from aiokafka.errors import KafkaError

from schemas.base import Invalid, timestamp
from schemas.reading import read
from streams.errors import TocsinError
from streams.follow import Follower, Record, partitions_of
from streams.health import HealthReporter
from streams.kafka import admin, end_offsets, reader, started
from streams.settings import Settings

log = logging.getLogger("tocsin.crowd")

LOOK_SECONDS = 30.0
UNHEARD_MS = 120_000
"""For so long an alert may wait for its first reader."""
WINDOW_MS = 86_400_000
"""What rang longer ago is for the reports."""
AGAIN_MS = 3_600_000
"""The same silence is told again after this long."""
PAGE_SECONDS = 60.0
"""How long an open page counts after a console last told of it; it tells every ten seconds."""


class _Open(msgspec.Struct):
    """Of a health record, how many pages a console has open."""

    code: str
    figures: dict[str, Any] = {}


class Listening:
    """Looks every half a minute, in the background."""

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        self._settings = settings
        self._health = health
        self._topic = settings.topic("priority.p0")
        self._open_until = 0.0
        self._told: dict[int, tuple[int, int]] = {}
        self._consoles: Follower | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins; raises TocsinError where Kafka is away."""
        topics = [self._settings.topic("health")]
        since = time.time_ns() // 1_000_000 - int(PAGE_SECONDS * 1000)
        self._consoles = Follower(self._settings, topics, self.on_health, since_ms=since)
        await self._consoles.start()
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Ends it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._consoles is not None:
            await self._consoles.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""
        ended = self._task is not None and self._task.done() and not self._task.cancelled()
        return (self._task.exception() if ended and self._task else None) or (
            self._consoles.failed if self._consoles else None
        )

    def on_health(self, record: Record) -> None:
        """Notes a console that somebody looks at."""
        try:
            told = read(record.value, _Open)
        except Invalid:
            return
        if told.code == "worker_metrics" and told.figures.get("role") == "console" and told.figures.get("clients"):
            self._open_until = max(self._open_until, record.timestamp / 1000 + PAGE_SECONDS)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look(time.time_ns() // 1_000_000)
            except (KafkaError, TocsinError, OSError) as error:
                log.warning("whether anybody listens is not known: %r", error)

    async def look(self, now: int) -> None:
        """Raises the alarm where a danger is unheard at a time (ms since the epoch)."""
        if now / 1000 < self._open_until:
            self._told.clear()
            return
        silent = await self._unheard(now)
        fresh = {
            partition: due
            for partition, due in silent.items()
            if self._told.get(partition, (-1, 0))[0] < due or now - self._told[partition][1] >= AGAIN_MS
        }
        self._told = {partition: self._told[partition] for partition in silent if partition in self._told}
        self._told |= {partition: (due, now) for partition, due in fresh.items()}
        if fresh:
            self._health.alarm(
                "nobody_listening",
                f"alerts on {self._topic} (partitions {', '.join(map(str, sorted(fresh)))}) from before "
                f"{timestamp(now - UNHEARD_MS)} were read by no consumer group, and no console page is open: start a "
                "subscriber that commits its offsets, or open the console",
                severity="critical",
                where=self._topic,
            )

    async def _unheard(self, now: int) -> dict[int, int]:
        """Partitions with alerts that are due to be read and were not, each with the offset behind the last of those."""
        client = await started(reader(self._settings), self._settings)
        try:
            tps = await partitions_of(client, self._settings, [self._topic])
            ends = await end_offsets(client, tps)
            begins = await client.offsets_for_times(dict.fromkeys(tps, now - WINDOW_MS))
            dues = await client.offsets_for_times(dict.fromkeys(tps, now - UNHEARD_MS))
        finally:
            await client.stop()
        due = {
            tp: ends[tp] if dues[tp] is None else dues[tp].offset
            for tp in tps
            if begins[tp] is not None and begins[tp].offset < (ends[tp] if dues[tp] is None else dues[tp].offset)
        }
        if not due:
            return {}
        async with admin(self._settings) as asking:
            for group, *_ in await asking.list_consumer_groups():
                read_to = await asking.list_consumer_group_offsets(group, partitions=list(due))
                # Behind the last alert stands a transaction's marker, which readers skip or do not.
                due = {tp: offset for tp, offset in due.items() if tp not in read_to or read_to[tp].offset < offset - 1}
                if not due:
                    break
        return {tp.partition: offset for tp, offset in due.items()}
