"""What browser tests do with the page: open it, look at it, wait for what it sends."""

from __future__ import annotations

import json
import os
from pathlib import Path

from playwright.async_api import BrowserContext, Page, expect

from schemas.people import Feedback, read_feedback
from tests.browser.kit import Desk, until
from tests.harness import read_all

SHOTS = os.environ.get("TOCSIN_TEST_SHOTS")
"""A folder for screenshots, where somebody wants to look at them."""


async def opened(context: BrowserContext, desk: Desk, *, reviewer: str | None = "Ana") -> Page:
    """The page, live."""
    page = context.pages[0]
    if reviewer is not None:
        # Once, as if this browser had been asked before: what the page itself keeps later is left alone.
        script = f"localStorage.getItem('tocsin.reviewer') ?? localStorage.setItem('tocsin.reviewer', {json.dumps(reviewer)})"
        await page.add_init_script(script)
    await page.goto(desk.url)
    await expect(page.locator("#link")).to_have_class("up")
    return page


async def feedback(desk: Desk, number: int) -> list[Feedback]:
    """The feedback in Kafka, once there is so much."""

    async def look() -> list[Feedback] | None:
        records = await read_all(desk.settings, "feedback")
        return [read_feedback(record.value) for record in records] if len(records) >= number else None

    found: list[Feedback] = await until(look, f"{number} feedback records")
    assert len(found) == number
    return found


async def shot(page: Page, name: str) -> None:
    """A screenshot, where they are wanted."""
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")
