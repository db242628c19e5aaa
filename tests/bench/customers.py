"""`python -m tests.bench.customers`: two million customers on one worker: how fast they are read back, and what they take.

The records are made up, in the shape that real threads gave; Kafka, the store and follow's own code are real. Owns: making them.
Must never: measure a store that another process fills.
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import click
import orjson

from agents.history.places import Changes, Place
from agents.history.state import add_message, hear
from agents.history.store import Store, own_folder
from agents.recall import restore
from agents.scoring.policy_history import History
from schemas.base import timestamp
from schemas.message import Message
from streams.kafka import producer, started
from streams.outputs import Headers, Outputs
from streams.settings import Settings
from tests.bench import machine
from tests.bench.stage import PARTITIONS, Stage, stage

SEED = 20261123
FEW = 2_000
ROUNDS = 5
PIECE = 20_000


def made(number: int, rng: random.Random, now: int) -> bytes:
    """A customer: one to four turns, most of them decided."""
    turns: list[dict[str, Any]] = []
    for place in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        identity = f"{number:x}-{place}-{rng.getrandbits(64):016x}"
        turn: dict[str, Any] = {
            "id": identity,
            "at": now - rng.randrange(80 * 86_400_000),
            "conversation": f"t-{identity}",
        }
        turn["offset"] = rng.randrange(10**9)
        if place % 2 == 0:
            decision = {
                "id": f"{rng.getrandbits(128):032x}",
                "offset": rng.randrange(10**9),
                "priority": "p3",
                "by": "model",
            }
            turn |= {"asks": True, "decision": {**decision, "sentiment": rng.random() - 0.5, "category": "delivery"}}
        else:
            turn["role"] = "agent"
        turns.append(turn)
    return orjson.dumps({"turns": sorted(turns, key=lambda one: one["at"]), "heard_at": now})


async def fill(settings: Settings, customers: int, now: int) -> None:
    """So many records of `customers`."""
    rng = random.Random(SEED)
    out = await started(producer(settings), settings)
    try:
        for begin in range(0, customers, PIECE):
            outputs = Outputs()
            for number in range(begin, min(begin + PIECE, customers)):
                headers: Headers = [("due", str(now + rng.randrange(10**9)).encode())]
                topic = settings.topic("customers")
                outputs.add(topic, number % PARTITIONS, f"c{number}".encode(), made(number, rng, now), headers)
            await outputs.send(out)
    finally:
        await out.stop()


def rss() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def measure(on: Stage, customers: int) -> dict[str, Any]:
    """Reads them back as a worker does, then writes messages of few of them and of all, in turn."""
    now = time.time_ns() // 1_000_000
    async with on.topics("customers") as settings:
        click.echo(f"writing {customers:,} customers", err=True)
        await fill(settings, customers, now)
        folder = own_folder(settings.data)
        places = {number: Place(number, Store(folder / str(number))) for number in range(PARTITIONS)}
        before = rss()
        click.echo("reading them back", err=True)
        begun = time.monotonic()
        await restore(settings, places)
        seconds = time.monotonic() - begun
        memory = rss() - before
        disk = sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
        few, every, rng = [], [], random.Random(SEED)
        for _ in range(ROUNDS):
            # Each customer once a round: else the few would have more turns, and a message of theirs more to carry.
            few.append(_write(places, rng.sample(range(FEW), FEW), now))
            every.append(_write(places, rng.sample(range(FEW, customers), FEW), now))
        for place in places.values():
            place.store.close()
    return {
        "customers": customers,
        "restore_seconds": round(seconds, 2),
        "restored_a_second": round(customers / seconds),
        "memory_mib": round(memory / 2**20, 1),
        "disk_mib": round(disk / 2**20, 1),
        "few": FEW,
        "us_few": round(sorted(few)[ROUNDS // 2], 1),
        "us_every": round(sorted(every)[ROUNDS // 2], 1),
        "ratio": round(sorted(every)[ROUNDS // 2] / sorted(few)[ROUNDS // 2], 3),
    }


def _write(places: dict[int, Place], numbers: list[int], now: int) -> float:
    """Microseconds of CPU to take a message into a customer's state, and keep it."""
    at, rules = timestamp(now), History()
    begun = time.process_time()
    for offset, number in enumerate(numbers):
        place, key = places[number % PARTITIONS], f"c{number}"
        changes = Changes(place, rules)
        message = Message(id=f"n{offset}", customer_id=key, text="", conversation_id=f"n{offset % 3}", sent_at=at)
        customer = changes.of(key)
        hear(customer, now)
        add_message(customer, message, offset, asks=True)
        changes.commit(changes.records(now))
    return (time.process_time() - begun) / len(numbers) * 1e6


def lines(found: dict[str, Any], about: dict[str, Any], command: str) -> list[str]:
    """The page."""
    return [
        "# Two million customers on one worker",
        "",
        f"`{command}`, {about['date']}, {about['cores']} cores ({about['processor']}), {about['system']}, seed {SEED}.",
        "Records are made up in the shape of real threads' states; Kafka, the store (RocksDB) and follow's code are real.",
        "",
        "| | wanted | found |",
        "|---|---|---|",
        f"| read back from `customers`, a second | 100,000 | {found['restored_a_second']:,} |",
        f"| memory above an idle worker | 500 MB | {found['memory_mib']:,.0f} MiB |",
        f"| disk | 2 GB | {found['disk_mib']:,.0f} MiB |",
        f"| a message among {found['customers']:,}, beside one among {found['few']:,} | 1.05 | {found['ratio']:.2f} "
        f"({found['us_every']:.0f} us, {found['us_few']:.0f} us of CPU) |",
    ]


@click.command()
@click.option("--customers", default=2_000_000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="folder of customers.json and customers.md")
def main(customers: int, out: Path | None) -> None:
    """Measures follow's state: memory, disk, time to read it back, and the time of a message among few and many customers."""

    async def run() -> dict[str, Any]:
        async with stage() as on:
            return await measure(on, customers)

    found = asyncio.run(run())
    page = (
        "\n".join(lines(found, machine.describe(), f"python -m tests.bench.customers --customers {customers}")) + "\n"
    )
    click.echo(page)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "customers.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
        (out / "customers.md").write_text(page, "utf-8")


if __name__ == "__main__":
    main()
