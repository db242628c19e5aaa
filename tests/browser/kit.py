"""What console tests share: alerts as triage writes them, and a running console.

Owns: made-up alerts, and a console on a free port whose ClickHouse is away unless one is given. Must never: use the
console's own code to judge it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from pydantic import SecretStr

from agents.console.role import Console
from schemas.base import timestamp
from schemas.decision import Alert
from streams.health import HealthReporter
from streams.settings import Settings

DEADLINE = 30.0
NOWHERE = "http://127.0.0.1:1/tocsin"


def alert(number: int, text: str, priority: str = "p1", *, phrase: str | None = None, **more: Any) -> dict[str, Any]:
    """An alert as JSON: `more` goes into the decision, or into the message or the alert where it names their fields."""
    sent = timestamp(int(time.time() * 1000) - 60_000 * number)
    identity = f"m{number}"
    reasons: list[dict[str, Any]] = []
    if phrase is not None:
        start = text.index(phrase)
        reasons.append({"floor": "fire", "phrase": phrase, "start": start, "end": start + len(phrase)})
    reasons.append(
        {
            "head": "category",
            "label": "safety",
            "bias": -0.5,
            "contributions": [{"feature": "smoke", "value": 1.25}, {"feature": "not good", "value": -0.5}],
            "rest": 0.25,
            "logit": 0.5,
        }
    )
    decision = {
        "id": f"d{number}",
        "message_id": identity,
        "revision": 0,
        "customer_id": f"c{number}",
        "conversation_id": identity,
        "channel": "chat",
        "language": "en",
        "status": "scored",
        "status_reason": None,
        "priority": priority,
        "decided_by": "rule" if phrase else "model",
        "sentiment": {"label": "negative", "score": -0.75, "probabilities": {"negative": 0.875, "neutral": 0.125}},
        "urgency": {"probability": 0.875},
        "category": {"label": "safety", "probabilities": {"safety": 0.75, "technical": 0.25}},
        "emotion": {"label": "fear", "probabilities": {"fear": 0.75, "anger": 0.25}},
        "spam": {"probability": 0.0},
        "abuse": {"probability": 0.125},
        "reasons": reasons,
        "route": "care",
        "automation_allowed": False,
        "model_version": "b-test@0",
        "policy_version": "default@sha256:0",
        "corrected": [],
        "sent_at": sent,
        "received_at": sent,
        "decided_at": sent,
        "source": {"topic": "test.messages", "partition": 1, "offset": number},
    }
    message = {
        "id": identity,
        "customer_id": f"c{number}",
        "text": text,
        "conversation_id": identity,
        "channel": "chat",
        "author_name": f"Ines {number}",
        "sent_at": sent,
    }
    ring = {
        "decision": decision,
        "message": message,
        "why": {"en": f"It may be on fire ({number}).", "fr": f"Cela brûle peut-être ({number})."},
        "change": "new",
        "group": f"g{number}",
        "late": False,
    }
    for name, value in more.items():
        for part, names in ((ring, Alert.__struct_fields__), (message, ("subject", "url", "author_name"))):
            if name in names:
                part[name] = value
                break
        else:
            decision[name] = value
            if name == "revision":
                message[name] = value
    msgspec.convert(ring, Alert)
    return ring


def by_a_person(ring: dict[str, Any], feedback: dict[str, Any], priority: str, change: str) -> dict[str, Any]:
    """The alert that learning writes when a person decided: without reasons, and with what feedback knew of the message."""
    before = ring["decision"]
    decision = {
        **{name: value for name, value in before.items() if name not in ("urgency", "spam", "abuse")},
        "id": f"h-{feedback['id']}",
        "priority": priority,
        "decided_by": "human",
        "status": "scored",
        "status_reason": None,
        "reasons": [],
        "decided_at": timestamp(int(time.time() * 1000)),
        "supersedes": before["id"],
        "feedback_id": feedback["id"],
    }
    message = {name: ring["message"][name] for name in ("id", "customer_id", "text", "conversation_id", "sent_at")}
    why = {"en": "A person decided.", "fr": "Une personne a tranché."}
    return {**ring, "decision": decision, "message": message, "why": why, "change": change}


def update(*feedback_ids: str) -> dict[str, Any]:
    """A model update that learned these."""
    at = timestamp(int(time.time() * 1000))
    return {"base": "b-test", "from": 0, "to": 1, "at": at, "heads": {}, "feedback_ids": list(feedback_ids)}


class Desk:
    """A running console, and a producer to feed it."""

    def __init__(self, settings: Settings, role: Console, producer: AIOKafkaProducer) -> None:
        self.settings = settings
        self.role = role
        self.url = role.url
        self._producer = producer

    async def ring(self, *rings: dict[str, Any]) -> None:
        """Produces alerts to the topics that they belong to."""
        for one in rings:
            decision = one["decision"]
            if decision["priority"] != "p3":
                await self.send(f"priority.{decision['priority']}", one)
            if decision["status"] in ("abstained", "unscored"):
                await self.send("review", one)

    async def burst(self, rings: Iterable[dict[str, Any]]) -> None:
        """Produces alerts as fast as Kafka takes them."""
        waiting = []
        for one in rings:
            topic = self.settings.topic(f"priority.{one['decision']['priority']}")
            waiting.append(await self._producer.send(topic, json.dumps(one).encode(), key=b"k", partition=0))
        await asyncio.gather(*waiting)

    async def send(self, topic: str, value: Any) -> None:
        """Produces one record to partition 0."""
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        await self._producer.send_and_wait(self.settings.topic(topic), data, key=b"k", partition=0)


@asynccontextmanager
async def running(settings: Settings, clickhouse: str = NOWHERE, port: int = 0) -> AsyncIterator[Desk]:
    """A console in this process."""
    settings = settings.model_copy(update={"clickhouse": SecretStr(clickhouse), "console_port": port})
    health = HealthReporter(settings, "console@test")
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, max_request_size=4_000_000)
    await health.start()
    await producer.start()
    role = Console(settings, health)
    try:
        await role.start()
        yield Desk(settings, role, producer)
    finally:
        await role.stop()
        await producer.stop()
        await health.stop()


async def until(true: Callable[[], Any], what: str) -> Any:
    """Polls (a function or a coroutine function) until it is true; what it gave."""
    deadline = time.monotonic() + DEADLINE
    while True:
        found = true()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {DEADLINE:g} s: {what}"
        await asyncio.sleep(0.05)
