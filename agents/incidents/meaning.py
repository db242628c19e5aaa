"""What a message is about, as a short vector: near in meaning is near in direction, in English and in French alike.

The vector is the sum of its words' vectors, which a multilingual sentence encoder gave them when they were trained
(`agents.training.meaning`); a word that the table does not have stands for itself alone. Linear, so a message costs tens of
microseconds. Owns: the table of words and that sum. Must never: keep a text.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from zlib import crc32

import numpy as np
import numpy.typing as npt

from schemas.arrays import unpack

Vectors = npt.NDArray[np.float32]
LEAST_SAID = 0.9
"""Weight of a message's words below which it says nothing by itself: greetings, thanks, "yes please"."""
MOST_WORDS = 60
"""Of a message, its first: what it is about stands there."""
STRANGE_ROWS = 4_096
STRANGE = 0.35
"""Weight of a word that the table does not have: names and slips of the finger are many."""
_WORD = re.compile(r"[^\W\d_]{2,24}|\d{3,8}")
_CALLED = re.compile(r"@\w+")


class Meaning:
    """The table of words.

    Attributes:
        size: numbers of a vector.
    """

    def __init__(self, words: list[str], rows: Vectors, weights: Vectors, mean: Vectors, spread: Vectors) -> None:
        self.size = rows.shape[1]
        self._places = {word: place for place, word in enumerate(words)}
        rng = np.random.default_rng(20261123)
        strange = rng.standard_normal((STRANGE_ROWS, self.size)).astype(np.float32)
        typical = float(np.median(np.linalg.norm(rows, axis=1)))
        strange *= STRANGE * typical / np.linalg.norm(strange, axis=1, keepdims=True)
        self._rows = np.concatenate([rows, strange])
        self._mean, self._spread = mean, spread
        self._weights = np.concatenate([weights, np.full(STRANGE_ROWS, STRANGE, np.float32)])
        self._known = len(words)

    def weight(self, word: str) -> float:
        """How much a word says: near 1 for a rare one, near 0 for "the"."""
        return float(self._weights[self._place(word)])

    def vectors(self, texts: list[list[str]]) -> tuple[Vectors, npt.NDArray[np.bool_]]:
        """Of texts given as their words: a vector of length 1 each, shape (texts, size), and whether it says anything."""
        counts = np.array([len(words) for words in texts])
        found = np.zeros((len(texts), self.size), np.float32)
        said = np.zeros(len(texts), np.float32)
        if counts.sum():
            places = np.array([self._place(word) for words in texts for word in words])
            filled = np.flatnonzero(counts)
            starts = (np.cumsum(counts) - counts)[filled]
            found[filled] = np.add.reduceat(self._rows[places], starts, axis=0)
            said[filled] = np.add.reduceat(self._weights[places], starts)
        lengths = np.linalg.norm(found, axis=1)
        # Of all messages something is the same; what is left says what this one is about.
        found = (found / np.maximum(lengths, 1e-9)[:, None] - self._mean) / self._spread
        found /= np.maximum(np.linalg.norm(found, axis=1), 1e-9)[:, None]
        return found, (said >= LEAST_SAID) & (lengths > 0)

    def _place(self, word: str) -> int:
        place = self._places.get(word)
        return self._known + crc32(word.encode()) % STRANGE_ROWS if place is None else place


def words_of(text: str) -> list[str]:
    """The words of a text that count, each once, in their order."""
    plain = _CALLED.sub(" ", text[:4_000]).casefold()
    return list(dict.fromkeys(_WORD.findall(plain)))[:MOST_WORDS]


@cache
def shipped() -> Meaning:
    """The table that ships with this package."""
    header, arrays = unpack(resources.files("agents.incidents").joinpath("data/words.tocsin").read_bytes())
    words = header["words"].split(" ")
    rows = arrays["rows"].reshape(len(words), header["size"]).astype(np.float32) * np.float32(header["scale"])
    return Meaning(words, rows, arrays["weights"], arrays["mean"], arrays["spread"])
