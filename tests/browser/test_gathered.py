"""At the console, what is one event is one line; and beside a question stands the one that was answered before."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import BrowserContext, expect

from agents.incidents.meaning import shipped
from agents.likeness.index import packed
from schemas.base import timestamp
from tests.browser.kit import Desk, alert
from tests.browser.page import opened, shot

pytestmark = pytest.mark.integration

AT = "2026-11-20T09:00:00.000Z"


def incident(*rings: dict[str, Any], kind: str = "burst") -> dict[str, Any]:
    """An incident that gathered these alerts."""
    gathered = [
        {
            "message_id": one["decision"]["message_id"],
            "decision_id": one["decision"]["id"],
            "group": one["group"],
            "priority": one["decision"]["priority"],
        }
        for one in rings
    ]
    source = {"topic": "t.messages", "partition": 0, "offset": 0}
    return {
        "id": f"i-{kind}", "kind": kind, "state": "opened", "at": AT, "opened_at": AT,
        "why": {"en": "Many write the same.", "fr": "Beaucoup écrivent la même chose."},
        "first": {"message_id": "m1", "customer_id": "c1", "source": source, "at": AT},
        "messages": len(rings), "customers": len(rings), "rate": 5.0, "peak": 5.0, "phrases": ["down"],
        "categories": {}, "channels": {}, "languages": {}, "priorities": {}, "examples": [], "alerts": gathered,
        "rang": len(rings),
    }  # fmt: skip


async def test_alerts_of_an_incident_are_one_line_that_opens_and_danger_stays_by_itself(
    desk: Desk, context: BrowserContext
) -> None:
    page = await opened(context, desk)
    many = [alert(number, f"is it down for all of you? {number}", "p2") for number in range(2, 7)]
    danger, other = alert(1, "is it down, I smell smoke", "p0"), alert(9, "where is my parcel", "p2")
    await desk.ring(danger, *many, other)
    await expect(page.locator("#list > li")).to_have_count(7)
    await desk.send("incidents", incident(danger, *many))
    await expect(page.locator("#list > li")).to_have_count(3)
    more = page.locator("button.more")
    await expect(more).to_have_text("Incident4 more of the same event")
    await expect(page.locator("#list > li.p0")).to_have_count(1)
    await shot(page, "gathered")
    # One that comes later and that the incident gathers is behind the same line.
    late = alert(7, "down here too", "p2")
    await desk.ring(late)
    await desk.send("incidents", {**incident(late), "state": "grown"})
    await expect(more).to_have_text("Incident5 more of the same event")
    await more.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#list > li")).to_have_count(8)
    await expect(more).to_have_attribute("aria-expanded", "true")
    await expect(more).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#list > li")).to_have_count(3)


async def test_what_was_asked_and_answered_before_stands_beside_the_message(
    desk: Desk, context: BrowserContext
) -> None:
    before = "my card was charged twice for one order, can I get one of the payments back?"
    said = {"q": before, "a": "<b>Refunded</b>: it is back on your card within three days."}
    for name, text in said.items():
        value = {"id": name, "customer_id": "c", "text": text, "sent_at": timestamp(0)}
        await desk.send("messages", value)
    numbers = packed(before, shipped())
    assert numbers is not None
    places = [
        {
            "message_id": name,
            "source": {"topic": desk.settings.topic("messages"), "partition": 0, "offset": at},
            "at": AT,
        }
        for at, name in enumerate(said)
    ]
    known = {"question": places[0], "answer": places[1], "by": "customer", "meaning": numbers[0], "sketch": numbers[1]}
    await desk.send("answered", known)
    page = await opened(context, desk)
    await desk.ring(alert(1, "you charged my card twice for the same order, please refund one payment", "p2"))
    await page.locator("#list button").first.click()
    beside = page.locator("article.asked")
    await expect(beside.locator(".text")).to_have_text(before)
    await expect(beside.locator(".answer")).to_have_text(said["a"])
    await expect(beside).to_contain_text("the customer said thanks")
    await expect(beside.locator("b")).to_have_count(0)
    await shot(page, "asked_before")


async def test_a_conversation_is_one_line_and_its_dangers_stand_by_themselves(
    desk: Desk, context: BrowserContext
) -> None:
    page = await opened(context, desk)
    rings = [alert(n, f"Turn {n}", "p2", conversation_id="chat", group="g") for n in (4, 3, 2)]
    await desk.ring(*rings, alert(1, "It smokes", "p0", conversation_id="chat", group="g"))
    rows = page.locator("li.row")
    await expect(page.locator("button.more")).to_have_text("2 more of this conversation")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("It smokes")
    await expect(rows.nth(1)).to_contain_text("Turn 4")
    await page.locator("button.more").click()
    await expect(rows).to_have_count(4)
