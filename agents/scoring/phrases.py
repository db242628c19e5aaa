"""Owns the notation in which people write the phrases of a policy, and its expansion into plain ones.

`kill (myself|yourself)` is one of the words, `[really] want to die` may have the word or not, `sue ... you` lets up to
three words stand between. The three combine; brackets nest. It must never search a text.
"""

from __future__ import annotations

import re
from itertools import product
from typing import NamedTuple

MAX_EXPANSIONS = 4_000
GAP = 3
"""Words that "..." lets stand between two parts of a phrase."""
_PART_WORDINGS = 300
"""A part that would have more wordings ends here, and the next begins right behind it: sums, not products."""
_PART_LETTERS = 2
"""Letters that every wording of such a part has at least: shorter ones would be found everywhere."""
MAX_LENGTH = 1_000
_MAX_DEPTH = 8
_TOKEN = re.compile(r"\.\.\.|…|[()\[\]|]|[^\s()\[\]|…]+?(?=\.\.\.|[\s()\[\]|…]|$)")


class PhraseError(ValueError):
    """A phrase that cannot be read; the text is half a sentence that follows the phrase."""


class Phrase(NamedTuple):
    """`parts` in order; each lists its plain wordings. `gaps[n]` is how many words may stand before part n + 1."""

    parts: tuple[tuple[str, ...], ...]
    gaps: tuple[int, ...]


def expand(written: str) -> Phrase:
    """Expand a phrase of the policy. Raises `PhraseError` where it is empty, unbalanced or expands without measure."""
    if len(written) > MAX_LENGTH:
        raise PhraseError(f"is {len(written)} characters long, at most {MAX_LENGTH}")
    tokens = _TOKEN.findall(written)
    parts: list[tuple[str, ...]] = []
    gaps: list[int] = []
    at = 0
    while True:
        elements, at = _elements(tokens, at, 0)
        for number, plain in enumerate(_parts(elements)):
            if any(not any(c.isalnum() for c in wording) for wording in plain):
                raise PhraseError("is empty" if at == len(tokens) and not parts else 'has an empty side of "..."')
            if parts:
                gaps.append(0 if number else GAP)
            parts.append(plain)
        if at == len(tokens):
            return Phrase(tuple(parts), tuple(gaps))
        if tokens[at] not in ("...", "…"):
            raise PhraseError(f'has a "{tokens[at]}" that opens or closes nothing')
        at += 1


def _parts(elements: list[list[str]]) -> list[tuple[str, ...]]:
    """The elements of one side of "..." as parts that follow each other directly, none with too many wordings."""
    # least[n]: letters that the elements from n on have at least.
    least = [0] * (len(elements) + 1)
    for number in range(len(elements) - 1, -1, -1):
        least[number] = least[number + 1] + min(map(_letters, elements[number]))
    parts: list[tuple[str, ...]] = []
    wordings, letters = [""], 0
    for number, options in enumerate(elements):
        large = len(wordings) * len(options) > _PART_WORDINGS
        if large and letters >= _PART_LETTERS and least[number] >= _PART_LETTERS:
            parts.append(tuple(dict.fromkeys(wordings)))
            wordings, letters = [""], 0
        wordings = _product(wordings, options)
        letters += min(map(_letters, options))
    return [*parts, tuple(dict.fromkeys(wordings))]


def _letters(wording: str) -> int:
    return sum(c.isalnum() for c in wording)


def _product(wordings: list[str], options: list[str]) -> list[str]:
    if len(wordings) * len(options) > MAX_EXPANSIONS:
        raise PhraseError(f"expands to more than {MAX_EXPANSIONS} wordings")
    return [f"{left} {right}".strip() for left, right in product(wordings, options)]


def _sequence(tokens: list[str], at: int, depth: int) -> tuple[list[str], int]:
    """All wordings of the tokens from `at` up to what ends the sequence, and where that stands."""
    elements, at = _elements(tokens, at, depth)
    wordings = [""]
    for options in elements:
        wordings = _product(wordings, options)
    return wordings, at


def _elements(tokens: list[str], at: int, depth: int) -> tuple[list[list[str]], int]:
    """The words and brackets of a sequence, each as its options, and where the sequence ends."""
    if depth > _MAX_DEPTH:
        raise PhraseError(f"has brackets nested more than {_MAX_DEPTH} deep")
    elements: list[list[str]] = []
    while at < len(tokens):
        token = tokens[at]
        if token in ("...", "…"):
            if depth:
                raise PhraseError('has a "..." within brackets')
            break
        if token in (")", "]", "|"):
            break
        if token in ("(", "["):
            options, at = _options(tokens, at, depth)
        else:
            options, at = [token], at + 1
        elements.append(options)
    return elements, at


def _options(tokens: list[str], at: int, depth: int) -> tuple[list[str], int]:
    opening = tokens[at]
    closing = ")" if opening == "(" else "]"
    options: list[str] = [""] if opening == "[" else []
    while True:
        wordings, at = _sequence(tokens, at + 1, depth + 1)
        options += wordings
        if at == len(tokens) or tokens[at] not in ("|", closing):
            raise PhraseError(f'has a "{opening}" that is not closed')
        if tokens[at] == closing:
            return list(dict.fromkeys(options)), at + 1
