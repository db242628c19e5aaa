"""What history makes of a decision: whether it must be higher, and who should take over.

A decision is only ever raised, and never a person's. Owns: these rules, in the order of their weight. Pure: nothing here reads a
clock, a topic or a text; the floors that turns hit together come from `joining`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from agents.history.clock import DAY_MS
from agents.history.conversation import TROUBLED, Conversation, contacts, troubled
from agents.scoring.floors import FloorHit
from agents.scoring.policy_history import History, Value
from schemas.base import FLAGGED, Priority
from schemas.decision import Decision, Sentiment
from schemas.history import Customer, Judged

LEAST_JOURNEY = 3
"""Turns from which on a slope says something."""


class Rise(NamedTuple):
    """Why a decision must be higher: the rule's name, the messages that made it, and the floors they hit together."""

    priority: Priority
    history: str
    messages: list[str]
    hits: list[FloorHit]


class Takeover(NamedTuple):
    """Why a person should take over: the trigger's name, and a key by which it is said once."""

    trigger: str
    key: str


def rise(
    conversation: Conversation,
    customer: Customer,
    decision: Decision,
    before: Judged | None,
    hits: list[FloorHit],
    joined: list[str],
    rules: History,
) -> Rise | None:
    """The highest rise of a decision that is in force; None where there is none.

    Args:
        before: what was in force on the same message before it.
        hits: floors that its turn and those before it hit together.
        joined: ids of those turns.
    """
    if decision.status == "deleted" or decision.decided_by in ("human", "history"):
        return None
    found: list[Rise] = []
    danger = conversation.danger
    if danger is not None and danger.id != decision.message_id:
        found.append(Rise("p0", "danger_open", [danger.id], []))
    if hits:
        found.append(Rise(hits[0].priority, "joined", joined, hits))  # type: ignore[arg-type]  # the policy's own check
    if before is not None and before.priority == "p0" and before.revision < decision.revision:
        found.append(Rise("p0", "edited", [decision.message_id], []))
    again = _again(customer, decision, rules)
    if again:
        found.append(Rise("p2", "again", again, []))
    higher = [one for one in found if one.priority < decision.priority]
    return min(higher, key=lambda one: one.priority, default=None)


def _again(customer: Customer, decision: Decision, rules: History) -> list[str]:
    """The first messages of conversations on one category, where this decision's is the last of too many."""
    category = decision.category.label if decision.category else None
    if category is None or category == "other":
        return []
    latest = max((turn.at for turn in customer.turns), default=0)
    found = contacts(customer, category, latest - rules.again_days * DAY_MS)
    first = next((turn for turn in found if turn.conversation == decision.conversation_id), None)
    bad = [turn for turn in found if troubled(turn)]
    if first is None or first.id != decision.message_id or len(bad) < rules.again_contacts:
        return []
    return [turn.id for turn in bad]


def takeovers(
    conversation: Conversation, decision: Decision, attributes: Mapping[str, object], rules: History
) -> list[Takeover]:
    """Why a person should take over now, whether or not that was said before.

    Args:
        attributes: of the message that was decided on.
    """
    floors = {one.floor for one in decision.reasons if isinstance(one.floor, str)}
    triggers = []
    if floors.intersection(rules.asked):
        triggers.append("asked")
    if floors.intersection(rules.sensitive):
        triggers.append("sensitive")
    if conversation.bot_tries >= rules.bot_tries:
        triggers.append("bot_tries")
    if len(conversation.repeated) >= rules.repeats:
        triggers.append("repeats")
    sentiment = decision.sentiment.score if isinstance(decision.sentiment, Sentiment) else 0.0
    if (decision.priority in FLAGGED or sentiment <= TROUBLED) and _of_value(attributes, rules.value):
        triggers.append("value")
    journey = conversation.journey
    if journey is not None and journey.turns >= LEAST_JOURNEY and journey.slope <= rules.slope and journey.end < 0:
        triggers.append("slope")
    since = conversation.resolved_at
    return [Takeover(one, f"handoff:{conversation.id}:{one}:{since}") for one in triggers]


def _of_value(attributes: Mapping[str, object], value: Value | None) -> bool:
    if value is None or value.attribute not in attributes:
        return False
    found = attributes[value.attribute]
    if value.at_least is not None and isinstance(found, int | float) and found >= value.at_least:
        return True
    return str(found) in value.one_of
