"""Choices made by bytes: what a fuzzer can steer, and what the same bytes make again.

Owns: nothing but that. Must never: use another source of chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Bytes, read from the front; where none are left, every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def byte(self) -> int:
        """0 to 255."""
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def flag(self) -> bool:
        """Even is false."""
        return self.byte() % 2 == 1

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        number = self.byte() if len(options) <= 256 else self.byte() << 16 | self.byte() << 8 | self.byte()
        return options[number % len(options)]

    def chunk(self, limit: int = 64) -> bytes:
        """The next bytes, as many as the byte before them says."""
        size = min(self.byte(), limit)
        found = self._data[self._at : self._at + size]
        self._at += len(found)
        return found

    def rest(self) -> bytes:
        """All that is left."""
        found = self._data[self._at :]
        self._at = len(self._data)
        return found

    def text(self, limit: int = 64) -> str:
        """The next bytes as text."""
        return self.chunk(limit).decode("utf-8", "replace")


def pumped(dice: Dice, words: Sequence[str], limit: int) -> str:
    """A text of at most `limit` characters out of few pieces, some of them many times over.

    What takes more than linear time shows here, in inputs of a few bytes.
    """
    parts: list[str] = []
    size = 0
    while dice.left and size < limit and len(parts) < 64:
        piece = dice.pick(words) if dice.flag() else dice.text(24)
        if dice.flag():
            piece += dice.pick((" ", "\n", ".", ", ", "-", "", "\u00a0", "\t"))
        times = dice.pick((1, 1, 1, 1, 2, 3, 10, 50, 400, 2_000, 20_000, 100_000))
        piece *= min(times, (limit - size) // max(len(piece), 1))
        parts.append(piece)
        size += len(piece)
    return "".join(parts)
