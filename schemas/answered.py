"""The question that was answered: where it stands, where its answer stands, and by what later ones are held against it.

Owns: those shapes. Must never: hold what somebody wrote.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.base import Id, Probability, Timestamp
from schemas.place import Source

Packed = Annotated[str, Meta(max_length=1_000, pattern=r"^[A-Za-z0-9+/]*={0,2}(?!\n)$", description="base64")]


class Written(Struct, kw_only=True):
    """A message, by its place in `messages`."""

    message_id: Id
    source: Source
    at: Timestamp


class Answered(Struct, kw_only=True):
    """A question and what resolved it.

    Attributes:
        by: who says that it is: a `person` at the desk (the action `resolved`), or the `customer`, whose next words are thanks.
        meaning: what the question is about, as whole numbers from -127 to 127 of one byte each (agents/incidents/meaning.py).
        sketch: MinHash of its words, one byte a permutation (agents/likeness/sketch.py).
    """

    question: Written
    answer: Written
    by: Literal["person", "customer"]
    meaning: Packed
    sketch: Packed


class AskedBefore(Struct, kw_only=True):
    """On an alert: the most alike of the questions that were answered.

    Attributes:
        likeness: of `same` ones the share of pairs of words in common (Jaccard's index, estimated); else the cosine between what
            they mean.
        same: whether the words are nearly the same.
    """

    question: Written
    answer: Written
    by: Literal["person", "customer"]
    likeness: Probability
    same: bool
