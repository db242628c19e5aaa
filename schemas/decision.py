"""The decision, and the alert that carries it: what Tocsin makes of a message.

Owns: their shapes and the decision's id. Must never: decide.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from schemas.answered import AskedBefore
from schemas.base import Count, Id, Name, Priority, Probability, Timestamp
from schemas.message import Message
from schemas.place import Source as Source
from schemas.standing import Standing

Status = Literal["scored", "abstained", "unscored", "deleted"]
DecidedBy = Literal["rule", "model", "human", "history"]
Change = Literal["new", "raised", "lowered", "withdrawn"]


class Sentiment(Struct):
    """`score` is P(positive) - P(negative), from -1 to 1."""

    label: Name
    score: Annotated[float, Meta(ge=-1.0, le=1.0)]
    probabilities: dict[str, Probability]


class Labelled(Struct):
    """A question with several answers: the likeliest, and the probability of each."""

    label: Name
    probabilities: dict[str, Probability]


class Likelihood(Struct):
    """A yes-or-no question: the probability of yes."""

    probability: Probability


class Contribution(Struct):
    """What one feature added to a logit."""

    feature: str
    value: float


class Reason(Struct, kw_only=True):
    """A floor hit (`floor`, `phrase`, `start`, `end`: characters of the text), a model's own account (`head`, `label`, `bias`,
    `contributions`, `rest`, `logit`; bias + contributions + rest = logit within 1e-9), or what history says (`history`: which
    rule; `messages`: the ids of those that made it)."""

    floor: Name | UnsetType = UNSET
    phrase: str | UnsetType = UNSET
    start: Count | UnsetType = UNSET
    end: Count | UnsetType = UNSET
    head: Name | UnsetType = UNSET
    label: Name | UnsetType = UNSET
    bias: float | UnsetType = UNSET
    contributions: list[Contribution] | UnsetType = UNSET
    rest: float | UnsetType = UNSET
    logit: float | UnsetType = UNSET
    history: Name | UnsetType = UNSET
    messages: list[Id] | UnsetType = UNSET


class Decision(Struct, kw_only=True):
    """What Tocsin makes of a message. A head that was never trained for the message's language is left out."""

    id: Id
    message_id: Id
    revision: Count
    customer_id: Id
    conversation_id: Id
    channel: str | None
    language: str
    status: Status
    status_reason: str | None = None
    priority: Priority
    decided_by: DecidedBy
    sentiment: Sentiment | UnsetType = UNSET
    urgency: Likelihood | UnsetType = UNSET
    category: Labelled | UnsetType = UNSET
    emotion: Labelled | UnsetType = UNSET
    spam: Likelihood | UnsetType = UNSET
    abuse: Likelihood | UnsetType = UNSET
    reasons: list[Reason]
    route: Name
    automation_allowed: bool
    model_version: str
    policy_version: str
    truncated: Literal["text", "models"] | None = None
    corrected: list[str]
    sent_at: Timestamp
    received_at: Timestamp
    decided_at: Timestamp
    source: Source
    supersedes: Id | None = None
    feedback_id: Id | None = None


class Why(Struct):
    """One plain sentence a language."""

    en: str
    fr: str


class Alert(Struct, kw_only=True):
    """What rings: on `priority.*` and `review`."""

    decision: Decision
    message: Message
    why: Why
    change: Change
    group: str
    late: bool
    drill: bool = False
    expected_by: Timestamp | UnsetType = UNSET
    standing: list[Standing] | UnsetType = UNSET
    sample: bool | UnsetType = UNSET
    asked_before: AskedBefore | UnsetType = UNSET


def decision_id(
    message_id: str,
    revision: int,
    source: Source,
    model_version: str,
    policy_version: str,
    feedback_id: str | None = None,
    supersedes: str | None = None,
) -> str:
    """32 hex digits (BLAKE2b, 128 bits) over all that makes a decision another one."""
    parts = (
        message_id,
        str(revision),
        source.topic,
        str(source.partition),
        str(source.offset),
        model_version,
        policy_version,
        feedback_id or "",
        supersedes or "",
    )
    # Lengths stand before the parts, so that no two lists of parts join to the same bytes.
    joined = "".join([f"{len(part)}:{part}" for part in parts])
    return blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


encode = msgspec.json.Encoder().encode
"""Any struct as JSON bytes."""
