"""Owns the compilation of floors: from phrases as people wrote them to the keys an automaton searches.

It must never see a message.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import NamedTuple

from agents.scoring.phrases import expand
from agents.scoring.policy import Floors
from agents.scoring.text import collapse, fold
from agents.scoring.typos import Slips

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
    """Keys in a fixed order; `targets[n]` and `parts[n]` (rule number, part) belong to `keys[n]`, `gaps[r]` (between
    its parts) to the rule of number r."""

    keys: list[str]
    targets: list[tuple[Target, ...]]
    parts: list[tuple[tuple[int, int], ...]]
    gaps: list[tuple[int, ...]]
    pivots: dict[int, tuple[int, ...]]
    """Keys without one of which nothing rings, those of each ringing rule's longest part; with the rules' numbers."""
    keys_of: dict[int, tuple[frozenset[int], ...]]
    """The numbers of the keys of each part of a ringing rule."""
    ordinary: frozenset[str]
    slips: Slips

    def may_ring(self, found: list[tuple[int, int, int]]) -> bool:
        """Whether these keys hold one of every part of some ringing rule; cheap, and seldom true."""
        numbers = {number for number, _, _ in found}
        for number in numbers & self.pivots.keys():
            for rule in self.pivots[number]:
                if not any(keys.isdisjoint(numbers) for keys in self.keys_of[rule]):
                    return True
        return False

    def complete(self, found: list[tuple[int, int, int]]) -> set[int]:
        """Numbers of the rules whose parts are all among these keys (number, first word, last word), one behind the
        other and about as near as they must be; empty where none of them could ring."""
        rules = {rule for number, _, _ in found for rule in self.pivots.get(number, ())}
        if not rules or not self._complete(found, rules):
            return set()
        return self._complete(found, None)

    def _complete(self, found: list[tuple[int, int, int]], among: set[int] | None) -> set[int]:
        places: dict[int, list[list[tuple[int, int]]]] = {}
        for number, first, last in found:
            for rule, part in self.parts[number]:
                if among is None or rule in among:
                    parts = places.get(rule)
                    if parts is None:
                        parts = places[rule] = [[] for _ in range(len(self.gaps[rule]) + 1)]
                    parts[part].append((first, last))
        return {rule for rule, parts in places.items() if all(parts) and _near(parts, self.gaps[rule])}


def _near(parts: list[list[tuple[int, int]]], gaps: tuple[int, ...]) -> bool:
    reached = {last for _, last in parts[0]}
    for gap, places in zip(gaps, parts[1:], strict=True):
        # Words that share a letter of the key may be counted as each other, hence the slack of two.
        reached = {last for first, last in places if any(-2 <= first - end - 1 <= gap + 2 for end in reached)}
    return bool(reached)


def compile_rules(floors: Floors) -> Rules:
    """Compile all phrases. Raises ValueError where they expand to more than `MAX_WORDINGS` wordings in all."""
    by_key: dict[str, list[Target]] = {}
    between: list[tuple[int, ...]] = []
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
                between.append(gaps)
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
        [tuple(sorted({(target.rule.number, target.part) for target in by_key[key]})) for key in keys],
        between,
        _pivots(keys, by_key),
        _keys_of(keys, by_key),
        ordinary,
        Slips(vocabulary, ordinary),
    )


def _pivots(keys: list[str], by_key: dict[str, list[Target]]) -> dict[int, tuple[int, ...]]:
    least: dict[tuple[int, int], int] = {}
    for key, targets in by_key.items():
        for target in targets:
            place = target.rule.number, target.part
            least[place] = min(least.get(place, len(key)), len(key))
    longest: dict[int, tuple[int, int]] = {}
    for (rule, part), letters in sorted(least.items()):
        longest[rule] = max(longest.get(rule, (0, 0)), (letters, part))
    pivots = {}
    for number, key in enumerate(keys):
        ringing = [target for target in by_key[key] if not target.rule.unless]
        rules = {target.rule.number for target in ringing if longest[target.rule.number][1] == target.part}
        if rules:
            pivots[number] = tuple(sorted(rules))
    return pivots


def _keys_of(keys: list[str], by_key: dict[str, list[Target]]) -> dict[int, tuple[frozenset[int], ...]]:
    found: defaultdict[int, defaultdict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for number, key in enumerate(keys):
        for target in by_key[key]:
            if not target.rule.unless:
                found[target.rule.number][target.part].add(number)
    return {rule: tuple(frozenset(parts[part]) for part in sorted(parts)) for rule, parts in found.items()}


def _runs(letters: str) -> tuple[int, ...]:
    """How many letters stand behind each character of `collapse(letters)`."""
    counts: list[int] = []
    for letter, run in groupby(letters):
        length = len(list(run))
        counts += [length] if "a" <= letter <= "z" else [1] * length
    return tuple(counts)
