"""A world for the recorder: one partition in Kafka, its group, a table that takes a token once; and a process in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from agents.recording import Away, Refused
from agents.recording.recorder import Recorder
from agents.recording.tables import DAY_MS, Record, Row
from schemas.base import Invalid
from schemas.operations import DeadLetter
from streams.chunks import Chunk

TP = TopicPartition("tocsin.decisions", 3)
TOPIC_ID = "life-1"


class Died(BaseException):
    """kill -9."""


class Fenced(Exception):
    """Kafka refuses a commit of an older generation."""


def record(offset: int, value: bytes | None = b"row", day: int = 100) -> Record:
    return ConsumerRecord(TP.topic, TP.partition, offset, day * DAY_MS, 1, b"key", value, None, 3, 3, ())


def day_of(record: Record) -> int:
    return int(record.timestamp) // DAY_MS


def row_of(kind: str, record: Record, topic_id: str) -> Row | None:
    """`none`: no row; `broken`: cannot be read; `poison`: the engine will refuse it."""
    if record.value == b"none":
        return None
    if record.value == b"broken":
        raise Invalid("not_json", "not JSON")
    return Row(b"%b:%d" % (record.value or b"", record.offset), day_of(record))


class World:
    """One partition in Kafka, its group, and a table that takes a token once."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)
        self.end: int = self.records[-1].offset + 2  # a transaction marker ends the log
        self.committed: tuple[int | None, str] = (None, "")
        self.generation = 0
        self.tokens: set[str] = set()
        self.offsets: list[int] = []
        self.batches: list[list[int]] = []
        self.dead: list[DeadLetter] = []
        self.late: list[tuple[str, list[bytes]]] = []
        self.steps: list[str] = []

    def take(self, token: str, rows: Sequence[bytes]) -> None:
        if token in self.tokens:
            return
        if any(row.startswith(b"poison") for row in rows):
            raise Refused("no such row, ever", 469)
        self.tokens.add(token)
        self.batches.append([int(row.partition(b":")[2]) for row in rows])
        self.offsets += self.batches[-1]

    def chunk(self, size: int, start: int | None = None) -> Chunk | None:
        start = self.committed[0] or 0 if start is None else start
        found = [record for record in self.records if record.offset >= start][:size]
        if not found:
            return None
        behind = [record.offset for record in self.records if record.offset > found[-1].offset]
        return Chunk(TP, found, behind[0] if behind else self.end, TOPIC_ID)


class Member:
    """One process: the recorder's view of the world, and a plan of what happens to it at each step."""

    def __init__(self, world: World, plan: Callable[[str], str] = lambda step: "well", metadata: bool = True) -> None:
        world.generation += 1
        self.generation = world.generation
        self.world = world
        self.plan = plan
        self.metadata = metadata
        self.recorder = Recorder(
            self, self, row_of, {TP.topic: "decisions"}, self.report, first_retry=0.0, max_rows=7, clock=lambda: 0.0
        )

    async def report(self, letter: DeadLetter) -> None:
        self.world.dead.append(letter)

    async def committed(self, tp: TopicPartition) -> tuple[int | None, str]:
        return self.world.committed

    async def end(self, tp: TopicPartition) -> int:
        return self.world.end

    async def commit(self, tp: TopicPartition, offset: int, metadata: str) -> None:
        step = "range" if metadata else "done"
        fate = self.plan(step)
        self.world.steps.append(step)
        if fate == "die before":
            raise Died
        if self.generation != self.world.generation:
            raise Fenced
        self.world.committed = (offset, metadata if self.metadata else "")
        if fate == "die behind":
            raise Died

    async def mark(self, table: str, topic_id: str, partition: int) -> int | None:
        return max(self.world.offsets, default=None) if self.metadata else None

    async def insert(self, table: str, rows: Sequence[bytes], token: str) -> None:
        assert table == "decisions"
        fate = self.plan("insert")
        self.world.steps.append("insert")
        if fate == "die before":
            raise Died
        if fate == "away":
            raise Away("refused the connection")
        if fate == "die late":
            self.world.late.append((token, list(rows)))
            raise Died
        self.world.take(token, rows)
        if fate == "die behind":
            raise Died
        if fate == "drop answer":
            raise Away("no answer")


async def run(world: World, member: Member, sizes: Callable[[], int]) -> None:
    """Feeds a member from the group's offset until the log ends or it dies."""
    await member.recorder.assigned([TP])
    start = None
    while (chunk := world.chunk(sizes(), start)) is not None:
        await member.recorder.handle(chunk)
        start = chunk.next_offset


def log(count: int, values: Callable[[int], bytes] = lambda offset: b"row", day: int = 100) -> list[Record]:
    return [record(offset, values(offset), day) for offset in range(count)]


def exact(world: World) -> None:
    """Every row in once, every row of a batch on one day, the rest dead once at least, and the group at the end."""
    wanted = [r.offset for r in world.records if r.value == b"row"]
    assert sorted(world.offsets) == wanted, Counter(world.offsets) - Counter(wanted)
    assert {letter.offset for letter in world.dead} == {
        r.offset for r in world.records if r.value in (b"poison", b"broken")
    }
    days = {r.offset: day_of(r) for r in world.records}
    assert all(len({days[offset] for offset in batch}) == 1 for batch in world.batches)
    assert world.committed == (world.end, "")
