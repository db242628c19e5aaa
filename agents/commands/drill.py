"""`tocsin drill`: a message that must ring, sent the way of all others, and whether its alert arrived.

Owns: that message, and the wait. Must never: ring without `drill: true`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import Any

import click
import orjson

from agents.alerts import DRILL_CUSTOMER
from schemas.base import timestamp
from streams import cli
from streams.follow import Follower, Record
from streams.health import HealthReporter
from streams.kafka import producer, started
from streams.outputs import new_id
from streams.settings import Settings

TEXTS = {
    "p0": "This is a drill: the building is on fire.",
    "p1": "This is a drill: I will sue you.",
    "p2": "This is a drill: I want to talk to a human.",
}
"""What the default policy's floors ring for."""


@click.command()
@click.option(
    "--priority", type=click.Choice(sorted(TEXTS)), default="p0", show_default=True, help="where it must ring"
)
@click.option("--text", help="for a policy whose floors do not know the usual one")
@click.option("--wait", default=30.0, show_default=True, help="seconds to the alert")
@click.option("--every", type=click.FloatRange(min=1), help="again after so many seconds, for ever")
def drill(priority: str, text: str | None, wait: float, every: float | None) -> None:
    """Sends a message that must ring, marked as a drill, and says whether its alert arrived, and after how long.

    Its alert carries `drill: true`, so that whoever subscribes can tell it from life; `health` keeps each outcome (code `drill`).
    Prints one JSON object; ends with status 1 where the alert did not arrive in time.
    """
    settings = cli.settings(log_level="error")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            found = asyncio.run(once(settings, priority, text or TEXTS[priority], wait))
            click.echo(orjson.dumps(found).decode())
            if every is None:
                sys.exit(0 if found["arrived"] else 1)
            time.sleep(every)


async def once(settings: Settings, priority: str, text: str, wait: float) -> dict[str, Any]:
    """One drill: its message's id, whether its alert arrived, and after how many seconds (None: not)."""
    identity, arrived = f"drill-{new_id()}", asyncio.Event()

    def look(record: Record) -> None:
        # Cheaper than reading what is in it, and as sure: the id is ours alone.
        if record.value is not None and identity.encode() in record.value:
            arrived.set()

    begun = time.time()
    alerts = Follower(settings, [settings.topic(f"priority.{priority}")], look, since_ms=round(begun * 1000) - 1_000)
    health = HealthReporter(settings, "drill")
    sender = producer(settings)
    await alerts.start()
    try:
        await health.start()
        await started(sender, settings)
        fields = {"id": identity, "customer_id": DRILL_CUSTOMER, "text": text, "attributes": {"drill": True}}
        value = orjson.dumps({**fields, "sent_at": timestamp(round(begun * 1000))})
        await sender.send_and_wait(settings.topic("messages"), value, key=DRILL_CUSTOMER.encode())
        sent = time.monotonic()
        seconds = None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(arrived.wait(), wait)
            seconds = round(time.monotonic() - sent, 3)
        figures = {"priority": priority, "arrived": seconds is not None, "seconds": seconds, "message_id": identity}
        if seconds is None:
            said = f"the drill's alert did not come within {wait:g} s: is triage at work, and does the policy ring for its text?"
            health.alarm("drill", said, severity="critical", where=f"priority.{priority}", figures=figures)
        else:
            health.report("drill", where=f"priority.{priority}", figures=figures)
        return figures
    finally:
        await sender.stop()
        await health.stop()
        await alerts.stop()
