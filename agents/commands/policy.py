"""`tocsin policy check|push|show`: the one file a team edits."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path

import click

from agents import policies
from streams import cli
from streams.errors import TocsinError


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
    records, pointers = asyncio.run(policies.published(settings))
    if history:
        for version, record in records.items():
            mark = "*" if version in pointers.values() else " "
            click.echo(f"{mark} {record.at}  {version}  {record.changed_by}: {record.reason}")
        return
    wanted = settings.policy if "@" in settings.policy else pointers.get(settings.policy, "")
    if wanted not in records:
        raise TocsinError(f"policy {settings.policy!r} (TOCSIN_POLICY) is not published; run `tocsin init`")
    click.echo(records[wanted].document or "", nl=False)
