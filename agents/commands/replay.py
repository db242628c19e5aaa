"""`tocsin replay`: messages from a file into `messages`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.inputs import cut, lines
from schemas.base import milliseconds, timestamp
from streams import cli
from streams.errors import TocsinError
from streams.kafka import producer, started
from streams.outputs import Headers, cloud_event, new_id
from streams.settings import Settings
from streams.topics import check

MAX_BYTES = 1_900_000
"""What `messages` takes, batch overhead included."""
KEEP = 2_000
"""Sends under way at once: bounds memory without a wait for each."""


@click.command()
@click.argument("file")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="messages a second (default: as fast as it goes)")
@click.option("--now", is_flag=True, help="move the messages' times to the present, distances kept")
def replay(file: str, rate: float | None, now: bool) -> None:
    """Produces the messages in FILE (JSONL, .gz, or - for standard input) into `messages`."""
    settings = cli.settings()
    sent, refused = asyncio.run(_replay(settings, file, rate, now))
    click.echo(f"{sent} messages sent to {settings.topic('messages')}" + (f", {refused} too large" if refused else ""))
    if refused:
        raise TocsinError(f"{refused} lines of {file} are over {MAX_BYTES:,} bytes and were not sent")


async def _replay(settings: Settings, file: str, rate: float | None, now: bool) -> tuple[int, int]:
    await check(settings)
    client = await started(producer(settings), settings)
    topic = settings.topic("messages")
    sent = refused = 0
    waiting: set[asyncio.Future[Any]] = set()
    shift = _Shift() if now else None
    begun = time.monotonic()
    total = _count(file)
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), disable=not Console(stderr=True).is_terminal)
    try:
        with bar:
            task = bar.add_task("", total=total)
            for _, line in lines(file):
                value = cut(line)
                value, key, headers = _prepared(value, shift)
                if len(value) > MAX_BYTES:
                    refused += 1
                    continue
                waiting.add(await client.send(topic, value, key=key, headers=headers))
                sent += 1
                if len(waiting) >= KEEP:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    _raised(done)
                bar.update(task, completed=sent)
                if rate is not None:
                    await asyncio.sleep(max(begun + sent / rate - time.monotonic(), 0))
            if waiting:
                done, _ = await asyncio.wait(waiting)
                _raised(done)
    finally:
        with contextlib.suppress(Exception):
            await client.stop()
    return sent, refused


def _raised(done: set[asyncio.Future[Any]]) -> None:
    for future in done:
        error = future.exception()
        if error is not None:
            raise TocsinError(f"Kafka refused a message: {error}") from None


def _count(file: str) -> int | None:
    """Lines of a plain file, for the progress bar."""
    if file == "-" or not Path(file).is_file():
        return None
    return sum(1 for _ in lines(file))


class _Shift:
    """Moves times so that the first message is sent now."""

    def __init__(self) -> None:
        self._by: int | None = None

    def __call__(self, sent_at: str) -> str:
        sent = milliseconds(sent_at)
        if self._by is None:
            self._by = time.time_ns() // 1_000_000 - sent
        return timestamp(min(sent + self._by, time.time_ns() // 1_000_000))


def _prepared(value: bytes, shift: _Shift | None) -> tuple[bytes, bytes | None, Headers]:
    """(value, key, headers): the customer as the key. What is no message is sent as it is: triage says why."""
    try:
        fields = orjson.loads(value)
        key = fields["customer_id"].encode()
        identity = str(fields["id"])
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        key, identity, fields = None, new_id(), None
    if shift is not None and fields is not None and isinstance(fields.get("sent_at"), str):
        with contextlib.suppress(ValueError, OverflowError):
            fields["sent_at"] = shift(fields["sent_at"])
            value = orjson.dumps(fields)
    at = timestamp(time.time_ns() // 1_000_000)
    return value, key, cloud_event("tocsin.message.v1", "tocsin/replay", identity[:256], at)
