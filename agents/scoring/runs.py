"""The runs of a text without spaces, and what each reader of texts found out about them.

Words come again: what a word votes for, is hashed to, or folds to is worked out once, and one look finds all of it.
Owns: that memory and its bound. Must never: change an answer; it only saves time.
"""

from __future__ import annotations

from typing import Any

MOST_RUNS = 40_000
"""Runs that are remembered, about 60 MB when all readers know all of them; then all are forgotten."""
MOST_CHARACTERS = 40
"""Of a run that is remembered."""


class Run:
    """A run of characters without spaces. The other attributes belong to one reader each, None until it has looked.

    Attributes:
        text: the run itself.
        votes: `language`'s.
        en, fr: `features`'s.
        floors: `floors`'s, with the matcher whose it is.
    """

    __slots__ = ("en", "floors", "fr", "text", "votes")

    def __init__(self, text: str) -> None:
        self.text = text
        self.votes: Any = None
        self.en: Any = None
        self.fr: Any = None
        self.floors: Any = None


_known: dict[str, Run] = {}


def runs(text: str) -> list[Run]:
    """The runs of `text`, in order."""
    known = _known
    found = []
    for piece in text.split():
        run = known.get(piece)
        if run is None:
            run = Run(piece)
            if len(piece) <= MOST_CHARACTERS:
                if len(known) >= MOST_RUNS:
                    known.clear()
                known[piece] = run
        found.append(run)
    return found
