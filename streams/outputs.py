"""What a chunk leaves behind: records for topics, their headers, sent as whole batches.

Owns: CloudEvents headers and batches. Must never: hash a key; an output goes to the partition it is given.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from streams.errors import TocsinError

Headers = list[tuple[str, bytes]]
_FIXED: dict[tuple[str, str], Headers] = {}


def cloud_event(kind: str, source: str, identity: str, at: str, traceparent: bytes | None = None) -> Headers:
    """The CloudEvents 1.0 headers of one record (Kafka protocol binding, binary mode).

    Args:
        kind: `ce_type`, e.g. `tocsin.decision.v1`.
        source: `ce_source`: who wrote it, e.g. `tocsin/triage`.
        identity: `ce_id`: unique within the source.
        at: RFC 3339 time.
        traceparent: passed on as it came in.
    """
    fixed = _FIXED.get((kind, source))
    if fixed is None:
        fixed = _FIXED[kind, source] = [
            ("ce_specversion", b"1.0"),
            ("ce_type", kind.encode()),
            ("ce_source", source.encode()),
            ("content-type", b"application/json"),
        ]
    headers = [("ce_id", identity.encode()), ("ce_time", at.encode()), *fixed]
    if traceparent is not None:
        headers.append(("traceparent", traceparent))
    return headers


def trace_of(headers: Sequence[tuple[str, bytes | None]]) -> bytes | None:
    """The `traceparent` among a record's headers."""
    for name, value in headers:
        if name == "traceparent":
            return value
    return None


def new_id() -> str:
    """An identity for a record that has none of its own."""
    return uuid.uuid4().hex


class Outputs:
    """Records by topic and partition, in order."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, int], list[tuple[bytes | None, bytes | None, Headers]]] = defaultdict(list)

    def add(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """One more record; without a value, what a compacted topic has of the key goes."""
        self._records[topic, partition].append((key, value, headers))

    def __len__(self) -> int:
        return sum(len(records) for records in self._records.values())

    async def send(self, producer: AIOKafkaProducer) -> dict[tuple[str, int], int]:
        """Sends everything in whole batches and waits; the first offset written of each topic and partition.

        Raises:
            KafkaError: a batch was not taken; the transaction around it must not be committed.
            TocsinError: a record is larger than a batch may be.
        """
        waiting: list[tuple[tuple[str, int], asyncio.Future[RecordMetadata]]] = []
        for (topic, partition), records in self._records.items():
            batch = producer.create_batch()
            for key, value, headers in records:
                if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                    waiting.append(((topic, partition), await producer.send_batch(batch, topic, partition=partition)))
                    batch = producer.create_batch()
                    if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                        raise TocsinError(
                            f"a record for {topic} is {len(value or b''):,} bytes, more than a batch holds"
                        )
            waiting.append(((topic, partition), await producer.send_batch(batch, topic, partition=partition)))
        firsts: dict[tuple[str, int], int] = {}
        results: list[Any] = await asyncio.gather(*(future for _, future in waiting))
        for (place, _), metadata in zip(waiting, results, strict=True):
            firsts[place] = min(firsts.get(place, metadata.offset), metadata.offset)
        self._records.clear()
        return firsts
