"""Whether two texts are nearly the same: MinHash of their pairs of words, one byte of each permutation's minimum (b-bit MinHash).

Owns: that sketch. Must never: keep a text.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

Sketch = npt.NDArray[np.uint8]
PERMUTATIONS = 64
"""Bytes of a sketch; the share of pairs in common is estimated within 0.06, a standard deviation."""
_SEED = 20261123
_CHANCE = 1 / 256
"""That two different minima are alike in their last byte."""


def sketch_of(words: list[str]) -> Sketch:
    """The sketch of a text given as its words, uint8, shape (PERMUTATIONS,)."""
    minima = RMinHash(num_perm=PERMUTATIONS, seed=_SEED)
    minima.update([f"{first} {second}" for first, second in zip(["", *words], [*words, ""], strict=True)])
    last: Sketch = (np.array(minima.digest(), np.uint64) & 0xFF).astype(np.uint8)
    return last


def in_common(sketch: Sketch, others: Sketch) -> npt.NDArray[np.float32]:
    """Of sketches, shape (n, PERMUTATIONS): the share of pairs in common (Jaccard's index, estimated, 0 to 1), shape (n,)."""
    equal = (others == sketch).mean(axis=1)
    share: npt.NDArray[np.float32] = np.clip((equal - _CHANCE) / (1 - _CHANCE), 0.0, 1.0).astype(np.float32)
    return share
