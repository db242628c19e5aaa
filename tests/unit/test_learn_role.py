"""Learn: what takes long happens before the transaction, and taking lessons back holds up nothing around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from unittest.mock import Mock

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from agents import policies
from agents.learn import Learn
from agents.scoring.learner import Learner
from agents.scoring.policy import parse
from schemas.learning import Lesson
from streams.chunks import Chunk
from streams.health import HealthReporter
from streams.outputs import Outputs
from streams.settings import load
from streams.transactions import Transactions

PLACE = TopicPartition("tocsin.feedback", 0)


class Noted(Transactions):
    """Notes where each transaction lets the group go on, and whether one is open."""

    def __init__(self) -> None:
        super().__init__(load(), "learn")
        self.ends: list[int | None] = []
        self.open = False

    @asynccontextmanager
    async def transaction(self, tp: TopicPartition, next_offset: int | None) -> AsyncIterator[Any]:
        self.open = True
        yield None
        self.open = False
        self.ends.append(next_offset)


@pytest.fixture
def learn(monkeypatch: pytest.MonkeyPatch) -> Learn:
    """The role, with a Kafka that gives the next offsets and keeps nothing."""
    learn = Learn(load(), HealthReporter(load(), "learn"))
    learn._transactions = Noted()
    learn._policy = parse(policies.default_document())
    learn._snapshot_offset = 1 << 40  # none is due

    async def send(self: Outputs, producer: Any) -> dict[tuple[str, int], int]:
        self._records.clear()
        return {("tocsin.lessons", 0): learn._learner.offset}

    monkeypatch.setattr(Outputs, "send", send)
    return learn


def record(offset: int, **fields: Any) -> Any:
    """A feedback as Kafka holds it; one without fields cannot be read."""
    whole = {"id": f"f{offset}", "message_id": "m", "customer_id": "c", "reviewer": "ana", **fields}
    value = orjson.dumps(whole) if fields else b"{"
    return cast("Any", ConsumerRecord(PLACE.topic, 0, offset, 0, 0, b"c", value, None, 1, 1, ()))


def teaching(offset: int) -> Any:
    """One that teaches."""
    return record(offset, kind="correct", labels={"sentiment": "negative"}, text=f"the {offset}th is broken")


async def test_lessons_are_learned_anew_before_the_transaction_that_takes_one_back(
    learn: Learn, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions, anew = cast("Noted", learn._transactions), Learner.anew
    within: list[bool] = []

    def watched(self: Learner, lesson: Lesson) -> Learner | None:
        within.append(transactions.open)
        return anew(self, lesson)

    monkeypatch.setattr(Learner, "anew", watched)
    progressed = Mock()
    monkeypatch.setattr(learn.app.consumer, "progressed", progressed)
    records = [
        teaching(0),
        teaching(1),
        record(2, kind="retract", retracts="f0"),
        record(3),
        record(4, kind="retract", retracts="f1"),
        teaching(6),
    ]
    await learn.handle(Chunk(PLACE, records, 9, generation=learn.app.consumer.generation))
    assert within == [False, False]
    assert transactions.ends == [2, 3, 4, 6, 9]
    assert progressed.call_count == len(transactions.ends)  # however many are taken back, it is not stuck
    assert learn._learner._languages["sentiment"] == {"en": 1}  # of three that taught, the last
