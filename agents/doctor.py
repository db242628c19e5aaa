"""Whether a set-up is sound: Kafka, its topics and how long it keeps what, rights, clocks, who works and how far behind, policy,
model, ClickHouse; each with what to mend.

Owns: those checks. Must never: change anything; it writes one record, to `health`, to compare the clocks by.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from agents.handout import learned_model
from agents.policies import active
from agents.recording import Away, Refused
from agents.recording.sink import Sink
from agents.recording.tables import TABLES
from schemas.base import timestamp
from schemas.decision import encode
from schemas.operations import Health
from streams import rights, topics
from streams.errors import TocsinError
from streams.kafka import admin, end_offsets, producer, reader, started
from streams.settings import Settings
from streams.topics import TOPICS

KEPT_DAYS = 28
"""How long messages stay: who was away for less goes on where it stopped."""
CLOCK_SECONDS = 1.0
BEHIND_RECORDS = 10_000
GROUPS = ("triage", "learn", "follow", "crowd", "record")
MARKERS = 2
"""Offsets a partition that are a transaction's markers and no record, and so no backlog."""


class Finding(msgspec.Struct):
    """One thing that was looked at.

    Attributes:
        ok: whether it is as it should be; None where it could not be known.
        mend: what to do where it is not.
    """

    check: str
    ok: bool | None
    said: str
    mend: str | None = None


Check = Callable[[Settings], Awaitable[list[Finding]]]


async def examine(settings: Settings, roles: list[str]) -> AsyncIterator[Finding]:
    """Every check in turn, the first without which the others have no sense.

    Args:
        roles: whose rights on Kafka are asked for, as the user of the settings.
    """

    async def allowed(settings: Settings) -> list[Finding]:
        await rights.check(settings, roles)
        return [Finding("rights", True, f"Kafka allows all that {', '.join(roles)} do, or does not say")]

    checks: list[tuple[str, Check]] = [
        ("kafka", _kafka), ("topics", _topics), ("rights", allowed), ("clocks", _clocks), ("workers", _workers),
        ("policy", _policy), ("model", _model), ("clickhouse", _clickhouse),
    ]  # fmt: skip
    for name, check in checks:
        try:
            for finding in await check(settings):
                yield finding
        except (TocsinError, KafkaError, Away, Refused, OSError) as error:
            said, _, mend = str(error).rpartition("; ")
            yield Finding(name, False, said or mend or repr(error), mend if said else None)
            if name in ("kafka", "topics"):
                return  # without them nothing else can be known


async def _kafka(settings: Settings) -> list[Finding]:
    async with admin(settings, timeout=10.0) as client:
        brokers = (await client._get_cluster_metadata()).brokers
        config = await _config(client, ConfigResourceType.BROKER, [str(brokers[0][0])])
    found = [Finding("kafka", True, f"{settings.kafka} answers, {len(brokers)} brokers")]
    for values in config.values():
        minutes = int(values.get("offsets.retention.minutes", "0"))
        found.append(
            Finding(
                "kafka",
                minutes >= KEPT_DAYS * 1_440,
                f"offsets of groups are kept {minutes / 1_440:g} days (offsets.retention.minutes)",
                f"set offsets.retention.minutes to {(KEPT_DAYS + 2) * 1_440}: a group that is away for longer forgets where it "
                f"was, while messages are kept {KEPT_DAYS} days",
            )
        )
        longest = int(values.get("transaction.max.timeout.ms", "0")) / 1000
        found.append(
            Finding(
                "kafka",
                longest >= settings.transaction_timeout,
                f"transactions may last {longest:g} s (transaction.max.timeout.ms)",
                f"raise it to TOCSIN_TRANSACTION_TIMEOUT ({settings.transaction_timeout:g} s) at least",
            )
        )
    return found


async def _topics(settings: Settings) -> list[Finding]:
    names = {settings.topic(topic.name): topic for topic in TOPICS}
    async with admin(settings) as client:
        partitions = await topics.check(settings, client)
        config = await _config(client, ConfigResourceType.TOPIC, list(names))
        told = await client.describe_topics(list(names))
    found = [Finding("topics", True, f"all {len(names)} are there, {partitions} partitions by customer")]
    for name, topic in names.items():
        other = {
            key: (config[name].get(key), value)
            for key, value in topic.settings().items()
            if key in config[name] and not _enough(key, config[name][key], value)
        }
        for key, (is_, wanted) in other.items():
            found.append(
                Finding(
                    "topics",
                    False,
                    f"{name} has {key}={is_}, made by `tocsin init` it has {wanted}",
                    f"kafka-configs --alter --entity-type topics --entity-name {name} --add-config {key}={wanted}",
                )
            )
    copies = min(len(one["replicas"]) for entry in told for one in entry["partitions"])
    away = sorted(
        {entry["topic"] for entry in told for one in entry["partitions"] if len(one["isr"]) < len(one["replicas"])}
    )
    found.append(
        Finding(
            "topics",
            False if away else copies >= 3 or None,
            f"{copies} copies of each partition at least" + (f"; not all in step: {', '.join(away)}" if away else ""),
            "on one broker a lost disk loses everything: three brokers, TOCSIN_REPLICATION=3, min.insync.replicas=2",
        )
    )
    return found


def _enough(key: str, is_: str, wanted: str) -> bool:
    """Whether a topic's setting will do: longer and larger are fine."""
    if key in ("retention.ms", "max.message.bytes"):
        return int(is_) == -1 or (wanted != "-1" and int(is_) >= int(wanted))
    if key == "cleanup.policy":
        return set(is_.split(",")) == set(wanted.split(","))
    return key in ("segment.ms", "segment.bytes", "min.cleanable.dirty.ratio") or is_ == wanted


async def _clocks(settings: Settings) -> list[Finding]:
    """The broker stamps what it takes; half of the way there and back is the best guess when that was."""
    sender = await started(producer(settings), settings)
    try:
        now = time.time()
        record = Health(code="doctor", component="doctor", severity="info", at=timestamp(round(now * 1000)), figures={})
        topic = settings.topic("health")
        await sender.send_and_wait(topic, encode(record), key=b"doctor", partition=0)
        begun = time.time()
        answer = await sender.send_and_wait(topic, encode(record), key=b"doctor", partition=0)
        ended = time.time()
    finally:
        await sender.stop()
    apart = answer.timestamp / 1000 - (begun + ended) / 2
    return [
        Finding(
            "clocks",
            abs(apart) <= CLOCK_SECONDS + (ended - begun) / 2,
            f"Kafka's clock is {apart:+.2f} s from this machine's",
            "let both follow one time server: what is late, and how long somebody waits, goes by these clocks",
        )
    ]


async def _workers(settings: Settings) -> list[Finding]:
    client = await started(reader(settings), settings)
    found = []
    try:
        async with admin(settings) as asking:
            for role in GROUPS:
                group = settings.group(role)
                (answer,) = await asking.describe_consumer_groups([group])
                members = len(answer.groups[0][-1]) if answer.groups else 0
                places = {
                    TopicPartition(*tp): one.offset
                    for tp, one in (await asking.list_consumer_group_offsets(group)).items()
                    if one.offset >= 0
                }
                ends = await end_offsets(client, places) if places else {}
                behind = sum(max(ends[tp] - offset - MARKERS, 0) for tp, offset in places.items())
                found.append(
                    Finding(
                        "workers",
                        members > 0 and behind <= BEHIND_RECORDS,
                        f"{role}: {members} at work, {behind:,} records behind",
                        f"`tocsin worker {role}`"
                        if members == 0
                        else f"more of them: `tocsin worker {role}`; or see its log",
                    )
                )
    finally:
        await client.stop()
    return found


async def _policy(settings: Settings) -> list[Finding]:
    policy = await active(settings)
    phrases = sum(len(floor.phrases) for floor in policy.floors)
    return [
        Finding("policy", True, f"{policy.version}: {len(policy.floors)} floors, {phrases} phrases, of {policy.owner}")
    ]


async def _model(settings: Settings) -> list[Finding]:
    model = await learned_model(settings)
    return [
        Finding(
            "model", True, f"{model.version}: its base is readable, and what was learned up to lesson {model.offset}"
        )
    ]


async def _clickhouse(settings: Settings) -> list[Finding]:
    url = settings.clickhouse.get_secret_value()
    if url.startswith("chdb://"):
        return [
            Finding(
                "clickhouse", None, "the in-process engine belongs to the worker that records: nobody else may look"
            )
        ]
    sink = Sink(url)
    try:
        rows: list[dict[str, Any]] = await sink.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase()"
        )
    finally:
        await sink.close()
    missing = sorted(set(TABLES.values()) - {str(row["name"]) for row in rows})
    return [
        Finding(
            "clickhouse",
            not missing,
            f"it answers; {'tables are missing: ' + ', '.join(missing) if missing else 'all tables are there'}",
            "`tocsin init` makes them",
        )
    ]


async def _config(client: AIOKafkaAdminClient, kind: Any, names: list[str]) -> dict[str, dict[str, str]]:
    answers = await client.describe_configs([ConfigResource(kind, name) for name in names])
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
