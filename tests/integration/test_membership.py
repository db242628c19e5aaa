"""Workers with names of their own: a restart moves nobody's partitions, and a name is one worker's at a time."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from streams.app import EXIT_RESTART
from streams.settings import Settings
from tests.harness import Worker, at_least, message, produce, wait_for, wait_values

pytestmark = pytest.mark.integration

SESSION_SECONDS = 60
"""Longer than a restart takes here, however busy the machine is."""


def named(settings: Settings, folder: Path, name: str) -> Worker:
    """A triage worker of that name; not waited for."""
    session = str(SESSION_SECONDS)
    return Worker(settings, "triage", folder=folder, ready=False, TOCSIN_INSTANCE=name, TOCSIN_SESSION_TIMEOUT=session)


def given(worker: Worker) -> list[str]:
    """What the group gave a worker, at each assignment."""
    return re.findall(r"triage owns (\[[^\]]*\])", worker.text())


async def test_a_named_worker_that_is_restarted_gets_its_partitions_back_and_the_others_read_on(
    prepared: Settings, tmp_path: Path
) -> None:
    one, two = (named(prepared, tmp_path, name) for name in "ab")
    try:
        one.wait_ready()
        two.wait_ready()
        wait_for(
            lambda: [given(each)[-1].count("/") for each in (one, two)] == [2, 2], "both have two of four partitions"
        )
        before, had = given(two), given(one)[-1]
        assert one.stop() == 0
        one = named(prepared, tmp_path, "a")
        one.wait_ready()
        text = "hello there, could you tell me when the shop opens tomorrow morning please"
        await produce(prepared, "messages", [message(k, text, customer_id=f"c{k}") for k in range(40)])
        decisions = await wait_values(prepared, "decisions", at_least(40), "decisions of every partition")
        assert given(one) == [had]
        assert given(two) == before
        assert {decision["source"]["partition"] for decision in decisions} == {0, 1, 2, 3}
        assert len(decisions) == 40
    finally:
        one.stop()
        two.stop()


async def test_of_two_workers_with_one_name_the_first_leaves_and_says_why(prepared: Settings, tmp_path: Path) -> None:
    first, second = named(prepared, tmp_path, "same"), None
    try:
        first.wait_ready()
        second = named(prepared, tmp_path, "same")
        second.wait_ready()
        assert await asyncio.to_thread(first.process.wait, 30) == EXIT_RESTART
        said = [json.loads(line)["message"] for line in first.text().splitlines() if line.startswith("{")]
        assert any("TOCSIN_INSTANCE=same" in line and f"{prepared.group('triage')} went on" in line for line in said)
        await produce(prepared, "messages", [message(1, "hello there, when do you open tomorrow please")])
        await wait_values(prepared, "decisions", at_least(1), "the second works")
        assert second.process.poll() is None
    finally:
        first.stop()
        if second is not None:
            second.stop()
