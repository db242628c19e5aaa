"""Signing in and out in a real Chromium: both languages, both schemes, the keyboard alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserContext, Page, expect
from pydantic import SecretStr

from streams.settings import Settings
from tests.browser.kit import Desk, alert, running
from tests.browser.page import opened, shot

pytestmark = pytest.mark.integration

TOKEN = "token-of-the-browser-test"


@pytest.fixture
async def desk(made: Settings) -> AsyncIterator[Desk]:
    async with running(made.model_copy(update={"console_token": SecretStr(TOKEN)})) as desk:
        yield desk


async def contrast(page: Page, selector: str) -> float:
    """The contrast of an element's text with what stands behind it (WCAG 2.2)."""
    found = await page.evaluate(
        """selector => {
            const light = (colour) => {
                const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255)
                    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            let behind = document.querySelector(selector);
            const ink = light(getComputedStyle(behind).color);
            while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
            const paper = light(getComputedStyle(behind).backgroundColor);
            return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        }""",
        selector,
    )
    return float(found)


async def test_somebody_signs_in_by_keyboard_works_and_signs_out(desk: Desk, context: BrowserContext) -> None:
    page = context.pages[0]
    await page.goto(desk.url)
    await expect(page).to_have_url(desk.url + "/sign-in")
    await expect(page.get_by_label("Token")).to_be_focused()
    await page.keyboard.type("not the token")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("This token is not right.")
    await shot(page, "sign-in-wrong")
    await page.keyboard.type(TOKEN)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Sign in")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(desk.url + "/")
    await opened(context, desk)
    await desk.ring(alert(1, "Call me back today please", "p1"))
    await page.locator("li.row button").click()
    await page.locator("#right").click()
    await expect(page.locator("#effect")).to_contain_text("Saved")
    await shot(page, "signed-in")
    other = await context.new_page()
    await other.goto(desk.url)
    await expect(other.locator("#link")).to_have_class("up")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(desk.url + "/sign-in")
    # The other page learns of it within its next question, and its live line is cut.
    await expect(other).to_have_url(desk.url + "/sign-in")
    await page.go_back()
    await expect(page).to_have_url(desk.url + "/sign-in")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_can_be_read_in_both_languages_and_schemes(
    desk: Desk, context: BrowserContext, scheme: str
) -> None:
    page = context.pages[0]
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.goto(desk.url)
    for language, title, field, switch in (
        ("en", "Sign in", "Token", "Français"),
        ("fr", "Se connecter", "Jeton", "English"),
    ):
        await expect(page.locator("html")).to_have_attribute("lang", language)
        await expect(page).to_have_title(f"{title} · Tocsin")
        await expect(page.get_by_label(field)).to_have_attribute("type", "password")
        await page.get_by_label(field).fill("wrong")
        await page.get_by_role("button", name=title).click()
        await expect(page.get_by_role("alert")).to_have_text(re.compile("."))
        for selector in ("h2", "#why", "#fault", "label", "button", "a"):
            assert await contrast(page, selector) >= 4.5, selector
        await shot(page, f"sign-in-{language}-{scheme}")
        await page.get_by_role("link", name=switch).click()
    await page.set_viewport_size({"width": 320, "height": 640})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    await shot(page, f"sign-in-narrow-{scheme}")


async def test_who_the_proxy_signed_in_is_not_asked_for_a_name(made: Settings, context: BrowserContext) -> None:
    behind = {"console_proxy_header": "X-Forwarded-User", "console_proxy_addresses": "127.0.0.1"}
    async with running(made.model_copy(update=behind)) as desk:
        await context.set_extra_http_headers({"X-Forwarded-User": "Ana"})
        page = await opened(context, desk, reviewer="Somebody else")
        await expect(page.locator("#who")).to_have_text("Ana")
        await expect(page.locator("#who")).to_be_disabled()
        await expect(page.locator("#sign-out")).to_be_hidden()
        await desk.ring(alert(1, "Call me back today please", "p1"))
        await page.locator("li.row button").click()
        await page.locator("#right").click()
        await expect(page.locator("#content")).to_contain_text("Right, says Ana")
