"""Records to Kafka, each once, and no more of them under way than memory has room for.

A record counts as sent when every in-sync replica has it. One that is not confirmed in time may still arrive: it stays known
as under way, so that sending it again waits for the same answer.
Owns: the bound on what is under way, and what an unconfirmed record is called. Must never: say "accepted" of what Kafka did
not confirm.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from agents.door.back import Out
from agents.door.window import Place, Window, mark
from schemas.base import timestamp
from streams import metrics
from streams.errors import TocsinError
from streams.kafka import producer, started
from streams.outputs import cloud_event
from streams.settings import Settings

log = logging.getLogger("tocsin.door")

SOURCE = "tocsin/door"
ACK_SECONDS = 10.0
"""How long a request waits for Kafka."""
SLOW_SECONDS = 2.0
"""Where the oldest record under way has waited this long, Kafka is slow, and new requests come later."""
MAX_BYTES = 64 << 20
"""Bytes under way at once."""
_TYPES = {"messages": "tocsin.message.v1", "feedback": "tocsin.feedback.v1", "actions": "tocsin.action.v1"}


class Busy(Exception):
    """Come back later.

    Attributes:
        retry_after: seconds.
    """

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Unconnected(Busy):
    """Kafka is not reached yet."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a record. `unconfirmed`: nobody knows yet; `place` is None."""

    outcome: Literal["accepted", "duplicate", "unconfirmed"]
    place: Place | None = None


class Sender:
    """One idempotent producer, and the window of what it sent."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._most = settings.door_pending
        self._since: OrderedDict[asyncio.Future[Place], float] = OrderedDict()
        self._bytes = 0
        self.window = Window(settings.door_remembers)

    async def start(self) -> None:
        """Connects; raises TocsinError where Kafka is away, or a topic is missing."""
        client = producer(self._settings)
        try:
            await started(client, self._settings)
            for name in _TYPES:
                topic = self._settings.topic(name)
                try:
                    await client.partitions_for(topic)  # now, and not while the first request waits
                except UnknownTopicOrPartitionError:
                    raise TocsinError(
                        f"topic {topic} is missing on {self._settings.kafka}; run `tocsin init`"
                    ) from None
        except (asyncio.CancelledError, KafkaError, TocsinError):
            await client.stop()
            raise
        self._producer = client

    async def stop(self) -> None:
        """Lets what is under way be confirmed, and ends."""
        if self._producer is not None:
            await self._producer.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why the producer cannot go on, if so."""
        task = None if self._producer is None else self._producer._sender.sender_task
        return task.exception() if task is not None and task.done() and not task.cancelled() else None

    @property
    def pending(self) -> int:
        """Records under way."""
        return len(self._since)

    def room(self, records: int = 1, size: int = 0) -> None:
        """Raises Busy where this many more records must not be taken now."""
        if self._producer is None:
            raise Unconnected("the door has not reached Kafka yet; nothing was taken", 5)
        oldest = next(iter(self._since.values()), None)
        if oldest is not None and time.monotonic() - oldest > SLOW_SECONDS:
            raise Busy(f"Kafka confirms slowly: {self.pending:,} records wait; nothing was taken", 2)
        if self.pending + records > self._most or (self._since and self._bytes + size > MAX_BYTES):
            raise Busy(f"{self.pending:,} records wait for Kafka, at most {self._most:,}; nothing was taken", 1)

    async def send(self, records: Sequence[Out], trace: bytes | None = None) -> list[Sent]:
        """Sends records in order, waits for all, and says of each what became of it.

        Args:
            trace: the request's `traceparent`, passed on.

        Raises:
            Busy: there is no room; nothing was sent.
        """
        self.room(len(records), sum(len(one.value) for one in records))
        waiting: list[tuple[asyncio.Future[Place] | Place | None, bool]] = []
        deadline = time.monotonic() + ACK_SECONDS
        for one in records:
            key = mark(one.topic, one.identity)
            known = self.window.get(key)
            waiting.append((known, True) if known is not None else (await self._give(one, key, deadline, trace), False))
        futures = [future for future, _ in waiting if isinstance(future, asyncio.Future)]
        if futures:
            # Not gather: a request that ends must not end what others wait for as well.
            await asyncio.wait(futures, timeout=max(deadline - time.monotonic(), 0.0))
        return [_became(future, again) for future, again in waiting]

    async def _give(self, one: Out, key: bytes, deadline: float, trace: bytes | None) -> asyncio.Future[Place] | None:
        """Hands a record to the producer; None where it does not take it in time."""
        assert self._producer is not None
        at = timestamp(time.time_ns() // 1_000_000)
        headers = cloud_event(_TYPES[one.topic], SOURCE, one.id, at, trace)
        place: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        # Known before it is given: the same record in the request beside this one waits for the same place.
        self.window.under_way(key, place)
        self._since[place] = time.monotonic()
        self._bytes += len(one.value)
        metrics.DOOR_PENDING.set(self.pending)
        place.add_done_callback(lambda done: self._settled(done, len(one.value)))
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - time.monotonic()):
                given = await self._producer.send(
                    self._settings.topic(one.topic),
                    one.value,
                    key=one.key.encode("utf-8", "surrogatepass"),
                    partition=one.partition,
                    headers=headers,
                )
        except BaseException as error:
            # Not given: nothing of it will arrive.
            place.set_exception(error if isinstance(error, KafkaError) else TimeoutError("not taken"))
            if isinstance(error, KafkaError | TimeoutError):
                log.warning("Kafka does not take records: %r", error)
                return place
            raise
        given.add_done_callback(lambda done: _pass_on(done, place))
        return place

    def _settled(self, done: asyncio.Future[Place], size: int) -> None:
        self._since.pop(done, None)
        self._bytes -= size
        metrics.DOOR_PENDING.set(self.pending)
        if not done.cancelled():
            done.exception()  # whoever waited may have gone: then nobody else looks


def _pass_on(done: asyncio.Future[Any], place: asyncio.Future[Place]) -> None:
    if place.done():
        return
    if done.cancelled():
        place.set_exception(TimeoutError("the producer ended"))
    elif (error := done.exception()) is not None:
        log.warning("a record was not confirmed: %r", error)
        place.set_exception(error)
    else:
        metadata = done.result()
        place.set_result((metadata.partition, metadata.offset))


def _became(future: asyncio.Future[Place] | Place | None, again: bool) -> Sent:
    if isinstance(future, tuple):
        return Sent("duplicate", future)
    if future is None or not future.done() or future.cancelled() or future.exception() is not None:
        return Sent("unconfirmed")
    return Sent("duplicate" if again else "accepted", future.result())
