"""The range: which consecutive records of a partition go to ClickHouse together, and under which token.

A range's rows are inserted together or not at all, so all of them stand on one UTC day (one ClickHouse partition), in
one block. Its bounds and token depend on nothing but records, so that whoever sends a range again sends the same.
Owns: bounds, tokens, what the group's metadata says of a range, halving. Must never: wait for anybody.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import orjson
from aiokafka import TopicPartition

from agents.recording.tables import Record, Row
from schemas.base import Invalid
from streams.errors import TocsinError

log = logging.getLogger("tocsin.recording")

MAX_ROWS = 200_000
"""Rows of one insert: ClickHouse makes one block of up to 1,048,449 (`sink` sets it), and only a block is atomic."""
MAX_BYTES = 64_000_000
"""Bytes of one insert's rows: for memory, and as another bound of the block."""


@dataclass(frozen=True, slots=True)
class Range:
    """Records `first` to `last` (offsets, both included) of one life of a topic."""

    first: int
    last: int
    topic_id: str

    def token(self, tp: TopicPartition) -> str:
        """What ClickHouse knows the range's insert by."""
        return f"{tp.topic}:{self.topic_id}:{tp.partition}:{self.first}-{self.last}"

    def metadata(self) -> str:
        """The range as the group's offset keeps it."""
        return orjson.dumps({"first": self.first, "last": self.last, "topic_id": self.topic_id}).decode()

    @classmethod
    def parse(cls, metadata: str, where: str) -> Range | None:
        """The range in the group's metadata; None where it is empty.

        Raises:
            TocsinError: somebody else's metadata; guessing could write rows twice.
        """
        if not metadata:
            return None
        try:
            fields = orjson.loads(metadata)
            first, last, topic_id = fields["first"], fields["last"], fields["topic_id"]
            if type(first) is int and type(last) is int and type(topic_id) is str and 0 <= first <= last:
                return cls(first, last, topic_id)
        except (ValueError, TypeError, KeyError):
            pass
        raise TocsinError(
            f"the group's offset of {where} carries metadata that is no range: {metadata[:100]!r}; "
            "something other than a recorder commits in this group"
        )


class Item(NamedTuple):
    """A record and its row, or why it has none (neither: another role reports it)."""

    record: Record
    row: Row | None
    error: Invalid | None


@dataclass(slots=True)
class Batch:
    """A range, its records in order, and the offset to commit when it is done."""

    range: Range
    items: Sequence[Item]
    next: int

    @property
    def rows(self) -> list[bytes]:
        """What is inserted; records without a row count in the range all the same."""
        return [item.row.data for item in self.items if item.row is not None]

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches with half of the rows each, of which there must be two at least."""
        places = [place for place, item in enumerate(self.items) if item.row is not None]
        middle = places[len(places) // 2]
        border = self.items[middle].record.offset
        before = Range(self.range.first, self.items[middle - 1].record.offset, self.range.topic_id)
        behind = Range(border, self.range.last, self.range.topic_id)
        return Batch(before, self.items[:middle], border), Batch(behind, self.items[middle:], self.next)


def standing(
    where: str, table: str, topic_id: str, committed: int | None, metadata: str, end: int, mark: int | None
) -> tuple[int, Range | None]:
    """Where a new owner starts, and the range that it must send again first.

    Args:
        where: topic and partition, for people.
        committed: the group's offset, with its `metadata`.
        end: the offset behind the partition's last record.
        mark: the highest offset the table holds of this partition of this topic id: a cross-check, no more; an insert
            that is still on its way is not in it.

    Raises:
        TocsinError: Kafka and ClickHouse contradict each other.
    """
    if mark is not None and end <= mark:
        raise TocsinError(
            f"{where} ends at offset {end}, but table {table} holds its offset {mark} (topic id {topic_id}): Kafka "
            "lost records, and new ones would be taken for those; make the topic anew, or move the table's rows away"
        )
    if committed is not None and committed > end:
        raise TocsinError(
            f"{where} ends at offset {end}, but the group committed {committed}: reset the group's offset"
        )
    pending = Range.parse(metadata, where)
    if pending is not None and pending.topic_id != topic_id:
        log.warning(
            "%s was made anew: the range %d-%d of its former life is dropped", where, pending.first, pending.last
        )
        pending = None
    position = committed or 0
    if pending is None and mark is not None and mark >= position:
        log.warning("%s: the group stands at %d, table %s holds up to %d: skipped", where, position, table, mark)
        position = mark + 1
    return position, pending


def cut(
    items: Sequence[Item], topic_id: str, next_offset: int, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES
) -> list[Batch]:
    """Batches of consecutive records whose rows stand on one day, within the bounds of one insert.

    Args:
        items: in the order of their offsets.
        next_offset: where the reader stands behind the last of them.
    """
    starts = []
    day, rows, size = None, max_rows, 0
    for place, (_, row, _) in enumerate(items):
        if place == 0 or (row and (rows >= max_rows or size + len(row.data) > max_bytes or day not in (None, row.day))):
            starts.append(place)
            day, rows, size = None, 0, 0
        if row:
            day, rows, size = row.day, rows + 1, size + len(row.data)
    batches = []
    for start, stop in pairwise([*starts, len(items)]):
        part = items[start:stop]
        follows = items[stop].record.offset if stop < len(items) else next_offset
        batches.append(Batch(Range(part[0].record.offset, part[-1].record.offset, topic_id), part, follows))
    return batches
