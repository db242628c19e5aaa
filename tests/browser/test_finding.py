"""Searching and filtering what rings: kept in the address, without accents or case, and not in what is veiled."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, expect

from tests.browser.kit import Desk, alert
from tests.browser.page import opened

pytestmark = pytest.mark.integration


async def test_a_search_finds_without_accents_and_stays_in_the_address(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    await desk.ring(
        alert(1, "Le câble a fondu près du lit", "p0", language="fr"),
        alert(2, "My parcel is late", "p2", channel="email"),
        alert(3, "My parcel smokes", "p1"),
    )
    rows = page.locator("li.row")
    await expect(rows).to_have_count(3)
    await page.keyboard.press("/")
    await page.keyboard.type("CABLE lit")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Le câble")
    await expect(page.locator("#found")).to_have_text("1 / 3 shown")
    await page.locator("#q").fill("parcel")
    await page.locator("#by-channel").select_option("email")
    await expect(rows).to_have_count(1)
    await rows.locator("button").click()
    await expect(page.locator("#content .text")).to_have_text("My parcel is late")
    assert page.url == f"{desk.url}/?q=parcel&channel=email&message=m2"
    await page.reload()
    await expect(page.locator("#q")).to_have_value("parcel")
    await expect(page.locator("#by-channel")).to_have_value("email")
    await expect(rows).to_have_count(1)
    await expect(page.locator("#content .text")).to_have_text("My parcel is late")
    await page.locator("#clear").click()
    await expect(rows).to_have_count(3)
    assert page.url == f"{desk.url}/?message=m2"


async def test_what_fits_nothing_says_so_and_what_is_open_can_be_asked_for(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    await desk.ring(alert(1, "First", "p1"), alert(2, "Second", "p1"))
    rows = page.locator("li.row")
    await rows.locator("button", has_text="First").click()
    await page.locator("#take:enabled").click()
    await expect(rows.first.locator(".badge.taken").or_(rows.nth(1).locator(".badge.taken"))).to_have_count(1)
    await page.locator("#by-state").select_option("mine")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("First")
    await page.locator("#by-state").select_option("free")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Second")
    await page.locator("#q").fill("nothing like this")
    await expect(page.locator("#empty")).to_have_text("Nothing that rings fits this search.")


async def test_a_hostile_address_is_only_words(desk: Desk, context: BrowserContext) -> None:
    page = context.pages[0]
    await desk.ring(alert(1, "First", "p1"))
    await page.goto(f'{desk.url}/?q=<img src=x onerror=window.hacked=1>&channel="><script>&message=<b>&priority=p9')
    await expect(page.locator("#content")).to_contain_text("This message has left the live queue.")
    await expect(page.locator("li.row")).to_have_count(0)
    assert await page.evaluate("window.hacked") is None
    assert await page.locator("main :is(script, img)").count() == 0


async def test_beside_a_message_the_list_is_as_narrow_as_its_room(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    await desk.ring(
        *(alert(number, f"A rather long message of many words, number {number}. " * 6, "p1") for number in range(40))
    )
    await expect(page.locator("li.row")).to_have_count(40)
    # Every row is drawn once at its full width, and remembers it.
    await page.locator("li.row").last.scroll_into_view_if_needed()
    await page.locator("li.row button").first.click()
    await expect(page.locator("#content .text")).to_be_visible()
    room = await page.evaluate("document.getElementById('queue').clientWidth")
    widest = await page.evaluate("Math.max(...[...document.querySelectorAll('li.row')].map((row) => row.offsetWidth))")
    assert widest <= room
