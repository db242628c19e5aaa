"""One transactional producer for each input partition: a chunk's outputs and its offset, all or nothing.

Owns: fencing. The producers of newly assigned partitions are initialised before the committed offset is read, which ends
what a previous owner left open and refuses whatever it still tries (KIP-98). Must never: start a producer anew without
an assignment: a zombie would fence the true owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from streams.errors import TocsinError
from streams.kafka import producer, started
from streams.settings import Settings


class Transactions:
    """The producers of the partitions that this worker owns in one group.

    Args:
        one: one producer for all of them, where one member owns every partition; else one for each number.
    """

    def __init__(self, settings: Settings, group: str, *, one: bool = False) -> None:
        self._settings = settings
        self._group = group
        self._one = one
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
            for number in dict.fromkeys(map(self._number, owned))
        }
        await asyncio.gather(*(started(one, self._settings) for one in fresh.values()))
        self._producers = {tp: fresh[self._number(tp)] for tp in owned}

    def _number(self, tp: TopicPartition) -> int:
        return 0 if self._one else int(tp.partition)

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
        async with self._within(self._producers[tp], {} if next_offset is None else {tp: next_offset}) as producer:
            yield producer

    @asynccontextmanager
    async def together(self, offsets: Mapping[TopicPartition, int]) -> AsyncIterator[AIOKafkaProducer]:
        """As `transaction`, of several input partitions at once; those that share one producer."""
        (one,) = {self._producers[tp] for tp in offsets}
        async with self._within(one, offsets) as producer:
            yield producer

    @asynccontextmanager
    async def _within(
        self, one: AIOKafkaProducer, offsets: Mapping[TopicPartition, int]
    ) -> AsyncIterator[AIOKafkaProducer]:
        self._under_way += 1
        try:
            async with one.transaction():
                # While the outputs are on their way: two of its three round trips fall together with theirs.
                sent = asyncio.create_task(self._send_offsets(one, offsets))
                try:
                    yield one
                except BaseException:
                    sent.cancel()
                    raise
                await sent
        finally:
            self._under_way -= 1

    async def _send_offsets(self, one: AIOKafkaProducer, offsets: Mapping[TopicPartition, int]) -> None:
        if offsets:
            # Faust hands out a class of its own, which compares alike and which aiokafka refuses.
            entries = {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
            await one.send_offsets_to_transaction(entries, self._group)
