"""`tocsin demo`: the local stack with customers and reviewers that play along."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import click
import orjson
from rich.console import Console

from agents.commands.drill import TEXTS, once
from agents.demo.player import Player
from agents.screen import show
from agents.stack import Stack, until_signal
from streams import cli
from streams.errors import TocsinError
from streams.roles import percentile
from streams.settings import Settings

ROWS_SECONDS = 20.0
DRILL_SECONDS = 30.0
"""How long the drill at the start may take: a busy machine is slow with its first messages."""


@click.command()
@click.option("--for", "seconds", type=click.FloatRange(min=1), help="stop by itself, so long after the first message")
@click.option("--json", "as_json", is_flag=True, help="print one JSON summary at the end, and nothing else")
@click.option(
    "--data", type=click.Path(path_type=Path), help="keep what was written here; else it is removed at the end"
)
def demo(seconds: float | None, as_json: bool, data: Path | None) -> None:
    """Runs everything on this machine, until Ctrl-C.

    Customers write in English and French; simulated reviewers correct what is wrong; the console shows it.
    """
    if as_json and seconds is None:
        raise click.UsageError("--json needs --for SECONDS")
    settings = cli.settings(log_level="error")
    if data is not None and data.exists() and any(data.iterdir()):
        raise TocsinError(f"--data {data} is not empty: name a folder that is, or one that is not there yet")
    folder = data or Path(tempfile.mkdtemp(prefix="tocsin-demo-"))
    try:
        summary = asyncio.run(_run(settings.model_copy(update={"data": folder}), seconds, as_json))
    finally:
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)
    if as_json and summary is not None:
        click.echo(orjson.dumps(summary).decode())
    if summary is not None and not summary["complete"]:
        raise TocsinError("not every message had its decision and its row in time; see the summary")


async def _run(settings: Settings, seconds: float | None, as_json: bool) -> dict[str, Any] | None:
    console = Console(stderr=as_json)

    def say(line: str) -> None:
        console.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)

    # Beside a broker or console that may be running already: the demo takes free ports.
    # Any free port, unless somebody asks for one: a demo must not stand in the way of what runs already.
    port = settings.console_port if "console_port" in settings.model_fields_set else 0
    stack = Stack(settings, kafka_port=0, console_port=port, triage=2, say=say)
    player = Player(stack.settings)
    task = asyncio.create_task(_play(stack, player, seconds, console))
    try:
        await until_signal(task)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await player.stop()
        say("stopping")
        await stack.stop()


async def _play(stack: Stack, player: Player, seconds: float | None, console: Console) -> dict[str, Any]:
    await stack.start()
    await player.start()
    player.sent += 1  # the drill's message has a decision, as every other
    drilled = asyncio.create_task(once(stack.settings, "p0", TEXTS["p0"], DRILL_SECONDS))
    show(console, stack, "Tocsin demo")
    try:
        begun = time.monotonic()
        with console.status("") as status:
            while seconds is None or time.monotonic() - begun < seconds:
                player.check()
                status.update(
                    f"{player.decisions} decisions, {dict(sorted(player.flagged.items()))} flagged, "
                    f"{len(player.correction_seconds)} corrections learned"
                )
                await asyncio.sleep(0.25)
        drill = await drilled
    finally:
        drilled.cancel()
        await asyncio.gather(drilled, return_exceptions=True)
    complete = await player.settle()
    rows = await _rows(stack, player)
    complete = complete and rows.get("decisions") == player.decisions
    latencies, corrections = sorted(player.decision_seconds), sorted(player.correction_seconds)
    return {
        "messages": player.sent,
        "decisions": player.decisions,
        "superseding": player.superseding,
        "raised": dict(player.raised),
        "handoffs": dict(player.handoffs),
        "standing": dict(player.standing),
        "incidents": player.incidents,
        "flagged": {priority: player.flagged[priority] for priority in ("p0", "p1", "p2")},
        "dead_letters": player.dead_letters,
        "corrections": len(corrections),
        "correction_seconds_p95": percentile(corrections, 0.95),
        "decision_seconds_p50": percentile(latencies, 0.5),
        "decision_seconds_p99": percentile(latencies, 0.99),
        "drill": drill["arrived"],
        "rows": rows,
        "complete": complete,
    }


async def _rows(stack: Stack, player: Player) -> dict[str, int]:
    """Rows by table, as the console counts them; waits until the recorder has caught up with what was decided."""
    deadline = time.monotonic() + ROWS_SECONDS
    rows: dict[str, int] = {}
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline:
            try:
                async with session.get(f"{stack.console_url}/api/rows") as response:
                    rows = await response.json()
            except (aiohttp.ClientError, ValueError):
                rows = {}
            if rows.get("decisions", 0) >= player.decisions and rows.get("dead_letters", 0) >= player.dead_letters:
                break
            await asyncio.sleep(0.25)
    return rows
