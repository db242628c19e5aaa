"""What follow reads besides its chunks: all that is kept of customers, when it is given partitions, and single records by their
place that are not in memory any more.

Owns: those consumers. Must never: move the group's offsets.
"""

from __future__ import annotations

import asyncio
import logging
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.history.places import Place
from schemas.base import Invalid
from schemas.decision import Decision
from schemas.message import Message, read_message
from schemas.reading import read
from streams.follow import Record
from streams.kafka import end_offsets, reader, started
from streams.settings import Settings

log = logging.getLogger("tocsin.follow")

WAIT_MS = 2_000
"""For a record that should be there; beyond, it is taken for gone."""


class Recall:
    """Reads single records of `messages` and `decisions`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()

    async def message(self, partition: int, offset: int | None, identity: str) -> Message | None:
        """The message at an offset; None where it is gone, or another stands there."""
        record = await self._record("messages", partition, offset)
        if record is None:
            return None
        try:
            message = read_message(record.value, record.timestamp).message
        except Invalid:
            return None
        return message if message.id == identity else None

    async def decision(self, partition: int, offset: int, identity: str) -> Decision | None:
        """The decision at an offset; None where it is gone, or another stands there."""
        record = await self._record("decisions", partition, offset)
        if record is None:
            return None
        try:
            decision = read(record.value, Decision)
        except Invalid:
            return None
        return decision if decision.id == identity else None

    async def _record(self, topic: str, partition: int, offset: int | None) -> Record | None:
        if offset is None:
            return None
        async with self._lock:
            if self._consumer is None:
                self._consumer = await started(reader(self._settings, max_poll_records=1), self._settings)
            tp = TopicPartition(self._settings.topic(topic), partition)
            self._consumer.assign([tp])
            self._consumer.seek(tp, offset)
            found = await self._consumer.getmany(tp, timeout_ms=WAIT_MS, max_records=1)
            record = next((one for some in found.values() for one in some), None)
        return record if record is not None and record.offset == offset else None

    async def stop(self) -> None:
        """Ends it."""
        if self._consumer is not None:
            await self._consumer.stop()


async def restore(settings: Settings, places: dict[int, Place]) -> None:
    """Fills places, by partition number, with `customers` from its begin to its end."""
    if not places:
        return
    topic = settings.topic("customers")
    consumer = await started(reader(settings, max_poll_records=20_000), settings)
    begun, count = time.monotonic(), 0
    try:
        tps = [TopicPartition(topic, number) for number in places]
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        ends = await end_offsets(consumer, tps)
        left = {tp for tp in tps if ends[tp] > 0}
        while left:
            for tp, records in (await consumer.getmany(*left, timeout_ms=200)).items():
                count += len(records)
                _restored(places[tp.partition], records)
            left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
    finally:
        await consumer.stop()
    if count:
        log.info("%d records of customers read in %.1f s", count, time.monotonic() - begun)


def _restored(place: Place, records: list[Record]) -> None:
    place.store.put([(record.key, record.value) for record in records])
    for record in records:
        due = next((int(value) for name, value in record.headers if name == "due"), 0)
        place.schedule(record.key.decode(), due if record.value is not None else None)
