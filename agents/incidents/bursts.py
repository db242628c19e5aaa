"""Whether messages that are alike have become many: each fresh message asks how many like it were just written, and how many
there usually are.

Where most is unusual, the point is moved to the middle of what is more than usual there (mean shift, less what the messages
before have in the same place), twice, and asked again. The number of messages within `CLOSE` of it, of the last one, five and
twenty minutes, is held against what the messages before let expect, by a bound on Poisson's tail: what many messages ask at once
must be very unlikely. Owns: that test. Must never: say what it means.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agents.incidents.meaning import Vectors
from agents.incidents.window import HORIZON_MS, Seen, Window

ALIKE = 0.38
"""Cosine from which on two messages are alike."""
CLOSE = 0.52
"""Cosine from which on a message belongs to a middle."""
BELONGS = 0.46
"""Cosine from which on a message belongs to an incident that goes on: it is likelier then."""
HORIZONS = ((60_000, -8.5), (300_000, -11.0), (HORIZON_MS, -18.0))
"""How far back is looked (ms), and the decimal logarithm of the chance from which on it is none. Of a longer time there are more
messages to choose a middle among, so that chance makes more of them (docs/incidents.md has the figures)."""
LEAST_KNOWN = 200
"""Messages to compare with, below which nothing is usual yet."""
LEAST_BEFORE = 0.5
"""Messages to compare with for each of the time that is looked at: of fewer, a middle can be found that they happen to miss."""
LEAST_TIMES = 3.0
"""So many times what is usual, at least."""
LEAST_HOSTILE_CUSTOMERS = 3
"""Spam and raids are written by few; by one, they are no event."""
HOSTILE = 4
"""Of so many messages one at least is hostile: each by itself is often not sure."""
MOST_FROM_ONE = 5
"""Messages of one customer that count among hostile ones."""
MOST_ASKING = 200
"""Fresh messages that ask, and others of the last minute; of more, every so many: a burst among them has many."""
TURNS = 4
"""Of the last minute's others every so many ask, in turn: what was odd alone may be one of many by now."""
LOOK_MS = 5_000
_STEPS = 2
_MOST_TRIED = 10

Mask = npt.NDArray[np.bool_]


class Burst(NamedTuple):
    """Messages that are alike and more than usual: their places in the window, their middle, the share of all messages that are
    usually so, of how many messages that is known, and how unlikely it is (decimal logarithm)."""

    places: npt.NDArray[np.intp]
    middle: npt.NDArray[np.float32]
    share: float
    known: int
    chance: float


def find(window: Window, fresh: npt.NDArray[np.intp], now: int, least: int) -> Burst | None:
    """The unlikeliest burst among those that hold a fresh message.

    Args:
        fresh: places in the window of messages that came since the last look, of no incident.
        least: messages of different customers.
    """
    best: Burst | None = None
    free = ~window.taken
    if free.sum() + len(window.earlier) < LEAST_KNOWN:
        return None
    asking = window.vectors[_asking(window, fresh, free, now)]
    alike = asking @ window.vectors.T >= ALIKE
    usual = (asking @ window.earlier.T >= ALIKE).sum(axis=1)
    for horizon, unlikely in HORIZONS:
        within = (window.at > now - horizon) & free
        older = ~within & free
        before = int(older.sum()) + len(window.earlier)
        if within.sum() < least or before < max(LEAST_KNOWN, LEAST_BEFORE * within.sum()):
            continue
        many = alike[:, within].sum(axis=1)
        expected = _at_most(usual + alike[:, older].sum(axis=1)) * (within.sum() / before)
        odd = np.where(many > expected, many - expected - many * np.log(np.maximum(many, 1) / expected), 0.0)
        first = np.argsort(odd, kind="stable")[:_MOST_TRIED]
        found = _within(window, asking[first[odd[first] < 0.0]], within, older, least)
        if found is not None and found.chance <= unlikely and (best is None or found.chance < best.chance):
            best = found
    return best


def impostors(window: Window, now: int, least: int) -> Burst | None:
    """Messages that a floor found to be of impostors, where they are many, whatever they say. Half of `least` will do: they are
    rare. The burst has no middle: what they say differs, and their mean is like everything."""
    free = ~window.taken
    of = np.fromiter((one.hostile == "impostor" for one in window.seen), np.bool_, len(window.seen)) & free
    for horizon, unlikely in HORIZONS[:-1]:
        within = (window.at > now - horizon) & free
        older = int((~within & free).sum())
        places = np.flatnonzero(of & within)
        if older < LEAST_KNOWN or len(places) < LEAST_HOSTILE_CUSTOMERS:
            continue
        count = weigh([window.seen[one] for one in places.tolist()])
        share = float(_at_most((of & ~within).sum())) / older
        wanted = share * int(within.sum())
        if count >= max(least / 2, LEAST_TIMES * wanted) and (chance := tail(count, wanted)) <= unlikely:
            return Burst(places, np.zeros(0, np.float32), share, older, chance)
    return None


def _asking(window: Window, fresh: npt.NDArray[np.intp], free: Mask, now: int) -> npt.NDArray[np.intp]:
    lately = np.flatnonzero(free & (window.at > now - HORIZONS[0][0]))
    others = lately[lately % TURNS == now // LOOK_MS % TURNS]
    return np.concatenate([some[:: len(some) // MOST_ASKING + 1] for some in (fresh, np.setdiff1d(others, fresh))])


def _within(window: Window, starts: Vectors, within: Mask, older: Mask, least: int) -> Burst | None:
    """The unlikeliest burst around one of these, among the messages `within`."""
    if not len(starts):
        return None
    places = np.flatnonzero(within)
    now, before = window.vectors[places], np.concatenate([window.vectors[older], window.earlier])
    # Some of them move the middle, the others judge it: it dodges those that it was moved by.
    judging = np.arange(len(before)) % 4 > 0
    moving, before = before[~judging], before[judging]
    best: Burst | None = None
    for start in starts:
        middle = _shifted(start, now, moving)
        close = now @ middle >= CLOSE
        count = weigh([window.seen[one] for one in places[close].tolist()])
        if count < least:
            continue
        share = int((before @ middle >= CLOSE).sum())
        wanted = float(_at_most(np.array(share))) / len(before) * max(len(now) - int(close.sum()), 1)
        chance = tail(count, wanted) if count >= LEAST_TIMES * wanted else 0.0
        if chance < (0.0 if best is None else best.chance):
            usual = int((before @ middle >= BELONGS).sum())
            best = Burst(places[close], middle, usual / len(before), len(before), chance)
    return best


def _shifted(start: npt.NDArray[np.float32], now: Vectors, before: Vectors) -> npt.NDArray[np.float32]:
    middle, bound, ratio = start, ALIKE, len(now) / len(before)
    for _ in range(_STEPS):
        more = now[now @ middle >= bound].sum(axis=0) - ratio * before[before @ middle >= bound].sum(axis=0)
        length = float(np.linalg.norm(more))
        if length == 0.0:
            break
        middle, bound = (more / length).astype(np.float32), CLOSE
    return middle


def _at_most(counted: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
    """What a count may stand for, by one and a half of its deviations; more than nothing, where nothing was counted."""
    return np.asarray(counted + 1.5 * np.sqrt(counted + 1))


def weigh(seen: list[Seen]) -> int:
    """How many messages these count for: one a customer; where enough are hostile, and of several customers, up to five each."""
    customers: dict[str, int] = {}
    for one in seen:
        customers[one.customer] = customers.get(one.customer, 0) + 1
    if HOSTILE * sum(bool(one.hostile) for one in seen) >= len(seen):
        if len(customers) < LEAST_HOSTILE_CUSTOMERS:
            return 0
        return sum(min(count, MOST_FROM_ONE) for count in customers.values())
    return len(customers)


def tail(many: float, expected: float) -> float:
    """Decimal logarithm of a bound on the chance of `many` or more where so many are expected (Chernoff's, for Poisson)."""
    return (many - expected - many * math.log(many / expected)) / math.log(10)
