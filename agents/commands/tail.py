"""`tocsin tail`: follows a topic, readable for people or as JSON for machines."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import click
import orjson
from rich.console import Console
from rich.text import Text

from streams import cli
from streams.errors import TocsinError
from streams.follow import Follower, Record
from streams.settings import Settings
from streams.topics import TOPICS

COLOURS = {"p0": "bold white on red", "p1": "bold red", "p2": "yellow", "p3": "dim"}


@click.command()
@click.argument("topic", default="decisions")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line: topic, partition, offset, key, value")
@click.option("--since", type=click.FloatRange(0), default=0.0, help="begin this many seconds ago (default: now)")
def tail(topic: str, as_json: bool, since: float) -> None:
    """Follows TOPIC (decisions, priority.p0, review, health, ...; default decisions), read committed."""
    settings = cli.settings()
    known = [one.name for one in TOPICS]
    short = topic.removeprefix(settings.topic_prefix)
    if short not in known:
        raise TocsinError(f"topic {topic!r} is none of ours; there are {', '.join(known)}")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_tail(settings, short, as_json, since))


async def _tail(settings: Settings, topic: str, as_json: bool, since: float) -> None:
    console = Console()

    def show(record: Record) -> None:
        if as_json:
            click.echo(orjson.dumps(machine(record)).decode())
        else:
            console.print(readable(topic, record), soft_wrap=True, markup=False, highlight=False)

    follower = Follower(settings, [settings.topic(topic)], show, since_ms=int((time.time() - since) * 1000))
    await follower.start()
    try:
        while follower.failed is None:
            await asyncio.sleep(0.2)
        raise TocsinError(f"{topic} cannot be followed any more: {follower.failed}")
    finally:
        await follower.stop()


def machine(record: Record) -> dict[str, Any]:
    """A record for machines; a value that is no JSON comes as text with replaced bytes."""
    value: Any
    try:
        value = None if record.value is None else orjson.loads(record.value)
    except orjson.JSONDecodeError:
        value = record.value[:1000].decode("utf-8", "replace")
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": None if record.key is None else record.key.decode("utf-8", "replace"),
        "value": value,
    }


def readable(topic: str, record: Record) -> Text:
    """A record as one coloured line; control characters of hostile text are shown, not obeyed."""
    value = machine(record)["value"]
    clock = time.strftime("%H:%M:%S", time.localtime(record.timestamp / 1000))
    line = Text(f"{clock} {record.partition}/{record.offset} ", style="dim")
    if not isinstance(value, dict):
        return line.append(_safe(str(value)))
    decision = value.get("decision", value)
    if isinstance(decision, dict) and "priority" in decision and "status" in decision:
        priority = str(decision["priority"])
        line.append(f"{priority} ", style=COLOURS.get(priority, ""))
        line.append(f"{decision['status']:9} {decision['decided_by']:5} {decision['language']:5} ")
        line.append(f"{_label(decision, 'sentiment'):9}{_label(decision, 'category'):17}", style="cyan")
        if "why" in value:
            line.append(_safe(value["why"]["en"]) + "  ", style="bold")
        text = value.get("message", {}).get("text")
        line.append(_safe(str(text)[:160]) if text else f"message {_safe(decision['message_id'])}")
        return line
    if topic == "incidents":
        return line.append_text(_incident(value))
    if topic == "handoffs":
        return line.append_text(_handoff(value))
    if topic == "health" and "code" in value:
        return line.append_text(_alarm(value))
    return line.append(_safe(orjson.dumps(value).decode()[:400]))


def _incident(value: dict[str, Any]) -> Text:
    line = Text(f"{value['kind']:9}{value['state']:7}", style="red" if value["state"] != "closed" else "green")
    line.append(f"{_safe(value['why']['en'])}  ", style="bold")
    budget, usual = value.get("budget"), value.get("usual")
    if budget is not None:
        return line.append(
            f"{budget['priority']} {_safe(budget['route'])}: {budget['held']} beyond {budget['hourly']} an hour"
        )
    line.append(f"{value['messages']} messages of {value['customers']}, {value['rate']:.0f} a minute")
    line.append(f" (usually {usual['rate']:.1f})  " if usual else "  ")
    return line.append(_safe(", ".join(value["phrases"])), style="cyan")


def _handoff(value: dict[str, Any]) -> Text:
    priority = _safe(str(value["priority"]))
    line = Text(f"{priority} ", style=COLOURS.get(priority, ""))
    line.append(_safe(value["why"]["en"]) + "  ", style="bold")
    line.append(f"customer {_safe(str(value['customer_id']))}, conversation {_safe(str(value['conversation_id']))}, ")
    return line.append(f"{len(value['transcript'])} messages, to {_safe(str(value['route']))}")


def _alarm(value: dict[str, Any]) -> Text:
    severity = str(value.get("severity") or "")
    line = Text(f"{_safe(severity):9}", style={"critical": "red", "warning": "yellow"}.get(severity, "dim"))
    line.append(f"{_safe(str(value['code']))} ", style="bold").append(f"{_safe(str(value['component']))}  ")
    if value.get("detail"):
        return line.append(_safe(str(value["detail"])))
    return line.append(_safe(orjson.dumps(value.get("figures") or {}).decode()[:300]), style="dim")


def _label(decision: dict[str, Any], head: str) -> str:
    found = decision.get(head)
    return _safe(str(found.get("label", ""))) if isinstance(found, dict) else ""


def _safe(text: str) -> str:
    return "".join(each if each.isprintable() else "�" for each in " ".join(text.split()))
