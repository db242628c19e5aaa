"""What learning writes: lessons and weight updates. Snapshots have their own bytes: `schemas.arrays`.

Owns: their shapes. Must never: hold text.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from schemas.base import Count, Id, Timestamp
from schemas.people import Labels, Predicted


class Lesson(Struct, kw_only=True, omit_defaults=True):
    """What learning takes from one accepted feedback: feature ids and values, labels, no text.

    `kind` `learn` adds a lesson; `retract` takes that of the feedback `retracts` back; `unlearn` takes all of
    `reviewer` back from lesson offset `from_offset` on.
    """

    id: Id
    base: str
    kind: Literal["learn", "retract", "unlearn"] = "learn"
    feedback_id: Id
    reviewer: Id
    at: Timestamp
    language: str = "other"
    features: list[int] = msgspec.field(default_factory=list)
    values: list[float] = msgspec.field(default_factory=list)
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    retracts: Id | None = None
    from_offset: Count | None = None
    message_id: Id | None = None
    decision_id: Id | None = None
    human_decision_id: Id | None = None
    human_labels: Labels | None = None
    predicted: Predicted | None = None


class Weights(Struct, omit_defaults=True):
    """Absolute weights of one label of one head, for the ids that stand beside them."""

    bias: float
    base: float
    seen: Count
    weights: list[float]


class HeadUpdate(Struct, omit_defaults=True):
    """What changed in one head: feature ids, each label's weights in their order, examples by language."""

    ids: list[int]
    labels: dict[str, Weights]
    languages: dict[str, Count]


class ModelUpdate(Struct, kw_only=True, rename={"from_offset": "from", "to_offset": "to"}):
    """The absolute weights that lessons up to `to` changed; for scorers that stand exactly at `from`."""

    base: str
    from_offset: Count
    to_offset: Count
    at: Timestamp
    heads: dict[str, HeadUpdate]
    feedback_ids: list[str] = msgspec.field(default_factory=list)
