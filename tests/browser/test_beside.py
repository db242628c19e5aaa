"""What stands beside a message: the veil over abuse, the protocol of a danger, the conversation and the customer's last weeks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from playwright.async_api import BrowserContext, expect

from agents import policies
from agents.recording.sink import Sink
from schemas.base import timestamp
from streams.settings import Settings
from tests.browser.kit import Desk, alert, running
from tests.browser.page import opened, shot

pytestmark = pytest.mark.integration


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[str]:
    """The URL of the real engine, with its tables."""
    command = [sys.executable, "-m", "tests.clickhouse_front", "--path", str(tmp_path / "engine")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as front:
        assert front.stdout is not None
        url = f"http://127.0.0.1:{front.stdout.readline().split()[0]}/tocsin"
        sink = Sink(url)
        await sink.ensure_tables()
        await sink.close()
        yield url
        front.terminate()


async def fill(url: str, **tables: list[dict[str, Any]]) -> None:
    """Rows, received now where they do not say."""
    sink = Sink(url)
    now = time.time()
    for table, rows in tables.items():
        told = [orjson.dumps({"received_at": now, "_offset": at, **row}) for at, row in enumerate(rows)]
        await sink.insert(table, told, f"token-{table}")
    await sink.close()


async def test_abuse_is_veiled_until_it_is_asked_for(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    await desk.ring(alert(1, "You are a worthless fool", "p2", abuse={"probability": 0.9}))
    row = page.locator("li.row")
    await expect(row).to_contain_text("Abusive text, veiled.")
    await row.locator("button").click()
    await expect(page.locator("#content")).to_contain_text("What the models answered")
    assert "worthless" not in (await page.locator("body").inner_text())
    await page.locator("#q").fill("worthless")  # nor does a search give it away
    await expect(page.locator("li.row:not(:has(button[aria-current]))")).to_have_count(0)
    await page.locator("#q").fill("")
    await page.locator("#unveil").click()
    await expect(page.locator("#content blockquote")).to_have_text("You are a worthless fool")
    await page.keyboard.press("v")
    await expect(page.locator("#content blockquote")).to_have_count(0)


async def test_beside_a_danger_stands_the_protocol_and_the_helplines_of_its_country(
    made: Settings, context: BrowserContext
) -> None:
    await policies.ensure_default(made, "tests")
    async with running(made) as desk:
        page = await opened(context, desk)
        ring = alert(1, "I want to die, nothing helps", "p0", phrase="want to die")
        ring["decision"]["reasons"][0]["floor"] = "self_harm"
        ring["message"]["attributes"] = {"country": "GB"}
        await desk.ring(ring, alert(2, "My card was charged twice", "p2"))
        await page.locator("li.row button").first.click()
        beside = page.locator("#content .help")
        await expect(beside).to_contain_text("What the team does now")
        await expect(beside.locator("dt")).to_have_text(["United Kingdom"])
        await expect(beside.locator("dd")).to_contain_text("Samaritans 116 123")
        await expect(beside.locator('a[href="tel:116123"]')).to_have_count(1)
        await expect(page.locator(".alone")).to_have_text(
            "Without the safety rules, the models alone would have said: Needs a person."
        )
        await shot(page, "danger")
        await page.get_by_role("button", name="Français").click()
        await expect(beside).to_contain_text("Ce que l'équipe fait maintenant")
        await page.locator("li.row button").nth(1).click()
        await expect(page.locator("#content .text")).to_have_text("My card was charged twice")
        await expect(beside).to_have_count(0)


async def test_the_conversation_and_the_customers_past_stand_around_it(
    made: Settings, context: BrowserContext, engine: str
) -> None:
    def turn(number: int, role: str, text: str) -> dict[str, Any]:
        sent = timestamp(int(time.time() * 1000) - 60_000 * (9 - number))
        return {
            "id": f"m{number}",
            "customer_id": "c3",
            "conversation_id": "chat",
            "author_role": role,
            "text": text,
            "sent_at": sent,
        }

    turns = [
        turn(1, "customer", "<b>Where</b> is my parcel?"),
        turn(2, "agent", "It left on Monday."),
        turn(3, "customer", "It is not here and I need it now"),
        {**turn(2, "agent", "It left on Tuesday."), "revision": 1, "event": "edited"},
    ]
    past = [
        {"id": f"d{n}", "message_id": f"m{n}", "customer_id": "c3", "conversation_id": "chat", "priority": priority,
         "sentiment": {"label": "negative", "score": -0.2 * n, "probabilities": {}}, "_timestamp": time.time()}
        for n, priority in ((1, "p3"), (3, "p1"), (5, "p3"))
    ]  # fmt: skip
    standing = [{"customer_id": "c3", "standing": [{"kind": "at_risk", "score": 6.0, "events": []}]}]
    await fill(engine, messages=turns, decisions=past, customers=standing)
    async with running(made, engine) as desk:
        page = await opened(context, desk)
        await desk.ring(alert(3, "It is not here and I need it now", "p1", conversation_id="chat"))
        await page.locator("li.row button").click()
        around = page.locator("#around")
        await expect(around.locator(".turn .text")).to_have_text(
            ["<b>Where</b> is my parcel?", "It left on Tuesday.", "It is not here and I need it now"]
        )
        await expect(around.locator(".turn[aria-current]")).to_contain_text("Customer")
        await expect(around).to_contain_text("3 messages in 90 days")
        await expect(around).to_contain_text("May leave")
        await expect(around.locator(".past li")).to_have_count(3)
        await shot(page, "around")


async def test_without_clickhouse_it_says_what_is_not_shown(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    await desk.ring(alert(1, "Help", "p1"))
    await page.locator("li.row button").click()
    await expect(page.locator("#around")).to_have_text("The conversation is not shown: ClickHouse does not answer.")


async def test_the_charts_say_in_words_what_they_draw(made: Settings, context: BrowserContext, engine: str) -> None:
    now = time.time()
    rows: list[dict[str, Any]] = [
        {"id": f"d{n}", "message_id": f"m{n}", "priority": "p1" if n % 5 == 0 else "p3", "received_at": now - 86_400 * (n % 3),
         "category": {"label": "billing" if n % 3 else "delivery", "probabilities": {}},
         "sentiment": {"label": "negative", "score": -0.5, "probabilities": {}}}
        for n in range(120)
    ]  # fmt: skip
    await fill(engine, decisions=rows)
    async with running(made, engine) as desk:
        page = context.pages[0]
        await page.goto(f"{desk.url}/trends")
        changed = page.locator("table.changed tbody tr")
        await expect(changed).to_have_count(2)
        await expect(changed.filter(has_text="Delivery")).to_contain_text("more than usual")
        await expect(page.locator("table.heat")).to_have_count(3)
        await expect(page.locator(".series").first).to_contain_text("messages")
        await page.get_by_text("The same as a table").click()
        await expect(page.locator("details tbody tr").first).to_be_visible()
        await shot(page, "trends")


async def test_what_is_no_word_is_told_in_plain_words(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    ring = alert(1, "Help", "p1")
    names = ("help", "language:en", "valence:negative", "lexicon:positive share")
    ring["decision"]["reasons"][0]["contributions"] = [{"feature": name, "value": 0.25} for name in names]
    await desk.ring(ring)
    await page.locator("li.row button").click()
    await expect(page.locator("#content .words bdi")).to_have_text(
        ["help", "written in English", "its negative words", "its positive words"]
    )
