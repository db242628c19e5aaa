"""Targets: what comes to the door: bodies of messages, and what six tools send.

Promises: bytes become records that triage, learning and history can read, or Invalid with a fixed code and one short line, or
a reason why there is nothing to do; never anything else.
Owns: these checks. Must never: know how a tool's payload is read.
"""

from __future__ import annotations

import asyncio

from agents.door.adapters import TOOLS, adapter
from agents.door.back import Nothing, Out, records
from agents.door.bodies import LINES, MAX_MESSAGES, messages
from agents.door.mapping import load_map
from schemas.base import MAX_MESSAGE_BYTES, Invalid
from schemas.message import read_message
from schemas.people import Action, read_feedback
from schemas.reading import json_object, read
from tests.fuzz.records import refused
from tests.fuzz.target import Target
from tests.unit.door_world import ARRIVED, EXAMPLES, MAP, Fake, said

_MAPS = load_map(MAP)
_LOOKUP = Fake([said("m-1", "p2"), said("m-2", "p0")])
_EVENTS = (
    "post_created",
    "post_edited",
    "post_destroyed",
    "accepted_solution",
    "assigned",
    "topic_closed_status_updated",
)


def body(data: bytes) -> None:
    for kind in ("application/json", LINES[0]):
        try:
            found = messages(data, kind, ARRIVED)
        except Invalid as fault:
            refused(fault)
            continue
        assert 0 < len(found) <= MAX_MESSAGES
        for one in found:
            _checked(one)


def hook(data: bytes) -> None:
    try:
        payload = json_object(data)
    except Invalid as fault:
        refused(fault)
        return
    for tool in TOOLS:
        for event in _EVENTS if tool == "discourse" else ("",):
            try:
                told = adapter(tool)(payload, event, ARRIVED, _MAPS[tool].known)
            except Invalid as fault:
                refused(fault)
                continue
            assert told, "a payload of which nothing is said"
            for one in asyncio.run(records(tool, told, _MAPS[tool], _LOOKUP, ARRIVED)):
                _checked(one)


def _checked(one: Out | Nothing | Invalid) -> None:
    if isinstance(one, Invalid):
        refused(one)
    elif isinstance(one, Nothing):
        assert 0 < len(one.reason) < 500
    elif one.topic == "messages":
        assert len(one.value) <= MAX_MESSAGE_BYTES
        message = read_message(one.value, ARRIVED).message
        assert (message.id, message.customer_id) == (one.id, one.key)
    elif one.topic == "feedback":
        assert read_feedback(one.value).id == one.id
    else:
        assert read(one.value, Action).id == one.id


def _payloads() -> list[bytes]:
    return [path.read_bytes() for path in sorted(EXAMPLES.glob("*/*.json")) if path.name != "expected.json"]


TARGETS = [
    Target(
        "door-body",
        body,
        kind="json",
        examples=("message",),
        made=lambda: [b"[]", b'[{"id": "m", "customer_id": "c", "text": "t"}]'],
    ),
    Target("door-hook", hook, kind="json", made=_payloads),
]
