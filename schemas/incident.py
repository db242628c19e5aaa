"""The incident: many messages that are one event.

Owns: its shape. Must never: hold what one person wrote; its phrases are words that several people used.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from schemas.base import Count, Id, Name, Priority, Timestamp
from schemas.decision import Source, Why

Kind = Literal["burst", "slow", "spam", "raid", "impostor", "budget"]
State = Literal["opened", "grown", "peaked", "closed"]


class First(Struct, kw_only=True):
    """The message that an incident began with, and where it stands in `messages`."""

    message_id: Id
    customer_id: Id
    source: Source
    at: Timestamp


class Gathered(Struct, kw_only=True):
    """An alert that belongs to an incident: `group` is what stands on the alert."""

    message_id: Id
    decision_id: Id
    group: str
    priority: Priority


class Usual(Struct, kw_only=True):
    """What that hour of the week usually brings of such messages, a minute, with the bounds of its 95 % interval; `hours` is how
    many such hours it is taken from (0: the hour of the week is not known yet, and the last day stands for it)."""

    rate: float
    low: float
    high: float
    hours: Count


class Budget(Struct, kw_only=True):
    """An alert budget that is spent: what may ring in an hour, what rang, and what is held back in its name."""

    priority: Priority
    route: Name
    hourly: Count
    rang: Count
    held: Count


class Incident(Struct, kw_only=True):
    """One event of many messages, as it stands; each record replaces those before of the same id.

    Attributes:
        kind: `burst`, `slow` (grows from day to day), `spam`, `raid`, `impostor`; or `budget`: alerts beyond what people can
            answer, gathered.
        state: an incident that comes again within six hours is `opened` again, under its id.
        messages, customers: so far.
        rate, peak: messages a minute over the last minute (`slow`: a day, over the last), and the highest so far.
        phrases: words that at least five people used, the most telling first.
        alerts: those since the record before, the first 500; `rang` counts all.
    """

    id: Id
    kind: Kind
    state: State
    at: Timestamp
    opened_at: Timestamp
    peaked_at: Timestamp | None = None
    closed_at: Timestamp | None = None
    why: Why
    first: First
    messages: Count
    customers: Count
    rate: float
    peak: float
    usual: Usual | None = None
    phrases: list[str]
    categories: dict[str, Count]
    channels: dict[str, Count]
    languages: dict[str, Count]
    priorities: dict[str, Count]
    examples: list[Id]
    alerts: list[Gathered]
    rang: Count
    budget: Budget | None = None
