"""What a message, a decision and an action each add to what is kept of a customer.

Messages, decisions and actions are three topics, and nothing says which comes first. So each adds only what it alone knows, and
what is kept is the same whatever their order among each other: sets by id, bounded by time, the decision in force by the order of
its own topic. Owns: that. Must never: read a clock; keep what somebody wrote.
"""

from __future__ import annotations

from schemas.base import Invalid, milliseconds, quoted
from schemas.decision import Decision, Sentiment
from schemas.history import Customer, Done, Judged, Told, Turn
from schemas.message import LATEST_AHEAD_MS, Message
from schemas.people import Action

MOST_TURNS = 64
MOST_DANGERS = 8
"""Turns of p0 that are kept beside those, however old."""
MOST_DONE = 64
MOST_TOLD = 128


def add_message(customer: Customer, message: Message, offset: int, *, asks: bool) -> Turn | None:
    """A message of any role; None where it is older than all that is kept.

    Args:
        offset: its place in `messages`.
        asks: whether it expects an answer.
    """
    assert message.sent_at is not None and message.conversation_id is not None  # filled in when it was read
    turn = _turn(customer, message.id, milliseconds(message.sent_at), message.conversation_id)
    if (message.revision, offset) >= (turn.revision, -1 if turn.offset is None else turn.offset):
        turn.revision, turn.offset, turn.conversation = message.revision, offset, message.conversation_id
        turn.role, turn.asks, turn.public = message.author_role, asks, message.visibility == "public"
    return _kept(customer, turn)


def add_decision(customer: Customer, decision: Decision, offset: int) -> Turn | None:
    """A decision, whoever made it; None where its message is older than all that is kept.

    Feedback may not know when its message was written; then the learner's own time stands in the decision. That moves no turn,
    and makes none. Nor does what history itself decided: where its turn is gone, a person lowered that meanwhile.

    Args:
        offset: its place in `decisions`; they must come in its order.
    """
    at = milliseconds(decision.sent_at)
    if decision.feedback_id is not None or decision.decided_by == "history":
        known = next((turn for turn in customer.turns if turn.id == decision.message_id), None)
        if known is None and (decision.decided_by == "history" or decision.sent_at == decision.decided_at):
            return None
        at = at if known is None else known.at
    turn = _turn(customer, decision.message_id, at, decision.conversation_id)
    place = (decision.revision, decision.source.offset)
    if turn.offset is None or place > (turn.revision, turn.offset):
        turn.revision, turn.offset = place
        turn.conversation = decision.conversation_id
    before = turn.decision
    if before is None or _replaces(decision, before):
        turn.decision = _judged(decision, offset)
        if before is not None:
            rang = [one for one in (before.rang, turn.decision.rang) if one is not None]
            turn.decision.rang = min(rang, default=None)
    return _kept(customer, turn)


def add_action(customer: Customer, action: Action, arrived: int) -> bool:
    """An action; False for one that came before, which counts once.

    Args:
        arrived: the broker's time (ms); takes the place of a time that is more than a day ahead of it, as with messages.

    Raises:
        Invalid: a time on no calendar.
    """
    if any(one.id == action.id for one in customer.done):
        return False
    try:
        at = max(milliseconds(action.at), 0)  # 1969 is a broken clock
        at = at if at <= arrived + LATEST_AHEAD_MS else arrived
        until = None if action.until is None else max(milliseconds(action.until), 0)
    except (ValueError, OverflowError):
        raise Invalid("out_of_bounds", f"action {quoted(action.id)} has a time on no calendar") from None
    customer.done.append(
        Done(
            id=action.id,
            at=at,
            message_id=action.message_id,
            kind=action.kind,
            by=action.by,
            until=until,
            rating=action.rating,
            undoes=action.undoes,
        )
    )
    customer.done.sort(key=lambda one: (one.at, one.id))
    del customer.done[:-MOST_DONE]
    return True


def hear(customer: Customer, arrived: int) -> None:
    """Notes that a record about this customer arrived (ms, the broker's clock)."""
    customer.heard_at = max(customer.heard_at, arrived)


def tell(customer: Customer, key: str, at: int) -> bool:
    """Notes that something is said now; False where it was said before."""
    if any(one.key == key for one in customer.told):
        return False
    customer.told.append(Told(key=key, at=at))
    customer.told.sort(key=lambda one: (one.at, one.key))
    del customer.told[:-MOST_TOLD]
    return True


def last_at(customer: Customer) -> int:
    """When this customer last wrote, or somebody did something for them (ms), as they say; 0 for never."""
    return max([0, *(turn.at for turn in customer.turns), *(one.at for one in customer.done)])


def _turn(customer: Customer, identity: str, at: int, conversation: str) -> Turn:
    for turn in reversed(customer.turns):
        if turn.id == identity:
            turn.at = min(turn.at, at)
            return turn
    turn = Turn(id=identity, at=at, conversation=conversation)
    customer.turns.append(turn)
    return turn


def _kept(customer: Customer, turn: Turn) -> Turn | None:
    customer.turns.sort(key=lambda one: (one.at, one.id))
    older = customer.turns[:-MOST_TURNS]
    # A danger is not forgotten because much was said since: it is one until a person resolves it.
    dangers = [one for one in older if one.decision is not None and one.decision.priority == "p0"][-MOST_DANGERS:]
    customer.turns[:-MOST_TURNS] = dangers
    return None if turn in older and turn not in dangers else turn


def _replaces(decision: Decision, before: Judged) -> bool:
    """Whether a decision is in force from now on (contract, section 3)."""
    if decision.revision != before.revision:
        return decision.revision > before.revision
    if before.by == "human" and decision.decided_by != "human":
        return decision.supersedes == before.id  # what a person said was taken back
    return True


def _judged(decision: Decision, offset: int) -> Judged:
    sentiment = decision.sentiment
    category = decision.category
    return Judged(
        id=decision.id,
        offset=offset,
        priority=decision.priority,
        by=decision.decided_by,
        status=decision.status,
        revision=decision.revision,
        sentiment=round(sentiment.score, 3) if isinstance(sentiment, Sentiment) else None,
        category=category.label if category else None,
        floors=sorted({one.floor for one in decision.reasons if isinstance(one.floor, str)}),
        rang=None if decision.priority == "p3" else decision.priority,
    )
