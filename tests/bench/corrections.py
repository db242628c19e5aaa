"""Corrections under full load: from a feedback's sending to the first decision of every worker that knows of it.

Owns: a backlog that never ends, and reading afterwards which decision came from which model. Must never: ask a worker;
decisions say by themselves which lessons they knew, and when they were made.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from schemas.base import milliseconds, timestamp
from streams.settings import Settings
from tests.bench.corpus import Corpus, Feed
from tests.bench.figures import spread
from tests.bench.load import generator
from tests.bench.processes import Measured, worker
from tests.bench.stage import PARTITIONS, Sender, Stage, ends, reading, records, sender

WORKERS = 2
EVERY_SECONDS = 0.25
AHEAD = 12_000
"""Messages that wait at least: the workers are never idle."""
_VERSION = re.compile(rb'"model_version":"[^"@]+@(\d+)"')
_DECIDED = re.compile(rb'"decided_at":"([^"]+)"')
_OWNS = re.compile(r"messages/(\d+)")
Moments = dict[str, float]


async def correct(stage: Stage, corpus: Corpus, count: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Sends corrections while two workers drain a backlog without end."""
    feed = Feed(corpus, PARTITIONS, at_ms=time.time_ns() // 1_000_000, broken=False)
    with stage.scratch("corrections") as folder, ExitStack() as ending:
        async with stage.topics("corrections") as settings:
            running = [worker(settings, folder, "triage") for _ in range(WORKERS)]
            learner = worker(settings, folder, "learn")
            for one in (*running, learner):
                ending.callback(one.stop)
                await asyncio.to_thread(one.wait_ready)
            async with sender(settings) as out:
                loading = asyncio.create_task(_load(settings, out, feed))
                try:
                    sent = await _send(settings, feed, count, [*running, learner])
                    await _applied(settings, sent, [*running, learner])
                finally:
                    loading.cancel()
                    await asyncio.gather(loading, return_exceptions=True)
            owners = _owners(running)
            found = await _delays(settings, sent, owners)
    say(f"  {found['n']} corrections on {len(owners)} workers: p50 {found['p50_ms']} p95 {found['p95_ms']} ms")
    return found


async def _load(settings: Settings, out: Sender, feed: Feed) -> None:
    sent = 0
    async with reading(settings) as client:
        while True:
            done = sum((await ends(client, settings, ("decisions",))).values())
            if sent - done < AHEAD:
                await out.send(feed.range(sent, sent + AHEAD // 2))
                sent += AHEAD // 2
            else:
                await asyncio.sleep(0.05)


async def _send(settings: Settings, feed: Feed, count: int, running: list[Measured]) -> Moments:
    """When each feedback was sent, by its id, seconds since 1970."""
    sent: Moments = {}
    async with reading(settings) as client:
        while sum((await ends(client, settings, ("decisions",))).values()) < AHEAD // 2:
            await asyncio.sleep(0.05)
    async with generator(settings) as client:
        for number in range(count):
            for one in running:
                one.check()
            await _feedback(settings, client, feed, number, sent)
            await asyncio.sleep(EVERY_SECONDS)
    return sent


async def _feedback(settings: Settings, client: AIOKafkaProducer, feed: Feed, number: int, sent: Moments) -> None:
    fields = feed.fields(number)
    identity = f"correction-{number}"
    value = {
        "id": identity,
        "message_id": fields["id"],
        "customer_id": fields["customer_id"],
        "kind": "correct",
        "labels": {"sentiment": ("negative", "neutral", "positive")[number % 3]},
        "text": fields["text"],
        "reviewer": f"reviewer-{number % 4}",
        "language": fields["language"] if fields.get("language") in ("en", "fr") else "en",
        "at": timestamp(time.time_ns() // 1_000_000),
    }
    sent[identity] = time.time()
    await client.send_and_wait(
        settings.topic("feedback"), orjson.dumps(value), key=fields["customer_id"].encode(), partition=0
    )


async def _applied(settings: Settings, sent: Moments, running: list[Measured]) -> None:
    """Waits until a decision of every partition knows the last lesson."""
    deadline = time.monotonic() + 60
    async with reading(settings, ("decisions",), end=True) as client:
        want = await _offsets(settings, sent)
        behind = set(client.assignment())
        while behind:
            for one in running:
                one.check()
            if len(want) < len(sent):
                want = await _offsets(settings, sent)
            for place, batch in (await client.getmany(timeout_ms=100, max_records=5_000)).items():
                found = _VERSION.search(batch[-1].value)
                if len(want) == len(sent) and found is not None and int(found[1]) >= max(want.values()):
                    behind.discard(place)
            if time.monotonic() > deadline:
                raise RuntimeError("the last correction did not reach every partition within 60 s")


async def _offsets(settings: Settings, sent: Moments) -> dict[str, int]:
    """The model offset from which on each feedback is known."""
    known: dict[str, int] = {}
    async for record in _updates(settings):
        update = orjson.loads(record.value)
        for feedback in update["feedback_ids"]:
            if feedback in sent:
                known[feedback] = update["to"]
    return known


async def _updates(settings: Settings) -> Any:
    from streams.follow import read_to_end

    async for record in read_to_end(settings, settings.topic("model-updates")):
        yield record


def _owners(running: list[Measured]) -> list[set[int]]:
    """The partitions each worker owned last, by its log."""
    found = []
    for one in running:
        lines = [line for line in one.text().splitlines() if "triage owns" in line]
        found.append({int(number) for number in _OWNS.findall(lines[-1])} if lines else set())
    return [one for one in found if one]


async def _delays(settings: Settings, sent: Moments, owners: list[set[int]]) -> dict[str, Any]:
    """For each feedback the slowest worker's delay, milliseconds of `decided_at`."""
    known = await _offsets(settings, sent)
    first: dict[tuple[int, int], float] = {}  # (worker, lesson offset) -> when a decision first knew that much
    worker_of = {number: place for place, owned in enumerate(owners) for number in owned}
    async for record in records(settings, ("decisions",)):
        version, at = _VERSION.search(record.value), _DECIDED.search(record.value)
        if version is None or at is None or record.partition not in worker_of:
            continue
        key = (worker_of[record.partition], int(version[1]))
        moment = milliseconds(at[1].decode()) / 1000
        first[key] = min(first.get(key, moment), moment)
    delays = []
    for feedback, offset in known.items():
        reached = [
            min((at for (place, knew), at in first.items() if place == number and knew >= offset), default=None)
            for number in range(len(owners))
        ]
        if reached and all(at is not None for at in reached):
            delays.append(max(at for at in reached if at is not None) - sent[feedback])
    return {"workers": len(owners), "sent": len(sent), "learned": len(known), **spread(delays)}
