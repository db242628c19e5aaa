"""Word valences, English and French: how good or bad a word by itself sounds, from open lists and from what was induced.

Owns: the shape of the packed table and looking a word up by its hash. Must never: hold text, or read the disk except
the package's own table, once.
The table is made by `agents.training.lexicon`, which names its sources; licences stand in NOTICE.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib import resources
from typing import NamedTuple

from schemas.arrays import unpack
from schemas.base import Invalid


class Lexicon(NamedTuple):
    """`listed` and `induced`: word id (48-bit hash of language and word) to valence, -1 to 1. `digest`: 12 hex digits."""

    listed: dict[int, float]
    induced: dict[int, float]
    digest: str


def load(data: bytes) -> Lexicon:
    """The table from its bytes.

    Raises:
        Invalid: not such bytes, or arrays of unequal length.
    """
    _, arrays = unpack(data)
    tables = []
    for kind in ("listed", "induced"):
        ids, values = arrays.get(f"{kind}_ids"), arrays.get(f"{kind}_values")
        if ids is None or values is None or len(ids) != len(values):
            raise Invalid("wrong_type", f'the lexicon has no table "{kind}", or its two arrays differ in length')
        tables.append(dict(zip(ids.cumsum().tolist(), [float(value) for value in values], strict=True)))
    return Lexicon(tables[0], tables[1], blake2b(data, digest_size=6).hexdigest())


@cache
def shipped() -> Lexicon:
    """The package's table."""
    return load(resources.files("agents.scoring").joinpath("data/lexicon.tocsin").read_bytes())
