"""`tocsin up`: the local stack, waiting for messages."""

from __future__ import annotations

import asyncio

import click
from rich.console import Console

from agents.screen import show
from agents.stack import Stack, check_port, until_signal
from streams import cli
from streams.settings import Settings


@click.command()
@click.option("--kafka-port", type=click.IntRange(0, 65535), default=9092, show_default=True, help="0: any free one")
@click.option("--triage", type=click.IntRange(1, 16), default=1, show_default=True, help="triage workers")
def up(kafka_port: int, triage: int) -> None:
    """Starts Kafka, the ClickHouse engine, all workers and the console on this machine, until Ctrl-C.

    Everything is kept in the folder that TOCSIN_DATA names, and is there again next time.
    """
    settings = cli.settings(log_level="error")
    for port, name in ((kafka_port, "--kafka-port"), (settings.console_port, "TOCSIN_CONSOLE_PORT")):
        if port:
            check_port(port, name)
    asyncio.run(_run(settings, kafka_port, triage))


async def _run(settings: Settings, kafka_port: int, triage: int) -> None:
    console = Console(stderr=True)

    def say(line: str) -> None:
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)

    stack = Stack(settings, kafka_port=kafka_port, console_port=settings.console_port, triage=triage, say=say)
    begun = asyncio.create_task(stack.start())
    try:
        await until_signal(begun)
        if begun.done():
            begun.result()
            show(Console(), stack, "Tocsin is up")
            await until_signal()
    finally:
        begun.cancel()
        await asyncio.gather(begun, return_exceptions=True)
        say("stopping")
        await stack.stop()
