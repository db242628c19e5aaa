"""What learning writes: lessons, weight updates, and the headers of snapshots, whose bytes are `schemas.arrays`' affair.

Owns: their shapes. Must never: hold text.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.base import Count, Id, Name, Timestamp
from schemas.people import BINARY_HEADS, Labels, Predicted

Value = Annotated[float, Meta(ge=-1e6, le=1e6)]
"""Of a feature; beyond, squares of gradients overflow."""
MAX_WEIGHT = 1e9
"""Far more than any learner comes to, and small enough that sums of products stay finite."""
Weight = Annotated[float, Meta(ge=-MAX_WEIGHT, le=MAX_WEIGHT)]
MAX_SQUARES = 1e15
"""Of a sum of squared gradients, over as many lessons as there may ever be."""
Squares = Annotated[float, Meta(ge=0.0, le=MAX_SQUARES)]
Tally = Annotated[int, Meta(ge=0, le=2**50)]
"""A count in a snapshot: those of the updates that follow must still be a Count."""


class Lesson(Struct, kw_only=True, omit_defaults=True):
    """What learning takes from one accepted feedback: feature ids and values, labels, no text.

    `kind` `learn` adds a lesson; `retract` takes that of the feedback `retracts` back; `unlearn` takes all of
    `reviewer` back from lesson offset `from_offset` on, later ones too, until a `retract` takes it back.
    """

    id: Id
    base: str
    kind: Literal["learn", "retract", "unlearn"] = "learn"
    feedback_id: Id
    reviewer: Id
    at: Timestamp
    language: str = "other"
    features: list[int] = msgspec.field(default_factory=list)
    values: list[Value] = msgspec.field(default_factory=list)
    labels: dict[str, Name] = msgspec.field(default_factory=dict)
    retracts: Id | None = None
    from_offset: Count | None = None
    message_id: Id | None = None
    decision_id: Id | None = None
    human_decision_id: Id | None = None
    human_labels: Labels | None = None
    predicted: Predicted | None = None


class Weights(Struct, omit_defaults=True):
    """Absolute weights of one label of one head, for the ids that stand beside them."""

    bias: Weight
    base: Weight
    seen: Count
    weights: list[Weight]


Temperature = Annotated[float, Meta(ge=0.01, le=100.0)]
"""What a head's logits are multiplied by before they become probabilities."""


class HeadUpdate(Struct, omit_defaults=True):
    """What changed in one head: feature ids, each label's weights in their order, examples by language, temperature."""

    ids: list[int]
    labels: dict[Name, Weights]
    languages: dict[str, Count]
    temperature: Temperature = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError: weights that are not as many as the ids."""
        for own in self.labels.values():
            if len(own.weights) != len(self.ids):
                raise ValueError(f"{len(own.weights):,} weights for {len(self.ids):,} ids, must be as many")


class ModelUpdate(Struct, kw_only=True, rename={"from_offset": "from", "to_offset": "to"}):
    """The absolute weights that lessons up to `to` changed; for scorers that stand exactly at `from`."""

    base: str
    from_offset: Count
    to_offset: Count
    at: Timestamp
    heads: dict[str, HeadUpdate]
    feedback_ids: list[str] = msgspec.field(default_factory=list)


class SnapshotHead(Struct):
    """One head of a snapshot: its labels, and the numbers of each in their order; arrays hold the weights.

    `rest`: steps made, weight and sum of squares of the base's logit, its place among the keys. `temperature`: itself, and
    its sum of squared gradients.
    """

    labels: list[Name]
    bias: list[Weight]
    trust: list[Weight]
    seen: list[Tally]
    rest: list[tuple[Tally, Weight, Squares, Tally]]
    languages: dict[str, Tally]
    temperature: tuple[Temperature, Squares] = (1.0, 0.0)

    def __post_init__(self) -> None:
        """Raises ValueError: lists that differ in length."""
        if len({len(each) for each in (self.labels, self.bias, self.trust, self.seen, self.rest)}) > 1:
            raise ValueError("lists of labels, bias, trust, seen and rest that differ in length")


Counted = Annotated[list[Annotated[float, Meta(gt=0.0, le=MAX_SQUARES)]], Meta(min_length=10, max_length=10)]
"""By confidence, in ten bins."""


class ReviewersState(Struct):
    """Evidence against reviewers: `agents.scoring.reviewers`.

    `heads`: labels, and those that contradicted the model. `evidence`: reviewer, head, offset of the first lesson that counts,
    evidence in nats, labels, those that contradicted. `quarantined`: reviewer to the digest of the lesson's feedback id.
    """

    heads: dict[Name, tuple[Counted, Counted]] = msgspec.field(default_factory=dict)
    evidence: list[tuple[Id, Name, Tally, Squares, Tally, Tally]] = msgspec.field(default_factory=list)
    quarantined: dict[Id, Annotated[int, Meta(ge=0)]] = msgspec.field(default_factory=dict)
    released: list[Id] = msgspec.field(default_factory=list)


class LabelFigures(Struct):
    """Test-then-train figures of one head in one language."""

    n: Tally
    right: Tally
    majority_right: Tally
    log_loss: float
    labels: dict[str, Tally]


class Snapshot(Struct):
    """The header of a snapshot: the whole learner but for its arrays."""

    kind: Literal["model"]
    base: Name
    offset: Tally
    heads: dict[str, SnapshotHead]
    figures: dict[str, dict[str, LabelFigures]]
    reviewers: ReviewersState = msgspec.field(default_factory=ReviewersState)

    def __post_init__(self) -> None:
        """Raises ValueError: a yes-or-no head with other labels."""
        for head in BINARY_HEADS:
            if head in self.heads and self.heads[head].labels != ["yes"]:
                raise ValueError(f'the head "{head}" with labels other than "yes"')
