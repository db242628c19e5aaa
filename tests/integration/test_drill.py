"""A drill rings as life does, says that it is one, leaves no trace of a customer, and tells when nothing rang."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.harness import Worker, produce, read_all, tocsin, values, wait_values

pytestmark = pytest.mark.integration


async def test_a_drill_arrives_marked_and_nobody_is_handed_over(prepared: Settings, tmp_path: Path) -> None:
    workers = [Worker(prepared, role, folder=tmp_path) for role in ("triage", "follow")]
    try:
        for priority in ("p0", "p1", "p2"):
            done = await asyncio.to_thread(tocsin, prepared, "drill", "--priority", priority, "--wait", "60")
            assert done.returncode == 0, done.stderr
            found = json.loads(done.stdout)
            assert (found["priority"], found["arrived"]) == (priority, True)
            (alert,) = await values(prepared, f"priority.{priority}")
            assert alert["drill"] is True
            assert alert["message"]["id"] == found["message_id"]
        said = {"id": "m1", "customer_id": "c", "text": "I want to talk to a human", "attributes": {"drill": True}}
        await produce(prepared, "messages", [("c", said)])
        handoffs = await wait_values(prepared, "handoffs", lambda found: bool(found), "a customer's handoff")
        assert {one["customer_id"] for one in handoffs} == {"c"}  # p2's drill asked for a human, too, and before
        alerts = await values(prepared, "priority.p2")
        assert [one["drill"] for one in alerts] == [True, False]  # only a drill's customer drills
    finally:
        for worker in workers:
            worker.stop()
    outcomes = [json.loads(one.value) for one in await read_all(prepared, "health")]
    assert sum(one["code"] == "drill" and one["figures"]["arrived"] for one in outcomes) == 3


async def test_a_drill_that_nobody_rings_for_says_so(prepared: Settings) -> None:
    done = await asyncio.to_thread(tocsin, prepared, "drill", "--wait", "1")
    assert done.returncode == 1
    assert json.loads(done.stdout)["arrived"] is False
    told = [json.loads(one.value) for one in await read_all(prepared, "health")]
    (alarm,) = [one for one in told if one["code"] == "drill"]
    assert (alarm["severity"], alarm["where"]) == ("critical", "priority.p0")
    assert "is triage at work" in alarm["detail"]
