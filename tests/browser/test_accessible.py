"""Every page and dialog against WCAG 2.2 AA by axe: both languages, both schemes, a phone and a wall screen."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect
from pydantic import SecretStr

from agents import policies
from streams.settings import Settings
from tests.browser.kit import alert, running
from tests.browser.page import opened
from tests.browser.test_beside import engine, fill
from tests.browser.test_console_page import sample

__all__ = ["engine"]

pytestmark = pytest.mark.integration

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
WAYS = [("en", "light", 1280), ("fr", "dark", 1280), ("en", "dark", 390), ("fr", "light", 2560)]


async def faults(page: Page) -> list[str]:
    """What axe finds: the rule, and where."""
    await page.evaluate(AXE)
    found: dict[str, Any] = await page.evaluate(f"axe.run({{runOnly: {RULES}, resultTypes: ['violations']}})")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


async def dressed(page: Page, language: str, scheme: Any, width: int) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 900})
    if await page.locator("html").get_attribute("lang") != language:
        await page.locator("#tongue").click()


async def test_the_queue_a_message_and_the_dialogs(made: Settings, context: BrowserContext) -> None:
    await policies.ensure_default(made, "tests")
    async with running(made) as desk:
        page = await opened(context, desk)
        abuse = alert(8, "You fool", "p2", abuse={"probability": 0.9})
        await desk.ring(*sample(), abuse)
        await expect(page.locator("li.row")).to_have_count(8)
        for language, scheme, width in WAYS:
            await dressed(page, language, scheme, width)
            assert await faults(page) == [], f"the list, {language}, {scheme}, {width} px"
            await page.locator("li.row button").first.click()
            await expect(page.locator("#content .help")).to_be_visible()
            assert await faults(page) == [], f"a danger, {language}, {scheme}, {width} px"
            await page.locator("#wrong").click()
            assert await faults(page) == [], f"a dialog, {language}, {scheme}, {width} px"
            await page.keyboard.press("Escape")
            await page.locator("#back").click()
        await page.locator("li.row button", has_text="voilé").click()
        await expect(page.locator("#unveil")).to_be_visible()
        assert await faults(page) == [], "a veiled message"


async def test_the_rules(made: Settings, context: BrowserContext) -> None:
    await policies.ensure_default(made, "tests")
    async with running(made) as desk:
        page = context.pages[0]
        await page.goto(f"{desk.url}/rules")
        for language, scheme, width in WAYS:
            await dressed(page, language, scheme, width)
            await expect(page.locator("#floors details")).to_have_count(28)
            await page.locator("#floors summary").first.click()
            assert await faults(page) == [], f"{language}, {scheme}, {width} px"


async def test_the_charts(made: Settings, context: BrowserContext, engine: str) -> None:
    rows = [
        {"id": f"d{n}", "message_id": f"m{n}", "priority": "p1", "category": {"label": "billing", "probabilities": {}}}
        for n in range(30)
    ]
    await fill(engine, decisions=rows)
    async with running(made, engine) as desk:
        page = context.pages[0]
        await page.goto(f"{desk.url}/trends")
        for language, scheme, width in WAYS:
            await dressed(page, language, scheme, width)
            await expect(page.locator("table.heat")).to_have_count(3)
            assert await faults(page) == [], f"{language}, {scheme}, {width} px"
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{width} px"


async def test_signing_in(made: Settings, context: BrowserContext) -> None:
    async with running(made.model_copy(update={"console_token": SecretStr("token-of-a-test")})) as desk:
        page = context.pages[0]
        for language in ("en", "fr"):
            await page.goto(f"{desk.url}/sign-in?lang={language}")
            for scheme in ("light", "dark"):
                await page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
                assert await faults(page) == [], f"{language}, {scheme}"
