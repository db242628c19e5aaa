"""Phrases of several parts: where all of them stand, in their order, near enough, in one sentence.

Owns: that search. Must never: know which phrase it is, or what it rings.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import pairwise
from typing import NamedTuple

from agents.scoring.text import Span

# A line may be broken anywhere; a sentence ends with its sign or with an empty line.
_SENTENCE_END = re.compile(r"[.!?;](?:\s|$)|\n[ \t\r]*\n")


class Found(NamedTuple):
    """A phrase at its place; of the words between its parts, the numbers: from, up to but not including."""

    span: Span
    phrase: str
    gaps: tuple[tuple[int, int], ...]


def joined(text: str, parts: list[list[tuple[Span, str]]], gaps: tuple[int, ...]) -> list[Found]:
    """The places where every part follows the one before it, with at most its gap's words between, in one sentence."""
    firsts = [[span.first for span, _ in places] for places in parts]
    found: list[Found] = []
    for span, plain in parts[0]:
        chain = _chain(text, parts, gaps, firsts, [(span, plain)])
        if chain is not None:
            last = chain[-1][0]
            between = [(one.last + 1, two.first) for (one, _), (two, _) in pairwise(chain)]
            phrase = chain[0][1]
            for (_, part), gap in zip(chain[1:], gaps, strict=True):
                phrase += f" ... {part}" if gap else f" {part}"
            found.append(Found(Span(span.start, last.end, span.first, last.last), phrase, tuple(between)))
    return found


def _chain(
    text: str,
    parts: list[list[tuple[Span, str]]],
    gaps: tuple[int, ...],
    firsts: list[list[int]],
    chain: list[tuple[Span, str]],
) -> list[tuple[Span, str]] | None:
    """The chain with the parts that are still missing, or None; wordings of one place are tried in their order."""
    part = len(chain)
    if part == len(parts):
        return chain
    before, gap = chain[-1][0], gaps[part - 1]
    at = bisect_right(firsts[part], before.last)
    while at < len(firsts[part]) and firsts[part][at] <= before.last + gap + 1:
        follower = parts[part][at]
        at += 1
        if gap and _SENTENCE_END.search(text, before.end, follower[0].start):
            return None
        whole = _chain(text, parts, gaps, firsts, [*chain, follower])
        if whole is not None:
            return whole
    return None
