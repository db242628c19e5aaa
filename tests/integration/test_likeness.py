"""A question that was answered before stands on the alert of the next like it, and the console has the words of both."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streams.settings import Settings
from tests.browser.kit import running
from tests.harness import Worker, at_least, message, produce, read_all, wait_values
from tests.integration.test_follow import action

pytestmark = pytest.mark.integration

FIRST = "I am furious, my card was charged twice for one order, can I get one of the payments back?"
LATER = "You charged my card twice for the same order, please refund one payment, or my lawyer will sue you."
ANSWER = "We have refunded the second payment, it is back on your card within three days."


def asked(number: int, text: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return message(number, text, customer_id=f"c{number}", conversation_id=f"t{number}", **more)


async def test_what_was_answered_before_stands_on_the_next_alert_and_at_the_console(
    prepared: Settings, tmp_path: Path
) -> None:
    workers = [Worker(prepared, role, folder=tmp_path) for role in ("triage", "follow")]
    try:
        await produce(prepared, "messages", [asked(1, FIRST)])
        await wait_values(prepared, "decisions", at_least(1), "the first is decided")
        reply = message(2, ANSWER, customer_id="c1", conversation_id="t1", author_role="agent")
        await produce(prepared, "messages", [reply])
        _, done = action(1, "resolved", "m1")
        await produce(prepared, "actions", [("c1", {**done, "customer_id": "c1"})])
        (known,) = await wait_values(prepared, "answered", at_least(1), "it is known as answered")
        assert (known["question"]["message_id"], known["answer"]["message_id"], known["by"]) == ("m1", "m2", "person")
        for one in await read_all(prepared, "answered"):
            assert b"charged" not in one.value
            assert b"refunded" not in one.value
        async with running(prepared) as desk, aiohttp.ClientSession() as http:
            found = await _rings(prepared, desk.url, http)
            assert found["question"]["text"] == FIRST
            assert found["answer"]["text"] == ANSWER
            assert found["by"] == "person"
            reopened = action(2, "reopened", "m1")[1]
            await produce(prepared, "actions", [("c1", {**reopened, "customer_id": "c1"})])
            while await _found(desk.url, http, {"text": LATER}):
                await asyncio.sleep(0.05)
    finally:
        for worker in workers:
            worker.stop()


async def _found(url: str, http: aiohttp.ClientSession, query: dict[str, str]) -> list[dict[str, Any]]:
    async with http.get(url + "/api/asked-before", params=query) as answer:
        assert answer.status == 200, await answer.text()
        told: list[dict[str, Any]] = (await answer.json())["found"]
        return told


async def _rings(settings: Settings, url: str, http: aiohttp.ClientSession) -> dict[str, Any]:
    """A later like message rings with it; what the console says of that message."""
    number = 3
    while True:  # triage hears of what was answered within a moment, not at once
        await produce(settings, "messages", [asked(number, LATER)])
        name = f"m{number}"
        await wait_values(settings, "decisions", at_least(number - 1), "it is decided")
        alerts = [
            one
            for topic in ("priority.p1", "priority.p2", "review")
            for one in await wait_values(settings, topic, lambda _: True, "read")
        ]
        (alert,) = [one for one in alerts if one["message"]["id"] == name]
        if "asked_before" in alert:
            break
        number += 1
    before = alert["asked_before"]
    assert (before["question"]["message_id"], before["answer"]["message_id"]) == ("m1", "m2")
    assert 0.7 <= before["likeness"] <= 1.0
    while True:
        async with http.get(url + "/api/asked-before", params={"message_id": name}) as answer:
            if answer.status == 200:
                found: dict[str, Any] = (await answer.json())["found"][0]
                return found
        await asyncio.sleep(0.05)


async def test_a_message_that_is_not_there_is_refused_with_a_sentence(made: Settings) -> None:
    async with running(made) as desk, aiohttp.ClientSession() as http:
        async with http.get(desk.url + "/api/asked-before", params={"message_id": "m9"}) as answer:
            assert answer.status == 404
            assert "as `text`" in await answer.text()
        assert await _found(desk.url, http, {"text": FIRST}) == []
