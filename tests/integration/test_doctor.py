"""`tocsin doctor`: a sound set-up is told so; what is wrong is named with its mend, and the command ends with status 1."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.kafka import admin
from streams.settings import Settings
from tests.harness import Worker, tocsin

pytestmark = pytest.mark.integration


async def examined(settings: Settings) -> tuple[int, list[dict[str, Any]]]:
    """The command's status, and its findings."""
    done: subprocess.CompletedProcess[bytes] = await asyncio.to_thread(tocsin, settings, "doctor", "--json")
    assert b"Traceback" not in done.stderr, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


async def test_a_sound_set_up_has_nothing_to_mend(prepared: Settings, tmp_path: Path) -> None:
    worker = Worker(prepared, "triage", "learn", "follow", "crowd", "record", folder=tmp_path)
    try:
        status, found = await examined(prepared)
    finally:
        worker.stop()
    assert [one for one in found if one["ok"] is False] == []
    assert status == 0
    assert {one["check"] for one in found} == {
        "kafka", "topics", "rights", "clocks", "workers", "policy", "model", "clickhouse",
    }  # fmt: skip
    # One broker, and an engine that nobody else may open: neither is known to be wrong.
    assert {one["check"] for one in found if one["ok"] is None} == {"topics", "clickhouse"}


async def test_what_is_wrong_is_named_with_its_mend(prepared: Settings) -> None:
    name = prepared.topic("messages")
    async with admin(prepared) as client:
        changed = {"retention.ms": "3600000", "message.timestamp.type": "CreateTime"}
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, changed)])
    status, found = await examined(prepared)
    wrong = [one for one in found if one["ok"] is False]
    assert status == 1
    said = {one["said"]: one["mend"] for one in wrong if one["check"] == "topics"}
    assert any("retention.ms=3600000" in line and f"--entity-name {name}" in said[line] for line in said)
    assert any("message.timestamp.type=CreateTime" in line for line in said)
    idle = {one["said"].split(":")[0]: one["mend"] for one in wrong if one["check"] == "workers"}
    assert idle == {role: f"`tocsin worker {role}`" for role in ("triage", "learn", "follow", "crowd", "record")}


async def test_missing_topics_say_to_run_init(settings: Settings) -> None:
    status, found = await examined(settings)
    assert status == 1
    assert [(one["check"], one["mend"]) for one in found if one["ok"] is False] == [("topics", "run `tocsin init`")]


async def test_a_kafka_that_is_away_ends_it(settings: Settings) -> None:
    status, found = await examined(settings.model_copy(update={"kafka": "127.0.0.1:1"}))
    assert status == 1
    assert [one["check"] for one in found] == ["kafka"]
    assert "127.0.0.1:1" in found[0]["said"] + (found[0]["mend"] or "")
