"""The browser and the console that browser tests use."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, async_playwright, expect

from streams.settings import Settings
from tests.browser.kit import Desk, running
from tests.conftest import missing

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str:
    """Debian's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing("Chromium is missing, so the browser tests cannot run: install the package chromium")
    assert found is not None
    return found


@pytest.fixture
async def desk(made: Settings) -> AsyncIterator[Desk]:
    async with running(made) as desk:
        yield desk


@pytest.fixture
async def context() -> AsyncIterator[BrowserContext]:
    """A browser with a profile of its own; whatever the page logs as an error fails the test."""
    faults: list[str] = []

    def logged(message: ConsoleMessage) -> None:
        # The answers 503 (ClickHouse is away in most of these tests), 409 and 422, and a line that is cut, are logged by the
        # browser itself.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            faults.append(message.text)

    profile = tempfile.mkdtemp(prefix="tocsin-chromium-")
    try:
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                profile,
                executable_path=chromium(),
                args=list(ARGUMENTS),
                headless=True,
                locale="en-GB",
                viewport={"width": 1280, "height": 860},
            )
            context.set_default_timeout(20_000)
            expect.set_options(timeout=20_000)
            context.on("console", logged)
            context.on("weberror", lambda error: faults.append(str(error.error)))
            yield context
            await context.close()
    finally:
        shutil.rmtree(profile, ignore_errors=True)
    assert faults == []
