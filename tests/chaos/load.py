"""The load: sends what the script says at an offered rate, and keeps what Kafka acknowledged.

Every record carries its number in the header `n`, so that a record whose answer was lost is still known when it is read.
Owns: the producer, the ledger. Must never: use the workers' code, or send a number twice.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.chaos.script import Planned, Script

FEEDBACK_EVERY = 80
ACTION_EVERY = 100
TRICKLE = 60.0
"""Messages a second behind the planned ones, while faults go on: a partition without records cannot show it recovered."""
UNDECIDED_SECONDS = 120_000
"""How long a send is tried, in milliseconds: far beyond a broker's restart, so that every send is answered."""


@dataclass(slots=True)
class Entry:
    """One record that was sent."""

    topic: str
    number: int
    partition: int
    expect: str
    identity: str
    sent: float
    offset: int | None = None
    error: str | None = None


@dataclass
class Ledger:
    """Everything sent in a session, by topic and number."""

    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)
    open: int = 0

    def acknowledged(self) -> int:
        """Records that Kafka took and said so."""
        return sum(entry.offset is not None for entry in self.entries.values())


class Load:
    """The producer of a session.

    Args:
        judged: gives a recent decision to judge, and forgets it; None where there is none.
    """

    def __init__(
        self, kafka: str, prefix: str, script: Script, judged: Callable[[], dict[str, Any] | None], rate: float
    ) -> None:
        self.ledger = Ledger()
        self.rate = rate
        self.calm = asyncio.Event()
        self._kafka = kafka
        self._prefix = prefix
        self._script = script
        self._judged = judged
        self._producer: AIOKafkaProducer | None = None
        self._numbers = {"messages": 0, "feedback": 0, "actions": 0}
        self._places: dict[tuple[int, int], int] = {}
        self._accepted: deque[dict[str, Any]] = deque(maxlen=200)
        self._random = random.Random(script.seed * 1000 + script.session)
        self.restarts = 0

    async def stop(self) -> None:
        """Lets go of Kafka."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def send(self, count: int, rate: float | None = None) -> None:
        """Sends `count` messages at a rate, then a trickle until `calm` is set; returns when all are answered."""
        rate = rate or self.rate
        begun = time.monotonic()
        done = 0
        while done < count:
            due = min(count, int((time.monotonic() - begun) * rate) + 1)
            while done < due:
                await self.one()
                done += 1
            await asyncio.sleep(0.01)
        while not self.calm.is_set():
            await self.one()
            await asyncio.sleep(1 / TRICKLE)
        await self.answered()

    async def answered(self) -> None:
        """Returns when every record sent has an answer, be it an error."""
        while self.ledger.open:
            await asyncio.sleep(0.05)

    async def one(self) -> None:
        """The next message, with a feedback or an action behind it now and then."""
        number = self._numbers["messages"]
        await self._send(self._script.message(number))
        if number % FEEDBACK_EVERY == FEEDBACK_EVERY - 1:
            await self._feedback()
        if number % ACTION_EVERY == ACTION_EVERY - 1:
            await self._send(self._script.action(self._numbers["actions"]))

    async def _feedback(self) -> None:
        judged = self._judged()
        if judged is None:
            return
        source = judged["source"]
        number = self._places.get((source["partition"], source["offset"]))
        if number is None:  # its acknowledgement is still on its way
            return
        fields = self._script.message(number).fields or {}
        earlier = self._random.choice(self._accepted) if self._accepted else None
        planned = self._script.feedback(self._numbers["feedback"], judged, fields.get("text") or "", earlier)
        if planned.fields is not None and planned.fields.get("kind") == "retract" and earlier is not None:
            self._accepted.remove(earlier)
        elif planned.expect == "lesson" and planned.fields is not None:
            self._accepted.append(planned.fields)
        await self._send(planned)

    async def _send(self, planned: Planned) -> None:
        number = self._numbers[planned.topic]
        self._numbers[planned.topic] = number + 1
        entry = Entry(planned.topic, number, planned.partition, planned.expect, planned.identity, time.time())
        self.ledger.entries[planned.topic, number] = entry
        self.ledger.open += 1
        try:
            producer = await self._running()
            future = await producer.send(
                self._prefix + planned.topic,
                planned.value,
                key=planned.key,
                partition=planned.partition,
                headers=[("n", str(number).encode())],
            )
        except KafkaError as error:
            self.ledger.open -= 1
            entry.error = repr(error)
            await self._again()
            return
        future.add_done_callback(lambda done: self._answer(entry, done))

    def _answer(self, entry: Entry, done: asyncio.Future[Any]) -> None:
        self.ledger.open -= 1
        if done.cancelled():
            entry.error = "cancelled"
        elif (error := done.exception()) is not None:
            entry.error = repr(error)
        else:
            entry.offset = done.result().offset
            if entry.topic == "messages":
                self._places[entry.partition, done.result().offset] = entry.number

    async def _running(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._kafka,
                acks="all",
                enable_idempotence=True,
                max_request_size=2_000_000,
                request_timeout_ms=UNDECIDED_SECONDS,
                linger_ms=5,
            )
            await producer.start()
            self._producer = producer
        return self._producer

    async def _again(self) -> None:
        """A producer that gave up is replaced; what it had not sent stays unanswered and is found by its number."""
        self.restarts += 1
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
