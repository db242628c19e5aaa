"""What is due by the clock: an answer that is nearly late, a danger that nobody took, a customer who is long silent.

Owns: those moments. Must never: read a clock; the time is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from agents.history.clock import DAY_MS, due
from agents.history.conversation import Conversation, own_turns, troubled
from agents.scoring.policy_history import History
from schemas.base import FLAGGED, Priority
from schemas.history import Customer, Turn

LEAST_POSTS = 5
"""From which on a member is one who writes."""
DRIFT_TIMES = 4
"""Times as long as usual that a member is silent who drifts away."""


class Due(NamedTuple):
    """Something to say, or to note, at a moment (ms), about a turn.

    `breach_near` and `not_taken` ring (`round` counts the contacts asked); `silence` (after trouble) and `drifting` (a member who
    used to write) are noted with how things stand.
    """

    at: int
    kind: str
    turn: Turn
    key: str
    round: int = 0


def expected_by(at: int, priority: Priority, rules: History, *, public: bool = False, newcomer: bool = False) -> int:
    """When a message sent at `at` (ms) should be answered; a public one may be by anybody, at any hour."""
    limit = due(at, rules.answer[priority], None if priority in rules.always else rules.hours)
    if not public:
        return limit
    return min(limit, at + 1000 * (min(rules.community, rules.newcomer) if newcomer else rules.community))


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
        for one in (_breach(conversation, customer, rules), _not_taken(conversation, told, rules)):
            if one is not None and one.key not in told:
                yield one
    for one in _silences(customer, rules):
        if one.key not in told:
            yield one


def _breach(conversation: Conversation, customer: Customer, rules: History) -> Due | None:
    turn = conversation.waiting
    if turn is None or turn.decision is None:
        return None
    newcomer = turn.public and any(turn.id == post.id for post in _posts(customer)[: rules.newcomer_posts])
    limit = expected_by(turn.at, turn.decision.priority, rules, public=turn.public, newcomer=newcomer)
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


def _silences(customer: Customer, rules: History) -> Iterator[Due]:
    own = own_turns(customer)
    if not own:
        return
    last = own[-1]
    heard = max(last.at, customer.heard_at)  # what is replayed is old, and more of it may come
    flagged = last.decision is not None and last.decision.priority in FLAGGED
    if (troubled(last) or flagged) and Conversation(customer, last.conversation).resolved_at < last.at:
        yield Due(heard + rules.silence_days * DAY_MS, "silence", last, f"silence:{last.id}")
    posts = _posts(customer)
    if len(posts) >= LEAST_POSTS:
        usual = median(later.at - earlier.at for earlier, later in pairwise(posts))
        away = max(rules.drift_days * DAY_MS, round(DRIFT_TIMES * usual))
        yield Due(heard + away, "drifting", last, f"drifting:{last.id}")


def _posts(customer: Customer) -> list[Turn]:
    """What a customer wrote in public."""
    return [turn for turn in own_turns(customer) if turn.public]
