"""A danger that nobody reads is an alarm; a subscriber that commits, or a console page that is open, ends it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.listening import AGAIN_MS, UNHEARD_MS, WINDOW_MS, Listening
from streams.health import HealthReporter
from streams.settings import Settings
from tests.harness import produce

pytestmark = pytest.mark.integration


class Heard:
    """A health reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.alarms: list[tuple[str, str]] = []

    def alarm(self, code: str, detail: str, **_: Any) -> None:
        self.alarms.append((code, detail))


class Page:
    """What a console says of itself on `health`."""

    def __init__(self, clients: int, at: int) -> None:
        figures = f'"role":"console","clients":{clients}'
        self.value = (
            b'{"code":"worker_metrics","component":"c","severity":"info","at":"","figures":{%b}}' % figures.encode()
        )
        self.timestamp = at


@pytest_asyncio.fixture
async def rang(made: Settings) -> AsyncIterator[tuple[Settings, Listening, Heard, int]]:
    """An alert of danger, and somebody who looks when it is due."""
    await produce(made, "priority.p0", [("c", {"danger": number}) for number in range(3)])
    heard = Heard()
    yield made, Listening(made, cast(HealthReporter, heard)), heard, int(time.time() * 1000) + UNHEARD_MS + 1_000


async def commits(settings: Settings, group: str, offset: int) -> None:
    """A subscriber that has read every partition of p0 up to an offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        tps = [TopicPartition(settings.topic("priority.p0"), number) for number in range(settings.partitions)]
        consumer.assign(tps)
        await consumer.commit(dict.fromkeys(tps, offset))
    finally:
        await consumer.stop()


Rang = tuple[Settings, Listening, Heard, int]


async def test_an_unread_danger_is_told_once_an_hour(rang: Rang) -> None:
    settings, listening, heard, due = rang
    await listening.look(due - UNHEARD_MS)  # not yet
    assert heard.alarms == []
    await listening.look(due)
    ((code, detail),) = heard.alarms
    assert code == "nobody_listening"
    assert settings.topic("priority.p0") in detail
    await listening.look(due + 30_000)
    assert len(heard.alarms) == 1
    await listening.look(due + AGAIN_MS)
    assert len(heard.alarms) == 2
    await listening.look(due + WINDOW_MS + 1)  # too long ago
    assert len(heard.alarms) == 2


async def test_a_subscriber_that_reads_ends_it_and_one_that_is_behind_does_not(rang: Rang) -> None:
    settings, listening, heard, due = rang
    await commits(settings, f"{settings.topic_prefix}behind", 0)
    await listening.look(due)
    assert len(heard.alarms) == 1
    await commits(settings, f"{settings.topic_prefix}reads", 3)
    await listening.look(due + AGAIN_MS)
    assert len(heard.alarms) == 1
    await produce(settings, "priority.p0", [("c", {"danger": number}) for number in range(3, 6)])
    await listening.look(due + AGAIN_MS)
    assert len(heard.alarms) == 2


async def test_an_open_page_hears(rang: Rang) -> None:
    _, listening, heard, due = rang
    listening.on_health(Page(1, due - 5_000))
    await listening.look(due)
    assert heard.alarms == []
    listening.on_health(Page(0, due + 100_000))
    await listening.look(due + 100_000)
    assert len(heard.alarms) == 1
