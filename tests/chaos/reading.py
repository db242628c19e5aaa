"""What a `read_committed` subscriber sees of every topic of a session, record by record, as it comes.

Owns: the reader. Must never: import the workers' code, or judge.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

BY_CUSTOMER = (
    "messages",
    "decisions",
    "priority.p0",
    "priority.p1",
    "priority.p2",
    "review",
    "actions",
    "customers",
    "handoffs",
    "dead-letters",
)
SINGLE = ("feedback", "lessons", "model-updates", "incidents", "crowd", "health")
RECORDED = (
    "messages",
    "decisions",
    "feedback",
    "actions",
    "customers",
    "handoffs",
    "incidents",
    "dead-letters",
    "health",
)


class NotReached(Exception):
    """The end of the topics was not reached in time."""


class Reader:
    """Reads every topic from its beginning, in the background, until stopped.

    Args:
        take: called with each record and its topic's short name.
    """

    def __init__(self, kafka: str, prefix: str, partitions: int, take: Callable[[str, Any], None]) -> None:
        self._kafka = kafka
        self._prefix = prefix
        self._take = take
        self._places = [
            TopicPartition(prefix + name, number) for name in BY_CUSTOMER for number in range(partitions)
        ] + [TopicPartition(prefix + name, 0) for name in SINGLE]
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self.last: dict[tuple[str, int], int] = {}

    async def start(self) -> None:
        """Begins to read."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=8 << 20,
        )
        await consumer.start()
        consumer.assign(self._places)
        await consumer.seek_to_beginning(*self._places)
        self._consumer = consumer
        self._task = asyncio.create_task(self._follow(consumer))

    async def stop(self) -> None:
        """Ends it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._consumer is not None:
            await self._consumer.stop()

    async def to_end(self, seconds: float = 60.0) -> None:
        """Returns when everything committed by now was taken.

        Raises:
            NotReached: not within `seconds`.
        """
        assert self._consumer is not None, "start first"
        deadline = time.monotonic() + seconds
        ends: dict[TopicPartition, int] = {}
        while time.monotonic() < deadline:
            if self._task is not None and self._task.done():
                self._task.result()
            try:
                ends = ends or await self._consumer.end_offsets(self._places)
                behind = [tp for tp in self._places if await self._consumer.position(tp) < ends[tp]]
            except KafkaError:
                behind = self._places
            if not behind:
                return
            await asyncio.sleep(0.05)
        raise NotReached(f"not read to the end within {seconds:g} s: {sorted(map(str, behind))[:5]}")

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        cut = len(self._prefix)
        while True:
            try:
                found = await consumer.getmany(timeout_ms=250, max_records=1000)
            except KafkaError:
                await asyncio.sleep(0.1)
                continue
            for tp, records in found.items():
                name = tp.topic[cut:]
                for record in records:
                    self._take(name, record)
                self.last[name, tp.partition] = records[-1].offset
            await asyncio.sleep(0)


async def committed(kafka: str, group: str, prefix: str) -> dict[tuple[str, int], int]:
    """The offsets of a group, by short topic name and partition; empty where Kafka does not say."""
    client = AIOKafkaAdminClient(bootstrap_servers=kafka, request_timeout_ms=10_000)
    try:
        await client.start()
        found = await client.list_consumer_group_offsets(group)
        return {(tp.topic[len(prefix) :], tp.partition): int(place.offset) for tp, place in found.items()}
    except (KafkaError, OSError):
        return {}
    finally:
        try:
            await client.close()
        except Exception:  # a client that never connected cannot always be closed
            pass
