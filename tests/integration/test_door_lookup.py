"""What the door asks ClickHouse, on the real engine: whose conversation it is, and which decision holds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.door.lookup import ClickHouse, NoAnswer, judged
from agents.recording.sink import Sink
from schemas.base import timestamp
from schemas.people import feedback_of
from tests.integration import recording_stage
from tests.integration.recording_stage import NOW, Play, Stage, decided

backend, play = recording_stage.backend, recording_stage.play
pytestmark = pytest.mark.integration


def said(number: int, text: str, **more: Any) -> dict[str, Any]:
    fields = {"id": f"m{number}", "customer_id": "c1", "conversation_id": "zendesk:1", "text": text, "channel": "email"}
    return {**fields, "language": "en", "sent_at": timestamp(NOW + number), **more}


def test_a_conversation_is_told_with_its_decisions(play: Play) -> None:
    async def story(stage: Stage) -> None:
        turns = [
            said(1, "smoke"),
            said(2, "thanks"),
            said(3, "we are here", author_role="agent"),
            said(1, "smoke!", event="edited", revision=7),
            said(4, "another's", conversation_id="zendesk:2"),
        ]
        await stage.record("messages", turns, partition=2)
        urgent = {"urgency": {"probability": 0.9}, "category": {"label": "safety", "probabilities": {"safety": 1.0}}}
        person = {"revision": 7, "decided_by": "human", "feedback_id": "f9", "supersedes": "d2"}
        await stage.record(
            "decisions",
            [
                decided(1, priority="p3"),
                decided(2, message_id="m1", revision=7, priority="p0", **urgent),
                decided(3, message_id="m1", priority="p2", **person),
                decided(4, message_id="m2", priority="p3"),
            ],
        )
        lookup = ClickHouse(stage.sink)
        told = await lookup.conversation("zendesk:1")
        assert {(one.id, one.text, one.partition) for one in told} == {("m1", "smoke!", 2), ("m2", "thanks", 2)}
        both = await lookup.decided(told)
        assert {one.id: one.priority for one in both} == {"m1": "p2", "m2": "p3"}  # a person's word holds
        await stage.record("feedback", [{"id": "f10", "message_id": "m1", "customer_id": "c1", "kind": "retract",
                                         "retracts": "f9", "reviewer": "r1"}])  # fmt: skip
        again = {"revision": 7, "priority": "p0", "supersedes": "d3", **urgent}  # what learning writes then
        await stage.record("decisions", [decided(5, message_id="m1", **again)], first=4)
        one = judged(await lookup.decided(told))
        assert (one.id, one.priority) == ("m1", "p0")
        assert one.decision is not None
        predicted = one.decision["predicted"]
        assert predicted["labels"] == {"sentiment": "negative", "urgency": True, "category": "safety"}
        assert (predicted["revision"], predicted["source"]) == (
            7,
            {"topic": "tocsin.messages", "partition": 2, "offset": 9},
        )
        fields = {
            "id": "f",
            "message_id": "m1",
            "customer_id": "c1",
            "kind": "override",
            "reviewer": "zendesk:1",
            "text": "x",
        }
        feedback_of({**fields, **one.decision, "labels": {"priority": "p1"}})
        found = await lookup.message("m4")
        assert found is not None and found.conversation_id == "zendesk:2"
        assert await lookup.message("m3") is None and await lookup.conversation("zendesk:3") == []
        assert await lookup.decided([found]) == []

    play(story)


def test_a_clickhouse_that_is_away_is_said_to_be() -> None:
    lookup = ClickHouse(Sink("http://127.0.0.1:1/tocsin"))
    with pytest.raises(NoAnswer):
        asyncio.run(lookup.conversation("zendesk:1"))
