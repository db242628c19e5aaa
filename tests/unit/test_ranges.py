"""Ranges: where batches are cut, what the group's metadata says of them, where a new owner starts."""

from __future__ import annotations

from typing import Any

import pytest

from agents.recording.ranges import Batch, Item, Range, cut, standing
from agents.recording.tables import Row
from streams.errors import TocsinError
from tests.unit.recording_world import TP, record


@pytest.mark.parametrize(
    "metadata", ["x", "[]", '{"first":1}', '{"first":5,"last":4,"topic_id":"a"}', '{"first":true}']
)
def test_metadata_of_somebody_else_is_refused(metadata: str) -> None:
    with pytest.raises(TocsinError, match="no range"):
        Range.parse(metadata, "topic[0]")


def test_a_range_survives_its_metadata() -> None:
    assert Range.parse(Range(3, 9, "id").metadata(), "topic[0]") == Range(3, 9, "id")
    assert Range.parse("", "topic[0]") is None
    assert Range(3, 9, "id").token(TP) == "tocsin.decisions:id:3:3-9"


def test_cut_ends_a_batch_at_midnight_at_its_rows_and_at_its_bytes() -> None:
    def items(*days: int | None) -> list[Any]:
        return [Item(record(n), None if day is None else Row(b"x" * 10, day), None) for n, day in enumerate(days)]

    def bounds(batches: list[Batch]) -> list[tuple[int, int, int]]:
        return [(batch.range.first, batch.range.last, batch.next) for batch in batches]

    assert bounds(cut(items(None, 1, None, 1, 2, None, 1), "id", 99)) == [(0, 3, 4), (4, 5, 6), (6, 6, 99)]
    assert bounds(cut(items(1, 1, 1, 1, 1), "id", 99, max_rows=2)) == [(0, 1, 2), (2, 3, 4), (4, 4, 99)]
    assert bounds(cut(items(1, 1, 1), "id", 3, max_bytes=25)) == [(0, 1, 2), (2, 2, 3)]
    assert bounds(cut(items(1, 1), "id", 2, max_bytes=5)) == [(0, 0, 1), (1, 1, 2)]
    assert bounds(cut(items(None, None), "id", 7)) == [(0, 1, 7)]
    assert cut([], "id", 7) == []


def test_a_new_owner_starts_where_the_group_stands_and_sends_a_pending_range_first() -> None:
    def start(committed: int | None, metadata: str, mark: int | None) -> tuple[int, Range | None]:
        return standing("t[0]", "decisions", "id", committed, metadata, 50, mark)

    pending = Range(10, 19, "id")
    assert start(None, "", None) == (0, None)
    assert start(10, "", 9) == (10, None)
    assert start(10, pending.metadata(), 19) == (10, pending)
    assert start(10, pending.metadata(), 9) == (10, pending)
    assert start(10, Range(10, 19, "former").metadata(), None) == (10, None)
    assert start(None, "", 30) == (31, None)
    for committed, mark in ((10, 50), (51, None)):
        with pytest.raises(TocsinError, match=r"t\[0\] ends at offset 50"):
            start(committed, "", mark)
