"""Transactions: a partition that is taken away while its transaction is under way is not forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams import transactions as module
from streams.errors import TocsinError
from streams.settings import load
from streams.transactions import Transactions

PLACE = TopicPartition("messages", 0)


class Producer:
    """As aiokafka's behaves: what it had in hand when it was stopped is never answered."""

    def __init__(self) -> None:
        self.stopped = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    async def send_offsets_to_transaction(self, *_: Any) -> None:
        await asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        self.stopped = True


@pytest.fixture
async def transactions(monkeypatch: pytest.MonkeyPatch) -> Transactions:
    async def started(one: Any, _: Any) -> Any:
        return one

    monkeypatch.setattr(module, "producer", lambda *_, **__: Producer())
    monkeypatch.setattr(module, "started", started)
    made = Transactions(load(), "triage")
    await made.assign([PLACE])
    return made


async def test_a_partition_taken_away_within_a_transaction_is_said_so(transactions: Transactions) -> None:
    async def chunk() -> None:
        async with transactions.transaction(PLACE, 7):
            pass

    handling = asyncio.create_task(chunk())
    await asyncio.sleep(0)
    with pytest.raises(TocsinError, match="taken away within a transaction"):
        await transactions.revoke()
    await transactions.close()  # at the end of a process it is no news
    handling.cancel()
    await asyncio.gather(handling, return_exceptions=True)


async def test_partitions_between_transactions_are_let_go(transactions: Transactions) -> None:
    await transactions.revoke()
    await transactions.assign([PLACE])
