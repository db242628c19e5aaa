"""All that crowd keeps, and what it makes of what comes: incidents opened, grown, peaked and closed.

Messages are taken as they are decided; every few seconds of their time a look is had at them. Both are pure: the time is that of
the records, so a backlog is seen as it would have been when it was written.
Owns: the order of a look. Must never: read a clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agents.incidents import bursts
from agents.incidents.budget import Purses, budget_of
from agents.incidents.bursts import BELONGS
from agents.incidents.live import AGAIN_MS, MINUTE_MS, Live, begin
from agents.incidents.meaning import Meaning, Vectors
from agents.incidents.slow import Days, cells_of
from agents.incidents.usual import Silent, Week
from agents.incidents.window import Seen, Window
from agents.scoring.policy_crowd import CrowdRules
from schemas.decision import Why
from schemas.incident import Incident, Kind, Usual

SLOW_LOOK_MS = 3_600_000
LEAST_WATCHED = 5
"""Customers whose messages hold a watched word, before it is an incident."""
ABOUT_ONE_THING = 0.2
"""Mean cosine of pairs of watched messages, at least: a word alone may be used more and more in many ways."""
SAME = 0.7
"""Cosine from which on two middles are one incident's."""
MOST_OPEN = 50
"""Incidents that go on at once; beyond, the longest quiet is closed."""
MOST_PER_LOOK = 10
KINDS: dict[str, Kind] = {"impostor": "impostor", "spam": "spam", "abuse": "raid"}


class Told(NamedTuple):
    """What a look has to say."""

    incidents: list[Incident]
    silent: list[Silent]


class Crowd:
    """State of the agent `crowd`.

    Attributes:
        live: incidents that go on, and those that were over lately.
    """

    def __init__(self, meaning: Meaning, why: dict[str, Why]) -> None:
        self._meaning = meaning
        self.why = why
        self.window = Window(meaning.size)
        self.week = Week()
        self.days = Days()
        self.purses = Purses()
        self.live: list[Live] = []
        self.looked_at = 0
        self.looked_slow_at = 0
        self._taken: list[tuple[Seen, list[str]]] = []
        self._watched: dict[int, list[tuple[Seen, list[str]]]] = defaultdict(list)

    def take(self, seen: Sequence[tuple[Seen, list[str]]]) -> None:
        """Decided messages, each with its words; they are looked at with the next look."""
        self._taken.extend(seen)

    @property
    def waiting(self) -> int:
        """Messages taken since the last look."""
        return len(self._taken)

    def look(self, now: int, rules: CrowdRules) -> Told:
        """Looks at what was taken, as of a time (ms since the epoch) not before that of the last look."""
        self.week.move(now)
        if self.days.move(now) or now - self.looked_slow_at >= SLOW_LOOK_MS:
            self.days.look(now)
            self.looked_slow_at = now
        self.looked_at = now
        taken, self._taken = self._taken, []
        self.window.move(now)
        before = len(self.window.seen)
        self._gather(taken, rules, now)
        self._find(before, rules, now)
        return Told(self._course(rules, now), self.week.silent(now, rules.silent_after))

    # --- where messages belong

    def _gather(self, taken: list[tuple[Seen, list[str]]], rules: CrowdRules, now: int) -> None:
        if not taken:
            return
        vectors, said = self._meaning.vectors([words for _, words in taken])
        going = [one for one in self.live if one.open and one.middles]
        nearest = np.stack([one.likeness(vectors) for one in going]) if going else np.zeros((0, len(taken)))
        weights = {word: self._meaning.weight(word) for _, words in taken for word in words}
        owned = np.zeros(len(taken), np.bool_)
        for place, (one, words) in enumerate(taken):
            self.week.take(one.channel, one.at)
            best = int(nearest[:, place].argmax()) if going else -1
            owner = going[best] if going and said[place] and nearest[best, place] >= BELONGS else None
            if one.hostile == "impostor":
                owner = owner or next((each for each in self.live if each.open and _by_floor(each)), None)
            if owner is not None:
                owner.take(one, words)
                owned[place] = True
            elif one.priority in ("p1", "p2"):
                self.purses.spend(one, rules)
            if said[place]:
                cells = cells_of(words, weights)
                self.days.take(cells)
                if owner is None and self.days.watched:
                    self._watch(one, words, vectors[place], [cell for cell in cells if cell in self.days.watched], now)
        telling = [place for place in range(len(taken)) if said[place]]
        chosen = [taken[place] for place in telling]
        self.window.add([one for one, _ in chosen], [words for _, words in chosen], vectors[telling], owned[telling])

    def _watch(self, one: Seen, words: list[str], vector: Vectors, cells: list[int], now: int) -> None:
        for cell in cells:
            held = self._watched[cell]
            held.append((one, words))
            del held[:-100]
            if len({each.customer for each, _ in held}) >= LEAST_WATCHED:
                vectors, _ = self._meaning.vectors([each for _, each in held])
                if _mean_cosine(vectors) < ABOUT_ONE_THING:
                    continue
                middle = vectors.mean(axis=0)
                middle /= max(float(np.linalg.norm(middle)), 1e-9)
                self._open("slow", held, middle, 0.0, 0, now)
                del self._watched[cell], self.days.watched[cell]

    # --- what is new

    def _find(self, begin: int, rules: CrowdRules, now: int) -> None:
        """Bursts that hold a message of the window from a place on."""
        window = self.window
        for _ in range(MOST_PER_LOOK):
            fresh = begin + np.flatnonzero(~window.taken[begin:])
            burst = bursts.impostors(window, now, rules.least) or bursts.find(window, fresh, now, rules.least)
            if burst is None:
                return
            window.taken[burst.places] = True
            held = [(window.seen[place], window.words[place]) for place in burst.places.tolist()]
            self._open(_kind([one for one, _ in held]), held, burst.middle, burst.share, burst.known, now)

    def _open(
        self, kind: Kind, held: list[tuple[Seen, list[str]]], middle: Vectors, share: float, known: int, now: int
    ) -> None:
        """A new incident, or more of one that goes on, or was over lately."""
        for one in self.live:
            like = one.middles and len(middle) and float(one.likeness(middle[None])[0]) >= SAME
            if (like and (one.kind == "slow") == (kind == "slow")) or one.kind == kind == "impostor":
                owner = one
                if one.open:
                    owner.drift(middle)
                else:
                    owner.state, owner.closed_at, owner.peaked_at, owner.told = "opened", None, None, 0
                break
        else:
            owner = begin(kind, [one for one, _ in held], middle, share, known, now)
            self.live.append(owner)
        for each, words in sorted(held, key=lambda pair: (pair[0].at, pair[0].id)):
            owner.take(each, words)

    # --- how it goes on

    def _course(self, rules: CrowdRules, now: int) -> list[Incident]:
        told = []
        quiet_ms = 1_000 * rules.quiet_seconds
        for one in self.live:
            if not one.open:
                continue
            usual = self.usual(one, now)
            if one.told == 0 or one.course(now, usual.rate, quiet_ms):
                told.append(self._record(one, now, usual))
        for _ in range(sum(one.open for one in self.live) - MOST_OPEN):
            quiet = min((one for one in self.live if one.open), key=lambda one: one.last_at)
            quiet.state, quiet.closed_at = "closed", now
            told.append(self._record(quiet, now, self.usual(quiet, now)))
        self.live = [one for one in self.live if one.open or now - (one.closed_at or 0) < AGAIN_MS]
        for place, purse in self.purses.due(now):
            assert purse.held is not None  # that is what makes it due
            record = self._record(purse.held, now, None)
            record.budget = budget_of(place, purse, rules)
            told.append(record)
        return told

    def usual(self, one: Live, now: int) -> Usual:
        """What the hour of the week usually brings of an incident's messages, a minute."""
        rate, hours = self.week.rate(now)
        if not hours:
            span = max(now - int(self.window.at[0]), MINUTE_MS) if len(self.window.at) else MINUTE_MS
            rate = len(self.window.seen) / self.window.share / (span / MINUTE_MS)
        before = one.share * one.known
        bounds = [max(before + sign * 2 * (before + 1) ** 0.5, 0.0) / max(one.known, 1) for sign in (-1, 1)]
        return Usual(rate=one.share * rate, low=bounds[0] * rate, high=bounds[1] * rate, hours=hours)

    def _record(self, one: Live, now: int, usual: Usual | None) -> Incident:
        weights = {word: self._meaning.weight(word) for word in one.words}
        return one.record(now, usual, self.why.get(one.kind, _UNKNOWN), weights)


_UNKNOWN = Why("Many messages are one event.", "De nombreux messages sont un seul événement.")


def _by_floor(one: Live) -> bool:
    """Whether an incident is of impostors that a floor found: it has no middle."""
    return one.kind == "impostor" and not one.middles


def _mean_cosine(vectors: Vectors) -> float:
    """The mean cosine of pairs of several vectors of length 1."""
    total = float(np.linalg.norm(vectors.sum(axis=0)) ** 2)
    return (total - len(vectors)) / (len(vectors) * (len(vectors) - 1))


def _kind(seen: list[Seen]) -> Kind:
    """What most of them are."""
    for hostile, kind in KINDS.items():
        if bursts.HOSTILE * sum(one.hostile == hostile for one in seen) >= len(seen):
            return kind
    return "burst"
