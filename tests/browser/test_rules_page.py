"""The page of rules: a change is tried on the messages that are in Kafka, and saved with a name and a reason, or not at all."""

from __future__ import annotations

import time

import aiohttp
import pytest
from playwright.async_api import BrowserContext, Page, expect

from agents import policies
from schemas.base import timestamp
from streams.settings import Settings
from tests.browser.kit import Desk, running
from tests.browser.page import shot
from tests.browser.test_beside import engine, fill

__all__ = ["engine"]

pytestmark = pytest.mark.integration

TEXTS = ("the purple lamp hums all night", "my purple lamp arrived, thank you", "where is my parcel")


async def opened(context: BrowserContext, desk: Desk) -> Page:
    page = context.pages[0]
    await page.goto(f"{desk.url}/rules")
    await expect(page.locator("#floors details")).not_to_have_count(0)
    return page


async def changed(page: Page, phrase: str) -> None:
    """The policy's text with one phrase more among those of "unsafe_product"; put there at once, for it is long."""
    await page.evaluate(
        """phrase => {
            const area = document.getElementById("document"), text = area.value;
            const at = text.indexOf("en:\\n", text.indexOf("- name: unsafe_product")) + 4;
            const indent = text.slice(at).split("-")[0];
            area.value = `${text.slice(0, at)}${indent}- ${phrase}\\n${text.slice(at)}`;
            area.dispatchEvent(new Event("input"));
        }""",
        phrase,
    )


async def test_a_change_is_tried_on_the_past_and_saved_with_name_and_reason(
    made: Settings, context: BrowserContext
) -> None:
    before = await policies.ensure_default(made, "tests")
    async with running(made) as desk:
        for number, text in enumerate(TEXTS):
            message = {"id": f"m{number}", "customer_id": "c", "text": text, "sent_at": timestamp(0)}
            await desk.send("messages", message)
        page = await opened(context, desk)
        await expect(page.locator("#saving")).to_be_hidden()
        await changed(page, "purple lamp hums")
        await page.locator("#try").click()
        await expect(page.locator("#found")).to_contain_text("On 3 messages", timeout=90_000)
        await expect(page.locator("#found tbody").nth(1)).to_contain_text("Danger")
        await shot(page, "rules")
        await page.locator("#by").fill("Ana")
        await page.locator("#reason").fill("lamps hummed in June")
        await page.locator("#saving button").click()
        await expect(page.locator("#toast")).to_have_text("Saved. It is in force.")
    records, pointers = await policies.published(made)
    saved = records[pointers["default"]]
    assert saved.version != before[0]
    assert (saved.changed_by, saved.reason) == ("Ana", "lamps hummed in June")
    assert "purple lamp hums" in (saved.document or "")


async def test_a_broken_change_names_its_line_and_nothing_is_saved(made: Settings, context: BrowserContext) -> None:
    await policies.ensure_default(made, "tests")
    async with running(made) as desk:
        page = await opened(context, desk)
        await changed(page, "fire")
        await page.locator("#try").click()
        await expect(page.locator("#fault")).to_contain_text("an ordinary word that must not ring by itself")
        assert "fire" in await page.evaluate(
            "(({value, selectionStart, selectionEnd}) => value.slice(selectionStart, selectionEnd))(document.activeElement)"
        )
        await expect(page.locator("#saving")).to_be_hidden()
        body = {
            "document": policies.default_document() + "# untried\n",
            "by": "Ana",
            "reason": "x",
            "base": "default@0",
        }
        headers = {"X-Tocsin-Console": "1"}
        async with aiohttp.ClientSession(headers=headers) as http:
            async with http.post(f"{desk.url}/api/policy", json=body) as answer:
                assert answer.status == 409  # made from another version
            version = desk.role.policy()
            assert version is not None
            async with http.post(f"{desk.url}/api/policy", json={**body, "base": version.version}) as answer:
                assert answer.status == 422
                assert "try the change first" in (await answer.json())["error"]
    _, pointers = await policies.published(made)
    assert pointers["default"] == version.version


async def test_each_phrase_says_how_often_it_rang_and_was_right(
    made: Settings, context: BrowserContext, engine: str
) -> None:
    await policies.ensure_default(made, "tests")
    now = time.time()
    messages = [{"id": f"m{n}", "customer_id": "c", "text": "I smell gas here", "_timestamp": now} for n in range(4)]
    decisions = [
        {"id": f"d{n}", "message_id": f"m{n}", "priority": "p0", "decided_by": "rule",
         "reasons": [{"floor": "gas", "start": 2, "end": 11}]}
        for n in range(4)
    ]  # fmt: skip
    words = [
        {"id": f"f{n}", "message_id": f"m{n}", "kind": "override" if n else "confirm", "labels": {"priority": "p3" if n else ""}}
        for n in range(2)
    ]  # fmt: skip
    await fill(engine, messages=messages, decisions=decisions, feedback=words)
    async with running(made, engine) as desk:
        page = await opened(context, desk)
        gas = page.locator('details[data-floor="gas"]')
        await expect(gas.locator("summary")).to_contain_text("rang 4 times")
        await gas.locator("summary").click()
        await expect(gas.locator("tbody tr")).to_have_text(["smell gas4250% (9% – 91%) · small number"])
        await gas.locator("button").click()
        chosen = "(({value, selectionStart, selectionEnd}) => value.slice(selectionStart, selectionEnd))(document.activeElement)"
        assert "name: gas" in await page.evaluate(chosen)
