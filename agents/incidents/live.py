"""An incident while it goes on: what belongs to it, how fast it comes, and when it has grown, peaked, and is over.

Owns: that course, and the record that tells of it. Must never: decide that there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from math import sqrt

import msgspec
import numpy as np
from msgspec import Struct

from agents.incidents.meaning import Vectors
from agents.incidents.window import Seen
from schemas.base import FLAGGED, Priority, timestamp
from schemas.decision import Source, Why
from schemas.incident import First, Gathered, Incident, Kind, State, Usual

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
MOST_MIDDLES = 4
"""Of one incident: its two languages, and what it turns into."""
MOST_CUSTOMERS = 5_000
"""That are told apart; beyond, each message counts as one of a new customer."""
MOST_WORDS = 400
MOST_ALERTS = 500
"""In one record."""
EXAMPLES = 10
PHRASES = 6
LEAST_CUSTOMERS = 5
"""Customers who must have used a word before it is told."""
AGAIN_MS = 6 * 3_600_000
"""An incident that was over for less comes again as the same."""
LONGEST_QUIET_MS = 1_800_000
_STEP_MS = 10_000
_KEPT_MS = 1_800_000


class Live(Struct, kw_only=True):
    """What is kept of an incident. Times in ms since the epoch; `counts` are messages by ten seconds, `days` by day, lately."""

    id: str
    kind: Kind
    state: State
    opened_at: int
    first: Seen
    middles: list[list[float]]
    share: float
    known: int
    peaked_at: int | None = None
    closed_at: int | None = None
    last_at: int = 0
    messages: int = 0
    customers: set[int] = msgspec.field(default_factory=set)
    beyond: int = 0
    counts: dict[int, int] = msgspec.field(default_factory=dict)
    peak: float = 0.0
    words: dict[str, int] = msgspec.field(default_factory=dict)
    categories: dict[str, int] = msgspec.field(default_factory=dict)
    channels: dict[str, int] = msgspec.field(default_factory=dict)
    languages: dict[str, int] = msgspec.field(default_factory=dict)
    priorities: dict[str, int] = msgspec.field(default_factory=dict)
    examples: list[str] = msgspec.field(default_factory=list)
    alerts: list[Gathered] = msgspec.field(default_factory=list)
    rang: int = 0
    told: int = 0
    told_at: int = 0

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.state != "closed"

    def likeness(self, vectors: Vectors) -> Vectors:
        """Of messages, shape (n,): the cosine to the nearest of its middles."""
        nearest: Vectors = (vectors @ np.array(self.middles, np.float32).T).max(axis=1)
        return nearest

    def take(self, one: Seen, words: list[str]) -> None:
        """One more message."""
        self.messages += 1
        self.last_at = max(self.last_at, one.at)
        step = one.at // _STEP_MS
        self.counts[step] = self.counts.get(step, 0) + 1
        for name, counts in (
            (one.category, self.categories),
            (one.channel, self.channels),
            (one.language, self.languages),
            (one.priority, self.priorities),
        ):
            counts[name] = counts.get(name, 0) + 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(one.id)
        if one.priority in FLAGGED:
            self.rang += 1
            if len(self.alerts) < MOST_ALERTS:
                self.alerts.append(
                    Gathered(
                        message_id=one.id, decision_id=one.decision, group=one.group, priority=_priority(one.priority)
                    )
                )
        self._customer(one.customer, words)

    def _customer(self, customer: str, words: list[str]) -> None:
        known = _number(customer)
        if known in self.customers:
            return
        if len(self.customers) < MOST_CUSTOMERS:
            self.customers.add(known)
        else:
            self.beyond += 1
        for word in words:
            if word in self.words or len(self.words) < MOST_WORDS:
                self.words[word] = self.words.get(word, 0) + 1

    def drift(self, middle: Vectors) -> None:
        """It is told in other words, too."""
        if len(middle) and len(self.middles) < MOST_MIDDLES:
            self.middles.append([round(float(one), 4) for one in middle])

    # --- its course

    def rate(self, now: int) -> float:
        """Messages over the last minute; of one that grows from day to day, over the last day."""
        since = (now - (DAY_MS if self.kind == "slow" else MINUTE_MS)) // _STEP_MS
        return float(sum(count for step, count in self.counts.items() if step > since))

    def course(self, now: int, usual: float, quiet_ms: int) -> bool:
        """Moves it on; whether that is worth a record.

        Args:
            usual: messages a minute that are so when nothing is the matter.
            quiet_ms: for so long at least no more than is usual must come, before it is over.
        """
        rate = self.rate(now)
        kept = now - (8 * DAY_MS if self.kind == "slow" else _KEPT_MS)
        self.counts = {step: count for step, count in self.counts.items() if step * _STEP_MS > kept}
        self.peak = max(self.peak, rate)
        if self._over(now, usual, quiet_ms):
            self.state, self.closed_at = "closed", now
            return True
        if self.state != "peaked" and rate < self.peak / 2 and now - self.opened_at >= MINUTE_MS:
            self.state, self.peaked_at = "peaked", now
            return True
        if self.state == "peaked" and rate >= self.peak:
            self.state, self.peaked_at = "grown", None
            return True
        doubled = self.messages >= 2 * max(self.told, 1)
        due = bool(self.alerts) and now - self.told_at >= (HOUR_MS if self.kind == "slow" else MINUTE_MS)
        if (doubled or due) and self.state == "opened":
            self.state = "grown"  # else it would be told as opened again
        return doubled or due

    def _over(self, now: int, usual: float, quiet_ms: int) -> bool:
        if self.kind == "slow":
            return self.messages > self.peak and self.rate(now) <= self.peak / 4
        # As long as ten messages took at its height: a slow one must be silent for longer.
        quiet = min(max(quiet_ms, int(10 * MINUTE_MS / max(self.peak, 0.1))), LONGEST_QUIET_MS)
        if now - self.opened_at < quiet:
            return False
        since = (now - quiet) // _STEP_MS
        lately = sum(count for step, count in self.counts.items() if step > since)
        expected = usual * quiet / MINUTE_MS
        return lately <= expected + 2 * sqrt(expected)

    # --- what is told

    def record(self, now: int, usual: Usual | None, why: Why, weights: Mapping[str, float]) -> Incident:
        """How it stands; what was gathered since the last record goes with it."""
        alerts, self.alerts = self.alerts, []
        self.told, self.told_at = self.messages, now
        rate = self.rate(now)
        self.peak = max(self.peak, rate)
        telling = sorted(
            (word for word, count in self.words.items() if count >= LEAST_CUSTOMERS),
            key=lambda word: (-self.words[word] * weights[word] ** 2, word),
        )
        return Incident(
            id=self.id,
            kind=self.kind,
            state=self.state,
            at=timestamp(now),
            opened_at=timestamp(self.opened_at),
            peaked_at=None if self.peaked_at is None else timestamp(self.peaked_at),
            closed_at=None if self.closed_at is None else timestamp(self.closed_at),
            why=why,
            first=first_of(self.first),
            messages=self.messages,
            customers=len(self.customers) + self.beyond,
            rate=rate,
            peak=self.peak,
            usual=usual,
            phrases=telling[:PHRASES],
            categories=_most(self.categories),
            channels=_most(self.channels),
            languages=_most(self.languages),
            priorities=_most(self.priorities),
            examples=self.examples,
            alerts=alerts,
            rang=self.rang,
        )


def begin(kind: Kind, seen: list[Seen], middle: Vectors, share: float, known: int, now: int) -> Live:
    """The incident that these messages are, before any of them is taken."""
    first = min(seen, key=lambda one: (one.at, one.id))
    return Live(
        id=blake2b(f"{kind}\0{first.id}".encode(), digest_size=12).hexdigest(),
        kind=kind,
        state="opened",
        opened_at=now,
        first=first,
        middles=[[round(float(one), 4) for one in middle]] if len(middle) else [],
        share=share,
        known=known,
    )


def first_of(one: Seen) -> First:
    """The message that an incident begins with, as it is told."""
    source = Source("messages", one.partition, one.offset)
    return First(message_id=one.id, customer_id=one.customer, source=source, at=timestamp(one.at))


def _most(counts: dict[str, int], most: int = 20) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts, key=lambda name: (-counts[name], name))[:most]}


def _number(customer: str) -> int:
    return int.from_bytes(blake2b(customer.encode(), digest_size=6).digest())


def _priority(priority: str) -> Priority:
    return "p0" if priority == "p0" else "p1" if priority == "p1" else "p2"
