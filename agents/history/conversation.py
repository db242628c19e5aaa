"""One conversation as its turns and what people did: whether it is in danger, waits, went round in circles; sentiment's journey.

Owns: these questions. Pure. Must never: change what is kept.
"""

from __future__ import annotations

from schemas.base import FLAGGED
from schemas.history import Customer, Done, Journey, Turn

HUMANS = ("agent", "moderator")
TROUBLED = -0.3
"""Sentiment at or below which a message is trouble."""


class Conversation:
    """Of a customer; `turns` and `done` in the order of their times.

    Args:
        until: as it stood then (ms): later turns are left out. None: as it stands.

    Attributes:
        done: what people did about its messages, without what they took back.
    """

    def __init__(self, customer: Customer, conversation: str, until: int | None = None) -> None:
        self.id = conversation
        self.turns = [
            turn for turn in customer.turns if turn.conversation == conversation and (until is None or turn.at <= until)
        ]
        messages = {turn.id for turn in self.turns}
        taken_back = {one.undoes for one in customer.done if one.undoes is not None}
        self.done: list[Done] = [
            one
            for one in customer.done
            if one.message_id in messages and one.undoes is None and one.id not in taken_back
        ]

    @property
    def resolved_at(self) -> int:
        """When a person resolved it last; 0 for never, or reopened since."""
        return self._last("resolved", "reopened")

    @property
    def taken_at(self) -> int:
        """When a person took it last; 0 for never, or handed back since."""
        return self._last("taken", "released", "reopened")

    def _last(self, kind: str, *ends: str) -> int:
        """When this was done last; 0 for never, or ended since."""
        at = 0
        for one in self.done:
            if one.kind == kind:
                at = one.at
            elif one.kind in ends:
                at = 0
        return at

    @property
    def snoozed_until(self) -> int:
        """Until when (ms) a person put it off; 0 for never."""
        return max((one.until or 0 for one in self.done if one.kind == "snoozed"), default=0)

    @property
    def danger(self) -> Turn | None:
        """The last p0 turn since a person resolved it: until then, the conversation is p0."""
        since = self.resolved_at
        found = [turn for turn in self.turns if turn.decision and turn.decision.priority == "p0" and turn.at > since]
        return found[-1] if found else None

    @property
    def customers(self) -> list[Turn]:
        """What the customer wrote, without what they deleted."""
        return _own(self.turns)

    @property
    def waiting(self) -> Turn | None:
        """The first turn of the customer that expects an answer and has none: neither from a person nor by being resolved. A
        bot's answer is none; a member's is one, where somebody says that it is (the action `answered`)."""
        answered = max(
            [self.resolved_at, self._last("answered"), *(turn.at for turn in self.turns if turn.role in HUMANS)]
        )
        for turn in self.customers:
            flagged = turn.decision is not None and turn.decision.priority in FLAGGED
            if turn.at > answered and (turn.asks or flagged or _complains(turn)):
                return turn
        return None

    @property
    def bot_tries(self) -> int:
        """Answers of a bot that the customer did not leave it at, since a person spoke or resolved it."""
        tries, spoke = 0, False
        resolved = self.resolved_at
        for turn in self.turns:
            if turn.at <= resolved or turn.role in HUMANS:
                tries, spoke = 0, False
            elif turn.role == "bot":
                spoke = True
            elif spoke and turn.role == "customer" and (turn.asks or _unhappy(turn)):
                tries, spoke = tries + 1, False
        return tries

    @property
    def repeated(self) -> list[Turn]:
        """The customer's turns that said again what an earlier one had said, since a person resolved it."""
        return [turn for turn in self.customers if turn.repeats is not None and turn.at > self.resolved_at]

    @property
    def sentiments(self) -> list[float]:
        """Of the customer's turns that have one."""
        return [
            turn.decision.sentiment for turn in self.customers if turn.decision and turn.decision.sentiment is not None
        ]

    @property
    def journey(self) -> Journey | None:
        """Sentiment over the customer's turns; None below two that have one. The slope is that of least squares."""
        scores = self.sentiments
        if len(scores) < 2:
            return None
        middle, mean = (len(scores) - 1) / 2, sum(scores) / len(scores)
        above = sum((place - middle) * (score - mean) for place, score in enumerate(scores))
        slope = above / sum((place - middle) ** 2 for place in range(len(scores)))
        return Journey(scores[0], min(scores), scores[-1], round(slope, 4), len(scores))


def own_turns(customer: Customer) -> list[Turn]:
    """What a customer wrote, in all conversations, without what they deleted."""
    return _own(customer.turns)


def _own(turns: list[Turn]) -> list[Turn]:
    return [
        turn for turn in turns if turn.role == "customer" and not (turn.decision and turn.decision.status == "deleted")
    ]


def troubled(turn: Turn) -> bool:
    """Whether a turn tells of trouble."""
    return turn.decision is not None and (turn.decision.sentiment or 0.0) <= TROUBLED


def _complains(turn: Turn) -> bool:
    """Whether a turn tells of trouble with something that a desk deals with; anger at the world expects no answer."""
    return troubled(turn) and turn.decision is not None and turn.decision.category not in (None, "other")


def _unhappy(turn: Turn) -> bool:
    decision = turn.decision
    return decision is not None and ((decision.sentiment or 0.0) < 0 or decision.priority in FLAGGED)


def contacts(customer: Customer, category: str, since: int) -> list[Turn]:
    """The first turn of each conversation on one category from `since` (ms) on: somebody who comes again with the same thing."""
    first: dict[str, Turn] = {}
    for turn in customer.turns:
        if turn.at >= since and turn.role == "customer" and turn.decision and turn.decision.category == category:
            first.setdefault(turn.conversation, turn)
    return list(first.values())
