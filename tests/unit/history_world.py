"""A customer's conversation, minute by minute, for the tests of what follow keeps and makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agents.history.state import add_action, add_decision, add_message, hear
from schemas.base import milliseconds, timestamp
from schemas.decision import Decision, Sentiment, Source
from schemas.history import Customer
from schemas.message import Message
from schemas.people import Action

BEGUN = milliseconds("2026-03-02T09:00:00Z")
MINUTE = 60_000


def written(number: int, role: str = "customer", minute: int | None = None, **more: object) -> Message:
    at = timestamp(BEGUN + (number if minute is None else minute) * MINUTE)
    fields = {
        "id": f"m{number}",
        "customer_id": "c",
        "text": "",
        "conversation_id": "t",
        "author_role": role,
        "sent_at": at,
    }
    return msgspec.convert({**fields, **more}, Message)


def decided(number: int, priority: str = "p3", sentiment: float = 0.0, by: str = "model", **more: object) -> Decision:
    at = timestamp(BEGUN + number * MINUTE)
    fields: dict[str, object] = {
        "id": f"d{number}", "message_id": f"m{number}", "revision": 0, "customer_id": "c", "conversation_id": "t",
        "channel": None, "language": "en", "status": "scored", "priority": priority, "decided_by": by, "reasons": [],
        "route": "support", "automation_allowed": True, "model_version": "b@0", "policy_version": "p@1", "corrected": [],
        "sent_at": at, "received_at": at, "decided_at": at, "source": Source("messages", 0, number),
    }  # fmt: skip
    decision = Decision(**{**fields, **more})  # type: ignore[arg-type]
    label = "negative" if sentiment < 0 else "positive"
    decision.sentiment = Sentiment(label, sentiment, {label: 1.0})
    return decision


def acted(number: int, kind: str, message: int, minute: int, **more: object) -> Action:
    at = timestamp(BEGUN + minute * MINUTE)
    return Action(id=f"a{number}", customer_id="c", message_id=f"m{message}", kind=kind, by="ana", at=at, **more)  # type: ignore[arg-type]


def kept(messages: list[Message], decisions: list[Decision], actions: Sequence[Action] = ()) -> Customer:
    customer = Customer()
    hear(customer, BEGUN)
    for offset, one in enumerate(messages):
        add_message(customer, one, offset, asks=one.text.endswith("?"))
    for offset, each in enumerate(decisions):
        add_decision(customer, each, offset)
    for action in actions:
        add_action(customer, action, BEGUN)
    return customer
