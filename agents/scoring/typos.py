"""Owns the slips of the finger that a phrase survives: one letter lost, added, changed or swapped in a long word.

A word and its slip have the same letters once one is taken from each (or two neighbours are swapped), so a small table of
the policy's long words, each without one of its letters, finds what a word may stand for. A slip that is itself a word is
none. It must never change a word of fewer than six letters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from agents.scoring.text import Word

LEAST_LETTERS = 6
# A slip may stand for several words ("harcelr": harceler, harcele); a text is read once for each, up to this often.
MOST_READINGS = 8


class Slips:
    """What a word may stand for, by one slip in a long word of a vocabulary.

    Args:
        vocabulary: folded words; the long ones of plain letters can be slipped in.
        ordinary: folded words that are never slips.
    """

    def __init__(self, vocabulary: Iterable[str], ordinary: Collection[str]) -> None:
        self._ordinary = ordinary
        long = [word for word in sorted(set(vocabulary)) if len(word) >= LEAST_LETTERS and _plain(word)]
        self._longest = max(map(len, long), default=-1) + 1
        self._words = frozenset(long)
        shorter: defaultdict[str, list[str]] = defaultdict(list)
        for word in long:
            for short in _without_one(word):
                shorter[short].append(word)
        self._shorter = {short: tuple(words) for short, words in shorter.items()}

    def meant(self, letters: str) -> tuple[str, ...]:
        """The words that `letters` may be a slip of, in order; empty where it is a word, or none is near."""
        if not LEAST_LETTERS - 1 <= len(letters) <= self._longest or letters in self._ordinary or not _plain(letters):
            return ()
        near = set(self._shorter.get(letters, ()))  # one letter lost
        for short in _without_one(letters):
            if short in self._words:  # one added
                near.add(short)
            near.update(word for word in self._shorter.get(short, ()) if _changed_or_swapped(letters, word))
        near.discard(letters)
        return tuple(sorted(near))


def _plain(word: str) -> bool:
    return word.isascii() and word.isalpha()


def _without_one(word: str) -> set[str]:
    return {word[:at] + word[at + 1 :] for at in range(len(word))}


def _changed_or_swapped(one: str, other: str) -> bool:
    """Whether two words of one length differ in one letter, or in two neighbours that changed places."""
    if len(one) != len(other):
        return False
    differing = [at for at, (left, right) in enumerate(zip(one, other, strict=True)) if left != right]
    if len(differing) == 1:
        return True
    if len(differing) != 2 or differing[1] != differing[0] + 1:
        return False
    at = differing[0]
    return one[at] == other[at + 1] and one[at + 1] == other[at]


def corrected(words: list[Word], slips: Slips) -> Iterator[list[Word]]:
    """`words` with every slip replaced by what was meant, once for each meaning; start and end in the original stay."""
    found = {number: meant for number, word in enumerate(words) if (meant := slips.meant(word.letters))}
    for reading in range(min(MOST_READINGS, max(map(len, found.values()), default=0))):
        mended = words.copy()
        for number, meant in found.items():
            mended[number] = _replaced(words[number], meant[min(reading, len(meant) - 1)])
        yield mended


def _replaced(word: Word, letters: str) -> Word:
    last = len(word.origins) - 1
    return Word(letters, tuple(word.origins[min(at, last)] for at in range(len(letters))), word.end)
