"""`tocsin explain`: recomputes decisions from their versions and says whether they are identical."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click
import orjson

from agents.explain import COMPUTED, read_decision, recomputed
from agents.inputs import lines
from streams import cli
from streams.errors import TocsinError
from streams.settings import Settings

SHOWN = 20
"""Differing decisions that `--every` names."""


@click.command()
@click.argument("decision")
@click.option(
    "--message",
    "message_file",
    help="file (JSONL, or - for standard input) with the message; default: its row in ClickHouse",
)
@click.option("--every", is_flag=True, help="Recompute every line of DECISION, and print how many are identical.")
def explain(decision: str, message_file: str | None, every: bool) -> None:
    """Recomputes DECISION (a file with one JSON line, or - for standard input) and compares.

    Prints one JSON object: identical, the fields that differ, and the decision as it comes out now. With --every: how many
    decisions there were, how many are identical, how many were a human's or raised
    by history (neither is computed), and the first that differ.
    Ends with status 1 where one differs.
    """
    settings = cli.settings()
    found = asyncio.run(_every(settings, decision, message_file) if every else _one(settings, decision, message_file))
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    sys.exit(0 if found["identical"] is True or found["identical"] == found.get("computed") else 1)


async def _one(settings: Settings, file: str, message_file: str | None) -> dict[str, Any]:
    line = next((line for _, line in lines(file)), None)
    if line is None:
        raise TocsinError(f"{file} holds no decision")
    async for one in recomputed(settings, [(read_decision(line, file), line)], message_file):
        return {"identical": not one.differs, "differs": one.differs, "decision": one.now}
    raise AssertionError("one decision in, one out")


async def _every(settings: Settings, file: str, message_file: str | None) -> dict[str, Any]:
    read = [(read_decision(line, f"{file} line {number + 1}"), line) for number, line in lines(file)]
    computed = [(past, line) for past, line in read if past.decided_by in COMPUTED]
    if not computed:
        raise TocsinError(f"{file} holds no decision that was computed")
    identical = 0
    differing: list[dict[str, Any]] = []
    async for one in recomputed(settings, computed, message_file):
        identical += not one.differs
        if one.differs and len(differing) < SHOWN:
            differing.append({"id": one.past.id, "differs": one.differs})
    return {
        "decisions": len(read),
        "computed": len(computed),
        "identical": identical,
        "human": sum(past.decided_by == "human" for past, _ in read),
        "history": sum(past.decided_by == "history" for past, _ in read),
        "differing": differing,
    }
