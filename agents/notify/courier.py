"""The last step: one alert, or one update, until its destination takes it, refuses it, or is given up.

Owns: how often it is tried, what becomes a dead letter, and the alarms about a destination. Must never: know where in Kafka a
destination stands; `agents.notify.delivery` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from aiokafka.structs import ConsumerRecord

from agents.notify.destinations import Destination
from agents.notify.sending import Circuit, Outcome, Parcel, Sender
from streams import metrics
from streams.health import HealthReporter

MOST_FAILED = 10
"""Attempts that may fail while others succeed, before it is this alert that is refused."""
LOUD = 3
"""Failures in a row from which a destination is said to be away."""

Records = list["ConsumerRecord[bytes | None, bytes | None]"]
Letter = Callable[["ConsumerRecord[bytes | None, bytes | None]", str, str, str], Awaitable[None]]
"""Writes a dead letter: the record, its code, one sentence, the destination's name."""


@dataclass(slots=True)
class Tries:
    """Of one alert: how many alerts were delivered before it, how often it failed, and since when (seconds since the epoch)."""

    delivered: int
    failed: int = 0
    since: float = math.inf


class Courier:
    """One destination's; several alerts may be under way at once.

    Args:
        letter: writes a dead letter, and returns when it is written.
        count: told what became of an alert or of an attempt.
    """

    def __init__(
        self,
        destination: Destination,
        sender: Sender,
        health: HealthReporter,
        letter: Letter,
        count: Callable[[str], None],
    ) -> None:
        self.destination = destination
        self.stopping = asyncio.Event()
        self._sender = sender
        self._health = health
        self._letter = letter
        self._count = count
        self._circuit = Circuit(destination.retry)
        self._gate = asyncio.Lock()
        self._delivered = 0

    @property
    def away(self) -> bool:
        """Whether the last attempt failed."""
        return self._circuit.away

    async def deliver(self, parcel: Parcel, arrived: float, records: Records, over: Callable[[], bool]) -> bool:
        """Tries until it is delivered or a dead letter; False where this worker is not to go on with it.

        Args:
            arrived: when it rang, seconds since the epoch.
            records: what becomes dead letters where it is not delivered.
            over: whether this worker is not to go on.
        """
        tries = Tries(self._delivered)
        while not over():
            # While it is away, one alert asks for all.
            async with self._gate if self._circuit.away else contextlib.nullcontext():
                if not await self._wait(lambda: self._circuit.next_at if self._circuit.away else 0.0, over):
                    return False
                if await self._attempt(parcel, arrived, records, tries):
                    return True
            # Its own wait, too: where others are delivered it may be this alert that is not taken.
            if not await self._wait(partial(float, time.time() + self._circuit.wait(tries.failed)), over):
                return False
        return False

    async def _wait(self, until: Callable[[], float], over: Callable[[], bool]) -> bool:
        """Until a moment, which may change meanwhile; False where this worker is not to go on."""
        while (wait := until() - time.time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), min(wait, 0.5))
            if over():
                return False
        return True

    async def _attempt(
        self,
        parcel: Parcel,
        arrived: float,
        records: Records,
        tries: Tries,
    ) -> bool:
        name = self.destination.name
        outcome = await self._sender.send(parcel)
        if outcome.kind == "nothing":
            return True
        if outcome.kind == "away":
            return await self._failed(outcome, parcel, arrived, records, tries)
        self._circuit.answered()
        metrics.NOTIFY_AWAY.labels(name).set(0)
        if outcome.kind == "refused":
            await self._refused(parcel, records, outcome.said)
        else:
            self._delivered += 1
            self._count("delivered")
            metrics.NOTIFY_SECONDS.labels(name).observe(max(time.time() - arrived, 0.0))
        return True

    async def _failed(
        self,
        outcome: Outcome,
        parcel: Parcel,
        arrived: float,
        records: Records,
        tries: Tries,
    ) -> bool:
        """Whether there is an end to it: an alert that fails while others are delivered is refused, in effect."""
        now = time.time()
        self._circuit.failed(now, outcome.after)
        tries.failed += 1
        tries.since = min(tries.since, now)
        self._count("failed")
        metrics.NOTIFY_AWAY.labels(self.destination.name).set(1)
        if self._circuit.failures >= LOUD:
            self._alarm_away(outcome.said)
        if tries.failed >= MOST_FAILED and self._delivered > tries.delivered:
            said = f"{outcome.said}, {tries.failed} times, and took others meanwhile"
            await self._refused(parcel, records, said)
        elif self._circuit.gives_up(now, arrived) or now - tries.since >= self.destination.retry.give_up:
            waited = f"away for {now - (self._circuit.since or now):.0f} s; the last time it {outcome.said}"
            await self._letters(records, "delivery_given_up", waited)
        else:
            return False
        return True

    async def _refused(self, parcel: Parcel, records: Records, said: str) -> None:
        await self._letters(records, "delivery_refused", said)
        self._health.alarm(
            "delivery_refused",
            f'destination "{self.destination.name}" {said}: this alert is a dead letter, the next ones go on',
            severity="critical" if parcel.alert.decision.priority == "p0" else "warning",
            where=self.destination.name,
        )

    async def _letters(self, records: Records, code: str, said: str) -> None:
        for record in records:
            await self._letter(record, code, f'destination "{self.destination.name}" {said}', self.destination.name)
            self._count("refused" if code == "delivery_refused" else "given_up")

    def _alarm_away(self, said: str) -> None:
        since = time.time() - (self._circuit.since or time.time())
        self._health.alarm(
            "destination_away",
            f'destination "{self.destination.name}" {said}; away for {since:.0f} s, asked again until each alert has waited '
            f"{self.destination.retry.give_up:g} s; the other destinations go on",
            severity="critical" if "p0" in self.destination.wanted.priorities else "warning",
            where=self.destination.name,
        )
