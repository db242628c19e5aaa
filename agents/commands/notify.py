"""`tocsin notify check|secret|test|replay`: the file of destinations, and delivering by hand."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import cast

import click
from rich.console import Console

from agents import policies
from agents.notify import again, signing
from agents.notify.client import Client, Failed
from agents.notify.destinations import Destination, Tags
from agents.notify.file import of_file
from agents.notify.role import destinations, sender_of
from agents.notify.sending import Parcel
from agents.notify.tags import PREFIX
from agents.notify.tickets import headers_of, ticket_of, tickets
from schemas.base import Priority, milliseconds
from streams import cli
from streams.errors import TocsinError
from streams.settings import Settings

_UNITS = {"m": 60, "h": 3_600, "d": 86_400}


@click.group()
def notify() -> None:
    """Webhooks, notifications and tags: checks their file, tries a destination, delivers again."""


@notify.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Says whether FILE is a file of destinations; else which line is wrong, and how. Needs no broker, and sends nothing.

    The variables that it names must be set.
    """
    settings = cli.settings(log_level="error")
    for one in of_file(file, settings.console_url):
        sender_of(one, lambda: policies.of_file(None))
        click.echo(f"{one.name}: {one.kind}, reads {', '.join(one.wanted.topics())}")
    click.echo(f"{file}: good")


@notify.command()
def secret() -> None:
    """Prints a fresh secret for a webhook, for both sides to keep."""
    click.echo(signing.new_secret())


@notify.command()
@click.argument("destination")
@click.option("--priority", type=click.Choice(["p0", "p1", "p2"]), default="p2", show_default=True)
@click.option("--ticket", help="for tags: reads the tags of this ticket, and changes none")
def test(destination: str, priority: str, ticket: str | None) -> None:
    """Sends DESTINATION an alert that is marked as a drill, once; ends with status 1 where it is not taken."""
    settings = cli.settings(log_level="error")
    found = _named(settings, destination)
    if isinstance(found.target, Tags):
        if ticket is None:
            raise TocsinError(
                "a drill has no ticket to put a tag on: name one with --ticket, its tags are read and not changed"
            )
        tags = asyncio.run(_read(found, found.target, ticket))
        click.echo(f"ticket {ticket} has {len(tags)} tags, of ours: {', '.join(sorted(tags)) or 'none'}")
        return
    click.echo(asyncio.run(_drill(settings, found, cast("Priority", priority))))


@notify.command()
@click.argument("destination")
@click.option("--since", required=True, help="2026-01-31T08:00:00Z, or how long ago: 30m, 2h, 3d")
@click.option("--dead-letters", is_flag=True, help="only what became a dead letter of this destination")
@click.option(
    "--wait", default=60.0, show_default=True, help="seconds for which a destination that is away is asked again"
)
def replay(destination: str, since: str, dead_letters: bool, wait: float) -> None:
    """Delivers what rang since a moment to DESTINATION once more; workers go on meanwhile, and no offset is moved.

    Each alert has the id that it had before (webhook-id), so a receiver that keeps them knows what it got.
    """
    since_ms = moment(since, time.time())
    settings = cli.settings(log_level="error")
    found = _named(settings, destination)
    count = asyncio.run(_replay(settings, found, since_ms, dead_letters, wait))
    click.echo(f"{count.delivered} delivered" + (f", {count.refused} refused" if count.refused else ""))
    if count.refused:
        raise TocsinError(f'destination "{destination}" refused {count.refused} alerts')


def moment(told: str, now: float) -> int:
    """Milliseconds since the epoch of a time, or of how long ago something was.

    Raises:
        TocsinError: it is neither.
    """
    ago = re.fullmatch(r"(\d{1,6})([mhd])", told.strip())
    if ago is not None:
        return round((now - int(ago[1]) * _UNITS[ago[2]]) * 1000)
    try:
        return milliseconds(told)
    except (ValueError, OverflowError):
        raise TocsinError(f'--since "{told}" is no time: write 2026-01-31T08:00:00Z, or 30m, 2h, 3d') from None


def _named(settings: Settings, name: str) -> Destination:
    found = {one.name: one for one in destinations(settings)}
    if name not in found:
        raise TocsinError(f'{settings.notify} (TOCSIN_NOTIFY) has no destination "{name}"; it has {", ".join(found)}')
    return found[name]


async def _drill(settings: Settings, destination: Destination, priority: Priority) -> str:
    policy = await policies.active(settings)
    sender = sender_of(destination, lambda: policy)
    await sender.start()
    try:
        begun = time.monotonic()
        outcome = await sender.send(Parcel(again.drill(policy, priority, time.time_ns() // 1_000_000)))
    finally:
        await sender.stop()
    if outcome.kind != "delivered":
        raise TocsinError(f'destination "{destination.name}" did not take the drill: it {outcome.said}')
    return f'destination "{destination.name}" took the drill within {time.monotonic() - begun:.2f} s'


async def _read(destination: Destination, target: Tags, ticket: str) -> set[str]:
    if ticket_of(target.tool, f"{target.tool}:{ticket}") is None:
        raise TocsinError(f'--ticket "{ticket}" is no id of {target.tool}')
    client = Client(destination.retry.timeout, headers_of(target))
    await client.start()
    try:
        return {name for name in await tickets(target, client).tags(ticket) if name.startswith(PREFIX)}
    except Failed as failed:
        raise TocsinError(f'destination "{destination.name}": {failed.outcome.said}') from None
    finally:
        await client.stop()


async def _replay(
    settings: Settings, destination: Destination, since_ms: int, letters: bool, patience: float
) -> again.Count:
    policy = await policies.active(settings)
    sender = sender_of(destination, lambda: policy)
    await sender.start()
    screen = Console(stderr=True)
    try:
        with screen.status("delivering") as status:
            return await again.replay(
                settings,
                destination,
                sender,
                since_ms,
                letters=letters,
                patience=patience,
                told=lambda count: status.update(f"{count.delivered} delivered"),
            )
    finally:
        await sender.stop()
