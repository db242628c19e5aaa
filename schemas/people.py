"""What people say and do: feedback on a decision, and actions about a message.

Owns: their shapes and checks. Must never: learn from them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.base import MAX_TEXT, Id, Invalid, LanguageTag, Name, Priority, Text, Timestamp, quoted
from schemas.decision import DecidedBy, Source, Status
from schemas.reading import convert, json_object

SENTIMENTS = ("negative", "neutral", "positive")
BINARY_HEADS = ("urgency", "spam", "abuse")
HEADS = ("sentiment", "urgency", "category", "emotion", "spam", "abuse")


class Labels(Struct, kw_only=True, omit_defaults=True):
    """What a person says is right: any of the heads, and the priority. Yes-or-no heads take true or false."""

    sentiment: Literal["negative", "neutral", "positive"] | None = None
    urgency: bool | None = None
    category: Name | None = None
    emotion: Name | None = None
    spam: bool | None = None
    abuse: bool | None = None
    priority: Priority | None = None

    def heads(self) -> dict[str, str]:
        """The labelled heads as the learner names them; yes-or-no heads are "yes" or "no"."""
        labels = {}
        for head in HEADS:
            value = getattr(self, head)
            if value is not None:
                labels[head] = ("no", "yes")[value] if isinstance(value, bool) else value
        return labels


class Predicted(Struct, kw_only=True):
    """What the person judged: the decision's labels, priority, and the place of its message."""

    labels: dict[str, Any] = msgspec.field(default_factory=dict)
    priority: Priority | None = None
    source: Source | None = None
    revision: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    status: Status = "scored"
    decided_by: DecidedBy = "model"
    route: Name | None = None
    model_version: str | None = None
    policy_version: str | None = None
    sent_at: Timestamp | None = None
    received_at: Timestamp | None = None


class Feedback(Struct, kw_only=True):
    """A human's word on a decision: confirm, correct, override, or take an earlier word back (`retract`)."""

    id: Id
    message_id: Id
    customer_id: Id
    kind: Literal["confirm", "correct", "override", "retract"]
    reviewer: Id
    labels: Labels = msgspec.field(default_factory=Labels)
    text: Text | None = None
    retracts: Id | None = None
    language: LanguageTag | None = None
    conversation_id: Id | None = None
    channel: Annotated[str, Meta(max_length=64)] | None = None
    decision_id: Id | None = None
    predicted: Predicted | None = None
    reason: Literal["missed", "false_alarm", "wrong_label", "bias_suspected", "privacy"] | None = None
    note: Annotated[str, Meta(max_length=10_000)] | None = None
    at: Timestamp | None = None


class Action(Struct, kw_only=True):
    """What a human does about a message: takes it, resolves it, hands it back.

    `answered`: somebody who is no agent has answered it (a community's member; the tool that knows of threads says so).
    `rated`: the customer's own word on how it went, `rating` from 0 (bad) to 1 (good).
    """

    id: Id
    customer_id: Id
    message_id: Id
    kind: Literal["taken", "released", "resolved", "reopened", "snoozed", "answered", "rated"]
    by: Id
    at: Timestamp
    decision_id: Id | None = None
    until: Timestamp | None = None
    rating: Annotated[float, Meta(ge=0, le=1)] | None = None
    undoes: Id | None = None


def read_feedback(data: bytes | None) -> Feedback:
    """Feedback from its bytes.

    Raises:
        Invalid: as `schemas.reading.read`; `feedback_without_source` where a priority lacks what it judged.
    """
    return feedback_of(json_object(data))


def feedback_of(fields: dict[str, Any]) -> Feedback:
    """Feedback from its decoded JSON object; see `read_feedback`. A text is cut as a message's is."""
    text = fields.get("text")
    if isinstance(text, str) and len(text) > MAX_TEXT:
        fields = {**fields, "text": text[:MAX_TEXT]}
    feedback = convert(fields, Feedback)
    if feedback.kind == "retract":
        if feedback.retracts is None:
            raise Invalid("missing_field", 'field "retracts" is missing; a retract names the feedback it takes back')
        return feedback
    if "labels" not in fields:
        raise Invalid("missing_field", 'field "labels" is missing')
    if not feedback.labels.heads() and feedback.labels.priority is None:
        raise Invalid(
            "out_of_bounds", f'field "labels" is {quoted(fields["labels"])}, must label a head or the priority'
        )
    if feedback.text is None:
        raise Invalid(
            "missing_field", 'field "text" is missing; learning reads it, whether or not the message is known'
        )
    judged = feedback.predicted
    if feedback.labels.priority is not None and (judged is None or judged.priority is None or judged.source is None):
        raise Invalid(
            "feedback_without_source",
            'field "labels.priority" needs "predicted.priority" and "predicted.source", the decision that it judges',
        )
    return feedback
