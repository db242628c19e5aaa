"""A reviewer whose labels contradict what everybody else teaches: the lesson that leaves theirs out, and how that is said.

Owns: wording and shape. Must never: decide who is suspected; that is the learner's, from lessons alone.
"""

from __future__ import annotations

from agents.scoring.reviewers import Suspect
from schemas.base import quoted
from schemas.learning import Lesson


def quarantine(suspect: Suspect, base: str, at: str) -> Lesson:
    """The lesson that leaves out what `suspect` taught since the evidence began, and what they will teach.

    Args:
        base: id of the base model.
        at: now, as Tocsin writes times.
    """
    name = f"quarantine-{suspect.from_offset}"
    return Lesson(
        id=f"lesson-{name}",
        base=base,
        kind="unlearn",
        feedback_id=name,
        reviewer=suspect.reviewer,
        at=at,
        from_offset=suspect.from_offset,
    )


def told(suspect: Suspect, lesson: Lesson) -> str:
    """One sentence for whoever runs the desk: who, why, and how to take it back."""
    return (
        f"{suspect.contradicted} of the last {suspect.labels} labels of {quoted(suspect.reviewer)} for {quoted(suspect.head)} "
        f"contradict what all others teach, where the model is mostly right; their lessons from {suspect.from_offset} on are "
        "left out, and so are new ones, while their decisions stand. If they are right, send a feedback of kind "
        f'"retract" with "retracts": "{lesson.feedback_id}"'
    )
