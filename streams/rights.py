"""What each role must be allowed on Kafka, and the question whether it is: asked before it starts, answered in one sentence.

Owns: that list, which docs/security.md shows (a test compares the two). Must never: refuse where a broker has no
authorizer, or does not say what is allowed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TransactionalIdAuthorizationFailed

from streams.kafka import admin
from streams.refusals import lacking
from streams.settings import Settings
from streams.topic_ids import Metadata, MetadataRequest

_BITS = {"Read": 1 << 3, "Write": 1 << 4}
"""Of what Metadata says we may do with a topic (KIP-430)."""
_UNTOLD = -(1 << 31)
_OUTPUTS = ("decisions", "priority.p0", "priority.p1", "priority.p2", "review", "dead-letters", "health")


@dataclass(frozen=True, slots=True)
class Rights:
    """What one role does: topics it reads and writes, whether it has a group and transactions of its name; `groups`: it has
    several, whose names go on behind its own (`notify.slack`)."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    group: bool = True
    transactions: bool = True
    groups: bool = False


RIGHTS = {
    # Its own outputs it reads where its group has lost an offset: they say how far it was.
    "triage": Rights(
        ("messages", "models", "model-updates", "policies", "answered", "decisions", "dead-letters"), _OUTPUTS
    ),
    "learn": Rights(("feedback", "lessons", "models", "policies"), ("lessons", "models", "model-updates", *_OUTPUTS)),
    "follow": Rights(
        ("messages", "decisions", "actions", "customers", "policies"),
        ("decisions", "priority.p0", "priority.p1", "priority.p2", "customers", "handoffs", "answered", "health"),
    ),
    "crowd": Rights(
        ("messages", "decisions", "crowd", "policies", "priority.p0", "health"), ("incidents", "crowd", "health")
    ),
    "shadow": Rights(("messages", "models", "model-updates", "policies", "answered"), ("shadow", "health")),
    "notify": Rights(
        ("priority.p0", "priority.p1", "priority.p2", "review", "incidents", "policies"),
        ("dead-letters", "health"),
        transactions=False,
        groups=True,
    ),
    "record": Rights(
        (
            "messages",
            "decisions",
            "shadow",
            "feedback",
            "actions",
            "handoffs",
            "incidents",
            "customers",
            "dead-letters",
            "health",
        ),
        ("dead-letters", "health"),
        transactions=False,
    ),
    "console": Rights(
        (
            "priority.p0",
            "priority.p1",
            "priority.p2",
            "review",
            "feedback",
            "model-updates",
            "incidents",
            "answered",
            "messages",
            "actions",
            "policies",
            "models",
            "decisions",
        ),
        ("feedback", "actions", "policies", "health"),
        group=False,
        transactions=False,
    ),
    # What was sent lately it reads, so that whoever tries again does not send it twice.
    "door": Rights(("messages",), ("messages", "feedback", "actions", "health"), group=False, transactions=False),
}


async def check(settings: Settings, roles: Iterable[str]) -> None:
    """Asks the broker what it would allow.

    Raises:
        TocsinError: naming every right that is missing; or Kafka is away.
    """
    wanted = [(role, RIGHTS[role]) for role in roles if role in RIGHTS]
    topics = {settings.topic(topic) for _, one in wanted for topic in (*one.read, *one.write)}
    async with admin(settings) as client:
        allowed = await _allowed(client, sorted(topics))
        missing: dict[str, list[str]] = {}
        for right, bit in _BITS.items():
            names = {settings.topic(t) for _, one in wanted for t in (one.read if right == "Read" else one.write)}
            missing[f"{right} on topic"] = sorted(name for name in names if not allowed.get(name, bit) & bit)
        # Any right includes Describe, which looking for a coordinator asks for.
        groups = {settings.group(role) + ".*" * one.groups: one for role, one in wanted if one.group}
        asked = {name: name.replace("*", "0") if one.groups else name for name, one in groups.items()}
        missing["Read on group"] = [name for name, group in asked.items() if not await _finds(client, group, 0)]
        stems = [f"{settings.group(role)}." for role, one in wanted if one.transactions]
        refused = [stem for stem in stems if not await _finds(client, f"{stem}0", 1)]
        missing["Write on transactional ids"] = [f"{stem}*" for stem in refused]
    if any(missing.values()):
        raise lacking(settings, [f"{right} {', '.join(names)}" for right, names in missing.items() if names])


class _Asking(MetadataRequest):
    def build(self, request_struct_class: type[Metadata]) -> Metadata:
        return request_struct_class([(uuid.UUID(int=0), topic, {}) for topic in self._topics], False, True, {})


async def _allowed(client: AIOKafkaAdminClient, topics: list[str]) -> dict[str, int]:
    """What is allowed by topic, as bits; without those that are missing, or of which nothing is told."""
    answer = await client._client.send(client._client.get_random_node(), _Asking(topics))
    entries = answer.to_object()["topics"]
    allowed = {entry["topic"]: entry["authorized_operations"] for entry in entries if entry["error_code"] == 0}
    allowed |= {entry["topic"]: 0 for entry in entries if entry["error_code"] == 29}
    return {topic: bits for topic, bits in allowed.items() if bits != _UNTOLD}


async def _finds(client: AIOKafkaAdminClient, name: str, kind: int) -> bool:
    try:
        await client.find_coordinator(name, kind)
    except (GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed):
        return False
    except KafkaError:  # no coordinator yet: nothing is said about rights
        return True
    return True
