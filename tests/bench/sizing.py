"""`python -m tests.bench.sizing`: the tables of docs/sizing.md, from measured figures and stated prices.

Owns: the arithmetic. Must never: hold a figure without saying where it is from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/sizing.md"
RATES = (1, 10, 100, 1_000, 10_000)
"""Messages a second in the busiest hours; days are reckoned as if they were all like that."""
DAY, MONTH_HOURS = 86_400, 730
LOAD = 0.5
"""Share of a core that a worker is given to do: at half load one message in a hundred waits 132 ms, at 90 % 600 ms."""


@dataclass(frozen=True)
class Inputs:
    """What was measured, and what is assumed. CPU in microseconds, sizes in bytes, prices a month."""

    triage_us: float  # docs/bench/bench.json, a message, all in all
    record_us: float  # the same, a row
    crowd_us: float = (
        65.0  # process time on 4,000 messages: 39 to decode both records, 20 for vector and words, 4 to keep, Kafka
    )
    look_seconds: float = (
        0.52  # of CPU, every five seconds: at 1,000 a second, when its window is full (0.21 at 17 a second)
    )
    follow_us: float = 286.0  # docs/follow.md: 210; and twice what triage needs beside scoring (38), for two records
    triage_mib: int = 448  # requests of deploy/kubernetes, which say where they are from
    follow_mib: int = 768
    crowd_mib: int = 320
    learn_mib: int = 448
    record_mib: int = 512
    console_mib: int = 256
    message_bytes: float = 246 + 70  # 4,000 messages of the bench's corpus; key and what Kafka adds to a record
    decision_bytes: float = 495 + 20  # their decisions, 2,135 bytes of JSON, zstd in batches of 20
    flagged: float = 0.08  # of the same: p0, p1, p2
    alert_bytes: float = 1_100 + 20  # an alert holds message and decision; compressed alone
    message_row_bytes: float = 75  # the same 4,000 in the engine, on disk
    decision_row_bytes: float = 348
    copies: int = 3  # TOCSIN_REPLICATION
    core_price: float = 25.0
    gib_price: float = 3.0
    disk_price: float = 0.10


def measured() -> Inputs:
    """With the bench's own figures."""
    found: dict[str, Any] = json.loads((ROOT / "docs/bench/bench.json").read_text("utf-8"))
    return Inputs(triage_us=found["contenders"]["medians"]["tocsin"]["cpu_us"], record_us=found["recorder"]["cpu_us"])


@dataclass(frozen=True)
class Size:
    """What one rate needs."""

    rate: int
    partitions: int
    triage: int
    follow: int
    record: int
    crowd_cores: float
    inserts: float
    rows_a_day: float
    cores: float
    memory_gib: float
    kafka_gb_a_day: float
    kafka_gb: float
    clickhouse_gb: float
    money: float


def workers(rate: float, us: float) -> int:
    """How many of a role, two at least: one may be away."""
    return max(2, ceil(rate * us / 1e6 / LOAD))


def size(rate: int, known: Inputs) -> Size:
    """The arithmetic, line by line as docs/sizing.md tells it."""
    triage, follow = workers(rate, known.triage_us), workers(rate, known.follow_us)
    record = workers(2 * rate, known.record_us)
    partitions = max(8, 2 * max(triage, follow, record))
    crowd = rate * known.crowd_us / 1e6 + known.look_seconds / 5
    # A row waits a second for its insert, longer where a topic has more than four partitions: four inserts a second and table at
    # most, and no more than there are messages.
    inserts = min(2.0 * rate, 2 * 4.0)
    busy = rate * (known.triage_us + known.follow_us + 2 * known.record_us) / 1e6 + min(crowd, 1.0)
    requested = triage * 1.0 + follow * 0.5 + record * 0.25 + 0.5 + 0.2 + 2 * 0.1
    cores = max(requested, busy / LOAD)
    memory = (
        triage * known.triage_mib
        + follow * known.follow_mib
        + record * known.record_mib
        + known.crowd_mib
        + known.learn_mib
        + 2 * known.console_mib
    ) / 1024
    a_message = known.message_bytes + known.decision_bytes + known.flagged * known.alert_bytes
    a_day = rate * DAY * a_message / 1e9
    kafka = a_day * 28 * known.copies
    clickhouse = rate * DAY * (28 * known.message_row_bytes + 180 * known.decision_row_bytes) / 1e9
    money = cores * known.core_price + memory * known.gib_price + (kafka + clickhouse) * known.disk_price
    rows = 2.0 * rate * DAY
    return Size(
        rate, partitions, triage, follow, record, crowd, inserts, rows, cores, memory, a_day, kafka, clickhouse, money
    )  # fmt: skip


def table(known: Inputs) -> list[str]:
    """Two Markdown tables."""
    sizes = [size(rate, known) for rate in RATES]
    first = [
        "| messages/s | partitions | triage | follow | record | crowd, cores (one worker) | all: cores | memory, GiB |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {one.rate:,} | {one.partitions} | {one.triage} | {one.follow} | {one.record} "
            f"| {one.crowd_cores:.2f}{' (**too much**)' if one.crowd_cores > 0.8 else ''} | {one.cores:.1f} "
            f"| {one.memory_gib:.1f} |"
            for one in sizes
        ),
    ]
    second = [
        "| messages/s | Kafka, GB a day | its disk, GB (28 d, 3 copies) | ClickHouse: rows a day | inserts/s "
        "| its disk, GB (full) | money a month |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {one.rate:,} | {_number(one.kafka_gb_a_day)} | {_number(one.kafka_gb)} | {one.rows_a_day / 1e6:,.1f} million "
            f"| {one.inserts:.0f} | {_number(one.clickhouse_gb)} | {one.money:,.0f} |"
            for one in sizes
        ),
    ]
    return [*first, "", *second]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


if __name__ == "__main__":
    print("\n".join(table(measured())))
