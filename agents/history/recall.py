"""Records read again by their place: a message or a decision that is not in memory any more.

Owns: one consumer for that. Must never: move the group's offsets.
"""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.scoring.own_words import own_words
from schemas.base import Invalid
from schemas.decision import Decision
from schemas.message import Message, read_message
from schemas.reading import read
from streams.kafka import reader, started
from streams.settings import Settings

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

    async def _record(self, topic: str, partition: int, offset: int | None):  # type: ignore[no-untyped-def]
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


def text_of(message: Message) -> str:
    """What floors read of a message: subject and the customer's own words."""
    text = own_words(message.text)
    return f"{message.subject}\n{text}" if message.subject else text
