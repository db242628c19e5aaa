"""The topics of contract section 2: their configuration, their creation, and the check at start.

Owns: the list. Must never: change a topic that exists; it says what differs and how to mend it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.errors import TocsinError
from streams.kafka import MAX_REQUEST_BYTES, admin
from streams.settings import Settings

DAY_MS = 86_400_000
_EXISTS = 36
_OUTPUT_BYTES = 5_242_880
"""Limit of the output topics: 4 MB a record (contract), and what a batch adds."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: `by_customer` ones have as many partitions as `messages`, the others one."""

    name: str
    by_customer: bool
    days: int | None
    compact: bool = False
    config: dict[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """Its configuration as Kafka takes it."""
        policies = ["compact"] * self.compact + ["delete"] * (not self.compact or self.days is not None)
        config = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": ",".join(policies)}
        if not self.compact or self.days is not None:
            config["retention.ms"] = "-1" if self.days is None else str(self.days * DAY_MS)
        return {**config, "max.message.bytes": str(_OUTPUT_BYTES), **self.config}


TOPICS = (
    Topic("messages", True, 28, config={"max.message.bytes": "2097152"}),
    Topic("decisions", True, 28),
    Topic("shadow", True, 28),
    Topic("priority.p0", True, 28),
    Topic("priority.p1", True, 28),
    Topic("priority.p2", True, 28),
    Topic("review", True, 28),
    Topic("feedback", False, 28, config={"max.message.bytes": "2097152"}),
    Topic("lessons", False, None),
    Topic("models", False, None, compact=True, config={"max.message.bytes": str(MAX_REQUEST_BYTES)}),
    Topic("model-updates", False, 7, config={"max.message.bytes": str(MAX_REQUEST_BYTES)}),
    Topic("policies", False, None, compact=True),
    Topic("actions", True, 28),
    # Whoever takes a partition reads all of it: what was replaced should be gone within the hour.
    Topic(
        "customers",
        True,
        None,
        compact=True,
        config={"segment.ms": "3600000", "segment.bytes": "67108864", "min.cleanable.dirty.ratio": "0.2"},
    ),
    Topic("handoffs", True, 28),
    # What nobody asked for a quarter of a year is asked differently by now.
    Topic("answered", False, 90, compact=True),
    Topic("incidents", False, 28),
    Topic(
        "crowd",
        False,
        None,
        compact=True,
        config={
            "segment.ms": "3600000",
            "segment.bytes": "67108864",
            "min.cleanable.dirty.ratio": "0.2",
            "max.message.bytes": str(MAX_REQUEST_BYTES),
        },
    ),
    Topic("dead-letters", True, 28),
    Topic("health", False, 7),
)


async def create(settings: Settings, *, timeout: float = 30.0) -> list[str]:
    """Creates the topics that are missing; the names of those made now.

    Raises:
        TocsinError: Kafka is away, or refuses one, with its reason.
    """
    async with admin(settings, timeout) as client:
        wanted = [_new(settings, topic) for topic in TOPICS]
        response = await client.create_topics(wanted, timeout_ms=20_000)
        made = []
        for name, code, message in response.topic_errors:
            if code == 0:
                made.append(name)
            elif code != _EXISTS:
                raise TocsinError(f"topic {name} cannot be created: {message or f'Kafka error {code}'}")
        await _known(settings, client)
        await check(settings, client)
        return made


async def _known(settings: Settings, client: AIOKafkaAdminClient) -> None:
    """Waits, up to ten seconds, until the broker tells of new topics: it learns of them behind its controller."""
    names = [settings.topic(topic.name) for topic in TOPICS]
    for _ in range(100):
        entries = await client.describe_topics(names)
        if all(entry["error_code"] == 0 and entry["partitions"] for entry in entries):
            return
        await asyncio.sleep(0.1)


def _new(settings: Settings, topic: Topic) -> NewTopic:
    partitions = settings.partitions if topic.by_customer else 1
    new = NewTopic(settings.topic(topic.name), partitions, settings.replication or 1, topic_configs=topic.settings())
    if settings.replication is None:
        new.replication_factor = -1  # the broker's default; aiokafka's constructor refuses to say so
    return new


async def check(settings: Settings, client: AIOKafkaAdminClient | None = None) -> int:
    """The number of partitions of the topics keyed by customer, after checking that all topics fit.

    Raises:
        TocsinError: topics are missing, or their partition counts are unequal; naming them and the mend.
    """
    if client is None:
        async with admin(settings) as opened:
            return await check(settings, opened)
    names = {settings.topic(topic.name): topic for topic in TOPICS}
    found = {
        entry["topic"]: len(entry["partitions"])
        for entry in await client.describe_topics(list(names))
        if entry["error_code"] == 0
    }
    missing = sorted(set(names) - set(found))
    if missing:
        raise TocsinError(f"topics are missing on {settings.kafka}: {', '.join(missing)}; run `tocsin init`")
    expected = found[settings.topic("messages")]
    for name, topic in names.items():
        wanted = expected if topic.by_customer else 1
        if found[name] != wanted:
            raise TocsinError(
                f"topic {name} has {found[name]} partitions, must have {wanted}"
                + (f" like {settings.topic('messages')}" if topic.by_customer else "")
                + ": outputs go to the partition their input came from; make it anew or grow the smaller one"
            )
    return expected
