"""The role `console`: follows what rings into a live queue, serves it, and writes people's words to `feedback`.

Owns: the console's ways to Kafka, and the clock from a word's receipt to its effect. Must never: join a group or commit
(any number of consoles each see everything), or need ClickHouse.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents.console.asked import Asked
from agents.console.history import History
from agents.console.live import Hub
from agents.console.queue import LiveQueue
from agents.console.server import Server
from agents.handout import PolicyHandout
from agents.recording.sink import Sink
from agents.scoring.policy import Policy
from schemas.base import Invalid, timestamp
from schemas.decision import Alert, encode
from schemas.incident import Incident
from schemas.people import Action, Feedback, read_feedback
from schemas.reading import read
from streams.errors import TocsinError
from streams.follow import Follower, Record
from streams.health import HealthReporter
from streams.kafka import producer, started
from streams.outputs import cloud_event
from streams.roles import percentile
from streams.settings import Settings

log = logging.getLogger("tocsin.console")

SOURCE = "tocsin/console"
WINDOW_MS = 86_400_000
"""How far back the live queue looks: what rang longer ago is for the reports."""
ALERT_TOPICS = ("priority.p0", "priority.p1", "priority.p2", "review")
START_SECONDS = 35.0
"""How long `start` waits for the last day to be read; more than Kafka is waited for, so that its absence is said."""
ACK_SECONDS = 10.0
PENDING_SECONDS = 600.0
"""A word that was not learned by then (a dead letter, a learner that is away) is no longer waited for."""


class _Named(msgspec.Struct):
    """Of a model update, only whose words it learned: the weights are many."""

    feedback_ids: list[str] = []


class Console:
    """The role `console`."""

    name = "console"

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        self._settings = settings
        self._health = health
        self._queue = LiveQueue()
        self._hub = Hub(self._queue)
        self._history = History(Sink(settings.clickhouse.get_secret_value()))
        self._asked = Asked(settings, health)
        self._policies = PolicyHandout(settings, health, self._in_force)
        self._policy: Policy | None = None
        self._server = Server(settings, self._queue, self._hub, self._history, self)
        self._producer: AIOKafkaProducer | None = None
        since = time.time_ns() // 1_000_000
        topics = [settings.topic(name) for name in ALERT_TOPICS]
        self._feedback = settings.topic("feedback")
        self._incidents = settings.topic("incidents")
        self._actions = settings.topic("actions")
        followed = [*topics, self._feedback, self._incidents, self._actions]
        self._rings = Follower(settings, followed, self._on_record, since_ms=since - WINDOW_MS)
        self._updates = Follower(settings, [settings.topic("model-updates")], self._on_update, since_ms=since)
        self._connecting: asyncio.Task[None] | None = None
        self._pending: dict[str, tuple[float, float | None]] = {}
        self._seconds: deque[float] = deque(maxlen=10_000)
        self._counts = {"alerts_read": 0, "feedback_sent": 0, "actions_sent": 0, "corrections_learned": 0}

    # --- lifecycle

    async def start(self) -> None:
        """Serves at once; waits for the last day's alerts, or goes on reading them in the background.

        Raises:
            TocsinError: the port cannot be used, Kafka is away, topics are missing.
        """
        await self._server.start()
        self._hub.start()
        self._connecting = asyncio.create_task(self._connect())
        done, _ = await asyncio.wait({self._connecting}, timeout=START_SECONDS)
        if done:
            self._connecting.result()
        log.info("console on %s", self.url)

    async def stop(self) -> None:
        """Ends all streams, frees the port; a word under way is either acknowledged or reported as not."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        await self._hub.stop()
        await self._server.stop()
        await self._rings.stop()
        await self._updates.stop()
        await self._asked.stop()
        await self._policies.stop()
        if self._producer is not None:
            await self._producer.stop()
        await self._history.close()

    async def _connect(self) -> None:
        client = producer(self._settings)
        try:
            self._producer = await started(client, self._settings)
        except asyncio.CancelledError:
            await client.stop()
            raise
        await self._updates.start()
        await self._rings.start()
        await self._asked.start()
        try:
            self._policy = await self._policies.start()
        except TocsinError as error:
            # Without one, nothing stands beside a message; the queue goes on, and one that comes is taken.
            log.warning("no policy beside the messages: %s", error)
        self._hub.ready = True

    @property
    def url(self) -> str:
        """Where the page is; empty before it listens."""
        return self._server.url

    @property
    def ready(self) -> bool:
        """Whether the last day is read, and new alerts come in."""
        return self._hub.ready and self.failed is None

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""
        if self._connecting is not None and self._connecting.done() and not self._connecting.cancelled():
            connecting = self._connecting.exception()
        else:
            connecting = None
        return (
            connecting
            or self._rings.failed
            or self._updates.failed
            or self._asked.failed
            or self._policies.failed
            or self._hub.failed
        )

    async def figures(self) -> dict[str, Any]:
        """Its own figures."""
        self._forget()
        return self.now()

    def now(self) -> dict[str, Any]:
        """What `/api/figures` says: since the start, `corrections_learned` and how long each took to reach the models."""
        seconds = sorted(self._seconds)
        return {
            **self._counts,
            "clients": len(self._hub),
            "alerts_kept": len(self._queue),
            "corrections_pending": len(self._pending),
            "correction_seconds_p50": percentile(seconds, 0.5),
            "correction_seconds_p95": percentile(seconds, 0.95),
            "clickhouse_up": self._history.up,
            "ready": self.ready,
        }

    def policy(self) -> Policy | None:
        """The one in force; None where none is published."""
        return self._policy

    def document(self) -> str | None:
        """Its text."""
        return None if self._policy is None else self._policies.document(self._policy.version)

    def _in_force(self, policy: Policy) -> None:
        self._policy = policy

    async def asked_before(self, text: str, but: str) -> dict[str, Any]:
        """What `/api/asked-before` says of a text, but for the message of an id."""
        return await self._asked.before(text, but)

    # --- what comes in

    def _on_record(self, record: Record) -> None:
        try:
            if record.topic == self._feedback:
                self._queue.say(read_feedback(record.value))
            elif record.topic == self._actions:
                self._queue.act(read(record.value, Action))
            elif record.topic == self._incidents:
                self._queue.gather(read(record.value, Incident))
            else:
                self._queue.ring(read(record.value, Alert))
                self._counts["alerts_read"] += 1
        except Invalid as fault:
            # An unreadable word becomes a dead letter in the role that learns, an unreadable action in the one that records.
            if record.topic not in (self._feedback, self._actions):
                self._health.alarm(
                    "alert_unreadable",
                    f"{record.topic}/{record.partition} offset {record.offset}: {fault.detail}; not on the page",
                    where=record.topic,
                )

    def _on_update(self, record: Record) -> None:
        try:
            named = read(record.value, _Named).feedback_ids
        except Invalid:
            return  # scorers raise the alarm
        for feedback_id in named:
            seconds = None
            if feedback_id in self._pending:
                _, acknowledged = self._pending.pop(feedback_id)
                # The update may be seen before the acknowledgement, by a hair: `_produce` puts that right.
                seconds = 0.0 if acknowledged is None else round(time.monotonic() - acknowledged, 3)
                self._seconds.append(seconds)
                self._counts["corrections_learned"] += 1
            message_id = self._queue.learned(feedback_id, seconds)
            if seconds is not None:
                self._hub.learned(feedback_id, message_id, seconds)

    # --- what goes out

    async def say(self, feedback: Feedback) -> None:
        """Sends a person's word to Kafka, and returns when it is acknowledged; raises TocsinError where it was not in time."""
        at = feedback.at or timestamp(time.time_ns() // 1_000_000)
        self._pending[feedback.id] = time.monotonic(), None
        await self._send(self._feedback, feedback, "feedback", at, 0)
        self._counts["feedback_sent"] += 1
        self._queue.say(feedback)
        if feedback.id in self._pending:
            self._pending[feedback.id] = self._pending[feedback.id][0], time.monotonic()
        else:
            self._queue.learned(feedback.id, 0.0)

    async def act(self, action: Action, partition: int) -> None:
        """Sends what somebody did about a message to the partition of that message; raises TocsinError as `say`."""
        await self._send(self._actions, action, "action", action.at, partition)
        self._counts["actions_sent"] += 1
        self._queue.act(action)

    async def _send(self, topic: str, record: Feedback | Action, kind: str, at: str, partition: int) -> None:
        if self._producer is None:
            raise TocsinError("Kafka is not connected yet; nothing was saved, try again in a moment")
        headers = cloud_event(f"tocsin.{kind}.v1", SOURCE, record.id, at)
        try:
            async with asyncio.timeout(ACK_SECONDS):
                await self._producer.send_and_wait(
                    topic, encode(record), key=record.customer_id.encode(), partition=partition, headers=headers
                )
        except (KafkaError, TimeoutError) as error:
            log.warning("%s %s was not acknowledged: %r", kind, record.id, error)
            raise TocsinError(
                "Kafka did not confirm it in time; look whether it shows up before you try again"
            ) from None

    def _forget(self) -> None:
        long_ago = time.monotonic() - PENDING_SECONDS
        for feedback_id in [one for one, (sent, _) in self._pending.items() if sent < long_ago]:
            del self._pending[feedback_id]
