"""The messages of the last minutes, and a sample of those before: what "usual" is measured by. Both bounded.

Owns: which messages are kept to compare with. Must never: hold what somebody wrote; ids, labels and vectors only.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from agents.incidents.meaning import Vectors

HORIZON_MS = 1_200_000
"""How far back a burst is looked for."""
MOST_RECENT = 24_000
"""Messages of the last minutes; where more are written, of fewer minutes."""
LEAST_MS = 120_000
"""And of these at least; where that is too many, an even share of them."""
MOST_EARLIER = 12_000
"""Sample of the messages before."""
SAMPLE_MS = 86_400_000
"""The sample is turned over in about this time."""


class Seen(Struct, array_like=True, frozen=True):
    """A decided message, as crowd keeps it. `at` is its arrival (ms since the epoch); `hostile` is `spam`, `abuse`, `impostor` or
    nothing."""

    at: int
    id: str
    decision: str
    customer: str
    conversation: str
    group: str
    partition: int
    offset: int
    channel: str
    language: str
    category: str
    priority: str
    route: str
    hostile: str = ""
    product: str = ""


class Window:
    """Messages of the last minutes with their vectors, and the sample of those before.

    Attributes:
        seen: the former, in the order in which they were taken.
        at, vectors, taken: beside them: their times, shape (n,), what they mean, shape (n, size), and whether they belong to an
            incident.
        words: beside them, for as long as this process remembers; a new owner of the window knows none.
        earlier: vectors of the sample, shape (m, size).
    """

    def __init__(self, size: int) -> None:
        self.seen: list[Seen] = []
        self.words: list[list[str]] = []
        self.at: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.taken: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.vectors: Vectors = np.zeros((0, size), np.float32)
        self.earlier: Vectors = np.zeros((0, size), np.float32)
        self.share = 1.0

    def add(
        self, seen: Sequence[Seen], words: Sequence[list[str]], vectors: Vectors, taken: npt.NDArray[np.bool_]
    ) -> None:
        """Takes messages, those within the share that is compared."""
        kept = [place for place, one in enumerate(seen) if share_of(one.id) < self.share]
        self.seen += [seen[place] for place in kept]
        self.words += [words[place] for place in kept]
        self.at = np.concatenate([self.at, np.array([seen[place].at for place in kept], np.int64)])
        self.vectors = np.concatenate([self.vectors, vectors[kept]])
        self.taken = np.concatenate([self.taken, taken[kept]])

    def move(self, now: int) -> None:
        """Lets go of what is too long ago, into the sample; and of a part where there are too many."""
        gone = self.at < now - HORIZON_MS
        if len(self.seen) > MOST_RECENT:
            gone |= self.at < min(np.partition(self.at, -MOST_RECENT)[-MOST_RECENT], now - LEAST_MS)
        if gone.any():
            self._sample(gone, now)
            self._keep(~gone)
        if len(self.seen) > 2 * MOST_RECENT:
            self.share /= 2
            self._keep(np.array([share_of(one.id) < self.share for one in self.seen], np.bool_))
        elif self.share < 1.0 and len(self.seen) < MOST_RECENT // 2:
            self.share *= 2

    def _sample(self, gone: npt.NDArray[np.bool_], now: int) -> None:
        leaving = self.vectors[gone]
        free = MOST_EARLIER - len(self.earlier)
        self.earlier = np.concatenate([self.earlier, leaving[: max(free, 0)]])
        rest = np.flatnonzero(gone)[max(free, 0) :]
        if not len(rest):
            return
        # A message takes another's place with the chance that turns the sample over in a day, at the rate of now.
        span = max(now - int(self.at.min()), 1)
        chance = MOST_EARLIER * span / (SAMPLE_MS * len(self.seen))
        for place in rest.tolist():
            dice = crc32(self.seen[place].id.encode(), 1)
            if dice / 2**32 < chance:
                self.earlier[dice % len(self.earlier)] = self.vectors[place]

    def _keep(self, kept: npt.NDArray[np.bool_]) -> None:
        self.seen = [one for one, keep in zip(self.seen, kept, strict=True) if keep]
        self.words = [one for one, keep in zip(self.words, kept, strict=True) if keep]
        self.at, self.vectors, self.taken = self.at[kept], self.vectors[kept], self.taken[kept]


def share_of(identity: str) -> float:
    """From 0 to 1, evenly, the same for an id always: below a share, it is of that share."""
    return crc32(identity.encode()) / 2**32
