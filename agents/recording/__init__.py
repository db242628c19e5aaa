"""Recording: what Kafka holds, written to ClickHouse once.

Owns: the two answers that are not success, and what the range protocol asks of an engine and of Kafka.
Must never: decide, learn, or change a record's meaning on its way into a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aiokafka import TopicPartition


class Away(Exception):
    """ClickHouse did not take the rows, or did not say whether it did: send the same rows with the same token again."""


class Refused(Exception):
    """ClickHouse said that it will never take these rows, and took none of them.

    Attributes:
        code: ClickHouse's error code.
    """

    def __init__(self, detail: str, code: int | None = None) -> None:
        super().__init__(detail)
        self.code = code


class Engine(Protocol):
    """Where rows go."""

    async def insert(self, table: str, rows: Sequence[bytes], token: str) -> None:
        """All rows (JSON objects) or none; none if an insert with this token was taken before. Raises Away, Refused."""

    async def mark(self, table: str, topic_id: str, partition: int) -> int | None:
        """The highest Kafka offset the table holds of this partition of this topic. Raises Away."""


class Offsets(Protocol):
    """The group's offsets; a commit is refused (any exception) once another generation owns the partition."""

    async def committed(self, tp: TopicPartition) -> tuple[int | None, str]:
        """The committed offset and its metadata; None and "" where there is none."""

    async def commit(self, tp: TopicPartition, offset: int, metadata: str) -> None:
        """Commits both, within this member's generation."""

    async def end(self, tp: TopicPartition) -> int:
        """The offset behind the last record a `read_committed` reader may see."""
