"""Which question of a conversation was answered, and by which message.

Owns: that judgement. Pure. Must never: read a text.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from agents.history.conversation import HUMANS, Conversation
from schemas.history import Turn

PLEASED = 0.3
"""Sentiment of words of thanks, at least: "thanks for nothing" is none."""


class Resolved(NamedTuple):
    """A question, the person's message that answered it, and who says so."""

    question: Turn
    answer: Turn
    by: Literal["person", "customer"]


def resolved(conversation: Conversation) -> Resolved | None:
    """What was resolved last: the first question since something was resolved before, and the last answer to it. None where no
    person wrote one, or the customer asks on."""
    ended = conversation.resolved_at
    turns = [turn for turn in conversation.turns if turn.offset is not None and (not ended or turn.at <= ended)]
    answers = [turn for turn in turns if turn.role in HUMANS]
    own = [turn for turn in conversation.customers if turn in turns]
    if not answers or (not ended and not _thanked([turn for turn in own if turn.at > answers[-1].at])):
        return None
    answer = answers[-1]
    before = [one.at for one in conversation.done if one.kind == "resolved" and one.at < ended]
    before += [turn.at for turn in own if _pleased(turn) and answers[0].at < turn.at < answer.at]
    since = max(before, default=0)
    asked = [turn for turn in own if turn.asks and since < turn.at < answer.at]
    return Resolved(asked[0], answer, "person" if ended else "customer") if asked else None


def _thanked(after: list[Turn]) -> bool:
    """Whether the customer's words after an answer are pleased, and ask nothing more."""
    return bool(after) and not any(turn.asks for turn in after) and _pleased(after[-1])


def _pleased(turn: Turn) -> bool:
    return not turn.asks and turn.decision is not None and (turn.decision.sentiment or 0.0) >= PLEASED
