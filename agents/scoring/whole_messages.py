"""Messages that are nothing but a floor's phrase, and what may stand beside it: "help", "help me please".

Owns: that question. Must never: look into a message that says more.
"""

from __future__ import annotations

from agents.scoring.policy import Floor
from agents.scoring.text import collapse, fold


class WholeMessages:
    """The whole-message words of one floor, as collapsed words."""

    def __init__(self, floor: Floor) -> None:
        self._phrases = {_collapsed(text): text for text in floor.whole_message.phrases}
        self._beside = {_collapsed(text) for text in floor.whole_message.beside}
        every = [*self._phrases, *self._beside]
        self.first = {words[0] for words in every}
        self._longest = max(map(len, every))

    def phrase(self, words: list[str]) -> str | None:
        """The first phrase of a message made of nothing but phrases and what may stand beside them, or None."""
        # reached[n]: the first phrase met on a way that accounts for the first n words, "" for none yet.
        reached: list[str | None] = [""] + [None] * len(words)
        for at in range(len(words)):
            if (so_far := reached[at]) is None:
                continue
            for length in range(1, min(self._longest, len(words) - at) + 1):
                piece = tuple(words[at : at + length])
                if piece in self._phrases:
                    reached[at + length] = so_far or self._phrases[piece]
                elif piece in self._beside and not reached[at + length]:
                    reached[at + length] = so_far
        return reached[-1] or None


def _collapsed(text: str) -> tuple[str, ...]:
    return tuple(map(collapse, fold(text).words))
