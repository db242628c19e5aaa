"""The recorder beside triage: rows a second into ClickHouse, against twice what one triage worker can write.

Owns: filling the topics with what one worker makes, then recording all of it. Must never: count a row before the engine
has taken it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from streams.settings import Settings
from tests.bench.corpus import Corpus, Feed
from tests.bench.latency import decided
from tests.bench.processes import Measured, worker
from tests.bench.stage import PARTITIONS, Stage, drained, reading, sender

NEEDED = 2.0
"""Times one worker's maximum of messages and decisions together."""


async def record(stage: Stage, corpus: Corpus, messages: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Decides a backlog with one worker, then records its messages, decisions and dead letters."""
    feed = Feed(corpus, PARTITIONS, at_ms=time.time_ns() // 1_000_000)
    with stage.scratch("recorder") as folder:
        async with stage.topics("recorder") as settings:
            per_second = await _triage(settings, feed, messages, folder)
            rows = feed.readable(messages)
            wanted = messages + rows
            process = worker(settings, folder, "record")
            try:
                found = await _record(process, 2 * rows + (messages - rows))
            finally:
                process.stop()
    found |= {
        "triage_messages_per_second": round(per_second, 1),
        "triage_rows_per_second": round(2 * per_second, 1),
        "input_records": wanted,
        "times_one_worker": round(found["rows_per_second"] / (2 * per_second), 3),
    }
    say(
        f"  {found['rows_per_second']:,.0f} rows/s, {found['cpu_us']:.1f} us CPU a row: "
        f"{found['times_one_worker']:.2f} times what one triage worker writes"
    )
    return found


async def _triage(settings: Settings, feed: Feed, messages: int, folder: Any) -> float:
    process = worker(settings, folder, "triage")
    try:
        await asyncio.to_thread(process.wait_ready)
        async with sender(settings) as out, reading(settings) as client:
            await out.send(feed.range(0, messages // 5))
            await drained(settings, process.check)
            await out.send(feed.range(messages // 5, messages))
            begun, first = time.monotonic(), await decided(client, settings)
            ended = await drained(settings, process.check)
            return (await decided(client, settings) - first) / max(ended - begun, 1e-9)
    finally:
        process.stop()


async def _record(process: Measured, wanted: int) -> dict[str, Any]:
    """Rows over time by the worker's own counter, which counts what the engine has taken."""
    counts: list[tuple[float, float]] = []
    deadline = time.monotonic() + 300
    await asyncio.to_thread(process.wait_ready)
    while not counts or counts[-1][1] < wanted:
        process.check()
        counts.append((time.time(), await asyncio.to_thread(process.metric, "tocsin_rows_total")))
        if time.monotonic() > deadline:
            raise RuntimeError(f"{counts[-1][1]:,.0f} of {wanted:,} rows after 300 s")
        await asyncio.sleep(0.1)
    # The first insert makes tables and files, and waits for its rows: the window is between the first rows and the last.
    begun = next(one for one in counts if one[1] > 0)
    ended = counts[-1]
    rows = ended[1] - begun[1]
    seconds = max(ended[0] - begun[0], 1e-9)
    cpu = process.cpu_at(ended[0]) - process.cpu_at(begun[0])
    return {
        "rows": int(ended[1]),
        "rows_in_window": int(rows),
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds, 1),
        "cpu_us": round(cpu / max(rows, 1) * 1e6, 2),
        "peak_rss_bytes": process.peak_rss,
    }
