"""From a message in Kafka through real workers to the page, and from a click there to the models; and the page on a bad line."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect

from streams.settings import Settings
from tests.browser.kit import Desk, alert, running
from tests.browser.page import feedback, opened
from tests.harness import Worker, message, produce, wait_values

pytestmark = pytest.mark.integration


async def test_a_message_rings_is_corrected_and_the_next_one_is_judged_by_what_was_learned(
    prepared: Settings, context: BrowserContext, tmp_path: Path
) -> None:
    workers = [Worker(prepared, "triage", "learn", folder=tmp_path)]
    try:
        async with running(prepared) as desk:
            page = await opened(context, desk)
            text = "I want to talk to a human about the blue form, not a bot"
            await produce(prepared, "messages", [message(1, text)])
            await page.locator("li.row button").click()
            await expect(page.locator("#content .text").first).to_have_text(text)
            await expect(page.locator("#content")).to_contain_text("Wants a person")
            await page.keyboard.press("w")
            await page.locator('#wrong-fields select[name="category"]').select_option("cancellation")
            await page.locator("#wrong-dialog .main").click()
            await expect(page.locator("#effect")).to_have_text(re.compile(r"^learned, \d+\.\d s$"))
            await produce(prepared, "messages", [message(2, text)])
            found = await wait_values(prepared, "decisions", lambda all_: len(all_) >= 2, "two decisions")
            versions = {one["message_id"]: one["model_version"] for one in found}
            assert versions["m1"].endswith("@0")
            assert versions["m2"].endswith("@1")
            await expect(page.locator("li.row")).to_have_count(2)
    finally:
        for worker in workers:
            worker.stop()


async def test_on_a_slow_line_it_says_what_it_waits_for_and_nothing_is_sent_twice(
    desk: Desk, context: BrowserContext
) -> None:
    page = await opened(context, desk)
    await desk.ring(alert(1, "My parcel smokes", "p1"))
    await page.locator("li.row button").click()
    await expect(page.locator("#right")).to_be_enabled()
    line = await context.new_cdp_session(page)
    slow = {"offline": False, "latency": 1500, "downloadThroughput": 20_000, "uploadThroughput": 20_000}
    await line.send("Network.emulateNetworkConditions", slow)
    await page.keyboard.press("r")
    await expect(page.locator("#effect")).to_have_text("Saving…")
    await expect(page.locator("#effect")).to_have_text("Saved. Waiting for the models to learn it…")
    assert len(await feedback(desk, 1)) == 1


async def test_without_a_line_nothing_is_lost_from_sight_and_it_comes_back_by_itself(
    desk: Desk, context: BrowserContext
) -> None:
    page = await opened(context, desk)
    await desk.ring(alert(1, "My parcel smokes", "p1"))
    await page.locator("li.row button").click()
    await expect(page.locator("#right")).to_be_enabled()
    # Every request fails from here on, as where a cable is pulled.
    await context.route("**/api/**", lambda route: asyncio.ensure_future(route.abort()))
    await page.keyboard.press("r")
    await expect(page.locator("#toast")).to_have_text("The console does not answer. Nothing was saved.")
    await expect(page.locator("#content .text")).to_have_text("My parcel smokes")
    await context.unroute_all()
    await page.keyboard.press("r")
    await expect(page.locator("#effect")).to_have_text("Saved. Waiting for the models to learn it…")
    assert len(await feedback(desk, 1)) == 1
