"""The demo's customers and reviewers: built-in messages in, simulated corrections back, everything counted.

Owns: what is sent and when (seeded), and the figures read off the topics as any subscriber sees them.
Must never: reach into a worker; it talks Kafka like everybody else.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from importlib.resources import files
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from schemas.base import FLAGGED, milliseconds, timestamp
from schemas.people import BINARY_HEADS
from streams.follow import Follower, Record
from streams.kafka import producer, started
from streams.outputs import cloud_event
from streams.settings import Settings

RATE = 24.0
"""Messages a second: a busy afternoon of a large support team."""
BROKEN_EVERY = 250
"""One record in so many cannot be read, as in life."""
WAITED_EVERY = 4
"""One urgent message in so many was sent a while ago."""
WAITED_MS = 2_860_000
"""How long ago: the default policy's clock for p1 says that a breach is near after 2,880 s."""
CUSTOMERS, REGULARS, REGULARS_SHARE = 3_000, 12, 0.1
"""Most write once; a few write one message in ten, so that somebody comes again, is at risk, or praises often."""
REVIEW_SECONDS = 1.0
"""A simulated reviewer looks at a decision this often."""
SEED = 20261122
WAVE_SECONDS, WAVE_LASTS, WAVE_MESSAGES = 55.0, 35.0, 70
"""When a wave of like messages begins, how long it takes, and of how many: an incident opens, grows and closes within three
minutes."""


def scenes() -> list[dict[str, Any]]:
    """The built-in messages of both languages, in an order that mixes them."""
    rows = []
    for language in ("en", "fr"):
        lines = files("agents.demo").joinpath(f"{language}.jsonl").read_bytes().splitlines()
        rows.append([orjson.loads(line) for line in lines if line.strip()])
    longest = max(map(len, rows))
    return [each[place] for place in range(longest) for each in rows if place < len(each)]


def wave() -> list[dict[str, Any]]:
    """The messages of the wave: one thing, told by many, in both languages."""
    return [orjson.loads(line) for line in files("agents.demo").joinpath("wave.jsonl").read_bytes().splitlines()]


class Player:
    """Sends messages and corrections, and watches what comes of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._random = random.Random(SEED)  # noqa: S311  # a show that is the same every time
        self._producer: AIOKafkaProducer | None = None
        self._truth: dict[str, dict[str, Any]] = {}
        self._texts: dict[str, dict[str, Any]] = {}
        self._unseen: set[str] = set()
        self._candidates: list[dict[str, Any]] = []
        self._samples: list[dict[str, Any]] = []
        self._pending: dict[str, float] = {}
        self.sent = 0
        self.broken = 0
        self._urgent = itertools.count()
        self.decisions = 0
        self.superseding = 0
        self.dead_letters = 0
        self.flagged: Counter[str] = Counter()
        self.raised: Counter[str] = Counter()
        self.handoffs: Counter[str] = Counter()
        self._standing: dict[str, set[str]] = {}
        self.incidents: dict[str, list[str]] = {}
        self.decision_seconds: list[float] = []
        self.correction_seconds: list[float] = []
        topics = [
            settings.topic(name)
            for name in ("decisions", "review", "dead-letters", "model-updates", "handoffs", "incidents", "customers")
        ]
        self._follower = Follower(settings, topics, self._seen, since_ms=time.time_ns() // 1_000_000)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to watch, then to send."""
        self._producer = await started(producer(self._settings), self._settings)
        await self._follower.start()
        self._tasks = [asyncio.create_task(one) for one in (self._send(), self._send_wave(), self._review())]

    async def settle(self, timeout: float = 20.0) -> bool:
        """Stops sending and waits until every message has its decision and every correction its lesson."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        deadline = time.monotonic() + timeout
        while (self._unseen or self._pending or self.dead_letters < self.broken) and time.monotonic() < deadline:
            self.check()
            await asyncio.sleep(0.05)
        return not self._unseen and not self._pending

    async def stop(self) -> None:
        """Lets go of Kafka."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._follower.stop()
        if self._producer is not None:
            await self._producer.stop()

    def check(self) -> None:
        """Raises whatever ended the player."""
        if self._follower.failed is not None:
            raise self._follower.failed
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    # --- customers

    async def _send(self) -> None:
        rows = scenes()
        begun = time.monotonic()
        count = 0
        for lap in itertools.count():
            for row in rows:
                await self._message(row, lap)
                count += 1
                if count % BROKEN_EVERY == 0:
                    await self._broken(count)
                await asyncio.sleep(max(begun + count / RATE - time.monotonic(), 0))

    async def _send_wave(self) -> None:
        await asyncio.sleep(WAVE_SECONDS)
        rows = wave()
        for number in range(WAVE_MESSAGES):
            row = rows[number % len(rows)]
            await self._message({**row, "id": f"demo-wave-{number:03d}", "customer": f"c-wave-{number:03d}"}, 0)
            await asyncio.sleep(WAVE_LASTS / WAVE_MESSAGES)

    async def _message(self, row: dict[str, Any], lap: int) -> None:
        message = {name: value for name, value in row.items() if name not in ("labels", "customer", "conversation")}
        message["id"] = f"{row['id']}-{lap}"
        often = self._random.random() < REGULARS_SHARE
        anybody = f"c-{self._random.randrange(REGULARS if often else CUSTOMERS):04d}"
        message["customer_id"] = f"{row['customer']}-{lap}" if "customer" in row else anybody
        if "conversation" in row:
            message["conversation_id"] = f"{row['conversation']}-{lap}"
        now = time.time_ns() // 1_000_000
        # A few have waited for nearly as long as the policy lets them: a breach to be seen before anybody goes for a coffee.
        waited = row.get("labels", {}).get("priority") == "p1" and next(self._urgent) % WAITED_EVERY == 0
        message["sent_at"] = timestamp(now - WAITED_MS if waited else now)
        if message.get("author_role", "customer") == "customer":
            self.sent += 1
            self._unseen.add(message["id"])
            self._texts[message["id"]] = message
            if "labels" in row:
                self._truth[message["id"]] = row["labels"]
        await self._produce("messages", message["customer_id"], message, message["id"], "tocsin.message.v1")

    async def _broken(self, count: int) -> None:
        assert self._producer is not None
        self.broken += 1
        topic = self._settings.topic("messages")
        await self._producer.send(topic, b'{"id": "broken-%d", "text": ' % count, key=b"c-broken")

    async def _produce(self, topic: str, customer: str, value: dict[str, Any], identity: str, kind: str) -> None:
        assert self._producer is not None
        at = timestamp(time.time_ns() // 1_000_000)
        await self._producer.send_and_wait(
            self._settings.topic(topic),
            orjson.dumps(value),
            key=customer.encode(),
            headers=cloud_event(kind, "tocsin/demo", identity, at),
        )

    # --- reviewers

    async def _review(self) -> None:
        while True:
            await asyncio.sleep(REVIEW_SECONDS)
            if self._samples:  # what can wait and is shown to learn what is missed
                await self._give_feedback(self._samples.pop())
            elif self._candidates:
                await self._give_feedback(self._random.choice(self._candidates))
                self._candidates.clear()

    async def _give_feedback(self, decision: dict[str, Any]) -> None:
        message = self._texts.get(decision["message_id"])
        truth = self._truth[decision["message_id"]]
        if message is None:
            return
        wrong = disagreements(decision, truth)
        reason: str | None = None
        if "priority" in wrong:
            reason = "missed" if truth["priority"] < decision["priority"] else "false_alarm"
            kind = "override"
        else:
            kind = "correct" if wrong else "confirm"
            reason = "wrong_label" if wrong else None
        labels = {name: truth[name] for name in (wrong or ["sentiment"])}
        feedback = {
            "id": f"fb-{decision['id']}",
            "message_id": decision["message_id"],
            "customer_id": decision["customer_id"],
            "kind": kind,
            "labels": labels,
            "text": message["text"],
            "reviewer": f"reviewer-{self._random.randrange(4)}",
            "language": decision["language"] if decision["language"] in ("en", "fr") else None,
            "conversation_id": decision["conversation_id"],
            "channel": decision["channel"],
            "decision_id": decision["id"],
            "predicted": predicted(decision),
            "reason": reason,
            "at": timestamp(time.time_ns() // 1_000_000),
        }
        await self._produce("feedback", decision["customer_id"], feedback, feedback["id"], "tocsin.feedback.v1")
        self._pending[feedback["id"]] = time.time()

    # --- what everybody can see

    @property
    def standing(self) -> Counter[str]:
        """How many customers stand so now, by kind."""
        return Counter(kind for kinds in self._standing.values() for kind in kinds)

    def _seen(self, record: Record) -> None:
        now = time.time()
        if record.value is None:  # of a customer nothing is kept any more
            self._standing.pop(record.key.decode(), None)
            return
        value = orjson.loads(record.value)
        if record.topic == self._settings.topic("handoffs"):
            self.handoffs[value["trigger"]] += 1
        elif record.topic == self._settings.topic("incidents"):
            self.incidents.setdefault(value["id"], [value["kind"]]).append(value["state"])
        elif record.topic == self._settings.topic("customers"):
            self._standing[record.key.decode()] = {one["kind"] for one in value.get("standing", ())}
        elif record.topic == self._settings.topic("review"):
            if value.get("sample") and value["decision"]["message_id"] in self._truth:
                self._samples.append(value["decision"])
        elif record.topic == self._settings.topic("decisions"):
            self._decision(value, now)
        elif record.topic == self._settings.topic("dead-letters"):
            self.dead_letters += 1
        else:
            for feedback in value["feedback_ids"]:
                if (since := self._pending.pop(feedback, None)) is not None:
                    self.correction_seconds.append(now - since)

    def _decision(self, decision: dict[str, Any], now: float) -> None:
        self.decisions += 1
        if decision["priority"] in FLAGGED:
            self.flagged[decision["priority"]] += 1
        if decision["supersedes"] is not None:
            self.superseding += 1
            if decision["decided_by"] == "history":
                self.raised[decision["reasons"][0]["history"]] += 1
            return
        message_id = decision["message_id"]
        self._unseen.discard(message_id)
        self.decision_seconds.append(max(now - milliseconds(decision["received_at"]) / 1000, 0.0))
        truth = self._truth.get(message_id)
        if truth is not None and decision["status"] in ("scored", "abstained"):
            self._candidates.append(decision)


def disagreements(decision: dict[str, Any], truth: dict[str, Any]) -> list[str]:
    """What a reviewer who knows better would change: labels, and the priority."""
    wrong: list[str] = []
    for head in ("sentiment", "category", "emotion"):
        said = decision.get(head)
        if head in truth and (said is None or said["label"] != truth[head]):
            wrong.append(head)
    for head in BINARY_HEADS:
        said = decision.get(head)
        if head in truth and said is not None and (said["probability"] >= 0.5) != truth[head]:
            wrong.append(head)
    if truth.get("priority") not in (None, decision["priority"]):
        wrong.append("priority")
    return wrong


def predicted(decision: dict[str, Any]) -> dict[str, Any]:
    """A decision as feedback quotes it."""
    labels: dict[str, Any] = {}
    for head in ("sentiment", "category", "emotion"):
        if head in decision:
            labels[head] = decision[head]["label"]
    for head in BINARY_HEADS:
        if head in decision:
            labels[head] = decision[head]["probability"] >= 0.5
    return {
        "labels": labels,
        **{
            name: decision[name]
            for name in (
                "priority",
                "source",
                "revision",
                "status",
                "decided_by",
                "route",
                "model_version",
                "policy_version",
                "sent_at",
                "received_at",
            )
        },
    }
