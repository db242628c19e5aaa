"""The chunk: consecutive records of one partition, handled as one unit.

Owns: its shape. Must never: know what a record means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord


@dataclass(slots=True, frozen=True)
class Chunk:
    """Records of one partition in the order of their offsets, none left out that a reader may see.

    Attributes:
        tp: the partition.
        records: at least one; value and key are bytes or None, timestamp is the broker's, milliseconds.
        next_offset: where the reader stands behind the chunk; past transaction markers, so it may be more than the
            last record's offset plus one.
        generation: the assignment it was read under; a chunk of an older one must not be begun.
        begin: where reading began: from there to the first record nothing was found but transaction markers. None where
            it is not known.
        topic_id: Kafka's id of the topic, which changes when a topic of the same name is made anew.
    """

    tp: TopicPartition
    records: Sequence[ConsumerRecord[bytes | None, bytes | None]]
    next_offset: int
    topic_id: str = ""
    generation: int = 0
    begin: int | None = None

    @property
    def first(self) -> int:
        """Offset of the first record."""
        return int(self.records[0].offset)

    @property
    def last(self) -> int:
        """Offset of the last record."""
        return int(self.records[-1].offset)
