"""Another policy judges the same messages beside the one in force: recorded, ringing nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from agents.policies import default_document
from streams.settings import Settings
from tests.harness import Worker, at_least, message, produce, tocsin, values, wait_values

pytestmark = pytest.mark.integration

TEXTS = ("I will sue you", "where is my parcel", "I love this, thank you", "the app does not open since this morning")
COUNT = 40


async def test_a_shadow_judges_the_same_messages_and_rings_nothing(prepared: Settings, tmp_path: Path) -> None:
    policy = tmp_path / "eager.yaml"
    policy.write_text(
        default_document().replace("name: default", "name: eager").replace("urgency_p2: 0.65", "urgency_p2: 0.01")
    )
    done = await asyncio.to_thread(tocsin, prepared, "policy", "push", str(policy), "--reason", "to try it")
    assert done.returncode == 0, done.stderr
    # From where it joins: messages of before are no part of the comparison.
    await produce(prepared, "messages", [message(1000, "before anybody was there")])
    shadow = Worker(prepared, "shadow", folder=tmp_path, TOCSIN_SHADOW_POLICY="eager")
    triage = Worker(prepared, "triage", folder=tmp_path)
    try:
        broken = ("c", b"{")
        said = [message(number, TEXTS[number % len(TEXTS)]) for number in range(COUNT)]
        await produce(prepared, "messages", [*said, broken])
        decided = await wait_values(prepared, "decisions", at_least(COUNT + 1), "triage decided all")
        beside = await wait_values(prepared, "shadow", at_least(COUNT), "the shadow decided all")
        await wait_values(prepared, "dead-letters", at_least(1), "triage says what is broken")
    finally:
        triage.stop()
        shadow.stop()
    mine = {one["message_id"]: one["priority"] for one in decided}
    other = {one["message_id"]: one["priority"] for one in beside}
    assert set(other) == set(mine) - {"m1000"}
    assert len(beside) == COUNT
    assert {one["policy_version"].split("@")[0] for one in beside} == {"eager"}
    assert all(other[name] <= mine[name] for name in other)  # p1 before p2 before p3
    assert Counter(other.values())["p3"] < Counter(mine[name] for name in other)["p3"]
    rang = [one for name in ("p0", "p1", "p2") for one in await values(prepared, f"priority.{name}")]
    assert {one["decision"]["policy_version"].split("@")[0] for one in rang} == {"default"}
    assert len(await values(prepared, "dead-letters")) == 1


async def test_without_anything_to_try_it_says_what_to_set(prepared: Settings) -> None:
    done = await asyncio.to_thread(tocsin, prepared, "worker", "shadow")
    assert done.returncode != 0
    assert b"TOCSIN_SHADOW_POLICY" in done.stderr
    assert b"Traceback" not in done.stderr
