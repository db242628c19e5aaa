"""The policy's section `history`, as values: what happens between messages.

Owns: its types, and its defaults (those of deploy/policy/default.yaml, for a policy without it). Must never: know what is done
with them; that is `agents.history`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Hours:
    """Office hours in a time zone: days of the week from 0 (Monday), and minutes of the day."""

    zone: str = "UTC"
    days: frozenset[int] = frozenset(range(7))
    opens: int = 0
    closes: int = 24 * 60


@dataclass(frozen=True, slots=True)
class Value:
    """Whose conversations a person takes over because of what they are worth: by an attribute of the message, which is a number
    of at least so much, or one of some words."""

    attribute: str
    at_least: float | None = None
    one_of: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class History:
    """What follow goes by.

    Attributes:
        keep_days: a customer silent for longer is dropped.
        switched_off: customers whose past is not used; their state is not kept.
        join_turns, join_seconds: turns that are read as one text, and how far apart they may be.
        answer: seconds to the first answer, by priority.
        near: share of that time from which on a breach is near.
        community: seconds to an answer of a public message, by whomever; `newcomer`: the same for the first `newcomer_posts` that
            somebody writes.
        hours: when `answer` counts; but round the clock for the priorities in `always`.
        bot_tries: answers of a bot that did not help, after which a person takes over.
        repeats: messages that say the same again, after which a person takes over.
        value: whose conversations a person takes over once they are in trouble; None: nobody's.
        slope: change of sentiment a turn, at or below which a person takes over.
        asked, sensitive: floors that hand over because a person was asked for, or because of what it is about.
        not_taken_seconds: from a p0 to the next contact, where nobody has taken it; `contacts`: routes, in turn.
        again_contacts, again_days: so many conversations on one category within so many days are one trouble.
        half_life_days: after which an event weighs half; at_risk, advocate, rising_star: the scores from which a customer is
            named so; weights: of each kind of event.
        silence_days: a customer who is silent for so long after trouble may have given up.
        drift_days: a member who used to write and is silent for so long, and for four times as long as usual, drifts away.
    """

    keep_days: int = 90
    switched_off: frozenset[str] = frozenset()
    join_turns: int = 5
    join_seconds: int = 900
    answer: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"p0": 300, "p1": 3_600, "p2": 28_800, "p3": 172_800})
    )
    near: float = 0.8
    community: int = 86_400
    newcomer: int = 14_400
    newcomer_posts: int = 3
    hours: Hours = Hours("UTC", frozenset(range(5)), 9 * 60, 18 * 60)
    always: frozenset[str] = frozenset(("p0", "p1"))
    bot_tries: int = 2
    repeats: int = 2
    value: Value | None = Value("customer_value", 1_000.0)
    slope: float = -0.5
    asked: tuple[str, ...] = ("wants_human",)
    sensitive: tuple[str, ...] = ("bereavement", "illness", "hardship", "violence_or_discrimination")
    not_taken_seconds: int = 600
    contacts: tuple[str, ...] = ("care", "security")
    again_contacts: int = 3
    again_days: int = 14
    half_life_days: float = 14.0
    at_risk: float = 5.0
    advocate: float = 3.0
    rising_star: float = 6.0
    silence_days: int = 7
    drift_days: int = 21
    weights: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType(
            {
                "trouble": 1.0,
                "urgent": 2.0,
                "leaving": 4.0,
                "again": 2.0,
                "unanswered": 1.5,
                "declining": 2.0,
                "silence": 2.0,
                "repeated": 0.5,
                "praise": 1.0,
                "post": 1.0,
            }
        )
    )
