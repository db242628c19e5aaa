"""Record: everything that happened, in ClickHouse, once.

Owns: which topics are recorded, and the glue between the group's offsets and the range protocol of `agents.recording`.
Must never: hold up triage; when ClickHouse is away this role alone waits.
"""

from __future__ import annotations

import time
from collections import Counter

from aiokafka import TopicPartition

from agents.recording import Away
from agents.recording.recorder import Inserted, Recorder, pace
from agents.recording.sink import Sink
from agents.recording.tables import TABLES, Tables
from agents.scoring.pieces import feature_id
from schemas.decision import encode
from schemas.operations import DeadLetter
from streams import metrics
from streams.app import ChunkApp
from streams.chunks import Chunk
from streams.consumer import ChunkConsumer
from streams.health import HealthReporter
from streams.kafka import admin, producer, started
from streams.outputs import Outputs, cloud_event
from streams.roles import GroupRole
from streams.settings import Settings
from streams.topic_ids import topic_ids

SOURCE = "tocsin/record"
FETCH_BYTES = 32_000_000
"""Fetched of one partition at once: enough for an insert of 20,000 decisions of 2 KB, compressed or not."""


class _Offsets:
    """The group's offsets, as the range protocol asks for them."""

    def __init__(self, consumer: ChunkConsumer) -> None:
        self._consumer = consumer

    async def committed(self, tp: TopicPartition) -> tuple[int | None, str]:
        return await self._consumer.committed(tp)

    async def commit(self, tp: TopicPartition, offset: int, metadata: str) -> None:
        await self._consumer.commit_offset(tp, offset, metadata)

    async def end(self, tp: TopicPartition) -> int:
        ends = await self._consumer.highwaters(tp)
        return ends[tp]


class Record(GroupRole):
    """The role `record`."""

    name = "record"
    may_wait = True

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        super().__init__(settings, health)
        self._sink = Sink(settings.clickhouse.get_secret_value())
        self._kinds = {settings.topic(kind): kind for kind in TABLES}
        self._partitions: Counter[str] = Counter()
        self._topic_ids: dict[str, str] = {}
        self._producer = producer(settings)
        self.app = ChunkApp(
            settings,
            self.name,
            list(self._kinds),
            self.handle,
            self,
            max_records=settings.record_rows,
            max_bytes=FETCH_BYTES,
            concurrency=8,
            topic_ids=self._topic_ids,
        )
        self._recorder = Recorder(
            self._sink,
            _Offsets(self.app.consumer),
            Tables(lambda name, _language: feature_id(name)).row,
            self._kinds,
            self._dead,
            away=self._away,
            inserted=self._inserted,
            max_rows=settings.record_rows,
        )

    async def start(self) -> None:
        """Tables, topic ids, then the group. A ClickHouse that is away does not hold up the start."""
        await started(self._producer, self.settings)
        async with admin(self.settings) as client:
            self._topic_ids.update(await topic_ids(client, list(self._kinds)))
        if self._sink.in_process:
            await self._sink.ensure_tables()  # one process owns that engine, so `tocsin init` leaves its tables to us
            self._sink.own_inserts()
        await super().start()

    async def stop(self) -> None:
        """Leaves the group; an insert under way is finished by whoever owns its range next."""
        await super().stop()
        await self._producer.stop()
        await self._sink.close()

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """Takes the partitions."""
        self._partitions = Counter(tp.topic for tp in partitions)
        await self._recorder.assigned(partitions)

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """Gives them up."""
        await self._recorder.revoked(partitions)

    async def handle(self, chunk: Chunk) -> float:
        """Records a chunk; the partition rests until its next insert is due."""
        begun = time.monotonic()
        if await self._recorder.handle(chunk):
            self.finished(chunk)
        self.count(messages=len(chunk.records))
        wanted = pace(self._partitions[chunk.tp.topic], self.settings.record_seconds)
        return max(wanted - (time.monotonic() - begun), 0.0)

    async def _dead(self, letter: DeadLetter) -> None:
        outputs = Outputs()
        headers = cloud_event(
            "tocsin.dead-letter.v1", SOURCE, f"{letter.topic}/{letter.partition}/{letter.offset}", letter.at
        )
        outputs.add(self.settings.topic("dead-letters"), letter.partition, None, encode(letter), headers)
        await outputs.send(self._producer)
        metrics.DEAD_LETTERS.labels(letter.topic, letter.error).inc()

    def _away(self, tp: TopicPartition, error: Away, attempt: int) -> None:
        metrics.CLICKHOUSE_UP.set(0)
        metrics.INSERT_RETRIES.labels(self._kinds.get(tp.topic, tp.topic)).inc()
        self.health.alarm(
            "clickhouse_away",
            f"{tp.topic}/{tp.partition}: attempt {attempt} failed: {error}; rows wait in Kafka, triage goes on",
            where="clickhouse",
        )

    def _inserted(self, inserted: Inserted) -> None:
        metrics.CLICKHOUSE_UP.set(1)
        metrics.ROWS.labels(inserted.table).inc(inserted.rows)
        metrics.INSERT_SECONDS.labels(inserted.table).observe(inserted.seconds)
        self.count(rows=inserted.rows)
