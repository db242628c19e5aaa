"""Following a topic without a group: every record from a start to now, then each as it comes.

Owns: reading to the end before saying "caught up". Must never: commit, or stop quietly.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.errors import TocsinError
from streams.kafka import end_offsets, reader, started
from streams.settings import Settings

Record = Any
"""aiokafka's ConsumerRecord: topic, partition, offset, timestamp (ms), key, value, headers."""


async def partitions_of(consumer: AIOKafkaConsumer, settings: Settings, topics: list[str]) -> list[TopicPartition]:
    """All partitions of some topics (full names); raises TocsinError where one is missing."""
    found = []
    deadline = time.monotonic() + 10
    for topic in topics:
        while not (numbers := consumer.partitions_for_topic(topic)):
            if time.monotonic() > deadline:
                raise TocsinError(f"topic {topic} is missing on {settings.kafka}; run `tocsin init`")
            await consumer._client.add_topic(topic)
        found += [TopicPartition(topic, number) for number in sorted(numbers)]
    return found


class Follower:
    """Calls `on_record` for each committed record of some topics, in order within a partition.

    Args:
        topics: full names.
        on_record: must not block; its exception ends the follower, see `failed`.
        since_ms: start at the first record of this broker time; from the beginning where None.
    """

    def __init__(
        self,
        settings: Settings,
        topics: list[str],
        on_record: Callable[[Record], None],
        *,
        since_ms: int | None = None,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._on_record = on_record
        self._since_ms = since_ms
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reads everything there is now, then goes on in the background.

        Raises:
            TocsinError: Kafka is away or a topic is missing.
        """
        consumer = await started(reader(self._settings), self._settings)
        self._consumer = consumer
        partitions = await partitions_of(consumer, self._settings, self._topics)
        consumer.assign(partitions)
        if self._since_ms is None:
            await consumer.seek_to_beginning(*partitions)
        else:
            await self._seek_to_time(consumer, partitions, self._since_ms)
        ends = await end_offsets(consumer, partitions)
        while True:
            # Positions are compared, not the last records seen: behind the last record stand transaction markers.
            behind = [tp for tp in partitions if await consumer.position(tp) < ends[tp]]
            if not behind:
                break
            await self._read(consumer, 200)
        self._task = asyncio.create_task(self._follow(consumer))

    async def stop(self) -> None:
        """Ends it; harmless where it never started."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._consumer is not None:
            await self._consumer.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why it ended, if it did."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    @staticmethod
    async def _seek_to_time(consumer: AIOKafkaConsumer, partitions: list[TopicPartition], since_ms: int) -> None:
        starts = await consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
        found = {tp: start.offset for tp, start in starts.items() if start is not None}
        late = [tp for tp in partitions if tp not in found]
        if late:
            await consumer.seek_to_end(*late)  # all at once: each call waits for a fetch
        for tp, offset in found.items():
            consumer.seek(tp, offset)

    async def _read(self, consumer: AIOKafkaConsumer, timeout_ms: int) -> None:
        for records in (await consumer.getmany(timeout_ms=timeout_ms, max_records=5000)).values():
            for record in records:
                self._on_record(record)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                await self._read(consumer, 1000)
            except KafkaError as error:
                if not getattr(error, "retriable", False):
                    raise
                await asyncio.sleep(0.2)


async def read_to_end(settings: Settings, topic: str, start: int = 0) -> AsyncIterator[Record]:
    """Every committed record of a one-partition topic from an offset to the end there is now.

    Raises:
        TocsinError: Kafka is away.
    """
    consumer = await started(reader(settings), settings)
    try:
        tp = TopicPartition(topic, 0)
        consumer.assign([tp])
        first = (await consumer.beginning_offsets([tp]))[tp]
        end = (await end_offsets(consumer, [tp]))[tp]
        async for record in _between(consumer, tp, max(start, first), end):
            yield record
    finally:
        await consumer.stop()


async def read_since(settings: Settings, topic: str, since_ms: int) -> AsyncIterator[Record]:
    """Every committed record of a topic by customer that arrived since a moment, partition by partition, to the end there is now.

    Raises:
        TocsinError: Kafka is away.
    """
    consumer = await started(reader(settings, max_poll_records=2_000), settings)
    try:
        tps = [TopicPartition(topic, number) for number in range(settings.partitions)]
        ends = await end_offsets(consumer, tps)
        for tp, start in (await consumer.offsets_for_times(dict.fromkeys(tps, since_ms))).items():
            if start is not None:
                consumer.assign([tp])
                async for record in _between(consumer, tp, start.offset, ends[tp]):
                    yield record
    finally:
        await consumer.stop()


async def _between(consumer: AIOKafkaConsumer, tp: TopicPartition, start: int, end: int) -> AsyncIterator[Record]:
    consumer.seek(tp, start)
    while await consumer.position(tp) < end:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                yield record
