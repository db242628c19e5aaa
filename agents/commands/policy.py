"""`tocsin policy check|push|show|try`: the one file a team edits."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import Any

import click
import orjson

from agents import policies, rerun
from agents.handout import learned_model, load_base
from agents.scoring.heads import Model
from agents.scoring.policy import Policy
from agents.without import without
from streams import cli
from streams.settings import Settings


@click.group()
def policy() -> None:
    """Checks, publishes and shows policies: floors, thresholds, categories, routes."""


@policy.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Says whether FILE is a policy; else which line is wrong, and how. Needs no broker."""
    found = policies.of_file(file)
    phrases = sum(len(floor.phrases) for floor in found.floors)
    click.echo(f"{file}: good; {found.version}, {len(found.floors)} floors, {phrases} phrases")


@policy.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--reason", required=True, help="why it is changed; kept with the version")
@click.option("--by", default=getpass.getuser, show_default="your user name", help="who changes it")
def push(file: Path, reason: str, by: str) -> None:
    """Publishes FILE: every worker uses it from its next message on. Old versions stay."""
    policies.of_file(file)
    settings = cli.settings()
    found = asyncio.run(policies.push(settings, file.read_text("utf-8"), by, reason))
    click.echo(f"published {found.version}")


@policy.command()
@click.option("--default", "shipped", is_flag=True, help="the default in the package; needs no broker")
@click.option("--history", is_flag=True, help="every version: when, who, why")
def show(shipped: bool, history: bool) -> None:
    """Prints the active policy (TOCSIN_POLICY)."""
    if shipped:
        click.echo(policies.default_document(), nl=False)
        return
    settings = cli.settings()
    if history:
        records, pointers = asyncio.run(policies.published(settings))
        for version, record in records.items():
            mark = "*" if version in pointers.values() else " "
            click.echo(f"{mark} {record.at}  {version}  {record.changed_by}: {record.reason}")
        return
    click.echo(asyncio.run(policies.active_document(settings)), nl=False)


@policy.command("try")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--without",
    "left_out",
    multiple=True,
    help='instead of FILE: the policy in force without a floor (legal), a phrase ("legal: sue you") or a head (head urgency)',
)
@click.option(
    "--days", default=7.0, show_default=True, help="how much of the past, as far as `messages` still has it (28 days)"
)
@click.option("--messages", help="messages from this file instead (JSONL, .gz, or -); needs no broker")
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="instead of the active policy (with --messages: of the default)",
)
def try_(file: Path | None, left_out: tuple[str, ...], days: float, messages: str | None, against: Path | None) -> None:
    """Runs FILE over the past beside the policy in force, and prints what would ring otherwise, as JSON. Nothing rings.

    With --without, what it would cost to do without a rule. Both judge with the model as it has learned up to now (with
    --messages: with the base). Pairs are before and after.
    Precision and recall are held against the priorities that people gave.
    """
    if (file is None) == (not left_out):
        raise click.UsageError("give either FILE or --without")
    settings = cli.settings(log_level="error")
    after = None if file is None else policies.of_file(file)
    found = asyncio.run(_rerun(settings, after, left_out, days, messages, against))
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


async def _rerun(
    settings: Settings,
    after: Policy | None,
    left_out: tuple[str, ...],
    days: float,
    messages: str | None,
    against: Path | None,
) -> dict[str, Any]:
    if messages is not None:
        before = policies.of_file(against)
        one = rerun.Rerun(before, after or _without(before, left_out), Model(load_base(settings)), {})
        for incoming, at in rerun.of_file(messages):
            one.take(incoming, at)
        return one.found.as_json()
    before = policies.of_file(against) if against is not None else await policies.active(settings)
    after = after or _without(before, left_out)
    one = rerun.Rerun(before, after, await learned_model(settings), await rerun.peoples_word(settings, days))
    async for incoming, at in rerun.of_kafka(settings, days):
        one.take(incoming, at)
    return one.found.as_json()


def _without(policy: Policy, left_out: tuple[str, ...]) -> Policy:
    for what in left_out:
        policy = without(policy, what)
    return policy
