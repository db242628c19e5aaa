"""From a request's body to the messages in it: one JSON object, an array of them, or JSON lines.

Owns: how many, and that a bad one stops no other. Must never: send.
"""

from __future__ import annotations

from typing import Any

import orjson

from agents.door.back import Out, message_out
from schemas.base import Invalid, quoted
from schemas.reading import json_object

MAX_BODY = 8 << 20
"""Bytes of a request's body, unpacked."""
MAX_MESSAGES = 1_000
"""Messages in one request."""
LINES = ("application/x-ndjson", "application/jsonl")


def messages(body: bytes, content_type: str, arrived: int) -> list[Out | Invalid]:
    """Every message of a body, in order; an Invalid where one cannot be read.

    Raises:
        Invalid: the body as a whole: no JSON, nothing in it, or too many.
    """
    if content_type in LINES:
        lines = [line for line in body.split(b"\n") if line.strip()]
        return [_line(line, arrived) for line in _counted(lines)]
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        json_object(body)  # raises, with the place
        raise
    found = value if isinstance(value, list) else [value]
    return [_one(one, arrived) for one in _counted(found)]


def _counted(found: list[Any]) -> list[Any]:
    if not found:
        raise Invalid("no_value", "the body holds no message")
    if len(found) > MAX_MESSAGES:
        raise Invalid(
            "too_large", f"the body holds {len(found):,} messages, must be at most {MAX_MESSAGES:,}: send several"
        )
    return found


def _line(line: bytes, arrived: int) -> Out | Invalid:
    try:
        return message_out(json_object(line), arrived)
    except Invalid as fault:
        return fault


def _one(value: Any, arrived: int) -> Out | Invalid:
    if not isinstance(value, dict):
        return Invalid("not_an_object", f"the message is {quoted(value)}, must be a JSON object")
    try:
        return message_out(value, arrived)
    except Invalid as fault:
        return fault
