"""Taking and resolving at the console: in Kafka, in another browser, and taken back."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, expect

from schemas.people import Action
from schemas.reading import read
from streams.follow import Record
from tests.browser.kit import Desk, alert, until
from tests.browser.page import opened
from tests.harness import read_all

pytestmark = pytest.mark.integration


async def actions(desk: Desk, number: int) -> list[tuple[Record, Action]]:
    """The actions in Kafka, once there are so many, in the order of their times."""

    async def look() -> list[tuple[Record, Action]] | None:
        records = [(one, read(one.value, Action)) for one in await read_all(desk.settings, "actions")]
        return sorted(records, key=lambda one: one[1].at) if len(records) >= number else None

    found: list[tuple[Record, Action]] = await until(look, f"{number} actions")
    assert len(found) == number
    return found


async def test_what_one_takes_others_see_and_undo_gives_it_back(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    other = await context.new_page()
    await other.goto(desk.url)
    await desk.ring(alert(1, "My parcel smokes", "p1"), alert(2, "Help", "p1"))
    row, seen = (one.locator("li.row", has_text="parcel") for one in (page, other))
    await row.locator("button").click()
    await expect(page.locator("#take")).to_be_enabled()
    await page.keyboard.press("t")
    await expect(page.locator("#effect")).to_have_text("Taken: others see it.")
    await expect(seen.locator(".badge.taken")).to_have_text("Taken by Ana")
    await expect(page.locator("#take")).to_contain_text("Give back")
    await page.keyboard.press("u")
    await expect(seen.locator(".badge.taken")).to_have_count(0)
    (record, taken), (_, undone) = await actions(desk, 2)
    assert (taken.kind, taken.by, taken.message_id, taken.decision_id) == ("taken", "Ana", "m1", "d1")
    assert record.partition == 1  # that of the message, as its decision names it
    assert (undone.kind, undone.undoes) == ("released", taken.id)


async def test_what_is_resolved_sinks_and_no_longer_waits(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    await desk.ring(alert(2, "My parcel smokes", "p0"), alert(1, "Help", "p2"))
    await expect(page).to_have_title("(1) Tocsin")
    await page.locator("li.row button").first.click()
    await expect(page.locator("#resolve")).to_be_enabled()
    await page.keyboard.press("e")
    await expect(page.locator("li.row").nth(1)).to_contain_text("Resolved by Ana")
    await expect(page).to_have_title("Tocsin")
    await page.reload()
    await expect(page.locator("li.row").nth(1)).to_contain_text("Resolved by Ana")
    await expect(page.locator("#resolve")).to_contain_text("Reopen")
    ((_, resolved),) = await actions(desk, 1)
    assert (resolved.kind, resolved.by) == ("resolved", "Ana")


async def test_an_action_of_another_tool_is_shown(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    await desk.send(
        "actions",
        {
            "id": "a1",
            "customer_id": "c1",
            "message_id": "m1",
            "kind": "taken",
            "by": "Zoé",
            "at": "2026-11-20T09:00:00Z",
        },
    )
    await desk.ring(alert(1, "My parcel smokes", "p1"))
    await expect(page.locator("li.row .badge.taken")).to_have_text("Taken by Zoé")
    await page.locator("li.row button").click()
    await expect(page.locator("#take")).to_contain_text("Take over")
