"""`tocsin try`: what would have rung on an export of messages, on one page, without a broker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from agents import policies
from agents.exports import NAMES, Layout, layout, pairs, rows
from agents.handout import load_base
from agents.scoring.heads import Model
from agents.scoring.judge import Asked, Judge
from agents.trial.figures import Trial
from agents.trial.page import page
from schemas.base import Invalid, timestamp
from schemas.decision import Source
from schemas.message import message_of
from streams import cli

BATCH = 32


@click.command("try")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--column",
    "given",
    multiple=True,
    metavar="WHAT=NAME",
    help=f"which column holds what, where its name does not say so; WHAT is one of {', '.join(NAMES)}",
)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="another policy than the default in the package",
)
def trial(file: str, given: tuple[str, ...], policy_file: Path | None) -> None:
    """Reads FILE, a CSV export of messages, and prints one page (Markdown): what would have rung and why, by phrase and by
    what the model weighed, the most useful phrase, the noisiest one, and what was not read.

    The first line names the columns; the text's and others are found by their names, in English or French. Nothing is
    sent anywhere, and nothing is kept.
    """
    settings = cli.settings(log_level="error")
    policy = policies.of_file(policy_file)
    how = layout(file, pairs("--column", given, NAMES))
    judge = Judge(policy, Model(load_base(settings)))
    found = Trial(policy)
    for batch in _batches(file, how, found):
        _judge(judge, batch, found)
    versions = f"Policy {policy.version[:20]}, model {judge.model.version}"
    for line in page(found, Path(file).name, how.said(), versions):
        click.echo(line)


def _batches(file: str, how: Layout, found: Trial) -> Iterator[list[tuple[int, bool, Asked]]]:
    """Messages as the judge takes them, some at a time; what is no message is noted."""
    now = time.time_ns() // 1_000_000
    at = timestamp(now)
    batch: list[tuple[int, bool, Asked]] = []
    console = Console(stderr=True)
    columns = (TextColumn("reading"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=how.lines)
        for row in rows(file, how):
            bar.update(task, completed=row.line)
            if row.fault:
                found.refuse(row.line, row.fault)
                continue
            try:
                incoming = message_of(row.fields, now)
            except Invalid as fault:
                found.refuse(row.line, fault.detail)
                continue
            asked = Asked(incoming, Source(Path(file).name[:64] or "-", 0, row.line), at)
            batch.append((row.line, "sent_at" in row.fields, asked))
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def _judge(judge: Judge, batch: list[tuple[int, bool, Asked]], found: Trial) -> None:
    at = timestamp(time.time_ns() // 1_000_000)
    judged = judge.decide_all([asked for _, _, asked in batch], at)
    for (line, timed, asked), one in zip(batch, judged, strict=True):
        found.add(line, asked.incoming.message, one.decision, timed=timed)
