"""Triage on real Kafka: one decision or one dead letter for each message, whatever dies, whatever comes."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.local import jars
from streams.local.broker import Broker
from streams.settings import Settings, load
from tests.harness import Worker, at_least, initialised, message, produce, read_all, tocsin, values, wait_values

pytestmark = pytest.mark.integration

CALM = "hello there, could you tell me when the shop opens tomorrow morning please"
DANGER = "I want to kill myself tonight, I have the pills in front of me"


async def test_every_message_is_decided_once_and_in_order_though_a_worker_is_killed(
    prepared: Settings, tmp_path: Path
) -> None:
    count = 3000
    first, second = (
        Worker(prepared, "triage", folder=tmp_path, TOCSIN_CHUNK_RECORDS="50", ready=False) for _ in range(2)
    )
    try:
        first.wait_ready()
        second.wait_ready()
        await produce(prepared, "messages", [message(number, CALM) for number in range(count // 2)])
        await wait_values(prepared, "decisions", lambda found: len(found) > 20, "first decisions")
        first.kill()
        await produce(prepared, "messages", [message(number, CALM) for number in range(count // 2, count)])
        first = Worker(prepared, "triage", folder=tmp_path, TOCSIN_CHUNK_RECORDS="50")
        decisions = await wait_values(prepared, "decisions", lambda found: len(found) >= count, "all decisions")
    finally:
        first.stop()
        second.stop()
    assert Counter(one["message_id"] for one in decisions) == Counter(f"m{number}" for number in range(count))
    records = await read_all(prepared, "decisions")
    inputs: dict[bytes, list[int]] = {record.key: [] for record in records}
    for record in records:
        decision = json.loads(record.value)
        assert record.partition == decision["source"]["partition"]
        inputs[record.key].append(decision["source"]["offset"])
    assert all(offsets == sorted(offsets) for offsets in inputs.values())


async def test_what_cannot_be_read_becomes_one_dead_letter_and_holds_nothing_up(
    prepared: Settings, tmp_path: Path
) -> None:
    broken: list[tuple[str | None, Any]] = [
        ("c", b"{"),
        ("c", b"\xff\xfe"),
        ("c", b"[]"),
        ("c", {"id": "x", "customer_id": 5, "text": "hi"}),
        ("c", {"id": "x", "customer_id": "c"}),
        ("c", {"id": "x", "customer_id": "c", "text": ""}),
        ("c", None),
        (None, b"null"),
    ]
    worker = Worker(prepared, "triage", folder=tmp_path, TOCSIN_DEAD_LETTERS_PER_MINUTE="5")
    try:
        await produce(prepared, "messages", [*broken, message(1, CALM, customer_id="c")])
        letters = await wait_values(prepared, "dead-letters", lambda found: len(found) >= len(broken), "dead letters")
        decisions = await wait_values(prepared, "decisions", bool, "the decision behind them")
        alarms = await wait_values(
            prepared, "health", lambda found: any(one["code"] == "dead_letter_flood" for one in found), "the alarm"
        )
    finally:
        worker.stop()
    assert [one["message_id"] for one in decisions] == ["m1"]
    assert Counter(one["error"] for one in letters) == Counter(
        ["not_json", "not_utf8", "not_an_object", "wrong_type", "missing_field", "no_text", "no_value", "not_an_object"]
    )
    flood = next(one for one in alarms if one["code"] == "dead_letter_flood")
    assert flood["where"].startswith(prepared.topic("messages") + "/")


async def test_danger_rings_with_its_reason_for_a_subscriber(prepared: Settings, tmp_path: Path) -> None:
    worker = Worker(prepared, "triage", folder=tmp_path)
    try:
        await produce(prepared, "messages", [message(1, DANGER), message(2, CALM)])
        await wait_values(prepared, "decisions", lambda found: len(found) == 2, "both decisions")
        alerts = await values(prepared, "priority.p0")
        records = await read_all(prepared, "priority.p0")
    finally:
        worker.stop()
    (alert,) = alerts
    reason = alert["decision"]["reasons"][0]
    assert reason["floor"]
    assert DANGER[reason["start"] : reason["end"]] in DANGER
    assert alert["why"]["en"] != alert["why"]["fr"]
    assert (alert["change"], alert["late"], alert["drill"]) == ("new", False, False)
    assert alert["decision"]["automation_allowed"] is False
    headers = {name: value.decode() for name, value in records[0].headers}
    assert headers["ce_type"] == "tocsin.alert.v1"
    assert headers["ce_id"] == alert["decision"]["id"]


async def test_edited_and_deleted_messages_are_decided_anew(prepared: Settings, tmp_path: Path) -> None:
    worker = Worker(prepared, "triage", folder=tmp_path)
    try:
        await produce(
            prepared,
            "messages",
            [
                message(1, DANGER),
                message(1, CALM, event="edited", revision=1),
                message(1, "", event="deleted", revision=2),
            ],
        )
        decisions = await wait_values(prepared, "decisions", lambda found: len(found) == 3, "three decisions")
    finally:
        worker.stop()
    assert [(one["revision"], one["status"], one["priority"]) for one in decisions] == [
        (0, decisions[0]["status"], "p0"),
        (1, decisions[1]["status"], "p3"),
        (2, "deleted", "p3"),
    ]
    assert "sentiment" not in decisions[2]


async def test_turns_of_agents_pass_by_undecided(prepared: Settings, tmp_path: Path) -> None:
    worker = Worker(prepared, "triage", folder=tmp_path)
    try:
        await produce(prepared, "messages", [message(1, DANGER, author_role="agent"), message(2, CALM)])
        decisions = await wait_values(prepared, "decisions", bool, "the customer's decision")
    finally:
        worker.stop()
    assert [one["message_id"] for one in decisions] == ["m2"]


async def test_stops_within_ten_seconds_and_joins_again_where_it_left(prepared: Settings, tmp_path: Path) -> None:
    worker = Worker(prepared, "triage", folder=tmp_path)
    await produce(prepared, "messages", [message(1, CALM)])
    await wait_values(prepared, "decisions", bool, "the first decision")
    assert worker.stop() == 0, worker.text()
    await produce(prepared, "messages", [message(2, CALM)])
    worker = Worker(prepared, "triage", folder=tmp_path)
    try:
        decisions = await wait_values(prepared, "decisions", lambda found: len(found) == 2, "the second decision")
    finally:
        assert worker.stop() == 0, worker.text()
    assert sorted(one["message_id"] for one in decisions) == ["m1", "m2"]


async def test_a_frozen_worker_that_wakes_up_writes_nothing_more(prepared: Settings, tmp_path: Path) -> None:
    zombie = Worker(prepared, "triage", folder=tmp_path, TOCSIN_CHUNK_RECORDS="20")
    await produce(prepared, "messages", [message(number, CALM) for number in range(400)])
    await wait_values(prepared, "decisions", lambda found: len(found) > 20, "first decisions")
    zombie.signal(signal.SIGSTOP)
    heir = Worker(prepared, "triage", folder=tmp_path, ready=False)
    try:
        await produce(prepared, "messages", [message(number, CALM) for number in range(400, 800)])
        await wait_values(prepared, "decisions", lambda found: len(found) >= 800, "the heir's decisions")
        zombie.signal(signal.SIGCONT)
        await produce(prepared, "messages", [message(number, CALM) for number in range(800, 1000)])
        decisions = await wait_values(prepared, "decisions", lambda found: len(found) >= 1000, "all decisions")
    finally:
        zombie.stop()
        heir.stop()
    assert Counter(one["message_id"] for one in decisions) == Counter(f"m{number}" for number in range(1000))


async def test_a_worker_that_died_in_its_very_first_transaction_is_followed_by_another(
    prepared: Settings, tmp_path: Path
) -> None:
    dead = AIOKafkaProducer(bootstrap_servers=prepared.kafka, transactional_id=prepared.group("triage") + ".0")
    await dead.start()
    await dead.begin_transaction()
    await dead.send_and_wait(prepared.topic("decisions"), b"{}", key=b"c", partition=0)
    await dead.abort_transaction()
    await dead.stop()
    worker = Worker(prepared, "triage", folder=tmp_path)
    try:
        await produce(prepared, "messages", [message(number, CALM) for number in range(20)])
        decisions = await wait_values(prepared, "decisions", at_least(20), "decisions")
    finally:
        worker.stop()
    assert len({one["message_id"] for one in decisions}) == 20


async def test_a_policy_pushed_while_running_is_in_force_from_the_next_message_on(
    prepared: Settings, tmp_path: Path
) -> None:
    default = tocsin(prepared, "policy", "show", "--default").stdout.decode()
    changed = tmp_path / "policy.yaml"
    changed.write_text(default.replace("owner:", "# changed\nowner:", 1))
    worker = Worker(prepared, "triage", folder=tmp_path)
    try:
        await produce(prepared, "messages", [message(1, CALM)])
        (before,) = await wait_values(prepared, "decisions", bool, "the first decision")
        pushed = tocsin(prepared, "policy", "push", str(changed), "--reason", "a test", "--by", "tester")
        assert pushed.returncode == 0, pushed.stderr
        version = pushed.stdout.decode().split()[-1]
        number = 1
        while True:
            number += 1
            await produce(prepared, "messages", [message(number, CALM)])
            decisions = await wait_values(prepared, "decisions", at_least(number), "decisions")
            versions = [one["policy_version"] for one in decisions]
            if version in versions:
                break
            assert number < 100
    finally:
        worker.stop()
    assert before["policy_version"] != version


async def test_topics_that_are_missing_or_uneven_are_named_with_the_mend(settings: Settings, tmp_path: Path) -> None:
    lost = Worker(settings, "triage", folder=tmp_path, ready=False)
    assert await asyncio.to_thread(lost.process.wait, 60) == 1
    assert "tocsin init" in lost.text()
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await client.start()
    await client.create_topics([NewTopic(settings.topic("decisions"), 2, 1)])
    await client.close()
    done = tocsin(settings, "init")
    assert done.returncode == 1
    sentence = done.stderr.decode().strip().splitlines()[-1]
    assert settings.topic("decisions") in sentence
    assert "2 partitions, must have 4" in sentence
    uneven = Worker(settings, "triage", folder=tmp_path, ready=False)
    assert await asyncio.to_thread(uneven.process.wait, 60) == 1
    assert "2 partitions, must have 4" in uneven.text()


def test_kafka_that_is_away_is_named_with_its_setting(settings: Settings, tmp_path: Path) -> None:
    away = settings.model_copy(update={"kafka": "127.0.0.1:1"})
    done = tocsin(away, "init", timeout=90)
    assert done.returncode == 1
    sentence = done.stderr.decode().strip().splitlines()[-1]
    assert "127.0.0.1:1 (TOCSIN_KAFKA) does not answer" in sentence
    assert "Traceback" not in done.stderr.decode()


async def test_what_the_group_coordinator_refuses_ends_the_worker(prepared: Settings, tmp_path: Path) -> None:
    worker = Worker(prepared, "triage", folder=tmp_path, ready=False, TOCSIN_SESSION_TIMEOUT="1")
    assert await asyncio.to_thread(worker.process.wait, 60) == 70
    assert "InvalidSessionTimeout" in worker.text()


async def test_a_port_in_use_is_named_with_its_setting(prepared: Settings, tmp_path: Path) -> None:
    worker = Worker(prepared, "triage", folder=tmp_path)
    try:
        second = Worker(prepared, "triage", folder=tmp_path, ready=False, TOCSIN_HTTP_PORT=str(worker.port))
        assert await asyncio.to_thread(second.process.wait, 60) == 1
        assert f"port {worker.port}" in second.text()
        assert "TOCSIN_HTTP_PORT" in second.text()
    finally:
        worker.stop()


async def test_stops_within_ten_seconds_though_kafka_is_gone(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "kafka", jars.ensure(load().cache_folder))
    await broker.start()
    try:
        await broker.wait_ready()
        alone = load(kafka=broker.address, data=tmp_path, clickhouse=f"chdb://{tmp_path / 'ch'}", partitions=4)
        await initialised(alone)
        workers = [
            await asyncio.to_thread(Worker, alone, role, folder=tmp_path) for role in ("triage", "learn", "record")
        ]
    finally:
        await broker.stop()
    for worker in workers:
        worker.signal(signal.SIGTERM)
    statuses = await asyncio.gather(*(asyncio.to_thread(worker.process.wait, 10) for worker in workers))
    assert statuses == [0, 0, 0], [worker.text()[-500:] for worker in workers]
