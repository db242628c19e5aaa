"""Where a message's time goes: each pure step alone, over the same messages, in this process.

Owns: the list of steps. Must never: touch a broker; what is left over in the worker's CPU is everything else.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from aiokafka.record.memory_records import MemoryRecords

from agents import alerts
from agents.scoring.features import extract
from agents.scoring.floors import FloorMatcher
from agents.scoring.judge import ACCOUNTED, Asked, Judge
from agents.scoring.language import detect, word_count
from agents.scoring.own_words import own_words
from agents.triage import BATCH
from schemas.base import timestamp
from schemas.decision import Decision, Source, encode
from schemas.message import Incoming, read_message
from streams import metrics
from streams.kafka import producer
from streams.outputs import Outputs, cloud_event
from streams.settings import Settings
from tests.bench.contenders import scorers
from tests.bench.corpus import Feed

MESSAGES = 2_000
LAPS = 3
T = TypeVar("T")


class Step(NamedTuple):
    """One line of the table.

    Attributes:
        group: `scoring`, or `rest`: everything else.
        us: CPU microseconds a message.
    """

    name: str
    group: str
    us: float


def timed(work: Callable[[], Any], count: int) -> float:
    """CPU microseconds a message: the least of some laps, each over all messages, after one that warms up."""
    work()
    best = float("inf")
    for _ in range(LAPS):
        begun = time.thread_time()
        work()
        best = min(best, time.thread_time() - begun)
    return best / count * 1e6


async def measure(settings: Settings, feed: Feed, count: int = MESSAGES) -> list[Step]:
    """Times every step over the first readable messages of a feed."""
    values = [sent.value for sent in feed.range(0, count) if sent.id is not None]
    count = len(values)
    judge = scorers.judge(settings)
    now = time.time_ns() // 1_000_000
    read = [read_message(value, now) for value in values]
    decided = _decide(judge, read, now)
    steps = [*_reading(values, now, count), *_scoring(judge, read, now, count)]
    steps += _writing(settings, judge, read, decided, now, count)
    client = producer(settings)  # for its batches only, as the worker has them, compression and all; never started
    try:
        return steps + _kafka(client.create_batch, values, read, decided, count)
    finally:
        await client.stop()


def by_source(settings: Settings, corpus_rows: Sequence[dict[str, Any]], count: int = 300) -> dict[str, float]:
    """CPU microseconds to judge a message, by where the messages are from."""
    judge = scorers.judge(settings)
    found = {}
    for source in dict.fromkeys(row["source"] for row in corpus_rows):
        rows = [row for row in corpus_rows if row["source"] == source][:count]
        read = [
            read_message(msgspec.json.encode({"id": f"s{n}", **{k: v for k, v in row.items() if k != "source"}}), 0)
            for n, row in enumerate(rows)
        ]
        found[source] = round(timed(lambda read=read: _decide(judge, read, 0), len(read)), 1)  # type: ignore[misc]
    return found


def recall_us(settings: Settings, feed: Feed, count: int = MESSAGES) -> float:
    """CPU microseconds of the scorer that remembers, once it has seen the messages."""
    judge = scorers.RecallingJudge(scorers.judge(settings).policy, scorers.judge(settings).model)
    read = [read_message(sent.value, 0) for sent in feed.range(0, count) if sent.id is not None]
    return timed(lambda: _decide(judge, read, 0), len(read))


def _decide(judge: Judge, read: Sequence[Incoming], now: int) -> list[Decision]:
    """All of them, as many together as triage takes."""
    at = timestamp(now)
    asked = [Asked(incoming, Source("tocsin.messages", 0, number), at) for number, incoming in enumerate(read)]
    return [one.decision for some in _together(asked) for one in judge.decide_all(some, at)]


def _together(many: Sequence[T]) -> Iterator[Sequence[T]]:
    return (many[at : at + BATCH] for at in range(0, len(many), BATCH))


def _reading(values: list[bytes], now: int, count: int) -> list[Step]:
    return [
        Step("decode and validate", "rest", timed(lambda: [read_message(value, now) for value in values], count)),
        Step("time of arrival as text", "rest", timed(lambda: [timestamp(now + n) for n in range(count)], count)),
    ]


def _scoring(judge: Judge, read: list[Incoming], now: int, count: int) -> list[Step]:
    model = judge.model
    own = [own_words(one.message.text) for one in read]
    tags = [detect(text, one.message.language).tag for text, one in zip(own, read, strict=True)]
    floors = FloorMatcher(judge.policy.floors)
    pairs = [
        (text, one.message.subject, tag)
        for text, one, tag, decision in zip(own, read, tags, _decide(judge, read, now), strict=True)
        if decision.status in ("scored", "abstained")
    ]
    features = [extract(*pair) for pair in pairs]
    said = [one for some in _together(features) for one in model.said(some)]
    scores = [model.scores(one, tag) for one, (_, _, tag) in zip(said, pairs, strict=True)]

    def language() -> None:
        for text, one in zip(own, read, strict=True):
            detect(text, one.message.language)
            word_count(text)

    def heads() -> None:
        for some in _together(features):
            model.said(some)
        for one, (_, _, tag) in zip(said, pairs, strict=True):
            model.scores(one, tag)

    def accounts() -> None:
        for one, answers in zip(said, scores, strict=True):
            for head in ACCOUNTED:
                if head in answers:
                    model.account(one, head, answers[head].label)

    steps = [
        Step("own words", "scoring", timed(lambda: [own_words(one.message.text) for one in read], count)),
        Step("language", "scoring", timed(language, count)),
        Step("features", "scoring", timed(lambda: [extract(*pair) for pair in pairs], count)),
        Step("heads", "scoring", timed(heads, count)),
        Step("floors", "scoring", timed(lambda: [floors.find(*one) for one in zip(own, tags, strict=True)], count)),
        Step("reasons of the heads", "scoring", timed(accounts, count)),
    ]
    rest = timed(lambda: _decide(judge, read, now), count) - sum(step.us for step in steps)
    return [*steps, Step("priority, route, the decision itself", "scoring", max(rest, 0.0))]


def _writing(
    settings: Settings, judge: Judge, read: list[Incoming], decided: list[Decision], now: int, count: int
) -> list[Step]:
    pairs = list(zip(decided, (one.message for one in read), strict=True))
    rung = [(decision, message) for decision, message in pairs if any(alerts.topics_of(decision))]
    names = [settings.topic("decisions")] * count

    def ring() -> None:
        outputs = Outputs()
        for decision, _ in pairs:
            any(alerts.topics_of(decision))
        for decision, message in rung:
            alert = alerts.alert(decision, message, judge.policy, now)
            alerts.ring(outputs, settings, alert, 0, "tocsin/triage", None)

    def add() -> None:
        outputs = Outputs()
        for decision, name in zip(decided, names, strict=True):
            headers = cloud_event("tocsin.decision.v1", "tocsin/triage", decision.id, decision.decided_at, None)
            outputs.add(name, 0, decision.customer_id.encode(), b"", headers)

    return [
        Step("encode decisions", "rest", timed(lambda: [encode(decision) for decision in decided], count)),
        Step("headers, outputs", "rest", timed(add, count)),
        Step("alerts", "rest", timed(ring, count)),
    ]


def _kafka(
    new: Callable[[], Any], values: list[bytes], read: list[Incoming], decided: list[Decision], count: int
) -> list[Step]:
    encoded = [
        (
            decision.customer_id.encode(),
            encode(decision),
            cloud_event("tocsin.decision.v1", "tocsin/triage", decision.id, decision.decided_at, None),
        )
        for decision in decided
    ]
    keys = [one.message.customer_id.encode() for one in read]
    fetched = bytes(_batches(new, [(key, value, []) for key, value in zip(keys, values, strict=True)])[0])

    def parse() -> None:
        records, taken = MemoryRecords(fetched), []
        while (batch := records.next_batch()) is not None:
            for record in batch:
                taken.append((record.key, record.value, record.headers))

    def observe() -> None:
        metrics.DECISION_SECONDS.observe(0.01 for _ in decided)
        for kind, number in Counter((one.priority, one.status, one.decided_by) for one in decided).items():
            metrics.DECISIONS.labels(*kind).inc(number)

    return [
        Step("parse fetched batches", "rest", timed(parse, _count(fetched))),
        Step("batches of decisions, compressed", "rest", timed(lambda: _batches(new, encoded), count)),
        Step("metrics", "rest", timed(observe, count)),
    ]


def _batches(new: Callable[[], Any], records: list[tuple[bytes, bytes, Any]]) -> list[bytearray]:
    found = []
    builder: Any = None
    for key, value, headers in records:
        if builder is None or builder.append(timestamp=None, key=key, value=value, headers=headers) is None:
            if builder is not None:
                found.append(_closed(builder))
            builder = new()
            builder.append(timestamp=None, key=key, value=value, headers=headers)
    return [*found, _closed(builder)]


def _closed(builder: Any) -> bytearray:
    builder.close()
    return bytearray(builder._build())


def _count(fetched: bytes) -> int:
    records = MemoryRecords(fetched)
    count = 0
    while (batch := records.next_batch()) is not None:
        count += sum(1 for _ in batch)
    return count
