"""Questions that were answered, to find those like a new one: the newest of them, by what they mean and by their words.

Owns: that index, its bound and from where on two are alike. Must never: keep a text, or read a clock.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error

import numpy as np
import numpy.typing as npt

from agents.incidents.meaning import Meaning, Vectors, words_of
from agents.likeness.sketch import PERMUTATIONS, Sketch, in_common, sketch_of
from schemas.answered import Answered, AskedBefore
from schemas.base import Invalid

MOST = 20_000
"""Questions that are kept, the newest: vector and sketch are 448 bytes each."""
ALIKE = 0.7
"""Cosine from which on two questions are like: docs/incidents.md has how often they are the same."""
SAME = 0.6
"""Share of words in common from which on they are nearly the same."""
LEAST_WORDS = 3
"""Below, everything is like everything."""
FOUND = 3
NEAR = 0.5
"""Cosine below which the words are not looked at: who writes the same means the same."""

Bytes = npt.NDArray[np.int8]


def packed(text: str, meaning: Meaning) -> tuple[str, str] | None:
    """`meaning` and `sketch` of a question, as `Answered` holds them; None where it says too little to be found again."""
    words = words_of(text)
    vectors, said = meaning.vectors([words])
    if len(words) < LEAST_WORDS or not said[0]:
        return None
    numbers = np.round(vectors[0] * 127).astype(np.int8)
    return b64encode(numbers.tobytes()).decode(), b64encode(sketch_of(words).tobytes()).decode()


class Index:
    """By question."""

    def __init__(self, meaning: Meaning, most: int = MOST) -> None:
        self._meaning = meaning
        self._most = most
        self._places: dict[str, int] = {}
        self._held: list[Answered | None] = [None] * most
        self._vectors: Vectors = np.zeros((most, meaning.size), np.float32)
        self._sketches: Sketch = np.zeros((most, PERMUTATIONS), np.uint8)
        self._next = 0

    def __len__(self) -> int:
        return len(self._places)

    def put(self, one: Answered) -> None:
        """Takes a question, in the place of the oldest where there are too many; of one it has, the newer answer.

        Raises:
            Invalid: its numbers are not those of this table of words.
        """
        vector, sketch = _numbers(one.meaning, self._meaning.size), _numbers(one.sketch, PERMUTATIONS)
        identity = one.question.message_id
        self.remove(identity)
        place = self._next % self._most
        before = self._held[place]
        if before is not None:
            self.remove(before.question.message_id)
        self._places[identity], self._held[place] = place, one
        self._vectors[place] = vector.astype(np.float32) / max(float(np.linalg.norm(vector.astype(np.float32))), 1e-9)
        self._sketches[place] = sketch.view(np.uint8)
        self._next += 1

    def remove(self, message_id: str) -> None:
        """Forgets a question, where it has it."""
        place = self._places.pop(message_id, None)
        if place is not None:
            self._held[place], self._vectors[place], self._sketches[place] = None, 0.0, 0

    def find(self, text: str, but: str = "", most: int = FOUND) -> list[AskedBefore]:
        """The questions most like a text, the most alike first.

        Args:
            but: the id of a message that is not one of them.
        """
        if not self._places:
            return []
        words = words_of(text)
        vectors, said = self._meaning.vectors([words])
        if len(words) < LEAST_WORDS or not said[0]:
            return []
        cosines = self._vectors[: min(self._next, self._most)] @ vectors[0]
        near = np.flatnonzero(cosines >= NEAR)
        cosines = cosines[near]
        shares = in_common(sketch_of(words), self._sketches[near])
        # Nearly the same words count for more than the same meaning.
        score = np.where(shares >= SAME, 1.0 + shares, cosines)
        found: list[AskedBefore] = []
        for at in np.argsort(-score, kind="stable")[: most + 1].tolist():
            one = self._held[near[at]]
            if one is None or one.question.message_id == but or score[at] < ALIKE or len(found) == most:
                continue
            same = bool(shares[at] >= SAME)
            likeness = round(min(float(shares[at] if same else cosines[at]), 1.0), 3)
            found.append(AskedBefore(question=one.question, answer=one.answer, by=one.by, likeness=likeness, same=same))
        return found


def _numbers(text: str, size: int) -> Bytes:
    try:
        numbers = np.frombuffer(b64decode(text, validate=True), np.int8)
    except Error:
        numbers = np.zeros(0, np.int8)
    if len(numbers) != size:
        raise Invalid("out_of_bounds", f"an answered question has {len(numbers)} numbers of {size}")
    return numbers
