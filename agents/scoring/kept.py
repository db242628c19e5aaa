"""A lesson as the learner's memory holds it, and which lessons others take back.

Owns: the checks on a lesson before it is learned. Must never: hold text; learn.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from math import isfinite
from typing import NamedTuple

from agents.scoring.online import BASE_FEATURE
from schemas.base import Invalid, quoted
from schemas.learning import Lesson
from schemas.people import BINARY_HEADS


class Kept(NamedTuple):
    """A lesson as memory holds it: some 16 bytes a feature."""

    offset: int
    kind: str
    feedback: int
    reviewer: str
    target: int
    language: str
    ids: array[int]
    values: array[float]
    labels: dict[str, str]


def digest(feedback_id: str) -> int:
    """64 bits of a feedback id: what a snapshot keeps of it."""
    return int.from_bytes(blake2b(feedback_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def keep(lesson: Lesson, next_offset: int) -> Kept:
    """The lesson that stands right before `next_offset`, checked.

    Raises:
        Invalid: ids and values differ in length, an id has more than 48 bits, a value is no number or a label no "yes" or
            "no" where it must be.
    """
    if len(lesson.features) != len(lesson.values):
        detail = f'"features" has {len(lesson.features)} entries, "values" {len(lesson.values)}; must be as many'
        raise Invalid("out_of_bounds", detail)
    if not all(0 <= feature < BASE_FEATURE for feature in lesson.features):
        raise Invalid("out_of_bounds", '"features" holds an id that is not from 0 to 2**48 - 1')
    if len(set(lesson.features)) != len(lesson.features):
        raise Invalid("out_of_bounds", '"features" holds an id twice')
    if not all(isfinite(value) for value in lesson.values):
        raise Invalid("out_of_bounds", '"values" holds a number that is not finite')
    for head, label in lesson.labels.items():
        if head in BINARY_HEADS and label not in ("no", "yes"):
            raise Invalid("out_of_bounds", f'field "labels.{head}" is {quoted(label)}: must be "no" or "yes"')
    target = digest(lesson.retracts or "") if lesson.kind == "retract" else lesson.from_offset or 0
    return Kept(
        next_offset - 1,
        lesson.kind,
        digest(lesson.feedback_id),
        lesson.reviewer,
        target,
        lesson.language,
        array("Q", lesson.features),
        array("d", lesson.values),
        lesson.labels,
    )


def taken_back(lessons: list[Kept]) -> set[int]:
    """Offsets of the lessons that others of `lessons`, in the order of their offsets, take back.

    `retract` takes back what stands before it; `unlearn` what its reviewer taught from an offset on, later lessons too, until
    a `retract` takes the `unlearn` itself back.
    """
    gone: set[int] = set()
    by_feedback: dict[int, list[int]] = {}
    by_reviewer: dict[str, list[int]] = {}
    quarantines: dict[int, Kept] = {}
    for one in lessons:
        if one.kind == "learn":
            by_feedback.setdefault(one.feedback, []).append(one.offset)
            by_reviewer.setdefault(one.reviewer, []).append(one.offset)
        elif one.kind == "unlearn":
            quarantines[one.feedback] = one
        elif quarantines.pop(one.target, None) is None:
            gone.update(by_feedback.get(one.target, ()))
    for one in quarantines.values():
        gone.update(offset for offset in by_reviewer.get(one.reviewer, ()) if offset >= one.target)
    return gone
