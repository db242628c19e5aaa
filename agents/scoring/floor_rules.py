"""Owns the compilation of floors: from phrases as people wrote them to the keys an automaton searches.

It must never see a message.
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from agents.scoring.phrases import expand
from agents.scoring.policy import Floors
from agents.scoring.text import collapse, fold
from agents.scoring.typos import variants

# Below this many letters, chance makes a phrase out of pieces of other words.
_SHORT = 6
MAX_WORDINGS = 200_000


class Rule(NamedTuple):
    """One phrase of one floor; `number` tells phrases apart that are otherwise equal."""

    number: int
    floor: int
    unless: bool
    silent_in: str | None
    parts: int
    gaps: tuple[int, ...]


class Target(NamedTuple):
    """What a key stands for: a plain wording of part `part` of a rule, its letters counted run by run."""

    rule: Rule
    part: int
    plain: str
    runs: tuple[int, ...]
    words: int
    short: bool


class Rules(NamedTuple):
    """Keys in a fixed order; `targets[n]` and `bits[n]` (rule number, bit of its part) belong to `keys[n]`."""

    keys: list[str]
    targets: list[tuple[Target, ...]]
    bits: list[tuple[tuple[int, int], ...]]
    whole: list[int]
    ringing: list[bool]
    ordinary: frozenset[str]
    typos: dict[str, tuple[str, ...]]

    def complete(self, found: list[tuple[int, int, int]]) -> set[int]:
        """Numbers of the rules of which every part is among these keys; empty where none of them could ring."""
        seen: dict[int, int] = {}
        for number, _, _ in found:
            for rule, bit in self.bits[number]:
                seen[rule] = seen.get(rule, 0) | bit
        whole, ringing = self.whole, self.ringing
        complete = {rule for rule, bits in seen.items() if bits == whole[rule]}
        return complete if any(ringing[rule] for rule in complete) else set()


def compile_rules(floors: Floors) -> Rules:
    """Compile all phrases. Raises ValueError where they expand to more than `MAX_WORDINGS` wordings in all."""
    by_key: dict[str, list[Target]] = {}
    whole: list[int] = []
    ringing: list[bool] = []
    vocabulary: set[str] = set()
    number = wordings = 0
    for place, floor in enumerate(floors):
        for alone in floor.whole_message.phrases:
            vocabulary.update(fold(alone).words)
        for unless, phrases in ((False, floor.phrases), (True, floor.unless)):
            for phrase in phrases:
                parts, gaps = expand(phrase.text)
                rule = Rule(number, place, unless, phrase.silent_in, len(parts), gaps)
                number += 1
                whole.append((1 << len(parts)) - 1)
                ringing.append(not unless)
                for part, plains in enumerate(parts):
                    wordings += len(plains)
                    if wordings > MAX_WORDINGS:
                        raise ValueError(f"the floors expand to more than {MAX_WORDINGS:,} wordings")
                    for plain in plains:
                        words = fold(plain).words
                        vocabulary.update(words)
                        letters = "".join(words)
                        target = Target(rule, part, plain, _runs(letters), len(words), len(letters) < _SHORT)
                        by_key.setdefault(collapse(letters), []).append(target)
    keys = sorted(by_key)
    ordinary = floors.wording.ordinary | vocabulary
    return Rules(
        keys,
        [tuple(by_key[key]) for key in keys],
        [tuple({(target.rule.number, 1 << target.part) for target in by_key[key]}) for key in keys],
        whole,
        ringing,
        ordinary,
        variants(vocabulary, ordinary),
    )


def _runs(letters: str) -> tuple[int, ...]:
    """How many letters stand behind each character of `collapse(letters)`."""
    counts: list[int] = []
    for letter, run in groupby(letters):
        length = len(list(run))
        counts += [length] if "a" <= letter <= "z" else [1] * length
    return tuple(counts)
