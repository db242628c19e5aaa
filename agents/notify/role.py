"""Notify: alerts to those without Kafka.

Owns: the destinations of one file, each with a consumer group of its own, and their dead letters. Must never: let one of them
wait for another, or write to a customer.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka.structs import ConsumerRecord

from agents.handout import PolicyHandout
from agents.notify.delivery import Delivery
from agents.notify.destinations import Apprise, Destination, Tags
from agents.notify.file import of_file
from agents.notify.incidents import Incidents
from agents.notify.messenger import Messenger
from agents.notify.sending import Sender
from agents.notify.tags import TagSender
from agents.notify.webhook import WebhookSender
from agents.scoring.policy import Policy
from schemas.base import timestamp
from schemas.decision import encode
from schemas.operations import dead_letter
from streams import logs, metrics, topics
from streams.errors import TocsinError
from streams.health import HealthReporter
from streams.kafka import producer, started
from streams.outputs import Outputs, cloud_event, trace_of
from streams.settings import Settings

SOURCE = "tocsin/notify"
"""And behind a stroke the destination: in the header `ce_source` of its dead letters."""


def destinations(settings: Settings) -> list[Destination]:
    """Those of the file that TOCSIN_NOTIFY names; what they take from the environment is kept out of the logs from here on.

    Raises:
        TocsinError: there is no file, or it is wrong.
    """
    if settings.notify is None:
        raise TocsinError("nothing says where to deliver: set TOCSIN_NOTIFY to a file of destinations (docs/notify.md)")
    found = of_file(settings.notify, settings.console_url)
    logs.hide(secret for one in found for secret in one.secrets)
    return found


def sender_of(destination: Destination, policy: Any) -> Sender:
    """The way to a destination; `policy` gives the one in force."""
    target = destination.target
    if isinstance(target, Apprise):
        return Messenger(destination, target, policy)
    if isinstance(target, Tags):
        return TagSender(target, destination.retry)
    return WebhookSender(target, destination.retry)


class Notify:
    """The role `notify`."""

    name = "notify"

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        self._settings = settings
        self._policies = PolicyHandout(settings, health, self._on_policy)
        self._incidents = Incidents(settings, health)
        self._policy: Policy | None = None
        self._producer = producer(settings)
        self._deliveries = [
            Delivery(
                settings, health, one, sender_of(one, lambda: self.policy), self._incidents.group, self._dead_letter
            )
            for one in destinations(settings)
        ]

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        assert self._policy is not None  # set before anything is read
        return self._policy

    def _on_policy(self, policy: Policy) -> None:
        self._policy = policy

    async def start(self) -> None:
        """Policy and incidents first, then every destination."""
        await topics.check(self._settings)
        self._policy = await self._policies.start()
        await self._incidents.start()
        await started(self._producer, self._settings)
        for one in self._deliveries:
            await one.start()

    async def stop(self) -> None:
        """Every destination finishes what it sends, and leaves its group."""
        await asyncio.gather(*(one.stop() for one in self._deliveries))
        await self._producer.stop()
        await self._incidents.stop()
        await self._policies.stop()

    @property
    def ready(self) -> bool:
        """Whether every destination has its partitions."""
        return all(one.ready for one in self._deliveries)

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""
        faults = [one.failed for one in self._deliveries]
        return next((one for one in (*faults, self._policies.failed, self._incidents.failed) if one is not None), None)

    async def figures(self) -> dict[str, Any]:
        """Of all destinations together: sums, and of times the worst; each one's own lag is in the metrics, by role."""
        found: dict[str, Any] = {}
        for one in self._deliveries:
            for name, value in (await one.figures()).items():
                if value is None:
                    found.setdefault(name, None)
                elif name == "seconds" or name.endswith("_seconds"):
                    found[name] = max(found.get(name) or 0.0, value)
                else:
                    found[name] = (found.get(name) or 0) + value
        return found

    async def _dead_letter(
        self, record: ConsumerRecord[bytes | None, bytes | None], code: str, said: str, destination: str
    ) -> None:
        at = timestamp(time.time_ns() // 1_000_000)
        letter = dead_letter(
            record.topic, record.partition, record.offset, record.key, record.value, error=code, detail=said, at=at
        )
        identity = f"{record.topic}/{record.partition}/{record.offset}"
        source = f"{SOURCE}/{destination}"
        headers = cloud_event("tocsin.dead-letter.v1", source, identity, at, trace_of(record.headers))
        outputs = Outputs()
        outputs.add(self._settings.topic("dead-letters"), record.partition, record.key, encode(letter), headers)
        await outputs.send(self._producer)
        metrics.DEAD_LETTERS.labels(record.topic, code).inc()
