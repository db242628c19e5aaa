"""`tocsin teach`: labels that somebody has already (tags, groups, ratings) become feedback, and so lessons."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import click
import orjson

from agents.evaluate import evaluate_stream, label_of
from agents.exports import NAMES, layout, pairs, rows
from agents.handout import load_base
from agents.scoring.base import Base
from schemas.base import Invalid, quoted, timestamp
from schemas.people import BINARY_HEADS, HEADS, SENTIMENTS, feedback_of
from schemas.reading import json_object
from streams import cli
from streams.errors import TocsinError
from streams.kafka import producer, started
from streams.outputs import cloud_event
from streams.settings import Settings
from streams.topics import check

SOURCE = "tocsin/teach"
SHOWN = 8
"""Values and faults that are told."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--label",
    "spoken",
    multiple=True,
    required=True,
    metavar="HEAD=COLUMN",
    help=f"the column that says a head's label; HEAD is one of {', '.join(HEADS)}",
)
@click.option(
    "--value",
    "said",
    multiple=True,
    metavar="HEAD:VALUE=LABEL",
    help="what a value of that column means, where it is no label itself; e.g. sentiment:5=positive",
)
@click.option("--column", "given", multiple=True, metavar="WHAT=NAME", help="as in `tocsin try`")
@click.option(
    "--reviewer", default="teach", show_default=True, help="whose word it is: lessons are counted by reviewer"
)
@click.option("--dry-run", is_flag=True, help="only the figures; needs no Kafka")
def teach(
    file: str, spoken: tuple[str, ...], said: tuple[str, ...], given: tuple[str, ...], reviewer: str, dry_run: bool
) -> None:
    """Reads FILE, a CSV export with labels, says what they teach, and sends them as feedback.

    The figures are on the last fifth of the file: before (the base as it is) and after (each message predicted first and
    learned then). What was sent once is not learned twice, however often the file is taught.
    """
    settings = cli.settings(log_level="error")
    columns = pairs("--column", given, NAMES)
    heads = pairs("--label", spoken, HEADS)
    meaning = _meanings(said, heads)
    how = layout(file, columns, heads)
    taught: list[dict[str, Any]] = []
    strange: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    for row in rows(file, how):
        if row.fault:
            unread[row.fault] += 1
            continue
        labels = _labels(row.labels, meaning, strange)
        if not labels:
            continue
        one = {**row.fields, "labels": labels}
        try:
            taught.append({**one, "feedback": _feedback(one, reviewer)})
        except Invalid as fault:
            unread[fault.detail] += 1
    for line in _said(taught, heads, load_base(settings)):
        click.echo(line)
    for title, left in (("Left out, being no label (--value says what one means)", strange), ("Rows not read", unread)):
        if left:
            click.echo(f"{title}: {', '.join(f'{why} {count:,}' for why, count in left.most_common(SHOWN))}.")
    if not taught:
        raise TocsinError(f"{file} has no message with a label")
    if not dry_run:
        sent = asyncio.run(_send(settings, taught))
        click.echo(
            f"{sent:,} messages sent as feedback to {settings.topic('feedback')}; learning takes about 1 ms each."
        )


def _meanings(said: tuple[str, ...], heads: dict[str, str]) -> dict[tuple[str, str], str]:
    meaning = {}
    for each in said:
        place, _, label = each.rpartition("=")
        head, _, value = place.partition(":")
        if head not in heads or not value or not label:
            raise TocsinError(f"--value {each}: must be HEAD:VALUE=LABEL, with a HEAD that has its --label")
        if _label(head, label) is None:
            raise TocsinError(f"--value {each}: {quoted(label)} is no label of {head}")
        meaning[head, value.casefold()] = label
    return meaning


def _labels(cells: Mapping[str, str], meaning: dict[tuple[str, str], str], strange: Counter[str]) -> dict[str, str]:
    labels = {}
    for head, cell in cells.items():
        label = _label(head, meaning.get((head, cell.casefold()), cell))
        if label is None:
            strange[f"{head}: {quoted(cell, 40)}"] += 1
        else:
            labels[head] = label
    return labels


def _label(head: str, value: str) -> str | None:
    """A value as a label of the head; None where it is none."""
    if head == "sentiment":
        return value.lower() if value.lower() in SENTIMENTS else None
    try:
        return label_of(value, head)
    except ValueError:
        return None


def _said(taught: list[dict[str, Any]], heads: dict[str, str], base: Base) -> list[str]:
    lines = [f"{len(taught):,} messages with a label."]
    for head in heads:
        count = sum(head in one["labels"] for one in taught)
        if not count:
            lines.append(f"{head}: no label of it was read.")
            continue
        before = evaluate_stream(taught, head, count, base)["fifths"][-1]
        after = evaluate_stream(taught, head, 0, base)["fifths"][-1]
        lines.append(
            f"{head}: {count:,} labels. On the last fifth ({after['n']:,}): right {before['accuracy']:.3f} before, "
            f"{after['accuracy']:.3f} after; macro F1 {before['macro_f1']:.3f} before, {after['macro_f1']:.3f} after."
        )
    return lines


async def _send(settings: Settings, taught: list[dict[str, Any]]) -> int:
    await check(settings)
    client = await started(producer(settings), settings)
    waiting = []
    try:
        for one in taught:
            value, identity = one["feedback"]
            headers = cloud_event("tocsin.feedback.v1", SOURCE, identity, timestamp(time.time_ns() // 1_000_000))
            waiting.append(
                await client.send(settings.topic("feedback"), value, key=one["customer_id"].encode(), headers=headers)
            )
        await asyncio.gather(*waiting)
    finally:
        await client.stop()
    return len(waiting)


def _feedback(one: dict[str, Any], reviewer: str) -> tuple[bytes, str]:
    """(feedback, its id): the same for the same message and labels, so that it teaches once.

    Raises:
        Invalid: it is none that the learner would take.
    """
    labels = {head: label == "yes" if head in BINARY_HEADS else label for head, label in one["labels"].items()}
    told = orjson.dumps([one["text"], one["customer_id"], labels, reviewer], option=orjson.OPT_SORT_KEYS)
    identity = f"teach-{blake2b(told, digest_size=16).hexdigest()}"
    fields = {
        "id": identity,
        "message_id": identity,
        "customer_id": one["customer_id"],
        "kind": "correct",
        "reviewer": reviewer,
        "labels": labels,
        "text": one["text"],
    }
    if "language" in one:
        fields["language"] = one["language"]
    value = orjson.dumps(fields)
    feedback_of(json_object(value))
    return value, identity
