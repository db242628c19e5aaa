"""Latency from produce to a `read_committed` subscriber of the priority topics, over offered load.

Owns: the curve, for one worker and for two, and a hand-written loop's point beside it. Must never: share a clock between
processes; see `tests.bench.load`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from streams.settings import Settings
from tests.bench.corpus import Corpus, Feed
from tests.bench.drain import GROUPS, command
from tests.bench.figures import spread
from tests.bench.load import Seen, Stream, generator, latencies, offer, subscriber
from tests.bench.processes import Measured, cpu_seconds, worker
from tests.bench.stage import PARTITIONS, Stage, drained, ends, reading, sender

SHARES = (0.10, 0.25, 0.50, 0.75, 0.90)
BURN_IN_SECONDS = 3.0
WARM_UP = 0.25
"""Share of the maximum that is offered before the first point: a broker just started still compiles what it runs, on the cores
that the workers need. The same load took 77, 66 and 55 ms in three points of nine seconds one after another."""


async def curve(
    stage: Stage,
    corpus: Corpus,
    workers: int,
    per_point: float,
    backlog: int,
    say: Callable[[str], None],
    shares: Sequence[float] = SHARES,
) -> dict[str, Any]:
    """The maximum of so many workers, then a point for each share of it.

    Args:
        per_point: seconds of each load, burn-in included.
        backlog: messages that are drained to find the maximum.
    """
    prefix = f"latency{workers}"
    feed = Feed(corpus, PARTITIONS, at_ms=time.time_ns() // 1_000_000, ids="m", broken=False)
    with stage.scratch(prefix) as folder, ExitStack() as ending:
        async with stage.topics(prefix) as settings:
            running = [worker(settings, folder, "triage") for _ in range(workers)]
            for one in running:
                ending.callback(one.stop)
            for one in running:
                await asyncio.to_thread(one.wait_ready)

            def check() -> None:
                for one in running:
                    one.check()

            most = await maximum(settings, feed, backlog, check)
            say(f"{workers} worker{'s' * (workers > 1)}: at most {most:,.0f} messages/s")
            await _point(settings, corpus, most * WARM_UP, 2 * per_point, check)
            points = []
            for share in shares:
                point = await _point(settings, corpus, most * share, per_point, check)
                point |= {"share": share, "workers": workers}
                points.append(point)
                say(
                    f"  {share:4.0%} {point['rate']:9,.0f}/s   p50 {point['p50_ms']:7.1f}   p99 {point['p99_ms']:7.1f}   "
                    f"max {point['max_ms']:7.1f} ms   ({point['n']} alerts)"
                )
            return {"workers": workers, "maximum": round(most, 1), "points": points}


async def beside(
    stage: Stage, corpus: Corpus, rate: float, per_point: float, backlog: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """What the hand-written loop with the same transactions needs at a rate: how much of a latency is the machine's."""
    name = "bare-transactions"
    group = GROUPS["bare"]
    feed = Feed(corpus, PARTITIONS, at_ms=time.time_ns() // 1_000_000, ids="m", broken=False)
    with stage.scratch("latencybare") as folder:
        async with stage.topics("latencybare") as settings:
            process = Measured(name, command(name), settings, folder)
            try:
                async with sender(settings) as out:
                    await out.send(feed.range(0, backlog))
                    await drained(settings, process.check, group)
                await _point(settings, corpus, rate / 2, 2 * per_point, process.check, group)
                point = await _point(settings, corpus, rate, per_point, process.check, group)
            finally:
                process.stop()
    say(f"{name}: {rate:,.0f}/s   p50 {point['p50_ms']:7.1f}   p99 {point['p99_ms']:7.1f} ms")
    return point


async def maximum(settings: Settings, feed: Feed, backlog: int, check: Callable[[], None]) -> float:
    """Messages a second drained by workers that are up and warm already: the second of two backlogs."""
    rate, sent = 0.0, 0
    for part in (backlog // 4, backlog):
        async with sender(settings) as out, reading(settings) as client:
            await out.send(feed.range(sent, sent + part))
            sent += part
            begun, first = time.monotonic(), await decided(client, settings)
            ended = await drained(settings, check)
            # Transaction markers are counted too, one a chunk: one in some hundred.
            rate = (await decided(client, settings) - first) / max(ended - begun, 1e-9)
    return rate


async def decided(client: Any, settings: Settings) -> int:
    """Where the committed records of `decisions` end, over all partitions."""
    return sum((await ends(client, settings, ("decisions",))).values())


async def offered(
    settings: Settings, streams: list[Stream], seconds: float, check: Callable[[], None], group: str = "triage"
) -> tuple[float, list[Seen], float]:
    """Offers a load and waits for all of its alerts: when it began, the alerts, this process's share of a core."""
    cpu = cpu_seconds(os.getpid())
    async with generator(settings) as client, subscriber(settings) as reader:
        begun = await offer(client, settings.topic("messages"), streams, seconds)
        used = cpu_seconds(os.getpid()) - cpu
        await drained(settings, check, group)
        await reader.caught_up()
    return begun, reader.seen, used / seconds


async def _point(
    settings: Settings, corpus: Corpus, rate: float, seconds: float, check: Callable[[], None], group: str = "triage"
) -> dict[str, Any]:
    feed = Feed(corpus, PARTITIONS, at_ms=time.time_ns() // 1_000_000, ids="l", broken=False)
    begun, seen, share = await offered(settings, [Stream(rate, feed.__getitem__)], seconds, check, group)
    found = latencies(seen, begun, rate, BURN_IN_SECONDS)
    return {"rate": round(rate, 1), **spread(found), "generator_cpu_share": round(share, 3)}
