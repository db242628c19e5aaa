"""Whether somebody says the same again, in much the same words.

Owns: that measure. Must never: keep a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agents.history.asking import plain

ALIKE = 1 / 3
"""Share of the words of both texts that stand in both; names called and links are none of them."""
LEAST_WORDS = 2
LEAST_LETTERS = 3
"""Below, everything is like everything: "yes please", "thank you"."""
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def says_again(text: str, earlier: Mapping[str, str]) -> str | None:
    """The id of the earlier text (by id, in their order) that is most like this one, the last of several; None where none is."""
    words = _words(text)
    best, found = 0.0, None
    for identity, other in ((identity, _words(earlier[identity])) for identity in earlier):
        alike = len(words & other) / max(len(words | other), 1)
        if min(len(words), len(other)) >= LEAST_WORDS and alike >= max(ALIKE, best):
            best, found = alike, identity
    return found


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(plain(text)) if len(word) >= LEAST_LETTERS}
