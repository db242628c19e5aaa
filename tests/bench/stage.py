"""The bench's own Apache Kafka, in a folder that is removed, and the topics of each contender.

Owns: the broker, prefixes, sending a backlog, reading what came out. Must never: touch a broker it did not start.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.commands.init import prepare
from streams.kafka import BATCH_BYTES, MAX_REQUEST_BYTES, admin, client_options, reader, started
from streams.local import jars
from streams.local.broker import Broker
from streams.settings import Settings, load
from streams.topics import TOPICS
from tests.bench.corpus import Sent

PARTITIONS = 4
OUTPUTS = ("decisions", "priority.p0", "priority.p1", "priority.p2", "review", "dead-letters")
_UNDER_WAY = 64
"""Batches sent and not yet acknowledged: bounds memory."""


class _Broker(Broker):
    """The local broker; it looks for old segments every few seconds, so that a long run's disk stays bounded."""

    def _write_properties(self, name: str, records: Path) -> Path:
        path = super()._write_properties(name, records)
        with path.open("a", encoding="utf-8") as properties:
            properties.write("\nlog.retention.check.interval.ms=5000\nlog.segment.delete.delay.ms=1000\n")
        return path


class Stage:
    """A running broker and a folder for logs."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder = folder
        self.broker = broker

    def settings(self, prefix: str) -> Settings:
        """Settings of one contender: its own topics and groups, four partitions."""
        return load(
            kafka=self.broker.address,
            topic_prefix=f"{prefix}.",
            partitions=PARTITIONS,
            data=self.folder,
            clickhouse=f"chdb://{self.folder / 'clickhouse' / prefix}",
            log_level="warning",
            dead_letters_per_minute=1_000_000,
        )

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """A folder for one part, gone at its end."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @asynccontextmanager
    async def topics(self, prefix: str, config: dict[str, str] | None = None) -> AsyncIterator[Settings]:
        """Topics and policy under a prefix, deleted at the end.

        Args:
            config: topic configuration on top of Tocsin's own, for the topics keyed by customer.
        """
        settings = self.settings(prefix)
        await prepare(settings, by="bench")
        if config:
            await _configure(settings, config)
        try:
            yield settings
        finally:
            async with admin(settings) as client:
                await client.delete_topics([settings.topic(topic.name) for topic in TOPICS])


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Starts a broker in a temporary folder; both are gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-bench-"))
    try:
        broker = _Broker(folder / "kafka", jars.ensure(load().cache_folder))
        try:
            await broker.start()
            await broker.wait_ready()
            yield Stage(folder, broker)
        finally:
            await broker.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _configure(settings: Settings, config: dict[str, str]) -> None:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    async with admin(settings) as client:
        await client.alter_configs(
            [
                ConfigResource(ConfigResourceType.TOPIC, settings.topic(topic.name), {**topic.settings(), **config})
                for topic in TOPICS
                if topic.by_customer
            ]
        )


@asynccontextmanager
async def sender(settings: Settings, compression: str | None = "snappy") -> AsyncIterator[Sender]:
    """A Sender, closed at the end.

    Args:
        compression: None costs the sender least, so that it takes the least from whoever is measured meanwhile.
    """
    client = AIOKafkaProducer(
        **client_options(settings),
        enable_idempotence=True,
        compression_type=compression,
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_REQUEST_BYTES,
    )
    await started(client, settings)
    try:
        yield Sender(client, settings.topic("messages"))
    finally:
        with contextlib.suppress(Exception):
            await client.stop()


class Sender:
    """Sends whole batches to the messages topic."""

    def __init__(self, client: AIOKafkaProducer, topic: str) -> None:
        self._client = client
        self._topic = topic

    async def send(self, records: Iterable[Sent]) -> None:
        """Sends records and waits until all are acknowledged."""
        batches: dict[int, Any] = {}
        waiting: set[asyncio.Future[Any]] = set()
        for number, record in enumerate(records):
            batch = batches.get(record.partition)
            if batch is None:
                batch = batches[record.partition] = self._client.create_batch()
            if batch.append(timestamp=None, key=record.key, value=record.value) is None:
                waiting.add(await self._client.send_batch(batch, self._topic, partition=record.partition))
                batch = batches[record.partition] = self._client.create_batch()
                batch.append(timestamp=None, key=record.key, value=record.value)
            if len(waiting) > _UNDER_WAY:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for future in done:
                    future.result()
            if number % 2_000 == 0:
                await asyncio.sleep(0)
        for partition, batch in batches.items():
            waiting.add(await self._client.send_batch(batch, self._topic, partition=partition))
        await asyncio.gather(*waiting)


async def ends(client: AIOKafkaConsumer, settings: Settings, topics: Iterable[str]) -> dict[TopicPartition, int]:
    """Where the committed records of some topics end."""
    places = [TopicPartition(settings.topic(name), number) for name in topics for number in range(PARTITIONS)]
    found: dict[TopicPartition, int] = await client.end_offsets(places)
    return found


async def drained(
    settings: Settings, check: Callable[[], None], group: str = "triage", seconds: float = 600.0
) -> float:
    """Waits until a group has committed every record of `messages`; when it had, by the monotonic clock.

    The end of the outputs would not do: transaction markers count there, too.

    Args:
        check: raises where that cannot happen any more.
        group: what stands behind the prefix in the group's name.
    """
    deadline = time.monotonic() + seconds
    async with reading(settings) as client, admin(settings) as asked:
        while True:
            check()
            where = await ends(client, settings, ("messages",))
            committed = await asked.list_consumer_group_offsets(settings.group(group))
            at = time.monotonic()
            if all(place in committed and committed[place].offset >= end for place, end in where.items() if end):
                return at
            if at > deadline:
                raise RuntimeError(f"{group} is still behind after {seconds:g} s")
            await asyncio.sleep(0.05)


@asynccontextmanager
async def reading(settings: Settings, topics: Iterable[str] = (), *, end: bool = False) -> AsyncIterator[Any]:
    """A read_committed consumer of some topics, from their beginning or their end; nothing assigned where none is named.

    It asks again after 10 ms at most: aiokafka leaves a partition out of the fetch under way while its records wait to be
    taken, and a client's default of 500 ms would be measured instead of the worker.
    """
    client = await started(reader(settings, fetch_max_wait_ms=10), settings)
    try:
        places = [TopicPartition(settings.topic(name), number) for name in topics for number in range(PARTITIONS)]
        if places:
            client.assign(places)
            await (client.seek_to_end(*places) if end else client.seek_to_beginning(*places))
        yield client
    finally:
        await client.stop()


async def records(settings: Settings, topics: Iterable[str]) -> AsyncIterator[Any]:
    """Every committed record of some topics there is now."""
    names = list(topics)
    async with reading(settings, names) as client:
        last = await ends(client, settings, names)
        behind = set(last)
        while behind:
            for batch in (await client.getmany(*behind, timeout_ms=200, max_records=5_000)).values():
                for record in batch:
                    yield record
            behind = {place for place in behind if await client.position(place) < last[place]}
