"""What a delivery is: what is sent, and what came of it.

Owns: those types, which answers mean what, and when a destination that is away is asked again. Must never: know Kafka.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Protocol

from agents.notify.destinations import Retry
from schemas.decision import Alert

REFUSED_ANYWAY = frozenset({401, 403, 404, 407, 408, 425, 429})
"""Answers below 500 that say nothing about the alert: it lets nobody in, or is asked too often. That is mended, or comes back."""
LONGEST_RETRY_AFTER = 3600.0


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is delivered.

    Attributes:
        alert: the newest one, where it stands for several.
        more: how many further alerts of its group it tells of; 0: it is one alert.
        incident: whether these belong to an incident, and not to a conversation.
        rest: whether it stands for alerts of many groups, more than are told a minute.
    """

    alert: Alert
    more: int = 0
    incident: bool = False
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt.

    Attributes:
        kind: `delivered`; `refused`: this alert is not taken, and never will be; `away`: worth another attempt;
            `nothing`: it is none of this destination's affair.
        said: one short clause, without a secret.
        after: seconds that the destination asks to be left alone.
    """

    kind: str
    said: str = ""
    after: float | None = None


DELIVERED = Outcome("delivered")
NOTHING = Outcome("nothing")


def of_status(status: int, after: float | None = None) -> Outcome:
    """What an HTTP status means."""
    if 200 <= status < 300:
        return DELIVERED
    if 300 <= status < 400:
        return Outcome("away", f"answered {status}: it wants to be asked elsewhere, and redirects are not followed")
    if 400 <= status < 500 and status not in REFUSED_ANYWAY:
        return Outcome("refused", f"answered {status}")
    return Outcome("away", f"answered {status}", None if after is None else min(max(after, 0.0), LONGEST_RETRY_AFTER))


class Sender(Protocol):
    """A way to a destination."""

    async def start(self) -> None:
        """Ready to send; raises TocsinError where something must be mended first."""

    async def stop(self) -> None:
        """Lets connections go."""

    async def send(self, parcel: Parcel) -> Outcome:
        """One attempt, bounded in time; raises nothing that a network may bring about."""


@dataclass(slots=True)
class Circuit:
    """Whether a destination answers, since when it does not, and when it is asked next. Times in seconds since the epoch."""

    retry: Retry
    chance: random.Random = field(default_factory=random.Random)
    failures: int = 0
    since: float | None = None
    next_at: float = 0.0

    @property
    def away(self) -> bool:
        """Whether the last attempt failed."""
        return self.since is not None

    def failed(self, now: float, after: float | None = None) -> None:
        """One more attempt failed: the next waits longer, and never less than the destination asked for."""
        self.failures += 1
        self.since = now if self.since is None else self.since
        self.next_at = now + max(self.wait(self.failures), after or 0.0)

    def wait(self, failures: int) -> float:
        """Seconds after so many failures: twice as long after each, less a random part of up to a half, so that those who wait do
        not come back at once."""
        return min(self.retry.most, self.retry.first * 2.0 ** min(failures - 1, 40)) * self.chance.uniform(0.5, 1.0)

    def answered(self) -> None:
        """It is there."""
        self.failures, self.since, self.next_at = 0, None, 0.0

    def gives_up(self, now: float, arrived: float) -> bool:
        """Whether an alert has waited long enough for it: since it arrived, or since the destination went away."""
        return self.since is not None and now - max(arrived, self.since) >= self.retry.give_up
