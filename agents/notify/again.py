"""Delivering once more: what rang since a moment, or what became a dead letter; and a drill.

Beside the groups of a worker that runs, with the same code and the same ids: who got it already knows it by them.
Owns: what is read for that. Must never: move a group's offsets.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiokafka import TopicPartition

from agents.alerts import DRILL_CUSTOMER
from agents.notify.destinations import Destination
from agents.notify.role import SOURCE
from agents.notify.sending import Circuit, Outcome, Parcel, Sender
from agents.scoring.policy import Policy
from schemas.base import Invalid, Priority, timestamp
from schemas.decision import Alert, Decision, Source, Why, decision_id
from schemas.message import Message
from schemas.operations import DeadLetter
from schemas.reading import read
from streams.errors import TocsinError
from streams.follow import read_since
from streams.kafka import reader, started
from streams.outputs import new_id
from streams.settings import Settings

FOUND_SECONDS = 10.0
"""For a record that is read by its offset."""


@dataclass(slots=True)
class Count:
    """What came of a replay."""

    delivered: int = 0
    refused: int = 0
    passed: int = 0


async def replay(
    settings: Settings,
    destination: Destination,
    sender: Sender,
    since_ms: int,
    *,
    letters: bool,
    patience: float,
    told: Callable[[Count], None] = lambda count: None,
) -> Count:
    """Delivers again.

    Args:
        since_ms: what arrived since then, milliseconds since the epoch.
        letters: only what became a dead letter of this destination.
        patience: seconds for which a destination that is away is asked again.
        told: called after each alert.

    Raises:
        TocsinError: the destination is away; says from where to go on.
    """
    count, seen = Count(), set()
    found = _letters(settings, destination, since_ms) if letters else _rung(settings, destination, since_ms)
    async for alert in found:
        key = (alert.decision.id, alert.change)
        if key in seen:
            continue
        seen.add(key)
        outcome = await _sent(destination, sender, Parcel(alert), patience)
        if outcome.kind == "away":
            raise TocsinError(
                f'destination "{destination.name}" {outcome.said}; {count.delivered} were delivered before, not the alert of '
                f"{alert.decision.decided_at}: run this again when it is back, its receiver knows what it got by webhook-id"
            )
        count.delivered += outcome.kind == "delivered"
        count.refused += outcome.kind == "refused"
        count.passed += outcome.kind == "nothing"
        told(count)
    return count


async def _sent(destination: Destination, sender: Sender, parcel: Parcel, patience: float) -> Outcome:
    circuit = Circuit(destination.retry)
    begun = time.time()
    while True:
        outcome = await sender.send(parcel)
        if outcome.kind != "away":
            return outcome
        circuit.failed(time.time(), outcome.after)
        if circuit.next_at - begun > patience:
            return outcome
        await asyncio.sleep(max(circuit.next_at - time.time(), 0.0))


async def _rung(settings: Settings, destination: Destination, since_ms: int) -> AsyncIterator[Alert]:
    for topic in destination.wanted.topics():
        async for record in read_since(settings, settings.topic(topic), since_ms):
            alert = _alert(record.value)
            if alert is not None and destination.wanted.takes(alert, topic):
                yield alert


async def _letters(settings: Settings, destination: Destination, since_ms: int) -> AsyncIterator[Alert]:
    source = f"{SOURCE}/{destination.name}".encode()
    async for record in read_since(settings, settings.topic("dead-letters"), since_ms):
        if dict(record.headers).get("ce_source") != source:
            continue
        letter = read(record.value, DeadLetter)
        value = base64.b64decode(letter.value or "")
        if len(value) < letter.length:  # a dead letter holds the first 256 KB
            value = await _at(settings, TopicPartition(letter.topic, letter.partition), letter.offset)
        alert = _alert(value)
        if alert is not None:
            yield alert


def _alert(value: bytes | None) -> Alert | None:
    try:
        return read(value, Alert)
    except Invalid:
        return None


async def _at(settings: Settings, tp: TopicPartition, offset: int) -> bytes:
    client = await started(reader(settings), settings)
    try:
        client.assign([tp])
        client.seek(tp, offset)
        deadline = time.monotonic() + FOUND_SECONDS
        while time.monotonic() < deadline:
            for record in (await client.getmany(tp, timeout_ms=200, max_records=1)).get(tp, []):
                return bytes(record.value or b"") if record.offset == offset else b""
        return b""
    finally:
        await client.stop()


def drill(policy: Policy, priority: Priority, now_ms: int) -> Alert:
    """An alert that is marked as a drill, of nobody's message."""
    at, identity = timestamp(now_ms), f"drill-{new_id()}"
    source = Source(topic="drill", partition=0, offset=0)
    message = Message(
        id=identity,
        customer_id=DRILL_CUSTOMER,
        text="This is a drill. Ceci est un exercice.",
        conversation_id=identity,
        sent_at=at,
        attributes={"drill": True},
    )
    decision = Decision(
        id=decision_id(identity, 0, source, "none", policy.version),
        message_id=identity,
        revision=0,
        customer_id=DRILL_CUSTOMER,
        conversation_id=identity,
        channel="drill",
        language="en",
        status="scored",
        priority=priority,
        decided_by="rule",
        reasons=[],
        route=policy.routes.default,
        automation_allowed=False,
        model_version="none",
        policy_version=policy.version,
        corrected=[],
        sent_at=at,
        received_at=at,
        decided_at=at,
        source=source,
    )
    why = Why("This is a drill: nobody needs anything.", "Ceci est un exercice : personne n'a besoin de rien.")
    return Alert(decision=decision, message=message, why=why, change="new", group=identity, late=False, drill=True)
