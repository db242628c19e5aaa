"""Whether somebody says the same again, in much the same words.

Owns: that measure. Must never: keep a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

ALIKE = 0.6
"""Share of the words of both texts that stand in both."""
LEAST_WORDS = 3
"""Below, everything is like everything: "yes please", "thank you"."""
_WORD = re.compile(r"[^\W_]+")


def says_again(text: str, earlier: Mapping[str, str]) -> str | None:
    """The id of the last of the earlier texts (by id, in their order) that says the same; None where none does."""
    words = _words(text)
    if len(words) < LEAST_WORDS:
        return None
    for identity in reversed(list(earlier)):
        other = _words(earlier[identity])
        if len(other) >= LEAST_WORDS and len(words & other) >= ALIKE * len(words | other):
            return identity
    return None


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text[:2_000].casefold()))
