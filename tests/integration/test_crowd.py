"""Incidents on real Kafka: found once, counted once, whoever dies meanwhile; samples of p3; rights to one writer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agents.incidents import state
from agents.incidents.crowd import Crowd
from agents.incidents.meaning import shipped, words_of
from agents.policies import default_document
from agents.training.corpora import bootstrap
from streams.settings import Settings
from tests.crowd.replays import WAVES
from tests.harness import Worker, message, produce, read_all, tocsin, values, wait_values

pytestmark = pytest.mark.integration

COUNT = 120


def seeded() -> bytes:
    """What a crowd keeps that has seen messages before: so that the test need not write them first."""
    crowd = Crowd(shipped(), {})
    vectors, said = shipped().vectors([words_of(example.text) for example in bootstrap()])
    crowd.window.earlier = vectors[said]
    return state.packed(crowd)


def wave(numbers: range) -> list[tuple[str | None, Any]]:
    texts = WAVES["charged_twice"]["en"] + WAVES["charged_twice"]["fr"]
    return [message(number, texts[number % len(texts)], customer_id=f"c{number}") for number in numbers]


async def quick(settings: Settings, folder: Path) -> None:
    """A policy by which an incident is over after ten quiet seconds."""
    policy = folder / "quick.yaml"
    policy.write_text(default_document().replace("quiet_seconds: 60 ", "quiet_seconds: 10 "))
    done = await asyncio.to_thread(tocsin, settings, "policy", "push", str(policy), "--reason", "a test")
    assert done.returncode == 0, done.stderr


async def test_a_burst_is_one_incident_and_each_message_counts_once_though_crowd_is_killed(
    prepared: Settings, tmp_path: Path
) -> None:
    await quick(prepared, tmp_path)
    await produce(prepared, "crowd", [("state", seeded())])
    workers = [Worker(prepared, "triage", folder=tmp_path), Worker(prepared, "crowd", folder=tmp_path)]
    standby = Worker(prepared, "crowd", folder=tmp_path)
    try:
        await produce(prepared, "messages", wave(range(COUNT // 2)))
        await wait_values(prepared, "incidents", bool, "an incident opened")
        workers[1].kill()
        await produce(prepared, "messages", wave(range(COUNT // 2, COUNT)))
        await wait_values(
            prepared, "incidents", lambda all_: all_[-1]["messages"] > COUNT / 2, "the one standing by goes on"
        )
        found = await wait_values(
            prepared, "incidents", lambda all_: any(one["state"] == "closed" for one in all_), "it is over"
        )
    finally:
        for worker in (*workers, standby):
            worker.stop()
    decisions = await values(prepared, "decisions")
    assert len({one["id"] for one in found}) == 1
    assert [one["state"] for one in found].count("opened") == 1
    assert found[0]["kind"] == "burst"
    # Two thirds at least are like the others by what they say; none of them twice.
    assert COUNT * 2 / 3 <= found[-1]["messages"] == found[-1]["customers"] <= COUNT
    alerts = [alert for one in found for alert in one["alerts"]]
    assert len(alerts) == len({alert["decision_id"] for alert in alerts}) == found[-1]["rang"]
    assert {alert["decision_id"] for alert in alerts} <= {one["id"] for one in decisions if one["priority"] != "p3"}
    first = found[0]["first"]
    record = next(
        one
        for one in await read_all(prepared, "messages")
        if (one.partition, one.offset) == (first["source"]["partition"], first["source"]["offset"])
    )
    assert f'"id": "{first["message_id"]}"'.encode() in record.value
    for one in await read_all(prepared, "crowd"):
        assert b"charged twice" not in one.value


async def test_a_share_of_what_can_wait_is_shown_to_people_marked_as_a_sample(
    prepared: Settings, tmp_path: Path
) -> None:
    policy = tmp_path / "samples.yaml"
    policy.write_text(default_document().replace("sample: 0.005", "sample: 0.5"))
    done = await asyncio.to_thread(tocsin, prepared, "policy", "push", str(policy), "--reason", "a test")
    assert done.returncode == 0, done.stderr
    worker = Worker(prepared, "triage", folder=tmp_path)
    texts = ("what time do you open on sunday please", "I love the new colours of the app, well done")
    try:
        await produce(prepared, "messages", [message(number, texts[number % 2]) for number in range(200)])
        decisions = await wait_values(prepared, "decisions", lambda found: len(found) == 200, "200 decisions")
    finally:
        worker.stop()
    alerts = await values(prepared, "review")
    waiting = {one["id"] for one in decisions if one["priority"] == "p3" and one["status"] == "scored"}
    samples = {one["decision"]["id"] for one in alerts if one.get("sample")}
    assert samples == {identity for identity in waiting if int(identity[:8], 16) < 2**31}
    assert 0.3 < len(samples) / len(waiting) < 0.7
    assert all("sample" not in one for one in alerts if one["decision"]["id"] not in waiting)
