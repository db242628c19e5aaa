"""Owns the slips of the finger that a phrase survives: one letter lost, added, changed or swapped in a long word.

All one-slip variants of the policy's long words are written out once, so that a message without any costs one set
comparison. A variant that is itself a word is no slip. It must never change a word of fewer than six letters.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from string import ascii_lowercase

from agents.scoring.text import Word

LEAST_LETTERS = 6
# A slip may stand for several words ("harcelr": harceler, harcele); a text is read once for each, up to this often.
MOST_READINGS = 8


def variants(vocabulary: Iterable[str], ordinary: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Each one-slip variant of the long words of `vocabulary` that is not `ordinary`, and what it may stand for."""
    found: dict[str, tuple[str, ...]] = {}
    for word in sorted(vocabulary):
        if len(word) < LEAST_LETTERS or not (word.isascii() and word.isalpha()):
            continue
        alone = (word,)
        for variant in _slips(word):
            if variant not in ordinary:
                found[variant] = found[variant] + alone if variant in found else alone
    return found


def _slips(word: str) -> set[str]:
    splits = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    return {
        *(head + tail[1:] for head, tail in splits if tail),
        *(head + tail[1] + tail[0] + tail[2:] for head, tail in splits if len(tail) > 1),
        *(head + letter + tail[1:] for head, tail in splits if tail for letter in ascii_lowercase),
        *(head + letter + tail for head, tail in splits for letter in ascii_lowercase),
    } - {word}


def corrected(words: list[Word], typos: dict[str, tuple[str, ...]]) -> Iterator[list[Word]]:
    """`words` with every slip replaced by what was meant, once for each meaning; start and end in the original stay."""
    slips = {number: typos[word.letters] for number, word in enumerate(words) if word.letters in typos}
    for reading in range(min(MOST_READINGS, max(map(len, slips.values()), default=0))):
        mended = words.copy()
        for number, meant in slips.items():
            mended[number] = _replaced(words[number], meant[min(reading, len(meant) - 1)])
        yield mended


def _replaced(word: Word, letters: str) -> Word:
    last = len(word.origins) - 1
    return Word(letters, tuple(word.origins[min(at, last)] for at in range(len(letters))), word.end)
