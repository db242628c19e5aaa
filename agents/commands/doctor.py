"""`tocsin doctor`: looks a set-up over, and says what to mend."""

from __future__ import annotations

import asyncio
import sys

import click
import msgspec

from agents import doctor as checks
from agents.commands.worker import ROLES
from streams import cli
from streams.settings import Settings

MARKS = {True: ("ok  ", "green"), False: ("mend", "red"), None: ("?   ", "yellow")}


@click.command()
@click.argument("roles", nargs=-1, type=click.Choice(list(ROLES)))
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line instead")
def doctor(roles: tuple[str, ...], as_json: bool) -> None:
    """Looks over what the settings name: Kafka, topics, rights, clocks, workers, policy, model, ClickHouse.

    ROLES: whose rights on Kafka to ask for (default: all but shadow, door and notify). Ends with status 1 where something is to
    be mended. Changes nothing; writes one record to `health`, to compare the clocks by.
    """
    settings = cli.settings(log_level="error")
    wanted = list(dict.fromkeys(roles)) or [role for role in ROLES if role not in ("shadow", "door", "notify")]
    sys.exit(asyncio.run(_told(settings, wanted, as_json)))


async def _told(settings: Settings, roles: list[str], as_json: bool) -> int:
    status = 0
    async for found in checks.examine(settings, roles):
        status = max(status, int(found.ok is False))
        if as_json:
            click.echo(msgspec.json.encode(found).decode())
            continue
        mark, colour = MARKS[found.ok]
        click.echo(f"{click.style(mark, fg=colour)} {found.check:10} {found.said}")
        if not found.ok and found.mend:
            click.echo(f"     {'':10} {found.mend}")
    return status
