"""The memory of one worker over two million messages.

Owns: the sampling, and keeping the broker's disk small. Must never: let the backlog grow with the run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from tests.bench.corpus import Corpus, Feed
from tests.bench.figures import median
from tests.bench.processes import pss_bytes, rss_bytes, worker
from tests.bench.stage import PARTITIONS, Stage, ends, reading, sender

PIECE = 10_000
AHEAD = 40_000
"""Messages sent and not yet decided, at most."""
NEAR = 9
"""Samples, half a second apart, of which each of the two figures is the median."""
FROM = 200_000
"""The growth counts from this message on."""
_TOPICS = {"retention.bytes": str(128 << 20), "segment.bytes": str(32 << 20)}


async def grow(
    stage: Stage, corpus: Corpus, messages: int, limit_seconds: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Drains so many messages, or as many as the time allows; the memory after each piece."""
    feed = Feed(corpus, PARTITIONS, at_ms=time.time_ns() // 1_000_000)
    samples: list[tuple[int, int, int]] = []
    with stage.scratch("memory") as folder:
        async with stage.topics("memory", _TOPICS) as settings:
            process = worker(settings, folder, "triage")
            try:
                await asyncio.to_thread(process.wait_ready)
                deadline = time.monotonic() + limit_seconds
                async with sender(settings) as out, reading(settings) as client:
                    sent = done = 0
                    next_sample = 0.0
                    while done < messages and time.monotonic() < deadline:
                        process.check()
                        done = sum((await ends(client, settings, ("decisions", "dead-letters"))).values())
                        if sent < messages and sent - done < AHEAD:
                            await out.send(feed.range(sent, sent + PIECE))
                            sent += PIECE
                        else:
                            await asyncio.sleep(0.05)
                        if time.monotonic() >= next_sample:
                            next_sample = time.monotonic() + 0.5
                            pid = process.process.pid
                            try:
                                samples.append((done, rss_bytes(pid), pss_bytes(pid)))
                            except OSError:  # it has just ended: the check above says why
                                continue
                            if len(samples) % 40 == 0:
                                say(f"  {done:,} messages, {samples[-1][1] / 2**20:.1f} MiB resident")
            finally:
                process.stop()
    return summary(samples, messages)


def summary(samples: list[tuple[int, int, int]], messages: int) -> dict[str, Any]:
    """Growth between message FROM (or a tenth of the run, if that is less) and the end; medians of some samples each.

    Args:
        samples: (messages done, resident bytes, proportional bytes), in order; at least one.
    """
    last = samples[-1][0]
    start = min(FROM, last // 10)
    early = sorted(samples, key=lambda one: abs(one[0] - start))[:NEAR]
    found: dict[str, Any] = {"messages": last, "wanted": messages, "from": start}
    for place, name in ((1, "rss"), (2, "pss")):
        before = median([one[place] for one in early])
        after = median([one[place] for one in samples[-NEAR:]])
        found[f"{name}_from_bytes"], found[f"{name}_to_bytes"] = int(before), int(after)
        found[f"{name}_growth"] = round(after / before - 1, 4)
    found["peak_rss_bytes"] = max(one[1] for one in samples)
    found["samples"] = samples[:: max(len(samples) // 400, 1)]
    return found
