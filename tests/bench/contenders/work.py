"""What every contender does with a record: read, judge, and the records that come of it.

Owns: the same functions as triage, in the same order. Must never: know how records move.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from agents import alerts
from agents.scoring.judge import Asked, Judge
from schemas.base import Invalid, timestamp
from schemas.decision import Source, encode
from schemas.message import read_message
from schemas.operations import dead_letter
from streams.outputs import Headers, Outputs, cloud_event, trace_of
from streams.settings import Settings

SOURCE = "tocsin/bench"


class Out:
    """One record to write."""

    __slots__ = ("headers", "key", "partition", "topic", "value")

    def __init__(self, topic: str, partition: int, key: bytes | None, value: bytes, headers: Headers) -> None:
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers


class _Collected(Outputs):
    """Takes what `agents.alerts` adds."""

    def __init__(self) -> None:
        self.outs: list[Out] = []

    def add(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        assert value is not None  # decisions and alerts have one
        self.outs.append(Out(topic, partition, key, value, headers))


class Record(NamedTuple):
    """One record of `messages`, however its client calls the fields. `at_ms` is the broker's time."""

    partition: int
    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Work:
    """The work on records."""

    def __init__(self, settings: Settings, judge: Judge) -> None:
        self.settings = settings
        self.judge = judge
        self.messages = settings.topic("messages")
        self._letters = settings.topic("dead-letters")

    def outs(self, records: Sequence[Record]) -> list[Out]:
        """What comes of some records; judged together, for whoever has several at once."""
        found = _Collected()
        asked: list[tuple[Record, Asked]] = []
        now_ms = time.time_ns() // 1_000_000
        for record in records:
            try:
                incoming = read_message(record.value, record.at_ms)
            except Invalid as fault:
                found.outs.append(self._dead(record, fault))
                continue
            if incoming.message.author_role == "customer":
                source = Source(self.messages, record.partition, record.offset)
                asked.append((record, Asked(incoming, source, timestamp(record.at_ms))))
        judged = self.judge.decide_all([one for _, one in asked], timestamp(now_ms))
        for (record, one), (decision, _) in zip(asked, judged, strict=True):
            trace = trace_of(record.headers)
            alerts.add_decision(found, self.settings, decision, record.partition, SOURCE, trace)
            if any(alerts.topics_of(decision)):
                rung = alerts.alert(decision, one.incoming.message, self.judge.policy, now_ms)
                alerts.ring(found, self.settings, rung, record.partition, SOURCE, trace)
        return found.outs

    def _dead(self, record: Record, fault: Invalid) -> Out:
        at = timestamp(time.time_ns() // 1_000_000)
        where = (self.messages, record.partition, record.offset)
        letter = dead_letter(*where, record.key, record.value, error=fault.code, detail=fault.detail, at=at)
        identity = "/".join(map(str, where))
        event = cloud_event("tocsin.dead-letter.v1", SOURCE, identity, at, trace_of(record.headers))
        return Out(self._letters, record.partition, record.key, encode(letter), event)
