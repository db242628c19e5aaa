"""`tocsin init`: topics, tables, the default policy; safe to run again."""

from __future__ import annotations

import asyncio
import getpass

import click

from agents.policies import ensure_default
from agents.recording.sink import Sink
from streams import cli, topics
from streams.settings import Settings


@click.command()
def init() -> None:
    """Creates what is missing on the Kafka and ClickHouse that the settings name, and changes nothing that is there."""
    settings = cli.settings()
    for line in asyncio.run(prepare(settings, by=getpass.getuser())):
        click.echo(line)


async def prepare(settings: Settings, by: str) -> list[str]:
    """Does it; one line for each thing done.

    Raises:
        TocsinError: a server is away, or refuses.
    """
    made = await topics.create(settings)
    partitions = await topics.check(settings)
    lines = [f"topics: {len(made)} created, all {len(topics.TOPICS)} there, {partitions} partitions by customer"]
    version, pushed = await ensure_default(settings, by)
    lines.append(f"policy: {version} {'published' if pushed else 'is there'}")
    if settings.clickhouse.get_secret_value().startswith("chdb://"):
        lines.append("ClickHouse: the in-process engine belongs to the worker that records; it makes its tables itself")
    else:
        sink = Sink(settings.clickhouse.get_secret_value())
        try:
            await sink.ensure_tables()
        finally:
            await sink.close()
        lines.append("ClickHouse: tables are there")
    return lines
