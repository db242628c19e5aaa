"""Dead letters: what could not be read is kept, and a flood of it raises an alarm; it stops nothing.

Owns: writing them, counting them. Must never: hold up the record behind.
"""

from __future__ import annotations

import time
from collections import deque

from aiokafka.structs import ConsumerRecord

from schemas.base import Invalid, timestamp
from schemas.decision import encode
from schemas.operations import DeadLetter, dead_letter
from streams import metrics
from streams.health import HealthReporter
from streams.outputs import Outputs, cloud_event, trace_of
from streams.settings import Settings

WINDOW_SECONDS = 60.0


class DeadLetters:
    """The dead letters of one role."""

    def __init__(self, settings: Settings, health: HealthReporter, source: str) -> None:
        self._settings = settings
        self._health = health
        self._source = source
        self._recent: dict[tuple[str, int], deque[tuple[float, str]]] = {}

    def letter(self, record: ConsumerRecord[bytes | None, bytes | None], fault: Invalid) -> DeadLetter:
        """The dead letter of a record."""
        return dead_letter(
            record.topic,
            record.partition,
            record.offset,
            record.key,
            record.value,
            error=fault.code,
            detail=fault.detail,
            at=timestamp(time.time_ns() // 1_000_000),
        )

    def add(self, outputs: Outputs, record: ConsumerRecord[bytes | None, bytes | None], fault: Invalid) -> None:
        """Adds a record's dead letter to the outputs of its chunk, and counts it."""
        letter = self.letter(record, fault)
        headers = cloud_event(
            "tocsin.dead-letter.v1",
            self._source,
            f"{record.topic}/{record.partition}/{record.offset}",
            letter.at,
            trace_of(record.headers),
        )
        # `dead-letters` has as many partitions as `messages`; the one of `feedback` fits too.
        outputs.add(self._settings.topic("dead-letters"), record.partition, record.key, encode(letter), headers)
        metrics.DEAD_LETTERS.labels(record.topic, fault.code).inc()
        self._watch(record, fault)

    def _watch(self, record: ConsumerRecord[bytes | None, bytes | None], fault: Invalid) -> None:
        now = time.monotonic()
        recent = self._recent.setdefault((record.topic, record.partition), deque())
        recent.append((now, fault.code))
        while recent and now - recent[0][0] > WINDOW_SECONDS:
            recent.popleft()
        limit = self._settings.dead_letters_per_minute
        if len(recent) <= limit:
            return
        codes: dict[str, int] = {}
        for _, code in recent:
            codes[code] = codes.get(code, 0) + 1
        while len(recent) > limit:
            recent.popleft()
        where = f"{record.topic}/{record.partition}"
        self._health.alarm(
            "dead_letter_flood",
            f"more than {limit} records a minute of {where} cannot be read, "
            f"the last at offset {record.offset}: {fault.detail}",
            where=where,
            figures={"offset": record.offset, "errors": codes, "key": _shown(record.key)},
        )


def _shown(key: bytes | None) -> str | None:
    return None if key is None else key[:64].decode("utf-8", "replace")
