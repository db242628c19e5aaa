"""From a click to a feedback record that learning accepts.

Owns: what `confirm`, `correct`, `override` and `retract` say, and what they judged. Must never: trust the page for what
was predicted; that is taken from the alert as it was read from Kafka.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from agents.console.entry import Entry
from agents.console.view import labels
from schemas.base import MAX_TEXT, PRIORITIES, Invalid
from schemas.decision import Decision
from schemas.people import Feedback, feedback_of
from streams.outputs import new_id

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_OWN = ("customer_id", "text", "language", "conversation_id", "channel")
"""What the page may say of a message that has left the queue."""
_SEEN = ("sentiment", "category", "emotion")
"""What the page shows, and "Right" therefore agrees with, beside the priority."""


class Outdated(Exception):
    """Somebody, or a later revision, changed the decision while this person was looking at it."""


def compose(body: dict[str, Any], entry: Entry | None, at: str) -> Feedback:
    """The feedback of a request's body: `kind`, `message_id`, `reviewer`; `labels`, `retracts`, `note`, `decision_id`.

    Args:
        entry: the message in the live queue. Without it the body must bring `customer_id` and `text`, and heads alone
            can be labelled: nobody here knows what was predicted.
        at: now, RFC 3339.

    Raises:
        Invalid: one sentence that names field, value and limit.
        Outdated: `decision_id` is no longer the current one.
    """
    fields: dict[str, Any] = {name: body[name] for name in ("message_id", "kind", "note") if name in body}
    reviewer = body.get("reviewer")
    fields |= {"id": new_id(), "at": at, "labels": body.get("labels") or {}}
    fields["reviewer"] = " ".join(reviewer.split()) if isinstance(reviewer, str) else reviewer
    kind = fields.get("kind")
    if kind == "retract":
        if entry is not None and not (isinstance(body.get("retracts"), str) and body["retracts"] in entry.said):
            raise Invalid("out_of_bounds", 'field "retracts" names no feedback on this message')
        fields["retracts"] = body.get("retracts")
        # The message goes along: whoever reads the alert of the restored decision wants to see it.
        fields |= {"customer_id": body.get("customer_id")} if entry is None else _message(entry)
        return _checked(fields)
    if entry is None:
        fields |= {name: body[name] for name in _OWN if name in body}
        if isinstance(fields.get("text"), str):
            fields["text"] = fields["text"][:MAX_TEXT]
        if "customer_id" not in fields:
            raise Invalid("missing_field", "the message has left the live queue; send its customer_id and text as well")
        return _checked(fields)
    decision = entry.decision
    if body.get("decision_id") not in (None, decision.id):
        raise Outdated
    fields |= _judged(entry, decision)
    if kind == "confirm":
        own = labels(decision)
        fields["labels"] = {**{head: own[head] for head in _SEEN if head in own}, "priority": decision.priority}
    elif kind == "correct":
        fields["reason"] = "wrong_label"
    elif kind == "override":
        _override(fields, decision)
    return _checked(fields)


def _override(fields: dict[str, Any], decision: Decision) -> None:
    wanted = fields["labels"].get("priority") if isinstance(fields["labels"], dict) else None
    if wanted not in PRIORITIES:
        raise Invalid("missing_field", 'field "labels.priority" must be one of "p0", "p1", "p2", "p3"')
    if wanted != decision.priority:  # "p0" is the most pressing
        fields["reason"] = "missed" if wanted < decision.priority else "false_alarm"


def _message(entry: Entry) -> dict[str, Any]:
    message, decision = entry.message, entry.decision
    tags = (decision.language, message.language)
    return {
        "customer_id": message.customer_id,
        "text": message.text[:MAX_TEXT],
        # "other" is a decision's word, not a language tag.
        "language": next((tag for tag in tags if tag and _TAG.fullmatch(tag)), None),
        "conversation_id": decision.conversation_id,
        "channel": decision.channel,
    }


def _judged(entry: Entry, decision: Decision) -> dict[str, Any]:
    return {
        **_message(entry),
        "decision_id": decision.id,
        "predicted": {
            "labels": labels(decision),
            "priority": decision.priority,
            "source": msgspec.to_builtins(decision.source),
            "revision": decision.revision,
            "status": decision.status,
            "decided_by": decision.decided_by,
            "route": decision.route,
            "model_version": decision.model_version,
            "policy_version": decision.policy_version,
            "sent_at": decision.sent_at,
            "received_at": decision.received_at,
        },
    }


def _checked(fields: dict[str, Any]) -> Feedback:
    return feedback_of({name: value for name, value in fields.items() if value is not None})
