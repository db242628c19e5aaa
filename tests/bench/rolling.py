"""`python -m tests.bench.rolling`: a rolling update of three triage workers, with and without names of their own.

Messages come evenly meanwhile; of each partition it is told how long no decision was made. Owns: the ways of rolling, the
figures. Must never: wait for a worker without a bound.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from agents.commands.init import prepare
from streams.settings import Settings
from tests.bench import machine
from tests.bench.corpus import Sent
from tests.bench.stage import sender, stage
from tests.harness import Worker, message, read_all

WORKERS = 3
PARTITIONS = 6
PAUSE_SECONDS = 0.1
"""Between two rounds of messages, one for each partition."""
STILL_SECONDS = 0.5
"""A partition that makes no decision for longer, while messages come, stands still."""


@dataclass(frozen=True)
class Way:
    """One way to update workers one after the other."""

    name: str
    surge: bool = False
    """The new one is ready before the old one is told to stop (a Deployment with maxSurge 1, maxUnavailable 0)."""
    named: bool = False
    """TOCSIN_INSTANCE is kept (a StatefulSet)."""
    session: str = "6"
    absent: float = 0.0
    """Seconds between the end of the old one and the start of the new: a pod that is scheduled."""


WAYS = (
    Way("a Deployment: the new pod is ready before the old one stops", surge=True),
    Way("one stops, 2 s later its replacement starts", absent=2.0),
    Way("the same with TOCSIN_INSTANCE (StatefulSet), session timeout 6 s", named=True, absent=2.0),
    Way("the same with TOCSIN_INSTANCE (StatefulSet), session timeout 30 s", named=True, session="30", absent=2.0),
)


async def roll(settings: Settings, way: Way, folder: Path) -> dict[str, Any]:
    """Starts three workers, updates each, stops them; the figures of the time between."""

    def start(number: int) -> Worker:
        more = {"TOCSIN_INSTANCE": f"triage-{number}"} if way.named else {}
        return Worker(settings, "triage", folder=folder, ready=False, TOCSIN_SESSION_TIMEOUT=way.session, **more)

    every: list[Worker] = []
    sending: asyncio.Task[None] | None = None
    try:
        every = [start(number) for number in range(WORKERS)]
        current = list(every)
        for worker in current:
            await asyncio.to_thread(worker.wait_ready)
        sending = asyncio.create_task(_send(settings))
        await asyncio.sleep(5)
        begun = time.time() * 1000
        before = sum(_assignments(worker) for worker in every)
        for number in range(WORKERS):
            old = current[number]
            if way.surge:
                current[number] = start(number)
                every.append(current[number])
                await asyncio.to_thread(current[number].wait_ready)
                await asyncio.to_thread(old.stop)
            else:
                await asyncio.to_thread(old.stop)
                await asyncio.sleep(way.absent)
                current[number] = start(number)
                every.append(current[number])
                await asyncio.to_thread(current[number].wait_ready)
        await asyncio.sleep(5)
        ended = time.time() * 1000
        assignments = sum(_assignments(worker) for worker in every) - before
        gaps = _gaps(await read_all(settings, "decisions"), begun, ended)
    finally:
        if sending is not None:
            sending.cancel()
            await asyncio.wait({sending})
        for worker in every:
            await asyncio.to_thread(worker.stop)
    still = {number: [gap for gap in found if gap > STILL_SECONDS] for number, found in gaps.items()}
    return {
        "way": way.name,
        "seconds": round((ended - begun) / 1000, 1),
        "assignments": assignments,
        "still_times": sum(map(len, still.values())),
        "still_seconds": round(sum(map(sum, still.values())), 1),
        "longest_seconds": round(max((gap for found in gaps.values() for gap in found), default=0.0), 2),
    }


async def _send(settings: Settings) -> None:
    text = "hello there, could you tell me when the shop opens tomorrow morning please"
    async with sender(settings) as out:
        for round_ in itertools.count():
            for number in range(PARTITIONS):
                _, fields = message(round_ * PARTITIONS + number, text, customer_id=f"c{number}")
                value = json.dumps(fields).encode()
                await out.send([Sent(number, f"c{number}".encode(), value, fields["id"])])
            await asyncio.sleep(PAUSE_SECONDS)


def _assignments(worker: Worker) -> int:
    return worker.text().count("triage owns ")


def _gaps(records: list[Any], begun: float, ended: float) -> dict[int, list[float]]:
    """Seconds between one decision of a partition and the next."""
    times: dict[int, list[float]] = defaultdict(list)
    for record in records:
        if begun <= record.timestamp <= ended:
            times[record.partition].append(record.timestamp / 1000)
    return {number: [b - a for a, b in pairwise(found)] for number, found in times.items()}


def lines(found: list[dict[str, Any]], about: dict[str, Any]) -> list[str]:
    """The page."""
    return [
        "# A rolling update of triage",
        "",
        f"`python -m tests.bench.rolling`, {about['date']}, {about['cores']} cores ({about['processor']}), {about['system']}, "
        f"Apache Kafka {about['kafka']}, load average before: {about['load_before']}.",
        f"{WORKERS} workers, {PARTITIONS} partitions, a message to each every {PAUSE_SECONDS} s and a little. Each worker is "
        f"updated in turn. A partition "
        f"stands still where it makes no decision for more than {STILL_SECONDS} s; summed over partitions.",
        "",
        "| way | takes, s | assignments that workers were given | times a partition stood still | in all, s | longest, s |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one['way']} | {one['seconds']} | {one['assignments']} | {one['still_times']} | {one['still_seconds']} "
            f"| {one['longest_seconds']} |"
            for one in found
        ),
        "",
    ]


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="writes rolling.md into this folder")
def main(out: Path | None) -> None:
    """Measures each way once."""
    about = machine.describe()

    async def run() -> list[dict[str, Any]]:
        found = []
        async with stage() as on:
            for number, way in enumerate(WAYS):
                click.echo(way.name, err=True)
                settings = on.settings(f"roll{number}").model_copy(update={"partitions": PARTITIONS})
                await prepare(settings, by="bench")
                with on.scratch(f"roll{number}") as folder:
                    found.append(await roll(settings, way, folder))
        return found

    page = "\n".join(lines(asyncio.run(run()), about))
    click.echo(page)
    if out is not None:
        (out / "rolling.md").write_text(page, "utf-8")


if __name__ == "__main__":
    main()
