"""`python -m tests.bench`: all parts in one run, or some of them; tables, raw data and a picture.

Fails where the contenders' outputs differ, or a part could not be run. Never fails for being slow: figures are printed
beside their targets.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import click
import uvloop

from streams.errors import TocsinError
from streams.settings import load as load_settings
from tests.bench import corpus as corpora
from tests.bench import corrections, fairness, latency, machine, memory, race, recorder, report
from tests.bench.stage import Stage, stage

PARTS = ("contenders", "latency", "fairness", "memory", "recorder", "corrections")
SHORT_PARTS = ("contenders", "latency")
SHORT_MESSAGES = 4_000


@click.command()
@click.option("--seconds", default=15.0, show_default=True, help="length of each backlog and of each load")
@click.option(
    "--messages", type=click.IntRange(2_000), help="the same backlog for every contender, instead of --seconds"
)
@click.option("--rounds", default=2, show_default=True, help="how often every contender has its turn")
@click.option("--short", is_flag=True, help="about a minute and a half: fewer messages, fewer parts, one round")
@click.option("--only", help=f"parts to run, comma separated: {', '.join(PARTS)}")
@click.option("--memory-messages", default=2_000_000, show_default=True, help="messages of the memory part")
@click.option("--memory-seconds", default=600.0, show_default=True, help="the memory part ends then in any case")
@click.option("--out", type=click.Path(path_type=Path), help="folder of bench.json, bench.md, latency.svg")
def main(
    seconds: float,
    messages: int | None,
    rounds: int,
    short: bool,
    only: str | None,
    memory_messages: int,
    memory_seconds: float,
    out: Path | None,
) -> None:
    """Measures Tocsin beside what else could be built with the same parts, on a Kafka of its own."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # topics that were just made have no leader for a moment
    if short:
        seconds, messages, rounds = min(seconds, 5.0), messages or SHORT_MESSAGES, 1
    parts = tuple(only.split(",")) if only else SHORT_PARTS if short else PARTS
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise click.UsageError(f"--only {unknown[0]}: there are {', '.join(PARTS)}")
    began = time.monotonic()
    found: dict[str, Any] = {
        "command": " ".join(["python -m tests.bench", *sys.argv[1:]]),
        "short": short,
        "machine": machine.describe(),
    }
    try:
        uvloop.run(_until_signal(_run(found, parts, seconds, messages, rounds, short, memory_messages, memory_seconds)))
    except TocsinError as error:
        raise click.ClickException(str(error)) from None
    except asyncio.CancelledError:
        raise click.ClickException("ended before it was done") from None
    found["minutes"] = round((time.monotonic() - began) / 60, 2)
    for line in report.lines(found):
        click.echo(line)
    if out is not None:
        click.echo("written: " + ", ".join(str(path) for path in report.write(out, found)), err=True)
    if found.get("failed"):
        raise click.ClickException("these parts failed: " + ", ".join(found["failed"]))
    faults = found.get("contenders", {}).get("faults", [])
    if faults:
        raise click.ClickException("outputs differ: " + "; ".join(faults))


async def _until_signal(running: Coroutine[Any, Any, None]) -> None:
    """SIGTERM ends it in order, as Ctrl-C does: no process, no folder is left."""
    task = asyncio.ensure_future(running)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


async def _run(
    found: dict[str, Any],
    parts: tuple[str, ...],
    seconds: float,
    messages: int | None,
    rounds: int,
    short: bool,
    memory_messages: int,
    memory_seconds: float,
) -> None:
    settings = load_settings()
    corpus = corpora.load(settings)
    found["corpus"] = corpus.describe()
    backlog = messages or int(seconds * 2_000)
    async with stage() as on:
        todo: dict[str, Callable[[], Awaitable[Any]]] = {
            "contenders": lambda: race.run(
                on, settings, corpus, seconds=seconds, messages=messages, rounds=rounds, recalled=not short, say=say
            ),
            "latency": lambda: _curves(on, corpus, seconds, backlog, short),
            "fairness": lambda: fairness.compare(on, corpus, 2 * seconds, backlog, say),
            "memory": lambda: memory.grow(on, corpus, memory_messages, memory_seconds, say),
            "recorder": lambda: recorder.record(on, corpus, backlog, say),
            "corrections": lambda: corrections.correct(on, corpus, 8 if short else 60, say),
        }
        for part in PARTS:
            if part in parts:
                say(f"{part}:")
                began = time.monotonic()
                try:
                    found[part] = await todo[part]()
                except Exception as error:  # the other parts' figures are worth having all the same
                    say(f"{part} failed: {error!r}")
                    found.setdefault("failed", {})[part] = str(error).partition("\n")[0] or type(error).__name__
                found.setdefault("part_seconds", {})[part] = round(time.monotonic() - began, 1)


async def _curves(on: Stage, corpus: corpora.Corpus, seconds: float, backlog: int, short: bool) -> list[dict[str, Any]]:
    shares = (0.25, 0.5) if short else latency.SHARES
    first = await latency.curve(on, corpus, 1, seconds, backlog, say, shares)
    if short:
        return [first]
    half = next(point["rate"] for point in first["points"] if point["share"] == 0.5)
    first["bare"] = await latency.beside(on, corpus, half, seconds, backlog, say)
    return [first, await latency.curve(on, corpus, 2, seconds, backlog, say, shares)]


def say(line: str) -> None:
    """Progress, beside the report."""
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
