"""A small world around the door: what ClickHouse would say, and the examples with what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.door.adapters import adapter
from agents.door.back import Nothing, Out, records
from agents.door.lookup import NoAnswer, Told
from agents.door.mapping import ToolMap, load_map
from schemas.base import Invalid, milliseconds

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "schemas" / "examples" / "door"
MAP = ROOT / "deploy" / "door" / "map.yaml"
ARRIVED = milliseconds("2026-03-02T21:00:00.000Z")


def decision(priority: str, **labels: Any) -> dict[str, Any]:
    """What a feedback takes of a decision."""
    return {
        "decision_id": "d" * 32,
        "predicted": {
            "labels": labels,
            "priority": priority,
            "source": {"topic": "tocsin.messages", "partition": 3, "offset": 17},
        },
    }


def said(name: str, priority: str | None, **more: Any) -> Told:
    """A customer's message, decided or not."""
    told = Told(name, "customer-1", "conversation-1", "words", "en", "email", 3)
    return replace(told, decision=None if priority is None else decision(priority, category="other"), **more)


class Fake:
    """A Lookup of a few messages, the same for every conversation; `away` makes it answer nothing."""

    def __init__(self, messages: Sequence[Told] = (), away: bool = False) -> None:
        self.messages = list(messages)
        self.away = away

    async def conversation(self, conversation_id: str) -> list[Told]:
        if self.away:
            raise NoAnswer("ClickHouse does not answer")
        return [replace(one, conversation_id=conversation_id) for one in self.messages]

    async def message(self, message_id: str) -> Told | None:
        return next((replace(one, id=message_id) for one in await self.conversation("conversation-1")), None)

    async def decided(self, messages: Sequence[Told]) -> list[Told]:
        return [one for one in messages if one.decision is not None]


async def records_of(
    tool: str, payload: Any, event: str, lookup: Fake, part: ToolMap | None = None
) -> list[dict[str, Any]]:
    """What the door makes of a payload, as `expected.json` writes it."""
    part = load_map(MAP)[tool] if part is None else part
    told = adapter(tool)(payload, event, ARRIVED, part.known)
    return [_shown(one) for one in await records(tool, told, part, lookup, ARRIVED)]


def _shown(one: Out | Nothing | Invalid) -> dict[str, Any]:
    if isinstance(one, Out):
        where = {} if one.partition is None else {"partition": one.partition}
        return {"topic": one.topic, **where, "record": json.loads(one.value)}
    return {"refused": one.detail} if isinstance(one, Invalid) else {one.outcome: one.reason}
