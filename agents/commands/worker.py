"""`tocsin worker ROLE...`: runs agents in this process."""

from __future__ import annotations

import importlib
import sys

import click

from streams import cli
from streams import worker as workers
from streams.worker import Build

ROLES = {
    "triage": "agents.triage:Triage",
    "learn": "agents.learn:Learn",
    "follow": "agents.follow:Follow",
    "crowd": "agents.crowd:CrowdRole",
    "shadow": "agents.shadow:Shadow",
    "notify": "agents.notify.role:Notify",
    "record": "agents.record:Record",
    "console": "agents.console.role:Console",
    "door": "agents.door.role:Door",
}


def builder(role: str) -> Build:
    """The role's class, imported now: a worker loads only what it runs."""
    module, _, name = ROLES[role].partition(":")
    build: Build = getattr(importlib.import_module(module), name)
    return build


@click.command()
@click.argument("roles", nargs=-1, required=True, type=click.Choice(list(ROLES)))
@click.option(
    "--http-port", type=click.IntRange(0, 65535), help="port of /metrics, /healthz, /readyz (0: any free one)"
)
def worker(roles: tuple[str, ...], http_port: int | None) -> None:
    """Runs one or several agents until SIGTERM; ends with status 70 where it wants to be started again."""
    settings = cli.settings(http_port=http_port)
    names = list(dict.fromkeys(roles))
    sys.exit(workers.run(settings, [builder(name) for name in names], names))
