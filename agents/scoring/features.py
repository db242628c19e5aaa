"""The one feature pass: a message's words, pairs of words, marks and lexicon sums as ids, values and readable names.

Ids are 48-bit hashes, equal on every machine and in every process. Words carry their language (French « pain » is not
English "pain"); marks, emoji and the lexicon's sums do not, so what they learn in one language helps the other.
Owns: what a feature is, and FEATURES_VERSION, which must change whenever the same text would give other features.
Must never: read clock, network or disk; depend on what was seen before (its caches only save time).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import NamedTuple, Protocol

from agents.scoring.pieces import MASK, Piece, feature_id, look
from agents.scoring.runs import Run, runs

FEATURES_VERSION = "1"
"""Part of every base id, with the lexicon's digest: weights fit only the features they were learned on."""
MAX_CHARACTERS = 10_000
"""Characters that are read, subject included (contract: the models' share of a text)."""
LENGTH = 4.0
"""Square root of the word features' sum of squares: 16 a text (docs/learning.md)."""

NEGATION_REACH = 4
"""Words after a negation that it turns (docs/learning.md)."""
NEGATED = -0.7
INTENSIFIED = 1.3


_MARKS = (
    "lexicon:sum", "lexicon:positive", "lexicon:negative", "lexicon:positive share", "lexicon:negative share",
    "lexicon:last", "lexicon:none", "valence:sum", "valence:positive", "valence:negative", "valence:last",
    "!", "!!", "?", "??", "…", "capitals", "elongated", "emoji", "short", "long",
)  # fmt: skip


class _Spoken(Protocol):
    """A word, as a run or as one token of it."""

    @property
    def id(self) -> int: ...
    @property
    def negated(self) -> int: ...
    @property
    def name(self) -> str: ...


class Features(NamedTuple):
    """What the heads see of one message: `ids` and `values`, of one length; each id stands once."""

    ids: list[int]
    values: list[float]
    places: list[int | str]
    """Of the first ids, those of words and emoji: the emoji, or which of `words` gave it (a pair: its second)."""
    words: list[_Spoken]
    language: str

    @property
    def names(self) -> list[str]:
        """Readable names, beside `ids`: `bad`, `not good`, `!`, `lexicon:positive`."""
        return self.named(range(len(self.ids)))

    def named(self, places: Iterable[int]) -> list[str]:
        """The names of the ids at `places`. Decisions tell a few of them: they are made when asked for, from the text."""
        found = []
        for place in places:
            feature = self.ids[place]
            if place >= len(self.places):
                found.append(_MARK_NAMES.get(feature) or f"language:{self.language}")
            elif isinstance(said := self.places[place], str):
                found.append(said)
            else:
                word = self.words[said]
                if feature == word.id:
                    found.append(word.name)
                else:
                    before = "not" if feature == word.negated else self.words[said - 1].name
                    found.append(f"{before} {word.name}")
        return found


class _Sums(NamedTuple):
    """What a walk over the text adds up."""

    ids: dict[int, int | str]
    marks: dict[str, int]
    listed: list[float]
    induced: list[float]
    spoken: list[_Spoken]
    capitals: int
    elongated: int


_MARK_NAMES = {feature_id(name): name for name in _MARKS}
_M = dict(zip(_MARKS, _MARK_NAMES, strict=True))
_LANGUAGE_IDS: dict[str, int] = {}


def extract(text: str, subject: str | None, language: str, found: list[Run] | None = None) -> Features:
    """The features of a message.

    Args:
        text: the customer's own words; with the subject, the first 10,000 characters are read.
        subject: read before the text, with the same word ids.
        language: the tag `detect` gave.
        found: `runs(text)`, where the caller has them.

    Returns:
        Features: the words' and pairs' values are equal, and their squares add up to 16; sums and shares of the lexicon
        lie between -2 and 2; `language:<tag>` is 1.
    """
    parts: tuple[list[Run], ...]
    if subject:
        subject = subject[:MAX_CHARACTERS]
        parts = (runs(subject), runs(text[: MAX_CHARACTERS - len(subject)]))
    elif found is None or len(text) > MAX_CHARACTERS:
        parts = (runs(text[:MAX_CHARACTERS]),)
    else:
        parts = (found,)
    sums = _walk(parts, language)
    ids = list(sums.ids)
    values = [LENGTH / sqrt(len(ids))] * len(ids) if ids else []
    own = _LANGUAGE_IDS.get(language)
    if own is None:
        own = _LANGUAGE_IDS[language] = feature_id(f"language:{language}")
    ids.append(own)
    values.append(1.0)
    _lexicon_features(sums, ids, values)
    _style_features(sums, ids, values)
    return Features(ids, values, list(sums.ids.values()), sums.spoken, language)


def _walk(parts: tuple[list[Run], ...], language: str) -> _Sums:
    """Every piece of the text, in order."""
    english, french = language == "en", language == "fr"
    ids: dict[int, int | str] = {}
    marks: dict[str, int] = {}
    listed: list[float] = []
    induced: list[float] = []
    spoken: list[_Spoken] = []
    words = capitals = elongated = 0
    for part in parts:
        left = -1  # of the word that the next one makes a pair with; -1 where there is none
        negation = 0
        boost = 1.0
        for run in part:
            piece: Piece | None = run.en if english else run.fr if french else None
            if piece is None:
                piece = look(run, language)
            word, own_left, negated, list_value, induced_value, _, tokens = piece
            if tokens is None:
                if negation:
                    ids[negated] = words
                    boost *= NEGATED
                    negation -= 1
                else:
                    ids[word] = words
                if left >= 0:
                    ids[(left + word) & MASK] = words
                if list_value:
                    listed.append(list_value * boost)
                if induced_value:
                    induced.append(induced_value * boost)
                left = own_left
                boost = 1.0
                words += 1
                spoken.append(piece)
                continue
            for token in tokens:
                kind, word, own_left, negated, list_value, induced_value, role, style, name = token
                if kind == 0:
                    if style:
                        capitals += style & 1
                        elongated += style >> 1
                    if negation:
                        ids[negated] = words
                    else:
                        ids[word] = words
                    if left >= 0:
                        ids[(left + word) & MASK] = words
                    left = own_left
                    words += 1
                    spoken.append(token)
                    if list_value or induced_value:
                        turn = boost * NEGATED if negation else boost
                        if list_value:
                            listed.append(list_value * turn)
                        if induced_value:
                            induced.append(induced_value * turn)
                    boost = INTENSIFIED if role == 2 else 1.0
                    if role == 1:
                        negation = NEGATION_REACH + 1
                    if negation:
                        negation -= 1
                elif kind == 3:
                    left, negation = -1, 0
                    boost = 1.0
                else:
                    if kind == 1:
                        ids[word] = name
                        if list_value:
                            listed.append(list_value)
                    else:
                        left, negation = -1, 0
                    marks[name] = marks.get(name, 0) + 1
    return _Sums(ids, marks, listed, induced, spoken, capitals, elongated)


def _lexicon_features(sums: _Sums, ids: list[int], values: list[float]) -> None:
    words = len(sums.spoken)
    for prefix, found in (("lexicon", sums.listed), ("valence", sums.induced)):
        if not found:
            if prefix == "lexicon":
                ids.append(_M["lexicon:none"])
                values.append(1.0)
            continue
        total = sum(found)
        high, low = max(found), min(found)
        ids.append(_M[prefix + ":sum"])
        values.append(2.0 * total / sqrt(total * total + 1.0))
        if high > 0.0:
            ids.append(_M[prefix + ":positive"])
            values.append(high)
        if low < 0.0:
            ids.append(_M[prefix + ":negative"])
            values.append(-low)
        ids.append(_M[prefix + ":last"])
        values.append(found[-1])
        if prefix == "lexicon":
            positive = len([1 for value in found if value > 0.0])
            if positive:
                ids.append(_M["lexicon:positive share"])
                values.append(positive / (words + 1))
            if positive < len(found):
                ids.append(_M["lexicon:negative share"])
                values.append((len(found) - positive) / (words + 1))


def _style_features(sums: _Sums, ids: list[int], values: list[float]) -> None:
    words = len(sums.spoken)
    emoji = 0
    for name, count in sums.marks.items():
        mark = _M.get(name)
        if mark is None:
            emoji += count
        else:
            ids.append(mark)
            values.append(min(count, 4) / 4.0 + 0.25)
    for name, share in (("capitals", sums.capitals), ("elongated", sums.elongated), ("emoji", emoji)):
        if share:
            ids.append(_M[name])
            values.append(min(1.0, 2.0 * share / (words + 1)))
    if words < 8 or words > 40:
        ids.append(_M["short" if words < 8 else "long"])
        values.append(0.5)
