"""An open load on `messages`: a fixed schedule, whatever the workers do, and when each alert came back.

Latency counts from the moment a message was due, not from when it was sent: a generator or a broker that falls behind
shows in the figures (no coordinated omission). Times are this process's monotonic clock, so nothing is compared across
clocks. Owns: the schedule, the sending, the subscriber. Must never: slow down because the workers do.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from streams.kafka import producer, started
from streams.settings import Settings
from tests.bench.corpus import Sent
from tests.bench.stage import reading

TICK_SECONDS = 0.004
"""Messages due within one tick leave together; the wait for it counts as latency."""
PRIORITIES = ("priority.p0", "priority.p1", "priority.p2")
_NUMBER = re.compile(rb'"message_id":"([a-z]+)(\d+)"')


class Seen(NamedTuple):
    """One alert: whose feed, which number of it, from which topic, and when it came."""

    ids: str
    number: int
    topic: str
    at: float


class Subscriber:
    """A read_committed reader of the priority topics, as a support tool would have."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.seen: list[Seen] = []

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            fetched = await self._client.getmany(timeout_ms=200, max_records=2_000)
            now = time.monotonic()
            for place, records in fetched.items():
                name = place.topic.partition(".")[2]
                for record in records:
                    found = _NUMBER.search(record.value)
                    if found is not None:
                        self.seen.append(Seen(found[1].decode(), int(found[2]), name, now))

    async def caught_up(self, seconds: float = 30.0) -> None:
        """Waits until everything is read that stands on the topics now."""
        places = list(self._client.assignment())
        last = await self._client.end_offsets(places)
        deadline = time.monotonic() + seconds
        while any([await self._client.position(place) < last[place] for place in places]):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the subscriber is still behind after {seconds:g} s")
            await asyncio.sleep(0.02)


@asynccontextmanager
async def subscriber(settings: Settings) -> AsyncIterator[Subscriber]:
    """Reads what is new on p0, p1 and p2 from now on."""
    async with reading(settings, PRIORITIES, end=True) as client:
        found = Subscriber(client)
        # A position for every partition, before anything is sent.
        for place in client.assignment():
            await client.position(place)
        task = asyncio.create_task(found.run())
        try:
            yield found
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error


@asynccontextmanager
async def generator(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A producer for `offer`."""
    client = await started(producer(settings), settings)
    try:
        yield client
    finally:
        await client.stop()


class Stream(NamedTuple):
    """Messages at a steady rate: number n is due n / rate seconds after the start."""

    rate: float
    make: Callable[[int], Sent]


async def offer(client: AIOKafkaProducer, topic: str, streams: Sequence[Stream], seconds: float) -> float:
    """Sends the streams for so long; returns the monotonic time of the start.

    Never waits for an acknowledgement before sending what is due next; waits for all of them at the end.
    """
    waiting: set[asyncio.Future[Any]] = set()
    counts = [0] * len(streams)
    begun = time.monotonic()
    for tick in itertools.count(1):
        due = begun + tick * TICK_SECONDS
        await asyncio.sleep(max(due - time.monotonic(), 0))
        passed = min(time.monotonic() - begun, seconds)
        batches: dict[int, Any] = {}
        for place, record in _due(streams, counts, passed):
            counts[place] += 1
            batch = batches.get(record.partition)
            if batch is None:
                batch = batches[record.partition] = client.create_batch()
            if batch.append(timestamp=None, key=record.key, value=record.value) is None:
                _keep(waiting, await client.send_batch(batch, topic, partition=record.partition))
                batch = batches[record.partition] = client.create_batch()
                batch.append(timestamp=None, key=record.key, value=record.value)
        for partition, batch in batches.items():
            _keep(waiting, await client.send_batch(batch, topic, partition=partition))
        if passed >= seconds:
            break
    await asyncio.gather(*waiting)
    return begun


def _due(streams: Sequence[Stream], counts: list[int], passed: float) -> Iterator[tuple[int, Sent]]:
    for place, stream in enumerate(streams):
        for number in range(counts[place], int(passed * stream.rate)):
            yield place, stream.make(number)


def _keep(waiting: set[asyncio.Future[Any]], future: asyncio.Future[Any]) -> None:
    waiting.add(future)
    future.add_done_callback(waiting.discard)


def latencies(seen: Sequence[Seen], begun: float, rate: float, burn_in: float) -> list[float]:
    """Seconds from when each message was due to when its alert came; those due before the burn-in was over are dropped."""
    return [one.at - (begun + one.number / rate) for one in seen if one.number / rate >= burn_in]
