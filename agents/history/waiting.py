"""What is due by the clock: an answer that is nearly late, a danger that nobody took, a customer who is long silent.

Owns: those moments. Must never: read a clock; the time is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from agents.history.clock import DAY_MS, due
from agents.history.conversation import Conversation
from agents.scoring.policy_history import History
from schemas.base import Priority
from schemas.history import Customer, Turn


class Due(NamedTuple):
    """Something to say at a moment (ms): `breach_near` or `not_taken`, about a turn; `round` counts the contacts asked."""

    at: int
    kind: str
    turn: Turn
    key: str
    round: int = 0


def expected_by(at: int, priority: Priority, rules: History) -> int:
    """When a message sent at `at` (ms) should be answered."""
    return due(at, rules.answer[priority], None if priority in rules.always else rules.hours)


def next_due(customer: Customer, rules: History) -> int:
    """When this customer must be looked at again (ms)."""
    moments = [one.at for one in dues(customer, rules)]
    return min([*moments, expires(customer, rules)])


def expires(customer: Customer, rules: History) -> int:
    """From when on (ms) nothing is kept of this customer."""
    return customer.heard_at + rules.keep_days * DAY_MS


def dues(customer: Customer, rules: History) -> Iterator[Due]:
    """What is to be said of each conversation, unless something happens before."""
    told = {one.key for one in customer.told}
    for name in dict.fromkeys(turn.conversation for turn in customer.turns):
        conversation = Conversation(customer, name)
        for one in (_breach(conversation, rules), _not_taken(conversation, told, rules)):
            if one is not None and one.key not in told:
                yield one


def _breach(conversation: Conversation, rules: History) -> Due | None:
    turn = conversation.waiting
    if turn is None or turn.decision is None:
        return None
    limit = expected_by(turn.at, turn.decision.priority, rules)
    at = turn.at + round((limit - turn.at) * rules.near)
    return Due(max(at, conversation.snoozed_until), "breach_near", turn, f"breach:{turn.id}")


def _not_taken(conversation: Conversation, told: set[str], rules: History) -> Due | None:
    turn = conversation.danger
    if turn is None or conversation.taken_at >= turn.at:
        return None
    for number in range(len(rules.contacts)):
        key = f"not_taken:{turn.id}:{number}"
        if key not in told:
            at = turn.at + (number + 1) * rules.not_taken_seconds * 1000
            return Due(max(at, conversation.snoozed_until), "not_taken", turn, key, number)
    return None
