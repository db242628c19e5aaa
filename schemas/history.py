"""What is kept of a customer between messages, and the handoff: what a tool needs that takes over a conversation.

Owns: their shapes. Must never: hold what somebody wrote; scores, times and ids only.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from schemas.base import Count, Id, Name, Priority, Timestamp
from schemas.decision import DecidedBy, Status, Why
from schemas.standing import Moment, Standing

Role = Literal["customer", "agent", "bot", "moderator"]


class Judged(Struct, kw_only=True, omit_defaults=True):
    """The decision in force on a turn. `offset` is its place in `decisions`, in the customer's own partition."""

    id: Id
    offset: Count
    priority: Priority
    by: DecidedBy
    status: Status = "scored"
    revision: Count = 0
    sentiment: float | None = None
    category: Name | None = None
    floors: list[Name] = []
    rang: Priority | None = None
    """The highest priority among decisions on this message: where it rang first, before somebody lowered it."""


class Turn(Struct, kw_only=True, omit_defaults=True):
    """One message of a conversation. `offset` is its place in `messages`; what `decisions` alone has told of has none."""

    id: Id
    at: Moment
    conversation: Id
    role: Role = "customer"
    offset: Count | None = None
    revision: Count = 0
    asks: bool = False
    public: bool = False
    repeats: Id | None = None
    """The earlier message of the conversation that says the same."""
    decision: Judged | None = None


class Done(Struct, kw_only=True, omit_defaults=True):
    """What a human did about a message (an action): `until` is a snooze's end, `rating` (0 to 1) the customer's word, `undoes`
    the id of what this takes back."""

    id: Id
    at: Moment
    message_id: Id
    kind: Name
    by: Id
    until: Moment | None = None
    rating: float | None = None
    undoes: Id | None = None


class Told(Struct, kw_only=True, omit_defaults=True):
    """What was said about this customer, so that it is said once: a key such as `breach:<message id>`, and when."""

    key: str
    at: Moment


class Customer(Struct, kw_only=True, omit_defaults=True):
    """What is kept of a customer: a record of `customers`. Turns, actions and what was told stand in the order of their times;
    each list has a bound, and what is oldest goes. `heard_at` is when the last record about them arrived, by the broker's clock:
    messages may be years older than their arrival. `cleared`: nothing stands of them any more, as of this record."""

    turns: list[Turn] = []
    done: list[Done] = []
    told: list[Told] = []
    standing: list[Standing] = []
    cleared: bool = False
    heard_at: Moment = 0


class Journey(Struct):
    """Sentiment (-1 to 1) over a conversation's turns: first, lowest, last, and how much it changes a turn."""

    start: float
    low: float
    end: float
    slope: float
    turns: Count


class Handoff(Struct, kw_only=True):
    """A conversation that a person should take over, with why, and what they need to begin.

    Attributes:
        spoke_last: whose turn was the last.
        bot_tries: answers of a bot that did not help, since a person spoke.
        repeated: messages in which the customer said the same again.
        satisfaction: how likely the customer will call it good in the end (0 to 1), as it stands.
    """

    id: Id
    customer_id: Id
    conversation_id: Id
    message_id: Id
    decision_id: Id
    trigger: Name
    why: Why
    priority: Priority
    route: Name
    transcript: list[Id]
    journey: Journey | None = None
    spoke_last: Role = "customer"
    bot_tries: Count = 0
    repeated: list[Id] = []
    satisfaction: float | None = None
    at: Timestamp
    drill: bool = False


def encode_customer(customer: Customer) -> bytes:
    """A customer as the bytes that `customers` and the local store hold."""
    return msgspec.json.encode(customer)


_decode = msgspec.json.Decoder(Customer).decode


def decode_customer(data: bytes | None) -> Customer:
    """The customer in these bytes; a new one for None.

    Raises:
        msgspec.MsgspecError: they hold none.
    """
    return Customer() if not data else _decode(data)
