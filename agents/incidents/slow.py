"""What grows from day to day: a weak signal that doubles daily is an incident before it is loud.

Counts the stems of words that say something, and pairs of them, by quarters of a day, in arrays of fixed size (a count may be of
several words together: that hides a little, and makes nothing up). A stem whose share of all messages grew three days in a row,
and is far more than before, is watched; the messages that then hold it, of several customers and about one thing, are the
incident. Owns: those counts. Must never: keep who wrote.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from zlib import crc32

import numpy as np
import numpy.typing as npt

from agents.incidents.bursts import tail

CELLS = 1 << 16
QUARTER_MS = 21_600_000
QUARTERS = 4 * 8
"""Kept: eight days."""
LEAST_WEIGHT = 0.4
"""Of a word that says something."""
STEM = 5
"""Letters of a stem, without accents: "swelling" and "swells", « gonflé » and « gonfle »."""
EACH_DAY = 1.2
"""Times the day before, for each of three days: counts this small waver."""
GROWTH = 2.5
"""Times three days before."""
LEAST = 10
"""Messages in the last day."""
UNLIKELY = -6.5
"""Decimal logarithm of the chance from which on it is none."""
WATCHED_MS = 86_400_000
Counts = npt.NDArray[np.uint32]


class Days:
    """Counts by quarter of a day.

    Attributes:
        quarter: which one goes on (since 1970).
        now: its counts, shape (CELLS,); the first of all, `total`, is how many messages.
        before: those that are over, by quarter.
    """

    def __init__(self) -> None:
        self.quarter = 0
        self.now: Counts = np.zeros(CELLS, np.uint32)
        self.total = 0
        self.before: dict[int, Counts] = {}
        self.totals: dict[int, int] = {}
        self.watched: dict[int, int] = {}

    def take(self, cells: list[int]) -> None:
        """One more message, by its cells."""
        self.total += 1
        self.now[cells] += 1

    def move(self, now: int) -> bool:
        """Closes the quarters that are over; whether one is."""
        quarter = now // QUARTER_MS
        if self.quarter == 0:
            self.quarter = quarter
        if quarter <= self.quarter:
            return False
        self.before[self.quarter], self.totals[self.quarter] = self.now, self.total
        self.now, self.total, self.quarter = np.zeros(CELLS, np.uint32), 0, quarter
        for old in [one for one in self.before if one <= quarter - QUARTERS]:
            del self.before[old], self.totals[old]
        return True

    def look(self, now: int) -> None:
        """Finds the words to watch from now on; to be asked about once an hour."""
        self.watched = {cell: until for cell, until in self.watched.items() if until > now}
        days = [self._day(back) for back in range(5)]
        if any(total < LEAST_MESSAGES for _, total in days[:4]):
            return
        shares = [counts / total for counts, total in days[:4]]
        grows = (days[0][0] >= LEAST) & (days[1][0] > 0)
        for later, earlier in pairwise(shares):
            grows &= later >= EACH_DAY * earlier
        grows &= shares[0] >= GROWTH * shares[3]
        for cell in np.flatnonzero(grows).tolist():
            many = int(days[0][0][cell])
            earlier_days = [one for one in days[2:] if one[1]]
            usual = sum(int(counts[cell]) for counts, _ in earlier_days) + 1
            expected = usual * days[0][1] / sum(total for _, total in earlier_days)
            if many > expected and tail(many, expected) <= UNLIKELY:
                self.watched[cell] = now + WATCHED_MS

    def _day(self, back: int) -> tuple[npt.NDArray[np.int64], int]:
        """Counts of a day, `back` days ago: the last one ends now."""
        end = self.quarter - 4 * back
        quarters = [self.before[one] for one in range(end - 3, end + 1) if one in self.before]
        total = sum(self.totals.get(one, 0) for one in range(end - 3, end + 1))
        counts = np.zeros(CELLS, np.int64)
        for one in quarters:
            counts += one
        if back == 0:
            return counts + self.now, total + self.total
        return counts, total


LEAST_MESSAGES = 50
"""In a day, to be a day to compare with."""


def cells_of(words: list[str], weights: dict[str, float]) -> list[int]:
    """The cells of a message's words, and of the pairs that follow one another."""
    telling = [_stem(word) for word in words if weights[word] >= LEAST_WEIGHT]
    return list({crc32(term.encode()) % CELLS for term in _terms(telling)})


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    plain = (letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))
    return "".join(plain)[:STEM]


def _terms(telling: list[str]) -> Iterator[str]:
    yield from telling
    for first, second in pairwise(telling):
        yield f"{first} {second}"
