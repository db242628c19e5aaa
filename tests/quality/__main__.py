"""`python -m tests.quality`: how well it judges, on the labelled sets and the repository's own; tables, raw data, a picture.

Never fails for a figure: figures are printed beside their targets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tests.bench import machine
from tests.quality import cold, conversations, corrections, everyday, fairness, learning, poison, report, speed
from tests.quality.sets import SEED, Sets

PARTS = ("cold", "learning", "corrections", "poison", "everyday", "fairness", "conversations", "speed")


@click.command()
@click.option(
    "--corpus",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="TOCSIN_CORPUS",
    help="Folder of the labelled sets (TOCSIN_CORPUS); without it, the repository's own messages alone.",
)
@click.option("--most", default=5_000, show_default=True, help="messages of each stream at most")
@click.option("--only", help=f"parts to run, comma separated: {', '.join(PARTS)}")
@click.option("--out", type=click.Path(path_type=Path), help="folder of quality.json, quality.md, learning.svg")
def main(corpus: Path | None, most: int, only: str | None, out: Path | None) -> None:
    """Measures how well Tocsin judges: cold, learning, after ten corrections, on everyday messages, between groups."""
    parts = tuple(only.split(",")) if only else PARTS
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise click.UsageError(f"--only {unknown[0]}: there are {', '.join(PARTS)}")
    began = time.monotonic()
    found: dict[str, Any] = {
        "command": f"python -m tests.quality --most {most}" + (f" --only {only}" if only else ""),
        "machine": machine.describe(),
        "seed": SEED,
        "corpus": corpus is not None,
    }
    if corpus is None:
        say("TOCSIN_CORPUS is not set: measuring on the repository's own messages alone")
    try:
        sets = Sets(corpus, most, say)
    except OSError as error:
        raise click.ClickException(f"the labelled sets in {corpus} cannot be read: {error}") from None
    todo: dict[str, Callable[[], Any]] = {
        "cold": lambda: cold.measure(sets, say),
        "learning": lambda: learning.measure(sets, say),
        "corrections": lambda: corrections.measure(sets),
        "poison": lambda: poison.measure(sets, say),
        "everyday": lambda: everyday.measure(sets),
        "fairness": lambda: fairness.measure(sets),
        "conversations": lambda: conversations.measure(sets),
        "speed": lambda: speed.measure(sets),
    }
    for part in PARTS:
        if part in parts:
            say(f"{part}:")
            found[part] = todo[part]()
    found["minutes"] = round((time.monotonic() - began) / 60, 2)
    for line in report.lines(found):
        click.echo(line)
    if out is not None:
        click.echo("written: " + ", ".join(str(path) for path in report.write(out, found)), err=True)


def say(line: str) -> None:
    """Progress, beside the report."""
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
