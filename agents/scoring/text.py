"""Owns the folded form of a text in which phrases are found, and the way back to the characters the customer typed.

Folding takes away what people vary without meaning anything by it: case, accents, typographic signs, zero-width and
full-width characters, punctuation, white space, and letters held down ("heeelp"). What is left is one run of letters and
digits, so that "I'm", "I’m", "im" and "I m" meet, as do "peut-être" and "peut etre", and "k i l l" and "kill"; whether a
match begins and ends with a word, and whether a doubled letter was meant, is then asked of the original text.

It must never lose an offset, look at the meaning of a word, or take more than linear time.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from string import ascii_lowercase
from typing import NamedTuple

from agents.scoring.own_words import own_words

__all__ = ["Folded", "Index", "Span", "Word", "collapse", "fold", "own_words", "squeeze"]

_SEPARATOR = " "
# NFKD leaves these letters whole, though people type them as two or without the stroke.
_LETTERS = {"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "đ": "d", "ı": "i"}
_DOUBLES = tuple((letter * 2, letter) for letter in ascii_lowercase)
# Bounds the memory of the table under a flood of rare characters.
_TABLE_LIMIT = 20_000
# A sign that stands for whole words ("ﷺ": eighteen letters) is a sign: text must not grow many times by being folded.
_MOST_LETTERS = 4


class _Table(dict[int, str]):
    """What each character folds to: letters, a separator, or nothing (marks and invisible characters)."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        out = []
        for part in unicodedata.normalize("NFKD", _LETTERS.get(character, character)).casefold():
            if part.isalnum():
                out.append(_LETTERS.get(part, part))
            elif unicodedata.category(part) not in ("Mn", "Me", "Cf"):
                out.append(_SEPARATOR)
        folded = "".join(out).strip() or (_SEPARATOR if _SEPARATOR in out else "")
        if len(folded) > _MOST_LETTERS:
            folded = _SEPARATOR
        if len(self) < _TABLE_LIMIT:
            self[code] = folded
        return folded


_TABLE = _Table()
# One byte a character is ten times faster than a dict a character, and nearly all English and French fits Latin-1.
# NUL marks the few Latin-1 characters that fold to two letters; the soft hyphen is the only one that folds to nothing.
_LATIN1 = bytes(
    ord(folded) if len(folded) == 1 and folded.isascii() else 0
    for folded in (_TABLE[code] or " " for code in range(256))
)
_LATIN1_NOTHING = bytes(code for code in range(256) if _TABLE[code] == "")


def collapse(letters: str) -> str:
    """`letters` with every run of one ASCII letter made a single one: "killl" and "kill" give "kil". Digits stay."""
    for double, single in _DOUBLES:
        while double in letters:
            letters = letters.replace(double, single)
    return letters


def _spaced(text: str) -> str:
    """The folded letters of `text`, separators kept."""
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        # Phones write this apostrophe where keyboards write the other; it alone should not cost the fast way.
        try:
            raw = text.replace("\u2019", "'").encode("latin-1")
        except UnicodeEncodeError:
            return text.translate(_TABLE)
    out = raw.translate(_LATIN1, _LATIN1_NOTHING)
    return text.translate(_TABLE) if 0 in out else out.decode("ascii")


def squeeze(text: str) -> str:
    """The folded letters and digits of `text` with nothing between them; runs of letters are kept."""
    return "".join(_spaced(text).split())


class Span(NamedTuple):
    """A stretch of the original text: characters `start` to `end`, words `first` to `last` (both included)."""

    start: int
    end: int
    first: int
    last: int


class Word(NamedTuple):
    """One word: its folded letters, the original character each stems from, and where it ends in the original."""

    letters: str
    origins: tuple[int, ...]
    end: int


class Folded:
    """A folded text. `words` are its folded words, `key` is the collapsed run of letters to search in."""

    __slots__ = ("_index", "key", "text", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = _spaced(text).split()
        self.key = collapse("".join(self.words))
        self._index: Index | None = None

    def index(self) -> Index:
        """The way back to the original, made when first asked for: most texts hold nothing worth going back for."""
        if self._index is None:
            self._index = Index(_words(self.text))
        return self._index

    def span(self, begin: int, end: int) -> tuple[int, int] | None:
        """The original (start, end) of `key[begin:end]`, or None where that does not begin and end with words."""
        found = self.index().span(begin, end)
        return None if found is None else (found.start, found.end)


def fold(text: str) -> Folded:
    """Fold `text` for phrase search. About 4 us for a hundred characters of English or French."""
    return Folded(text)


def _words(text: str) -> list[Word]:
    table, words = _TABLE, []
    letters: list[str] = []
    origins: list[int] = []
    end = 0
    for position, character in enumerate(text):
        folded = table[ord(character)]
        if folded == _SEPARATOR:
            if letters:
                words.append(Word("".join(letters), tuple(origins), end))
                letters, origins = [], []
        elif folded:
            for letter in folded:
                if letter == _SEPARATOR:
                    if letters:
                        words.append(Word("".join(letters), tuple(origins), position + 1))
                        letters, origins = [], []
                else:
                    letters.append(letter)
                    origins.append(position)
            end = position + 1
        elif letters and unicodedata.category(character) in ("Mn", "Me"):
            # A combining accent belongs to the letter before it.
            end = position + 1
    if letters:
        words.append(Word("".join(letters), tuple(origins), end))
    return words


class Index:
    """Where the runs of a key stand: for each, its letter count, and which words begin, end and lie in it."""

    __slots__ = ("_begin", "_close", "_first", "_last", "_size", "key", "words")

    def __init__(self, words: list[Word]) -> None:
        self.words = words
        key: list[str] = []
        # Of run k: letters in it; word starts in it as (word, letters before), and word ends as (word, letters up
        # to there): "a agent" has two starts in one run, "va à" two ends; words of its first and last letter.
        self._size: list[int] = []
        # Lists, made where there is something to hold: ten thousand words of one letter are a single run.
        self._begin: list[Sequence[tuple[int, int]]] = []
        self._close: list[Sequence[tuple[int, int]]] = []
        self._first: list[int] = []
        self._last: list[int] = []
        before = ""
        for number, word in enumerate(words):
            for place, letter in enumerate(word.letters):
                if letter == before and "a" <= letter <= "z":
                    self._size[-1] += 1
                else:
                    key.append(letter)
                    self._size.append(1)
                    self._begin.append(())
                    self._close.append(())
                    self._first.append(number)
                    self._last.append(number)
                    before = letter
                self._last[-1] = number
                if place == 0:
                    _add(self._begin, (number, self._size[-1] - 1))
            if word.letters:
                _add(self._close, (number, self._size[-1]))
        self.key = "".join(key)

    def span(self, begin: int, end: int, start: int = -1, close: int = 0) -> Span | None:
        """The span of runs `begin` to `end`, or None where they do not begin and end with words; `start` and `close`
        choose among several words that start in the first run, or end in the last."""
        starts, ends = self._begin[begin], self._close[end - 1]
        if not starts or not ends or ends[close][0] < starts[start][0]:
            return None
        first, last = starts[start][0], ends[close][0]
        return Span(self.words[first].origins[0], self.words[last].end, first, last)

    def of_whole_words(self, found: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        """Of (key, begin, end), those that begin and end with words, as (key, first word, last word)."""
        return [
            (key, self._begin[begin][-1][0], self._close[end - 1][-1][0])
            for key, begin, end in found
            if self._begin[begin] and self._close[end - 1]
        ]

    def match(self, begin: int, runs: tuple[int, ...], ordinary: Collection[str]) -> Span | None:
        """The span at run `begin` that spells a phrase whose letters come in `runs`, or None.

        Three letters or more in the text are a held key, whatever the phrase has. Two for one, or one for two in a
        long word, is a slip, unless the word as it stands is an `ordinary` one: "process" is not a slip for "procès".
        """
        last = begin + len(runs) - 1
        starts, closes = self._begin[begin], self._close[last]
        if not starts or not closes:
            return None
        if not all(self._fits(begin + n, self._size[begin + n], runs[n], ordinary) for n in range(1, len(runs) - 1)):
            return None
        # Each word further out adds letters to its run, and more than were wanted always fit: few are looked at.
        if last == begin:
            for start in range(len(starts) - 1, -1, -1):
                word, before = starts[start]
                for close in range(bisect_left(closes, (word,)), len(closes)):
                    if self._fits(begin, closes[close][1] - before, runs[0], ordinary):
                        return self.span(begin, begin + 1, start, close)
            return None
        for start in range(len(starts) - 1, -1, -1):
            if self._fits(begin, self._size[begin] - starts[start][1], runs[0], ordinary):
                break
        else:
            return None
        for close, (_, letters) in enumerate(closes):
            if self._fits(last, letters, runs[-1], ordinary):
                return self.span(begin, last + 1, start, close)
        return None

    def _fits(self, at: int, size: int, wanted: int, ordinary: Collection[str]) -> bool:
        """Whether `size` letters of run `at` may stand for `wanted`."""
        if size == wanted or (size > 2 and size > wanted):
            return True
        for number in range(self._first[at], self._last[at] + 1):
            word = self.words[number].letters
            if word in ordinary or (size < wanted and len(word) < 5):
                return False
        return True


def _add(places: list[Sequence[tuple[int, int]]], entry: tuple[int, int]) -> None:
    """Adds to the last of `places`, which is shared while it is empty."""
    if isinstance(places[-1], list):
        places[-1].append(entry)
    else:
        places[-1] = [entry]
