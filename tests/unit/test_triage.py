"""Triage: a chunk that a rebalance overtook while it was judged is left to whoever owns it now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from agents.triage import BATCH, Triage
from schemas.decision import Decision
from streams.chunks import Chunk
from streams.health import HealthReporter
from streams.outputs import Outputs
from streams.settings import load
from streams.transactions import Transactions

PLACE = TopicPartition("messages", 0)


class Overtaken(Triage):
    """Judging takes so long that the group is ordered anew."""

    judged = 0

    def _batch(self, records: Sequence[Any], outputs: Outputs, decided: list[Decision]) -> None:
        self.judged += len(records)
        self.app.consumer.generation += 1


class NoTransactions(Transactions):
    """None may be begun: its producer is the new owner's, who has read these messages as well."""

    def transaction(self, tp: TopicPartition, next_offset: int | None) -> Any:
        raise AssertionError(f"a transaction for {tp} to {next_offset}")


async def test_a_chunk_that_outlives_its_assignment_is_not_decided() -> None:
    settings = load()
    triage = Overtaken(settings, HealthReporter(settings, "triage"))
    triage._transactions = NoTransactions(settings, "triage")
    records = [
        cast("Any", ConsumerRecord("messages", 0, offset, 0, 0, b"k", b"{}", None, 1, 2, ()))
        for offset in range(3 * BATCH)
    ]
    await triage.handle(Chunk(PLACE, records, 3 * BATCH, generation=triage.app.consumer.generation))
    assert triage._next == {}
    assert triage.judged == BATCH  # the group waits: nothing is judged that will not be committed
