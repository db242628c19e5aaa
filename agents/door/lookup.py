"""What was said in a conversation and what was decided on it, out of ClickHouse.

Owns: these questions. Must never: hold a request up for long: without an answer in time there is none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from agents.recording import Away, Refused
from agents.recording.sink import Sink
from schemas.base import PRIORITIES, timestamp
from schemas.people import BINARY_HEADS, HEADS

log = logging.getLogger("tocsin.door")

ANSWER_SECONDS = 2.5
"""Slack gives a hook three seconds."""
MESSAGES = 50
"""A conversation's newest messages that are looked at."""

_SAID = (
    "SELECT id, argMax(customer_id, revision) AS customer, argMax(text, (revision, received_at)) AS words, "
    "argMax(language, (revision, received_at)) AS tongue, argMax(conversation_id, revision) AS conversation, "
    "argMax(channel, revision) AS way, any(_partition) AS place, max(received_at) AS came "
    "FROM messages WHERE {by} = {{value:String}} AND author_role = 'customer' GROUP BY id ORDER BY came DESC LIMIT {most}"
)
_DECIDED = (
    "SELECT id, message_id, revision, status, priority, decided_by, sentiment, urgency, category, emotion, spam, abuse, route, "
    "model_version, policy_version, sent_at, received_at, source FROM decisions "
    "WHERE message_id IN {ids:Array(String)} ORDER BY revision DESC, decided_by = 'human' AND feedback_id NOT IN "
    "(SELECT retracts FROM feedback WHERE kind = 'retract' AND message_id IN {ids:Array(String)}) DESC, _timestamp DESC, "
    "_offset DESC LIMIT 1 BY message_id"
)


class NoAnswer(Exception):
    """ClickHouse is away; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Told:
    """A customer's message as ClickHouse has it. `decision` holds a feedback's `decision_id` and `predicted`; None where
    there is none yet."""

    id: str
    customer_id: str
    conversation_id: str
    text: str
    language: str
    channel: str
    partition: int
    decision: dict[str, Any] | None = None

    @property
    def priority(self) -> str:
        """Of its decision; p3 without one."""
        return "p3" if self.decision is None else str(self.decision["predicted"]["priority"])


class Lookup(Protocol):
    """Who answers."""

    async def conversation(self, conversation_id: str) -> Sequence[Told]:
        """Its customers' messages, newest first, without decisions; raises NoAnswer."""

    async def message(self, message_id: str) -> Told | None:
        """A customer's message by its id, without its decision; raises NoAnswer."""

    async def decided(self, messages: Sequence[Told]) -> Sequence[Told]:
        """Those that have a decision, with it, in the same order; raises NoAnswer."""


class ClickHouse:
    """Asks ClickHouse."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def close(self) -> None:
        """Lets go of the client."""
        await self._sink.close()

    async def conversation(self, conversation_id: str) -> list[Told]:
        """See `Lookup`."""
        return await self._said("conversation_id", conversation_id, MESSAGES)

    async def message(self, message_id: str) -> Told | None:
        """See `Lookup`."""
        return next(iter(await self._said("id", message_id, 1)), None)

    async def decided(self, messages: Sequence[Told]) -> list[Told]:
        """See `Lookup`."""
        rows = await self._ask(_DECIDED, {"ids": [one.id for one in messages]}) if messages else []
        found = {str(row["message_id"]): _decision(row) for row in rows}
        return [_with(one, found[one.id]) for one in messages if one.id in found]

    async def _said(self, by: str, value: str, most: int) -> list[Told]:
        rows = await self._ask(_SAID.format(by=by, most=most), {"value": value})
        return [
            Told(
                str(row["id"]),
                str(row["customer"]),
                str(row["conversation"]),
                str(row["words"]),
                str(row["tongue"]),
                str(row["way"]),
                int(row["place"]),
            )
            for row in rows
        ]

    async def _ask(self, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            return await asyncio.wait_for(self._sink.query(sql, parameters), ANSWER_SECONDS)
        except (Away, Refused, TimeoutError) as error:
            log.warning("ClickHouse does not answer: %s", error or type(error).__name__)
            raise NoAnswer(
                "ClickHouse (TOCSIN_CLICKHOUSE) does not answer: whose conversation it is cannot be told"
            ) from None


def judged(messages: Sequence[Told]) -> Told:
    """The message that an agent's word on a whole conversation speaks of: the most pressing; the newest of several."""
    return min(messages, key=lambda one: PRIORITIES.index(one.priority))


def _with(one: Told, decision: dict[str, Any]) -> Told:
    return Told(
        one.id, one.customer_id, one.conversation_id, one.text, one.language, one.channel, one.partition, decision
    )


def _decision(row: dict[str, Any]) -> dict[str, Any]:
    labels: dict[str, str | bool] = {}
    for head in HEADS:
        answer = row[head]
        if head in BINARY_HEADS:
            probability = answer["probability"]
            if probability is not None:
                labels[head] = probability >= 0.5
        elif answer["label"]:
            labels[head] = answer["label"]
    return {
        "decision_id": str(row["id"]),
        "predicted": {
            "labels": labels,
            "priority": str(row["priority"]),
            "source": {name: row["source"][name] for name in ("topic", "partition", "offset")},
            "revision": int(row["revision"]),
            "status": str(row["status"]),
            "decided_by": str(row["decided_by"]),
            "route": str(row["route"]) or None,
            "model_version": str(row["model_version"]),
            "policy_version": str(row["policy_version"]),
            "sent_at": _time(row["sent_at"]),
            "received_at": _time(row["received_at"]),
        },
    }


def _time(value: datetime) -> str:
    moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return timestamp(round(moment.timestamp() * 1000))
