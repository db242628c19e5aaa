"""Where triage goes on when its group's offsets are lost, on real Kafka: nothing twice, nothing left out, or a refusal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient

from streams.settings import Settings
from tests.harness import Worker, at_least, message, produce, wait_values

pytestmark = pytest.mark.integration

CALM = "hello there, could you tell me when the shop opens tomorrow morning please"


async def test_a_group_that_lost_its_offsets_refuses_to_ring_four_weeks_again(
    prepared: Settings, tmp_path: Path
) -> None:
    worker = Worker(prepared, "triage", folder=tmp_path)
    await produce(prepared, "messages", [message(number, CALM) for number in range(20)])
    await wait_values(prepared, "decisions", lambda found: len(found) == 20, "decisions")
    worker.stop()
    await asyncio.to_thread(_forget_offsets, prepared)
    refused = Worker(prepared, "triage", folder=tmp_path, ready=False)
    assert await asyncio.to_thread(refused.process.wait, 60) == 70
    assert "TOCSIN_START_FROM" in refused.text()
    again = Worker(prepared, "triage", folder=tmp_path, TOCSIN_START_FROM="latest")
    try:
        await produce(prepared, "messages", [message(99, CALM)])
        decisions = await wait_values(prepared, "decisions", lambda found: len(found) > 20, "the new decision")
    finally:
        again.stop()
    assert Counter(one["message_id"] for one in decisions)["m99"] == 1
    assert len(decisions) == 21


def _forget_offsets(settings: Settings) -> None:
    client = AdminClient({"bootstrap.servers": settings.kafka})
    deleted = client.delete_consumer_groups([settings.group("triage")], request_timeout=30)
    for future in deleted.values():
        future.result()


def _wind_back(settings: Settings) -> None:
    """As a coordinator does that came up with a part of its log."""
    client = AdminClient({"bootstrap.servers": settings.kafka})
    places = [Place(settings.topic("messages"), number, 1) for number in range(settings.partitions)]
    wound = client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(settings.group("triage"), places)])
    for future in wound.values():
        future.result()


@pytest.mark.parametrize("forget", [_forget_offsets, _wind_back])
async def test_a_group_that_lost_its_offsets_goes_on_behind_what_was_decided(
    prepared: Settings, tmp_path: Path, forget: Callable[[Settings], None]
) -> None:
    worker = Worker(prepared, "triage", folder=tmp_path)
    await produce(prepared, "messages", [message(number, CALM) for number in range(20)])
    await produce(prepared, "messages", [("c0", b"no message")])
    await wait_values(prepared, "dead-letters", at_least(1), "the dead letter")
    await wait_values(prepared, "decisions", at_least(20), "decisions")
    worker.stop()
    await asyncio.to_thread(forget, prepared)
    again = Worker(prepared, "triage", folder=tmp_path, TOCSIN_START_FROM="decided")
    try:
        await produce(prepared, "messages", [message(number, CALM) for number in range(20, 60)])
        decisions = await wait_values(prepared, "decisions", at_least(60), "the new decisions")
        letters = await wait_values(prepared, "dead-letters", at_least(1), "the dead letter")
    finally:
        again.stop()
    assert Counter(one["message_id"] for one in decisions) == Counter(f"m{number}" for number in range(60))
    assert len(letters) == 1
    assert "is decided; on from there" in again.text()


async def test_where_to_go_on_is_not_guessed_once_the_message_decided_last_is_gone(
    prepared: Settings, tmp_path: Path
) -> None:
    worker = Worker(prepared, "triage", folder=tmp_path)
    await produce(prepared, "messages", [message(number, CALM) for number in range(20)])
    await wait_values(prepared, "decisions", at_least(20), "decisions")
    worker.stop()
    await asyncio.to_thread(_forget_offsets, prepared)
    await _empty(prepared, "messages")
    refused = Worker(prepared, "triage", folder=tmp_path, ready=False, TOCSIN_START_FROM="decided")
    assert await asyncio.to_thread(refused.process.wait, 60) == 70
    assert "where to go on cannot be known" in refused.text()


async def _empty(settings: Settings, name: str) -> None:
    """Removes every record, as retention does."""
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await client.start()
    try:
        places = [TopicPartition(settings.topic(name), number) for number in range(settings.partitions)]
        await client.delete_records({place: RecordsToDelete(-1) for place in places})
    finally:
        await client.close()
