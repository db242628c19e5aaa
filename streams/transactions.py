"""One transactional producer for each input partition: a chunk's outputs and its offset, all or nothing.

Owns: fencing. The producers of newly assigned partitions are initialised before the committed offset is read, which ends
what a previous owner left open and refuses whatever it still tries (KIP-98). Must never: start a producer anew without
an assignment: a zombie would fence the true owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from streams.errors import TocsinError
from streams.kafka import producer, started
from streams.settings import Settings


class Transactions:
    """The producers of the partitions that this worker owns in one group."""

    def __init__(self, settings: Settings, group: str) -> None:
        self._settings = settings
        self._group = group
        self._producers: dict[TopicPartition, AIOKafkaProducer] = {}
        self._under_way = 0

    async def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Fences whoever owned the partitions before; every earlier producer of ours is closed first.

        Raises:
            TocsinError: as `revoke`.
        """
        await self.revoke()
        owned = sorted(partitions)
        # One for each number: a role that reads several topics has the same number of all of them.
        fresh = {
            number: producer(self._settings, transactional_id=f"{self._group}.{number}")
            for number in dict.fromkeys(tp.partition for tp in owned)
        }
        await asyncio.gather(*(started(one, self._settings) for one in fresh.values()))
        self._producers = {tp: fresh[tp.partition] for tp in owned}

    async def revoke(self) -> None:
        """Closes every producer.

        Raises:
            TocsinError: a transaction was under way. Kafka aborts it, but whoever waits for it here would wait for ever:
                aiokafka never answers for what a closed producer had in hand. Leave the process.
        """
        await self.close()
        if self._under_way:
            raise TocsinError(
                "a partition was taken away within a transaction; it is done again by whoever owns it next"
            )

    async def close(self) -> None:
        """Closes every producer; an open transaction is left to be aborted."""
        old, self._producers = self._producers, {}
        await asyncio.gather(*(one.stop() for one in set(old.values())), return_exceptions=True)

    @asynccontextmanager
    async def transaction(self, tp: TopicPartition, next_offset: int | None) -> AsyncIterator[AIOKafkaProducer]:
        """Everything sent inside, and the input offset, become visible together.

        Args:
            tp: the input partition; owned, else KeyError. Partitions of one number share a producer: one at a time.
            next_offset: where the group goes on reading; None leaves that as it is.

        Raises:
            KafkaError: nothing of it is visible, or (rarely) it cannot be known; leave the process.
        """
        one = self._producers[tp]
        self._under_way += 1
        try:
            async with one.transaction():
                # While the outputs are on their way: two of its three round trips fall together with theirs.
                offset = asyncio.create_task(self._send_offset(one, tp, next_offset))
                try:
                    yield one
                except BaseException:
                    offset.cancel()
                    raise
                await offset
        finally:
            self._under_way -= 1

    async def _send_offset(self, one: AIOKafkaProducer, tp: TopicPartition, next_offset: int | None) -> None:
        if next_offset is not None:
            await one.send_offsets_to_transaction({tp: OffsetAndMetadata(next_offset, "")}, self._group)
