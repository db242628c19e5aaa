"""The commands, as people call them: output, errors, exit statuses."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from agents.cli import COMMANDS
from streams.settings import Settings, load
from tests.harness import Worker, at_least, message, produce, read_all, tocsin, values, wait_values

pytestmark = pytest.mark.integration


def lines(output: bytes) -> list[dict[str, Any]]:
    """JSON lines."""
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def alone(tmp_path: Path) -> Settings:
    """Settings without any server."""
    return load(kafka="127.0.0.1:1", data=tmp_path, clickhouse=f"chdb://{tmp_path / 'ch'}")


def test_score_decides_in_order_and_sends_what_is_broken_to_standard_error(alone: Settings, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl.gz"
    rows: list[bytes] = [
        json.dumps({"id": "1", "customer_id": "c", "text": "I can smell gas in the hallway"}).encode(),
        b"{",
        b"",
        json.dumps({"id": "2", "customer_id": "c", "text": "merci pour votre aide, tout va bien"}).encode(),
        json.dumps({"id": "3", "customer_id": "c", "text": "hello there", "author_role": "agent"}).encode(),
        json.dumps({"id": "4", "customer_id": "c", "text": "x " * 5_000_000}).encode(),
        json.dumps({"id": 5, "customer_id": "c", "text": "hi"}).encode(),
    ]
    file.write_bytes(gzip.compress(b"\n".join(rows)))
    done = tocsin(alone, "score", str(file))
    assert done.returncode == 0
    decisions, letters = lines(done.stdout), lines(done.stderr)
    assert [one["message_id"] for one in decisions] == ["1", "2", "4"]
    assert decisions[0]["priority"] == "p0"
    assert decisions[0]["source"] == {"topic": "in.jsonl.gz", "partition": 0, "offset": 0}
    assert decisions[2]["truncated"] == "text"
    assert [(one["offset"], one["error"]) for one in letters] == [(1, "not_json"), (6, "wrong_type")]
    assert letters[1]["detail"] == 'field "id" is 5, must be a string of 1 to 256 characters'


def test_score_reads_standard_input(alone: Settings) -> None:
    row = {"id": "1", "customer_id": "c", "text": "where is my parcel please"}
    done = tocsin(alone, "score", "-", stdin=json.dumps(row).encode())
    assert [one["source"]["topic"] for one in lines(done.stdout)] == ["-"]


def test_a_file_that_is_not_there_is_named(alone: Settings) -> None:
    done = tocsin(alone, "score", "nowhere.jsonl")
    assert done.returncode == 1
    assert done.stderr.decode() == "tocsin: nowhere.jsonl cannot be read: No such file or directory\n"


def test_settings_never_show_a_secret(alone: Settings) -> None:
    done = tocsin(
        alone,
        "settings",
        "--plain",
        TOCSIN_KAFKA_PASSWORD="hush-hush",
        TOCSIN_CLICKHOUSE="https://me:hush-hush@host:8443/tocsin",
    )
    assert done.returncode == 0
    assert b"hush" not in done.stdout + done.stderr
    assert b"TOCSIN_CLICKHOUSE=https://host:8443/tocsin" in done.stdout


def test_a_setting_that_is_wrong_is_named(alone: Settings) -> None:
    done = tocsin(alone, "settings", TOCSIN_PARTITIONS="many")
    assert done.returncode == 1
    assert b"TOCSIN_PARTITIONS" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_broken_policy_is_refused_with_its_line(alone: Settings, tmp_path: Path) -> None:
    default = tocsin(alone, "policy", "show", "--default").stdout.decode().splitlines()
    number = next(place for place, line in enumerate(default) if "priority: p0" in line)
    default[number] = default[number].replace("p0", "p9")
    broken = tmp_path / "mine.yaml"
    broken.write_text("\n".join(default))
    done = tocsin(alone, "policy", "check", str(broken))
    assert done.returncode == 1
    assert f"line {number + 1}:" in done.stderr.decode()
    assert '"p9"' in done.stderr.decode()


def test_every_command_has_help(alone: Settings) -> None:
    for name in COMMANDS:
        done = tocsin(alone, name, "--help")
        assert done.returncode == 0, (name, done.stderr)
        assert b"Usage:" in done.stdout


async def test_replay_sends_every_line_and_moves_times_to_now(settings: Settings, tmp_path: Path) -> None:
    init = await asyncio.to_thread(tocsin, settings, "init")
    assert init.returncode == 0, init.stderr
    file = tmp_path / "old.jsonl"
    rows = [
        {"id": "1", "customer_id": "a", "text": "hello", "sent_at": "2017-10-31T10:00:00Z"},
        {"id": "2", "customer_id": "a", "text": "z" * 10_000_000, "sent_at": "2017-10-31T10:00:05Z"},
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\nnot json\n")
    done = await asyncio.to_thread(tocsin, settings, "replay", str(file), "--now")
    assert done.returncode == 0, done.stderr
    records = await read_all(settings, "messages")
    good = [json.loads(record.value) for record in records if record.value.startswith(b"{")]
    assert len(records) == 3
    assert {one["id"] for one in good} == {"1", "2"}
    assert all(one["sent_at"] > "2026" for one in good)
    assert max(len(one["text"]) for one in good) == 100_001  # one more than is kept, so that triage says it was cut


async def test_explain_recomputes_decisions_of_a_model_that_has_learned_since(
    settings: Settings, tmp_path: Path
) -> None:
    init = await asyncio.to_thread(tocsin, settings, "init")
    assert init.returncode == 0, init.stderr
    workers = [Worker(settings, role, folder=tmp_path) for role in ("triage", "learn")]
    text = "the parcel is late again and nobody answers"
    try:
        await produce(settings, "messages", [message(1, text)])
        (first,) = await wait_values(settings, "decisions", at_least(1), "the first decision")
        for number in range(3):
            word = {
                "id": f"f{number}",
                "message_id": "m1",
                "customer_id": "c",
                "kind": "correct",
                "labels": {"category": "delivery", "sentiment": "negative"},
                "text": text,
                "reviewer": "ana",
            }
            await produce(settings, "feedback", [("c", word)])
        await wait_values(settings, "model-updates", at_least(3), "updates")
        later = first
        number = 1
        while later["model_version"] == first["model_version"]:
            number += 1
            await produce(settings, "messages", [message(number, text)])
            decisions = await wait_values(settings, "decisions", at_least(number), "later decisions")
            later = next(one for one in decisions if one["message_id"] == f"m{number}")
            assert number < 100
        for decision in (first, later):
            past, written = tmp_path / "decision.json", tmp_path / "message.jsonl"
            past.write_text(json.dumps(decision))
            identity = int(decision["message_id"][1:])
            written.write_text(json.dumps(message(identity, text)[1]))
            done = await asyncio.to_thread(tocsin, settings, "explain", str(past), "--message", str(written))
            assert done.returncode == 0, done.stdout + done.stderr
            assert json.loads(done.stdout)["identical"] is True
        written.write_text(json.dumps(message(identity, text + " thanks")[1]))
        other = await asyncio.to_thread(tocsin, settings, "explain", str(past), "--message", str(written))
        assert other.returncode == 1
        assert "sentiment" in json.loads(other.stdout)["differs"]
    finally:
        for worker in workers:
            worker.stop()


async def test_a_model_of_another_base_is_left_aside_and_said(settings: Settings, tmp_path: Path) -> None:
    init = await asyncio.to_thread(tocsin, settings, "init")
    assert init.returncode == 0, init.stderr
    await produce(settings, "models", [("another-base", b"TOCSIN1\n not for us")])
    worker = Worker(settings, "triage", folder=tmp_path)
    try:
        await produce(settings, "messages", [message(1, "hello there, how are you")])
        (decision,) = await wait_values(settings, "decisions", at_least(1), "the decision")
        alarms = await wait_values(
            settings, "health", lambda found: any(one["code"] == "model_other_base" for one in found), "the alarm"
        )
    finally:
        worker.stop()
    assert decision["model_version"].endswith("@0")
    assert any("another-base" in (one["detail"] or "") for one in alarms)


async def test_the_same_message_twice_is_decided_twice(settings: Settings, tmp_path: Path) -> None:
    init = await asyncio.to_thread(tocsin, settings, "init")
    assert init.returncode == 0, init.stderr
    worker = Worker(settings, "triage", folder=tmp_path)
    try:
        await produce(settings, "messages", [message(1, "hello there, how are you")] * 2)
        decisions = await wait_values(settings, "decisions", at_least(2), "both decisions")
    finally:
        worker.stop()
    assert len({one["id"] for one in decisions}) == 2
    assert await values(settings, "dead-letters") == []
