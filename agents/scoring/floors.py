"""Owns the search for the phrases of a policy's floors in a message, with offsets into what the customer wrote.

One pass of an automaton over the folded text finds candidates; only where there are any is the way back to the original
made, and word ends, doubled letters, gaps, negation and figures of speech are asked about. It must never decide a
priority, miss a phrase because of a model, or take more than linear time.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple, cast

from ahocorasick_rs import AhoCorasick, Implementation

from agents.scoring.floor_parts import Found, joined
from agents.scoring.floor_rules import Rule, Rules, compile_rules
from agents.scoring.policy import Floor, Floors
from agents.scoring.runs import Run, runs
from agents.scoring.text import Folded, Index, Span, collapse, fold
from agents.scoring.typos import corrected
from agents.scoring.whole_messages import WholeMessages

# A message that repeats itself says no more by it; the decision that carries the hits has a size limit.
MAX_HITS_PER_FLOOR = 16
# "n't" leaves a "t" behind; French "t'" follows no such word.
_BEFORE_T = frozenset(
    [
        "don", "won", "isn", "wasn", "can", "couldn", "wouldn", "shouldn", "doesn", "didn", "aren", "ain",
        "haven", "hasn", "hadn", "weren", "mustn",
    ]
)  # fmt: skip
_APOSTROPHES = frozenset("'’ʼ`´")
_CLAUSE_END = re.compile(r"[,.;:!?\n]")
_NEGATION_WORDS = 6
_WHOLE_WORDS = 400


class FloorHit(NamedTuple):
    """A floor's phrase found: `text[start:end]` is what was matched, `phrase` the plain wording it was matched by."""

    floor: str
    phrase: str
    start: int
    end: int
    priority: str


class _Folded(NamedTuple):
    """A run as one matcher sees it: its collapsed letters, its collapsed words, whether one of them may be a slip, and
    whether the first may begin a whole message."""

    letters: str
    words: tuple[str, ...]
    slip: bool
    opens: bool
    matcher: FloorMatcher


class FloorMatcher:
    """The floors of a policy, compiled once; `find` may be called from several threads."""

    def __init__(self, floors: Floors) -> None:
        self._floors = floors
        self._rules: Rules = compile_rules(floors)
        self._automaton = AhoCorasick(self._rules.keys, implementation=Implementation.ContiguousNFA)
        self._whole = [(floor, WholeMessages(floor)) for floor in floors if floor.whole_message.phrases]
        self._whole_first = frozenset(first for _, whole in self._whole for first in whole.first)

    def find(self, text: str, language: str | None = None, found_runs: list[Run] | None = None) -> list[FloorHit]:
        """Every floor that `text` hits, by priority, then place; a floor once for each overlapping stretch.

        `text` should have gone through `own_words`. `language` (BCP 47), where sure, silences the few phrases that
        collide with ordinary words of that language; None searches all. `found_runs` is `runs(text)`, where the caller
        has them.
        """
        key: list[str] = []
        last = ""
        slips = opens = False
        count = 0
        pieces = [
            piece if (piece := run.floors) is not None and piece.matcher is self else self._look(run)
            for run in (runs(text) if found_runs is None else found_runs)
        ]
        for letters, words, slip, opening, _ in pieces:
            if not words:
                continue
            if not count:
                opens = opening
            if slip:
                slips = True
            count += len(words)
            # One run of a letter goes on across words: collapsed whole, it would be one letter.
            if letters[0] == last:
                letters = letters[1:]
                if not letters:
                    continue
            key.append(letters)
            last = letters[-1]
            if not "a" <= last <= "z":
                last = ""
        found = self._automaton.find_matches_as_indexes("".join(key), overlapping=True)
        complete: set[int] = set()
        if self._rules.may_ring(found):
            complete = self._rules.complete(_of_whole_words(pieces, found))
        opens = (opens or slips) and count <= _WHOLE_WORDS and (slips or self._all_whole(pieces))
        if not (slips or complete or opens):
            return []
        folded = fold(text)
        hits: list[FloorHit] = []
        if slips or complete:
            tag = None if language is None else language.split("-")[0].lower()
            hits = self._verified(folded, found, complete, slips, tag)
        if opens:
            whole = self._whole_message(folded, slips)
            said = {hit.floor for hit in whole}
            hits = [hit for hit in hits if hit.floor not in said] + whole
        if len(hits) > 1:
            hits.sort(key=lambda hit: (hit.priority, hit.start, hit.floor, hit.end))
        return hits

    def _all_whole(self, pieces: list[_Folded]) -> bool:
        """Whether a text without slips is nothing but the words of some floor's whole messages."""
        words = [word for piece in pieces for word in piece.words]
        return any(whole.phrase(words) is not None for _, whole in self._whole)

    def _look(self, run: Run) -> _Folded:
        words = fold(run.text).words
        run.floors = _Folded(
            collapse("".join(words)),
            tuple(map(collapse, words)),
            any(self._rules.slips.meant(word) for word in words),
            bool(words) and collapse(words[0]) in self._whole_first,
            self,
        )
        return cast(_Folded, run.floors)

    def _verified(
        self,
        folded: Folded,
        found: list[tuple[int, int, int]],
        complete: set[int],
        slips: bool,
        language: str | None,
    ) -> list[FloorHit]:
        index = folded.index()
        by_rule: dict[Rule, list[Found]] = defaultdict(list)
        if complete:
            self._collect(folded.text, index, found, complete, language, by_rule)
        if slips:
            for words in corrected(index.words, self._rules.slips):
                mended = Index(words)
                again = self._automaton.find_matches_as_indexes(mended.key, overlapping=True)
                complete = self._rules.complete(mended.of_whole_words(again))
                if complete:
                    self._collect(folded.text, mended, again, complete, language, by_rule)
        by_floor: dict[int, list[Found]] = defaultdict(list)
        silencers: dict[int, list[Span]] = defaultdict(list)
        for rule, places in by_rule.items():
            if rule.unless:
                silencers[rule.floor] += [place.span for place in places]
            else:
                by_floor[rule.floor] += places
        hits: list[FloorHit] = []
        for number, places in by_floor.items():
            hits += self._kept(
                folded.text, index, self._floors.rules[number], places, sorted(silencers[number], key=_word)
            )
        return hits

    def _collect(
        self,
        text: str,
        index: Index,
        found: list[tuple[int, int, int]],
        complete: set[int],
        language: str | None,
        by_rule: dict[Rule, list[Found]],
    ) -> None:
        parts: dict[Rule, dict[int, list[tuple[Span, str]]]] = {}
        for number, begin, _ in found:
            for target in self._rules.targets[number]:
                if target.rule.number not in complete:
                    continue
                if language is not None and target.rule.silent_in == language:
                    continue
                span = index.match(begin, target.runs, self._rules.ordinary)
                if span is None or (target.short and not _stands_alone(text, index, span, target.words)):
                    continue
                if target.rule.unless and span.first == span.last and " " in target.plain:
                    continue  # "burncd" is a slip of the finger, no word about burning a CD.
                if target.rule.parts == 1:
                    by_rule[target.rule].append(Found(span, target.plain, ()))
                else:
                    parts.setdefault(target.rule, {}).setdefault(target.part, []).append((span, target.plain))
        for rule, places in parts.items():
            if len(places) == rule.parts:
                by_rule[rule] += joined(text, [sorted(places[part]) for part in range(rule.parts)], rule.gaps)

    def _kept(
        self, text: str, index: Index, floor: Floor, places: list[Found], silencers: list[Span]
    ) -> list[FloorHit]:
        firsts = [silencer.first for silencer in silencers]
        widest = max((silencer.last - silencer.first for silencer in silencers), default=0)
        hits: list[FloorHit] = []
        end = -1
        for place in sorted(places, key=lambda place: (place.span.start, -place.span.end, place.phrase)):
            span = place.span
            if span.start < end:
                continue
            low = bisect_left(firsts, span.first - floor.near - 1 - widest)
            high = bisect_right(firsts, span.last + floor.near + 1)
            if any(silencer.last >= span.first - floor.near - 1 for silencer in silencers[low:high]):
                continue
            if floor.negation and self._negated(text, index, place):
                continue
            hits.append(FloorHit(floor.name, place.phrase, span.start, span.end, floor.priority))
            end = span.end
            if len(hits) == MAX_HITS_PER_FLOOR:
                break
        return hits

    def _negated(self, text: str, index: Index, place: Found) -> bool:
        """Whether a negator stands before the hit, with nothing but bridging words between, or in one of its gaps."""
        wording, words = self._floors.wording, index.words
        if any(words[number].letters in wording.negators for low, high in place.gaps for number in range(low, high)):
            return True
        after = place.span.start
        for number in range(place.span.first - 1, max(-1, place.span.first - 1 - _NEGATION_WORDS), -1):
            word = words[number]
            if _CLAUSE_END.search(text, word.end, after):
                return False
            if word.letters in wording.negators:
                return True
            if word.letters == "t" and number and words[number - 1].letters in _BEFORE_T:
                return True
            if word.letters not in wording.bridges:
                return False
            after = word.origins[0]
        return False

    def _whole_message(self, folded: Folded, slips: bool) -> list[FloorHit]:
        words = folded.index().words
        readings = [words, *corrected(words, self._rules.slips)] if slips else [words]
        collapsed = [[collapse(word.letters) for word in reading] for reading in readings]
        hits: list[FloorHit] = []
        for floor, whole in self._whole:
            phrase = next((phrase for reading in collapsed if (phrase := whole.phrase(reading)) is not None), None)
            if phrase is not None:
                hits.append(FloorHit(floor.name, phrase, words[0].origins[0], words[-1].end, floor.priority))
        return hits


def _of_whole_words(pieces: list[_Folded], found: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Those of `found` that begin and end with words, with the numbers of these for places: hardly any, of what
    chance finds."""
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    at = number = 0
    last = ""
    for piece in pieces:
        for word in piece.words:
            shared = word[0] == last
            starts[at - shared] = number
            at += len(word) - shared
            ends[at] = number
            number += 1
            last = word[-1]
            if not "a" <= last <= "z":
                last = ""
    return [(key, starts[begin], ends[end]) for key, begin, end in found if begin in starts and end in ends]


def _word(span: Span) -> int:
    return span.first


def _stands_alone(text: str, index: Index, span: Span, words: int) -> bool:
    """Whether a short phrase has its own words, is written in one, or letter by letter: "k m s", not "5k ms". What an
    apostrophe joins is one word: "shes" is in "she's"."""
    found = index.words[span.first : span.last + 1]
    joints = sum(text[one.end : two.origins[0]] in _APOSTROPHES for one, two in pairwise(found))
    return not {len(found), len(found) - joints}.isdisjoint((1, words)) or all(len(word.letters) == 1 for word in found)
