"""Owns the notation in which people write the phrases of a policy, and its expansion into plain ones.

`kill (myself|yourself)` is one of the words, `[really] want to die` may have the word or not, `sue ... you` lets up to
three words stand between. The three combine; brackets nest. It must never search a text.
"""

from __future__ import annotations

import re
from itertools import product
from typing import NamedTuple

MAX_EXPANSIONS = 4_000
MAX_LENGTH = 600
_MAX_DEPTH = 8
_TOKEN = re.compile(r"\.\.\.|…|[()\[\]|]|[^\s()\[\]|…]+?(?=\.\.\.|[\s()\[\]|…]|$)")


class PhraseError(ValueError):
    """A phrase that cannot be read; the text is half a sentence that follows the phrase."""


class Phrase(NamedTuple):
    """`parts` in order, words allowed between them; each part lists its plain wordings."""

    parts: tuple[tuple[str, ...], ...]


def expand(written: str) -> Phrase:
    """Expand a phrase of the policy. Raises `PhraseError` where it is empty, unbalanced or expands without measure."""
    if len(written) > MAX_LENGTH:
        raise PhraseError(f"is {len(written)} characters long, at most {MAX_LENGTH}")
    tokens = _TOKEN.findall(written)
    parts: list[tuple[str, ...]] = []
    at = 0
    while True:
        wordings, at = _sequence(tokens, at, 0)
        plain = tuple(dict.fromkeys(wordings))
        if any(not any(c.isalnum() for c in wording) for wording in plain):
            raise PhraseError("is empty" if at == len(tokens) and not parts else 'has an empty side of "..."')
        parts.append(plain)
        if at == len(tokens):
            return Phrase(tuple(parts))
        if tokens[at] not in ("...", "…"):
            raise PhraseError(f'has a "{tokens[at]}" that opens or closes nothing')
        at += 1


def _sequence(tokens: list[str], at: int, depth: int) -> tuple[list[str], int]:
    """All wordings of the tokens from `at` up to what ends the sequence, and where that stands."""
    if depth > _MAX_DEPTH:
        raise PhraseError(f"has brackets nested more than {_MAX_DEPTH} deep")
    wordings = [""]
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
        if len(wordings) * len(options) > MAX_EXPANSIONS:
            raise PhraseError(f"expands to more than {MAX_EXPANSIONS} wordings")
        wordings = [f"{left} {right}".strip() for left, right in product(wordings, options)]
    return wordings, at


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
