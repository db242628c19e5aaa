"""A hand-written loop over aiokafka: `getmany`, the work, `send_batch`. The ceiling in Python.

`python -m tests.bench.contenders.bare_loop transactions|plain`. With transactions: one producer a partition, outputs and
offset together, a partition's next chunk judged while its last one is written. Plain: one idempotent producer, offsets
committed behind the acknowledged outputs. Neither handles a rebalance, a failure or a Kafka that is away.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from agents.triage import BATCH
from streams.kafka import client_options, producer
from streams.settings import Settings, load
from streams.worker import collect_seldom
from tests.bench.contenders import scorers
from tests.bench.contenders.work import Out, Record, Work


async def send(client: AIOKafkaProducer, outs: list[Out]) -> None:
    """Whole batches, a partition each; returns when all are acknowledged."""
    batches: dict[tuple[str, int], Any] = {}
    waiting = []
    for out in outs:
        place = (out.topic, out.partition)
        batch = batches.get(place)
        if batch is None:
            batch = batches[place] = client.create_batch()
        if batch.append(timestamp=None, key=out.key, value=out.value, headers=out.headers) is None:
            waiting.append(await client.send_batch(batch, out.topic, partition=out.partition))
            batch = batches[place] = client.create_batch()
            batch.append(timestamp=None, key=out.key, value=out.value, headers=out.headers)
    for (topic, partition), batch in batches.items():
        waiting.append(await client.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*waiting)


class Plain:
    """At least once."""

    def __init__(self, settings: Settings, consumer: AIOKafkaConsumer) -> None:
        self._client = producer(settings)
        self._consumer = consumer

    async def start(self, partitions: set[TopicPartition]) -> None:
        await self._client.start()

    async def write(self, tp: TopicPartition, outs: list[Out], next_offset: int) -> None:
        await send(self._client, outs)
        await self._consumer.commit({tp: next_offset})

    async def stop(self) -> None:
        await self._client.stop()


class Transactions:
    """Exactly once."""

    def __init__(self, settings: Settings, group: str) -> None:
        self._settings = settings
        self._group = group
        self._clients: dict[TopicPartition, AIOKafkaProducer] = {}

    async def start(self, partitions: set[TopicPartition]) -> None:
        for tp in partitions:
            self._clients[tp] = producer(self._settings, transactional_id=f"{self._group}.{tp.partition}")
        await asyncio.gather(*(client.start() for client in self._clients.values()))

    async def write(self, tp: TopicPartition, outs: list[Out], next_offset: int) -> None:
        client = self._clients[tp]
        async with client.transaction():
            await send(client, outs)
            await client.send_offsets_to_transaction({tp: OffsetAndMetadata(next_offset, "")}, self._group)

    async def stop(self) -> None:
        await asyncio.gather(*(client.stop() for client in self._clients.values()))


async def run(how: str) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = load()
    group = settings.group("bare")
    work = Work(settings, scorers.judge(settings))
    consumer = AIOKafkaConsumer(
        work.messages,
        **client_options(settings),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=settings.chunk_bytes,
    )
    await consumer.start()
    while not consumer.assignment():
        await asyncio.sleep(0.01)
    writer: Plain | Transactions = Transactions(settings, group) if how == "transactions" else Plain(settings, consumer)
    await writer.start(set(consumer.assignment()))
    writing: dict[TopicPartition, asyncio.Task[None]] = {}
    while not stop.is_set():
        fetched = await consumer.getmany(timeout_ms=100, max_records=settings.chunk_records)
        for tp, records in fetched.items():
            outs: list[Out] = []
            for at in range(0, len(records), BATCH):
                some = records[at : at + BATCH]
                outs += work.outs([Record(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for r in some])
                await asyncio.sleep(0)  # transactions of other partitions go on meanwhile
            if tp in writing:
                await writing[tp]
            writing[tp] = asyncio.create_task(writer.write(tp, outs, records[-1].offset + 1))
    await asyncio.gather(*writing.values())
    await writer.stop()
    await consumer.stop()


if __name__ == "__main__":
    collect_seldom()
    uvloop.run(run(sys.argv[1]))
