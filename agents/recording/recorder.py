"""Exactly once into ClickHouse: what Kafka is told before and after each insert.

For every batch of consecutive records of one partition:
1. commit {first, last, topic_id} as metadata of the group's offset, which stays at `first`; Kafka refuses this to a
   member of an older generation, so nobody starts a range on a partition that is another's;
2. insert the batch's rows under the token `topic:topic_id:partition:first-last`, the same rows again until there is an
   answer: ClickHouse takes a token once, so a retry, a zombie's late insert or a new owner's repeat adds nothing;
3. commit the next offset with empty metadata.
A new owner that finds a range sends exactly that range again before it goes on. So at any moment only one range of a
partition can be in flight, and its bounds are in Kafka: no batch is ever cut anew after an unknown answer.
Rows that ClickHouse refuses for good are found by halving; each half goes through the same three steps.
Owns: this order. Must never: insert a range that Kafka has not accepted, or call a range done whose answer is unknown.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

from aiokafka import TopicPartition

from agents.recording import Away, Engine, Offsets, Refused
from agents.recording.ranges import MAX_BYTES, MAX_ROWS, Batch, Item, Range, cut, standing
from agents.recording.tables import TABLES, Record, Row
from schemas.base import Invalid, timestamp
from schemas.operations import DeadLetter, dead_letter
from streams.chunks import Chunk

log = logging.getLogger("tocsin.recording")
T = TypeVar("T")

FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0
"""Retries go on for ever, this far apart at most: ClickHouse may be away for hours, its return should be noticed."""
EASY_PARTITIONS = 4
"""Inserts a second that one table takes without thought; with more partitions each one waits longer."""


def pace(partitions: int, seconds: float) -> float:
    """Seconds a record may wait for its insert to fill, with so many partitions of its topic.

    Every insert leaves a part behind that ClickHouse must merge; its advice is about one insert a second and table.
    """
    return seconds * max(1.0, partitions / EASY_PARTITIONS)


class Inserted(NamedTuple):
    """What one insert did, for metrics."""

    table: str
    rows: int
    seconds: float


class _Left(Exception):
    """The partition was taken away while its rows waited."""


class _Partition:
    """What this member knows of one partition since it was assigned; forgotten whenever something goes wrong."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.loaded = False
        self.position = 0
        self.pending: Range | None = None
        self.held: list[Record] = []

    def forget(self) -> None:
        """Reads the group's offset again before anything else is done."""
        self.loaded, self.position, self.pending, self.held = False, 0, None, []


class Recorder:
    """Records the chunks of the partitions assigned to this member.

    Different partitions may be handled at once; one partition's chunks are handled one after the other.

    Args:
        engine: where rows go.
        offsets: the group's offsets.
        row: the row of a record, or None; `Tables.row`. Called in a thread.
        kinds: kind by topic name, as in `agents.recording.tables.TABLES`.
        dead: told of each record that is not recorded, before its offset is committed; after a crash perhaps again.
        away: told of each attempt that failed: partition, why, how many in a row.
        inserted: told of each insert that was taken.
        clock: seconds since 1970, for dead letters.
        max_rows, max_bytes: of one insert.
        first_retry: seconds until the first retry; each later one waits twice as long, up to LAST_RETRY_SECONDS.
    """

    def __init__(
        self,
        engine: Engine,
        offsets: Offsets,
        row: Callable[[str, Record, str], Row | None],
        kinds: Mapping[str, str],
        dead: Callable[[DeadLetter], Awaitable[None]],
        *,
        away: Callable[[TopicPartition, Away, int], None] = lambda tp, error, attempt: None,
        inserted: Callable[[Inserted], None] = lambda inserted: None,
        clock: Callable[[], float] = time.time,
        max_rows: int = MAX_ROWS,
        max_bytes: int = MAX_BYTES,
        first_retry: float = FIRST_RETRY_SECONDS,
    ) -> None:
        self._engine = engine
        self._offsets = offsets
        self._row = row
        self._kinds = kinds
        self._dead = dead
        self._away = away
        self._inserted = inserted
        self._clock = clock
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._first_retry = first_retry
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._locks: dict[TopicPartition, asyncio.Lock] = {}

    async def assigned(self, tps: Iterable[TopicPartition]) -> None:
        """Takes these partitions, anew if they were ours; asks nobody, so it cannot hold a rebalance up."""
        taken = list(tps)
        await self.revoked(taken)
        for tp in taken:
            self._partitions[tp] = _Partition()
            self._locks.setdefault(tp, asyncio.Lock())

    async def revoked(self, tps: Iterable[TopicPartition]) -> None:
        """Gives these partitions up: a chunk in hand ends at its next step, and is not committed."""
        for tp in tps:
            old = self._partitions.pop(tp, None)
            if old is not None:
                old.left.set()

    async def handle(self, chunk: Chunk) -> bool:
        """Inserts and commits a chunk.

        Returns:
            True when all of it is recorded. False when it is kept as the beginning of an earlier owner's range (give
            the next chunk), or when the partition was taken away meanwhile.

        Raises:
            TocsinError: Kafka and ClickHouse contradict each other about this partition.
            Exception: whatever `Offsets` or `dead` raise. The chunk may be given again, or to another member.
        """
        mine = self._partitions.get(chunk.tp)
        if mine is None:
            return False
        # An earlier handle of this partition may still wait for its insert's answer: two at once would cut twice.
        async with self._locks[chunk.tp]:
            try:
                if not mine.loaded:
                    await self._load(mine, chunk)
                return await self._chunk(mine, chunk)
            except _Left:
                return False
            except BaseException:  # cancellation too: what Kafka was last told is not known here
                mine.forget()
                raise

    async def _load(self, mine: _Partition, chunk: Chunk) -> None:
        tp, topic_id = chunk.tp, chunk.topic_id
        table = TABLES[self._kinds[tp.topic]]
        mark = await self._until_answered(mine, tp, lambda: self._engine.mark(table, topic_id, tp.partition))
        committed, metadata = await self._offsets.committed(tp)
        end = await self._offsets.end(tp)
        where = f"{tp.topic}[{tp.partition}]"
        mine.position, mine.pending = standing(where, table, topic_id, committed, metadata, end, mark)
        mine.held, mine.loaded = [], True

    async def _chunk(self, mine: _Partition, chunk: Chunk) -> bool:
        records = mine.held + [record for record in chunk.records if record.offset >= mine.position]
        mine.held = []
        if mine.pending is not None:
            last = mine.pending.last
            inside = [record for record in records if record.offset <= last]
            if chunk.next_offset <= last:  # bounded by the range, which its writer bounded by his own settings
                mine.held = inside
                mine.position = max(mine.position, chunk.next_offset)
                return False
            records = records[len(inside) :]
            items = await asyncio.to_thread(self._items, chunk, inside)
            follows = records[0].offset if records else chunk.next_offset
            await self._store(mine, chunk, Batch(mine.pending, items, follows))
            mine.pending = None
        for batch in await asyncio.to_thread(self._cut, chunk, records):
            await self._store(mine, chunk, batch)
        if mine.position < chunk.next_offset:  # nothing but transaction markers, or records that stand there already
            await self._commit(mine, chunk.tp, chunk.next_offset, "")
            mine.position = chunk.next_offset
        return True

    def _cut(self, chunk: Chunk, records: Sequence[Record]) -> list[Batch]:
        items = self._items(chunk, records)
        return cut(items, chunk.topic_id, chunk.next_offset, self._max_rows, self._max_bytes)

    def _items(self, chunk: Chunk, records: Sequence[Record]) -> list[Item]:
        kind = self._kinds[chunk.tp.topic]
        items = []
        for record in records:
            try:
                items.append(Item(record, self._row(kind, record, chunk.topic_id), None))
            except Invalid as error:
                items.append(Item(record, None, error))
        return items

    async def _store(self, mine: _Partition, chunk: Chunk, batch: Batch) -> None:
        """The three steps, for a batch or for a part of it."""
        tp, table = chunk.tp, TABLES[self._kinds[chunk.tp.topic]]
        dead = [(item.record, item.error) for item in batch.items if item.error is not None]
        rows = batch.rows
        if rows:
            await self._commit(mine, tp, batch.range.first, batch.range.metadata())
            token = batch.range.token(tp)
            started = time.monotonic()
            try:
                await self._until_answered(mine, tp, lambda: self._engine.insert(table, rows, token))
            except Refused as refused:
                if len(rows) > 1:
                    for half in batch.halves():
                        await self._store(mine, chunk, half)
                    return
                # The reason may quote the row, which may hold a customer's words: not for the log.
                log.error("ClickHouse refused a row of %s for good (code %s)", token, refused.code)
                record = next(item.record for item in batch.items if item.row is not None)
                dead.append((record, Invalid("record_refused", f"ClickHouse refused the row: {refused}")))
            else:
                self._inserted(Inserted(table, len(rows), time.monotonic() - started))
        for record, error in dead:
            await self._dead(self._letter(record, error))
        await self._commit(mine, tp, batch.next, "")
        mine.position = batch.next

    async def _commit(self, mine: _Partition, tp: TopicPartition, offset: int, metadata: str) -> None:
        if mine.left.is_set():
            raise _Left
        await self._offsets.commit(tp, offset, metadata)

    async def _until_answered(self, mine: _Partition, tp: TopicPartition, ask: Callable[[], Awaitable[T]]) -> T:
        attempt = 0
        while not mine.left.is_set():
            try:
                return await ask()
            except Away as error:
                attempt += 1
                if attempt & (attempt - 1) == 0:
                    log.warning("ClickHouse is away for %s[%d], attempt %d: %s", tp.topic, tp.partition, attempt, error)
                self._away(tp, error, attempt)
            wait = min(self._first_retry * 2 ** min(attempt - 1, 10), LAST_RETRY_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(mine.left.wait(), wait)
        raise _Left

    def _letter(self, record: Record, error: Invalid) -> DeadLetter:
        return dead_letter(
            record.topic,
            record.partition,
            record.offset,
            record.key,
            record.value,
            error=error.code,
            detail=error.detail,
            at=timestamp(int(self._clock() * 1000)),
        )
