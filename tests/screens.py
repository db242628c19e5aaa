"""Pictures of every page of the console, as `tocsin demo` fills them.

    python -m tests.screens --out docs/screens

`.ci/run` looks at the same pages during its minute of the demo (tests/demo_minute.py) and keeps no pictures.
Owns: which pages and states there are, and what must be seen on each. Must never: change what the demo does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import aiohttp
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from tests.browser.conftest import ARGUMENTS, chromium

WAVE_SECONDS = 180.0
"""By then the demo's wave of like messages, which begins after 55, is one incident on the page."""


class Look(NamedTuple):
    """How somebody looks at a page."""

    language: str = "en"
    scheme: Literal["light", "dark"] = "light"
    width: int = 1280
    height: int = 860


async def _queue(page: Page) -> None:
    await expect(page.locator("li.row.p0").first).to_be_visible()
    await expect(page.locator("#charts figure.p3 rect")).to_have_count(60)


async def _danger(page: Page) -> None:
    await page.locator("li.row.p0:not(:has(.badge.drill)) button").first.click()
    await expect(page.locator("#content mark").first).to_be_visible()
    await expect(page.locator("#content .help")).to_be_visible()


async def _incident(page: Page) -> None:
    more = page.locator("button.more:has(.badge.event)").first
    await more.click()
    await page.locator("li.row:has(button.more:has(.badge.event)) button[data-id]").first.click()
    await expect(page.locator("#content .words").first).to_be_visible()
    await more.scroll_into_view_if_needed()


async def _found(page: Page) -> None:
    await page.locator("#q").fill("account")
    await page.locator("#by-priority").select_option("p1")
    await expect(page.locator("#found")).to_contain_text("/")
    await page.locator("li.row button").first.click()
    await expect(page.locator("#content .text").first).to_be_visible()


async def _trends(page: Page) -> None:
    await expect(page.locator("table.heat td[class]").first).to_be_visible()


async def _rules(page: Page) -> None:
    await expect(page.locator("#floors summary", has_text=re.compile(r"\d")).first).to_be_visible()
    await page.locator("#floors summary", has_text=re.compile(r"\d")).first.click()
    await expect(page.locator("#floors tbody tr").first).to_be_visible()


SCREENS: dict[str, tuple[str, Look, Callable[[Page], Coroutine[Any, Any, None]]]] = {
    "queue": ("/", Look(), _queue),
    "queue-fr-dark": ("/", Look("fr", "dark"), _queue),
    "danger": ("/", Look(), _danger),
    "danger-phone": ("/", Look(width=390, height=844), _danger),
    "incident": ("/", Look(), _incident),
    "search": ("/", Look(), _found),
    "wall": ("/", Look(scheme="dark", width=2560, height=1440), _queue),
    "trends": ("/trends", Look(), _trends),
    "trends-fr-dark": ("/trends", Look("fr", "dark"), _trends),
    "rules": ("/rules", Look(), _rules),
}


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium."""
    async with async_playwright() as playwright:
        one = await playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        try:
            yield one
        finally:
            await one.close()


async def take(url: str, names: Iterable[str], out: Path | None) -> None:
    """Looks at these pages of the console at `url`; raises AssertionError where one does not show what it should."""
    expect.set_options(timeout=30_000)
    async with browser() as one:
        for name in names:
            await _take(one, url, name, out)


async def until(url: str, seconds: float, of: Callable[[list[dict[str, Any]]], bool]) -> None:
    """Waits until the alerts of the console at `url` are so."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(seconds):
        while True:
            with suppress(aiohttp.ClientError):
                async with http.get(f"{url}/api/alerts") as answer:
                    if of((await answer.json())["alerts"]):
                        return
            await asyncio.sleep(0.5)


def danger(alerts: list[dict[str, Any]]) -> bool:
    """Something of the first pages' is there."""
    return any(one["priority"] == "p0" for one in alerts)


def gathered(alerts: list[dict[str, Any]]) -> bool:
    """The demo's wave is one incident."""
    return sum(one["event"] is not None for one in alerts) > 1


async def _take(one: Browser, url: str, name: str, out: Path | None) -> None:
    path, look, ready = SCREENS[name]
    size: ViewportSize = {"width": look.width, "height": look.height}
    context = await one.new_context(viewport=size, color_scheme=look.scheme, locale=look.language)
    page = await context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    await page.add_init_script("localStorage.setItem('tocsin.reviewer', 'Ana')")
    await page.goto(url + path)
    await ready(page)
    assert faults == [], f"{name}: {faults}"
    if out is not None:
        await page.screenshot(path=out / f"{name}.png")
    await context.close()


def main() -> None:
    """Starts a demo of its own, waits for its wave, looks, and ends it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tocsin-screens-") as folder:
        argv = [sys.executable, "-m", "agents.cli", "demo", "--data", folder]
        environment = {**os.environ, "COLUMNS": "200"}
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as demo:
            try:
                assert demo.stdout is not None
                url = next(found[1] for line in demo.stdout if (found := re.search(r"Look: +(http://\S+)", line)))
                asyncio.run(_later(url, out))
            finally:
                demo.send_signal(signal.SIGINT)
                demo.wait(30)


async def _later(url: str, out: Path) -> None:
    await until(url, WAVE_SECONDS, gathered)
    await take(url, SCREENS, out)


if __name__ == "__main__":
    main()
