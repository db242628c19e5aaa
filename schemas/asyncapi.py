"""The AsyncAPI 3.0 document: every topic as a channel, as somebody who writes or reads it needs to know it.

Owns: the words and the layout of that document. Must never: know the types' fields; those are in `schemas/json/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PREFIX = "tocsin."
DAY_MS = 86_400_000
DEFAULT_PARTITIONS = 8


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic: `days` None is for ever; `sent` and `received` say who of Tocsin writes and reads it, if anybody."""

    topic: str
    message: str
    key: str
    by_customer: bool
    days: int | None
    says: str
    sent: str = ""
    received: str = ""
    groups: tuple[str, ...] = ()
    compact: bool = False


_ALERT = "What support tools subscribe to, with `isolation.level=read_committed`: then each alert is seen once."
CHANNELS = (
    Channel("messages", "message", "customer_id", True, 28, "What customers and the others in their conversations wrote.",
            "replay and the console", "triage decides, follow follows, crowd counts, record keeps",
            ("triage", "follow", "crowd", "record")),
    Channel("decisions", "decision", "customer_id", True, 28,
            "A decision for every valid customer message, and every one that supersedes. None is ever changed.",
            "triage, learn for a human's decision, follow for history's", "follow follows, crowd counts, record keeps",
            ("follow", "crowd", "record")),
    Channel("shadow", "decision", "customer_id", True, 28,
            "What another policy or model would have decided; nothing of it rings.", "shadow", "record keeps", ("record",)),
    Channel("priority.p0", "alert", "customer_id", True, 28, f"Danger: somebody may come to harm. {_ALERT}",
            "triage, learn and follow", "the console shows"),
    Channel("priority.p1", "alert", "customer_id", True, 28, f"Urgent: today, by a person who can act. {_ALERT}",
            "triage, learn and follow", "the console shows"),
    Channel("priority.p2", "alert", "customer_id", True, 28, f"A person should answer. {_ALERT}",
            "triage, learn and follow", "the console shows"),
    Channel("review", "alert", "customer_id", True, 28,
            "Not sure, a human decides: abstained decisions, and unscored ones except `too_short`.",
            "triage and learn", "the console shows"),
    Channel("feedback", "feedback", "customer_id", False, 28,
            "A human's word on a decision. One partition: its order is the one that learning follows.",
            "the console", "learn learns, record keeps", ("learn", "record")),
    Channel("lessons", "lesson", "base id", False, None, "What the model learned, in order; also what it unlearned.",
            "learn", "learn, at start and in order"),
    Channel("models", "model-snapshot", "base id", False, None,
            "The whole learner state and the lesson offset it includes; read the newest of each base, then `model-updates`.",
            "learn", "every triage and learn worker, from the start", (), True),
    Channel("model-updates", "model-update", "base id", False, 7,
            "The weights each lesson changed; scorers apply them in order, between chunks.", "learn", "every triage worker"),
    Channel("policies", "policy", "`name@sha256`; and `name`, as a pointer without the document", False, None,
            "Floors, thresholds, priorities and routes: one document a version, every version kept.",
            "tocsin policy push, tocsin init", "every worker, from the start", (), True),
    Channel("actions", "action", "customer_id", True, 28, "What people did about messages.",
            "the console", "follow heeds, record keeps", ("follow", "record")),
    Channel("customers", "customer", "customer_id", True, None,
            "What follow keeps of a customer between messages: scores, times and ids; nothing that somebody wrote.",
            "follow", "follow, when it is given a partition; record keeps how things stand", ("record",), True),
    Channel("handoffs", "handoff", "customer_id", True, 28,
            "A conversation that a person should take over: why, its messages, sentiment's journey, a route.",
            "follow", "record keeps", ("record",)),
    Channel("answered", "answered", "the question's message id", False, 90,
            "A question and the answer that resolved it, by their places in `messages`; read the newest of each key.",
            "follow", "triage, for its alerts, and the console, from the start", (), True),
    Channel("incidents", "incident", "the incident's id", False, 28,
            "Many messages that are one event: it opens, grows, peaks and closes; and alerts beyond the budget, gathered.",
            "crowd", "record keeps", ("record",)),
    Channel("crowd", "crowd-state", "`state` and `days`", False, None,
            "What crowd keeps between messages: counts, labels, ids and vectors; read the newest of each key.",
            "crowd", "crowd, when it is given the partitions", (), True),
    Channel("dead-letters", "dead-letter", "the unreadable record's own", True, 28,
            "What could not be read: the bytes, where they stood, why.", "triage, learn and record", "record keeps",
            ("record",)),
    Channel("health", "health", "component", False, 7,
            "Alarms about Tocsin itself, and every ten seconds each worker's own figures.",
            "every worker", "record keeps", ("record",)),
)  # fmt: skip

# From outside come messages, feedback and actions: headers are welcome there, and not asked for.
_FROM_OUTSIDE = ("message", "feedback", "action")


def document() -> dict[str, Any]:
    """The whole document, every object in a fixed order."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:tocsin:api:v1",
        "info": {
            "title": "Tocsin",
            "version": "1.0.0",
            "description": (
                "Messages that customers write come in, decisions and alerts go out. Topics carry the prefix `tocsin.`,"
                " which TOCSIN_TOPIC_PREFIX changes for all of them and for the consumer groups and transactional ids."
                " Decisions, alerts, lessons and what goes with them are one Kafka transaction with the offset of what caused"
                " them: read with `isolation.level=read_committed`, as Tocsin does whatever it reads. Topics keyed by"
                " customer_id, `feedback` aside, have the same number of partitions, and an output goes to the partition"
                " of the message it speaks of: read the partition off the record, do not hash the key anew."
                " Values are JSON of at most 1 MB on the way in and 4 MB on the way out; unknown fields are allowed and"
                " kept out. Every topic has `message.timestamp.type=LogAppendTime`."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_name(channel): _channel(channel) for channel in CHANNELS},
        "operations": {
            f"{action}-{_name(channel)}": _operation(channel, action, who)
            for channel in CHANNELS
            for action, who in (("receive", channel.received), ("send", channel.sent))
            if who
        },
        "components": {"messages": {name: _message(name) for name in dict.fromkeys(c.message for c in CHANNELS)}},
    }


def _name(channel: Channel) -> str:
    return channel.topic.replace(".", "-")


def _channel(channel: Channel) -> dict[str, Any]:
    days = f"{channel.days} days" if channel.days else "for ever"
    keeps = f"compacted: the newest of each key, {days}" if channel.compact else days
    partitions = (
        "as many partitions as every topic keyed by customer (TOCSIN_PARTITIONS)" if channel.by_customer
        else "one partition, hence one order")  # fmt: skip
    deletes = not channel.compact or channel.days is not None
    configuration: dict[str, Any] = {"cleanup.policy": ["compact"] * channel.compact + ["delete"] * deletes}
    if deletes:
        configuration["retention.ms"] = -1 if channel.days is None else channel.days * DAY_MS
    return {
        "address": PREFIX + channel.topic,
        "description": f"{channel.says} Key: {channel.key}. Kept: {keeps}; {partitions}.",
        "messages": {channel.message: {"$ref": f"#/components/messages/{channel.message}"}},
        "bindings": {
            "kafka": {
                "topic": PREFIX + channel.topic,
                "partitions": DEFAULT_PARTITIONS if channel.by_customer else 1,
                "topicConfiguration": configuration,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(channel: Channel, action: str, who: str) -> dict[str, Any]:
    said = f"Read with isolation.level=read_committed: {who}." if action == "receive" else f"Written by {who}."
    operation: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{_name(channel)}"},
        "summary": said,
        "messages": [{"$ref": f"#/channels/{_name(channel)}/messages/{channel.message}"}],
    }
    if action == "receive" and channel.groups:
        groups = {"type": "string", "enum": [PREFIX + group for group in channel.groups]}
        operation["bindings"] = {"kafka": {"groupId": groups, "bindingVersion": "0.5.0"}}
    return operation


def _message(name: str) -> dict[str, Any]:
    snapshot = name in ("model-snapshot", "crowd-state")
    keys = dict.fromkeys(channel.key for channel in CHANNELS if channel.message == name)
    payload: dict[str, Any] = {"type": "string", "format": "binary", "description": "schemas/arrays.py: never pickled."}
    if not snapshot:
        reference = {"$ref": f"./json/{name}.v1.json"}
        payload = {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": reference}
    content = "application/octet-stream" if snapshot else "application/json"
    return {
        "name": f"tocsin.{name}.v1",
        "title": name.replace("-", " ").capitalize(),
        "contentType": content,
        "headers": _headers(f"tocsin.{name}.v1", content, asked=name not in _FROM_OUTSIDE),
        "payload": payload,
        "bindings": {
            "kafka": {"key": {"type": "string", "description": "; ".join(keys)}, "bindingVersion": "0.5.0"},
        },
    }


def _headers(kind: str, content: str, *, asked: bool) -> dict[str, Any]:
    """CloudEvents 1.0 in Kafka's binary mode; always there on what Tocsin writes."""
    properties = {
        "ce_id": {"type": "string", "description": "Unique within ce_source."},
        "ce_source": {"type": "string", "format": "uri-reference", "description": "Who wrote it: tocsin/triage."},
        "ce_type": {"type": "string", "const": kind},
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"type": "string", "const": content},
        "traceparent": {"type": "string", "description": "W3C trace context, passed on where it came in."},
    }
    required = [name for name in properties if name != "traceparent"]
    return {"type": "object", "properties": properties, **({"required": required} if asked else {})}
