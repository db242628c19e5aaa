"""Reading chunks from real Kafka: every record is handed out, whatever rebalances do, or the worker leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import CommitFailedError
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import OffsetAndMetadata

from streams import app as module
from streams.app import ChunkApp
from streams.chunks import Chunk
from streams.fetching import ChunkThread, Member
from streams.settings import Settings

pytestmark = pytest.mark.integration

GROUP = "reading"
SECONDS = 30


class Reader:
    """A group's member that keeps what it is handed, commits it, and says why it left."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offsets: list[int] = []
        self.left: str | None = None
        self._changed = asyncio.Event()
        monkeypatch.setattr(module, "leave", self._leave)
        self.app = ChunkApp(
            settings, GROUP, [settings.topic("messages")], self._handle, self, max_records=50, max_bytes=1 << 20
        )

    def _leave(self, reason: str, error: BaseException | None = None) -> None:
        self.left = self.left or reason
        self._changed.set()
        raise asyncio.CancelledError

    async def _handle(self, chunk: Chunk) -> None:
        await self.app.consumer.commit_offset(chunk.tp, chunk.next_offset)
        self.offsets += [record.offset for record in chunk.records]
        self._changed.set()

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """Nothing to fence."""

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """Nothing to close."""

    def has(self, count: int) -> bool:
        """Whether so many records came."""
        return len(self.offsets) >= count

    async def until(self, done: Callable[[], bool]) -> None:
        """Returns when `done`, or fails after half a minute."""
        async with asyncio.timeout(SECONDS):
            while not done():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def reading(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reader]:
    """A reader of `messages` in this process."""
    reader = Reader(settings, monkeypatch)
    await reader.app.start()
    try:
        yield reader
    finally:
        await reader.app.stop()


def place(settings: Settings) -> TopicPartition:
    """The one partition that is written to."""
    return TopicPartition(settings.topic("messages"), 0)


async def write(settings: Settings, count: int, *, kept: bool = True) -> list[int]:
    """Records to partition 0 in a transaction of their own; their offsets."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, transactional_id=settings.group("writer"))
    await producer.start()
    try:
        await producer.begin_transaction()
        sent = [await producer.send(settings.topic("messages"), b"x", partition=0) for _ in range(count)]
        found = [(await one).offset for one in sent]
        await (producer.commit_transaction() if kept else producer.abort_transaction())
        return found
    finally:
        await producer.stop()


async def delete_before(settings: Settings, offset: int) -> None:
    """As Kafka does when retention is over."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_records({place(settings): RecordsToDelete(offset)})
    finally:
        await admin.close()


async def test_records_that_were_fetched_and_handed_to_nobody_end_the_worker(
    made: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, dropped = ChunkThread._fetch, asyncio.Event()

    async def losing(self: ChunkThread, *arguments: Any) -> Any:
        found = await fetch(self, *arguments)
        if found and not dropped.is_set():
            dropped.set()
            return {}
        return found

    monkeypatch.setattr(ChunkThread, "_fetch", losing)
    lost = await write(made, 20)
    async with reading(made, monkeypatch) as reader:
        async with asyncio.timeout(SECONDS):
            await dropped.wait()
        await write(made, 20)
        await reader.until(lambda: reader.left is not None)
    assert reader.left is not None
    assert f"not {len(lost) + 1} offsets before it" in reader.left  # with the mark that ends their transaction
    assert reader.offsets == []


async def test_a_member_that_the_group_has_forgotten_commits_nothing_though_the_group_is_empty(
    made: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgotten(thread: ChunkThread, member: Member | None) -> None:
        coordinator = thread._ensure_consumer()._coordinator
        await coordinator._send_req(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))
        coordinator.reset_generation()  # as aiokafka does when a heartbeat or a commit is answered "unknown member"
        await thread._commit_offset(place(made), OffsetAndMetadata(1, ""), member)

    await write(made, 3)
    async with reading(made, monkeypatch) as reader:
        await reader.until(lambda: len(reader.offsets) == 3)
        thread, member = reader.app.consumer._thread, reader.app.consumer._member
        with pytest.raises(CommitFailedError, match="without this member"):
            await thread.call_thread(forgotten, thread, member)
        found = await thread.committed([place(made)])
        async with asyncio.timeout(SECONDS):  # it joins again; a consumer that is stopped within a rebalance takes long
            while reader.app.consumer._member == member or not reader.app.ready:
                await asyncio.sleep(0.02)
    assert found[place(made)].offset == 4


async def test_a_member_that_joined_without_knowing_the_topics_is_given_them_soon(
    made: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = AIOKafkaClient._metadata_update
    lost: list[Any] = []

    async def losing(client: AIOKafkaClient, cluster: Any, names: Any) -> Any:
        if made.topic("messages") in names and not lost:
            lost.append(names)
            return False  # as where the broker goes away just then
        return await known(client, cluster, names)

    await write(made, 20)
    monkeypatch.setattr(AIOKafkaClient, "_metadata_update", losing)
    async with reading(made, monkeypatch) as reader:
        await reader.until(lambda: reader.has(20))
    assert lost


async def test_offsets_that_hold_nothing_are_no_hole(made: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = await write(made, 3)
    async with reading(made, monkeypatch) as reader:
        await reader.until(lambda: reader.offsets == wanted)
        for _ in range(3):  # each is fetched by itself: nothing to hand out, and the reader stands further on
            ended = (await write(made, 4, kept=False))[-1] + 2
            async with asyncio.timeout(SECONDS):
                while reader.app.consumer._thread._empty[1].get(place(made), (0, 0))[1] < ended:
                    await asyncio.sleep(0.01)
        wanted += await write(made, 3)
        await reader.until(lambda: len(reader.offsets) >= len(wanted) or reader.left is not None)
    assert (reader.left, reader.offsets) == (None, wanted)


async def test_faust_notes_nothing_of_what_was_handed_out(made: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with reading(made, monkeypatch) as reader:
        for count in (3, 6, 9):  # with a gap between two: the marker that ends a transaction
            await write(made, 3)
            await reader.until(partial(reader.has, count))
        consumer = reader.app.consumer
        assert (dict(consumer._gap), dict(consumer._acked), dict(consumer._acked_index)) == ({}, {}, {})


async def test_what_kafka_removed_before_it_was_read_is_said_and_is_no_hole(
    made: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await write(made, 3)
    async with reading(made, monkeypatch) as reader:
        await reader.until(lambda: len(reader.offsets) == 3)
    await write(made, 10)
    (first, *_) = await write(made, 10)
    await delete_before(made, first)
    async with reading(made, monkeypatch) as reader:
        await reader.until(lambda: len(reader.offsets) == 10 or reader.left is not None)
    assert (reader.left, reader.offsets[0]) == (None, first)
    assert f"Kafka removed offsets 4 to {first - 1}" in caplog.text
