"""Turns that follow each other closely, read as one text: what is told in pieces rings as what is told at once.

Owns: which turns are joined, and which hits count. Must never: keep a text.
"""

from __future__ import annotations

from collections.abc import Mapping

from agents.history.conversation import Conversation
from agents.scoring.floors import FloorHit, FloorMatcher
from agents.scoring.own_words import own_words
from agents.scoring.policy_history import History
from schemas.message import Message

BETWEEN = "\n"
"""Between two turns: a line may end within a phrase, a sentence may not."""


def turns_before(conversation: Conversation, message_id: str, rules: History) -> list[str]:
    """The ids of the customer's turns that are read together with a message, which is the last of them; in their order."""
    own = conversation.customers
    place = next((number for number, turn in enumerate(own) if turn.id == message_id), None)
    if place is None:
        return []
    near = own[place].at - rules.join_seconds * 1000
    return [turn.id for turn in own[max(0, place + 1 - rules.join_turns) : place + 1] if turn.at >= near]


def text_of(message: Message) -> str:
    """What floors read of a message: subject and the customer's own words."""
    text = own_words(message.text)
    return f"{message.subject}\n{text}" if message.subject else text


def joined_hits(
    matcher: FloorMatcher, ids: list[str], texts: Mapping[str, str], language: str | None
) -> list[FloorHit]:
    """Floors that the last turn hits only together with those before it; places are those in the last turn's text.

    Args:
        texts: by message id; a turn whose text is not known is left out.
    """
    known = [texts[identity] for identity in ids if identity in texts]
    if len(known) < 2 or ids[-1] not in texts:
        return []
    begin = sum(len(text) + len(BETWEEN) for text in known[:-1])
    return [
        hit._replace(start=0, end=hit.end - begin)
        for hit in matcher.find(BETWEEN.join(known), language)
        if hit.start < begin < hit.end
    ]
