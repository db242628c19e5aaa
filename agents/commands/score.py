"""`tocsin score`: decisions without a broker, by the same code as triage."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from agents import policies
from agents.handout import load_base
from agents.inputs import cut, lines
from agents.scoring.heads import Model
from agents.scoring.judge import Judge
from schemas.base import Invalid, timestamp
from schemas.decision import Source, encode
from schemas.message import read_message
from schemas.operations import dead_letter
from streams import cli


@click.command()
@click.argument("file", default="-")
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="another policy than the default in the package",
)
def score(file: str, policy_file: Path | None) -> None:
    """Reads messages (JSONL, .gz, or - for standard input) and prints one decision a line, in order.

    What cannot be read becomes a dead letter, a JSON line on standard error, where nothing else is written.
    """
    settings = cli.settings(log_level="error")
    policy = policies.of_file(policy_file)
    judge = Judge(policy, Model(load_base(settings)))
    name = "-" if file == "-" else Path(file).name
    out, err = sys.stdout.buffer, sys.stderr.buffer
    for number, line in lines(file):
        now = time.time_ns() // 1_000_000
        at = timestamp(now)
        try:
            incoming = read_message(cut(line), now)
            if incoming.message.author_role != "customer":
                continue
            judged = judge.decide(incoming, Source(name, 0, number), at, at)
        except Invalid as fault:
            letter = dead_letter(name, 0, number, None, line, error=fault.code, detail=fault.detail, at=at)
            err.write(encode(letter) + b"\n")
            continue
        if judged.failure is not None:
            letter = dead_letter(
                name, 0, number, None, line, error="internal_error", detail=repr(judged.failure), at=at
            )
            err.write(encode(letter) + b"\n")
        out.write(encode(judged.decision) + b"\n")
    out.flush()
