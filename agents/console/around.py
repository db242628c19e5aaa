"""What stood around a message: its conversation, and its customer's last weeks, out of ClickHouse.

Owns: these questions. Must never: hold up the page; without ClickHouse there is one sentence in their place.
"""

from __future__ import annotations

import asyncio
from typing import Any

from agents.console.entry import Entry
from agents.console.history import History

TURNS = 60
"""Of a conversation, the last ones."""
MOST_CHARACTERS = 2_000
"""Of each turn."""
PAST = 200
"""Messages of a customer, the last ones of 90 days."""

_CONVERSATION = """
SELECT id, author_role AS role, author_name AS name, substringUTF8(text, 1, {characters:UInt32}) AS text, event,
    toUnixTimestamp64Milli(sent_at) AS sent
FROM
(
    SELECT id, author_role, author_name, text, event, sent_at FROM messages WHERE conversation_id = {conversation:String}
    ORDER BY revision DESC, _offset DESC LIMIT 1 BY id
)
ORDER BY sent_at DESC, id LIMIT {turns:UInt32}
"""
_PAST = """
SELECT message_id AS id, conversation_id AS conversation, priority, decided_by, sentiment.score AS score,
    sentiment.label AS sentiment, category.label AS category, toUnixTimestamp64Milli(received_at) AS received
FROM
(
    SELECT message_id, conversation_id, priority, decided_by, sentiment, category, received_at FROM decisions
    WHERE customer_id = {customer:String} AND received_at > now() - INTERVAL 90 DAY
    ORDER BY revision DESC,
        decided_by = 'human' AND feedback_id NOT IN (SELECT retracts FROM feedback WHERE kind = 'retract') DESC,
        _timestamp DESC, _offset DESC
    LIMIT 1 BY message_id
)
ORDER BY received_at DESC LIMIT {past:UInt32}
"""
_STANDING = """
SELECT tupleElement(one, 'kind') AS kind, tupleElement(one, 'score') AS score
FROM (SELECT argMax(standing, (received_at, _offset)) AS newest FROM customers WHERE customer_id = {customer:String})
ARRAY JOIN newest AS one
ORDER BY score DESC
"""


class Around:
    """Answers what stood around a message of the live queue."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def of(self, entry: Entry) -> dict[str, Any]:
        """`conversation`: turns, the oldest first, the message's own marked; `past`: the customer's messages, the newest first;
        `standing`: how things stand with them, by score. Raises NoAnswer."""
        decision = entry.decision
        turns, past, standing = await asyncio.gather(
            self._history.ask(
                _CONVERSATION,
                {"conversation": decision.conversation_id, "turns": TURNS, "characters": MOST_CHARACTERS},
            ),
            self._history.ask(_PAST, {"customer": decision.customer_id, "past": PAST}),
            self._history.ask(_STANDING, {"customer": decision.customer_id}),
        )
        priorities = {one["id"]: one["priority"] for one in past}
        conversation = [
            {**turn, "own": turn["id"] == entry.id, "priority": priorities.get(turn["id"])} for turn in reversed(turns)
        ]
        return {"conversation": conversation, "past": past, "standing": standing}
