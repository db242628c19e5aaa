"""The message: one thing somebody wrote, and how its bytes are read.

Owns: what is required, what is optional and mended when broken. Must never: judge the text, or read a clock.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import orjson
from msgspec import Meta, Struct

from schemas.base import (
    MAX_ATTRIBUTE_BYTES,
    MAX_ATTRIBUTES,
    MAX_TEXT,
    Count,
    Id,
    Invalid,
    LanguageTag,
    ShortText,
    Text,
    Timestamp,
    Url,
    milliseconds,
    timestamp,
)
from schemas.reading import json_object, required

EARLIEST_SENT = 0
"""A `sent_at` before 1970 is a broken clock, not an old message."""
LATEST_AHEAD_MS = 86_400_000
"""How far ahead of arrival a `sent_at` may stand: a day, for clocks set to local time."""

Scalar = str | int | float | bool | None


class Attachment(Struct, forbid_unknown_fields=False):
    """Something sent along with the text; never opened."""

    kind: Annotated[str, Meta(max_length=64)] = "file"
    url: Url | None = None


class Message(Struct, kw_only=True):
    """One thing somebody wrote. Once read, its defaults are filled in: `conversation_id` and `sent_at` are never null."""

    id: Id
    customer_id: Id
    text: Text
    subject: ShortText | None = None
    conversation_id: Id | None = None
    channel: Annotated[str, Meta(max_length=64)] | None = None
    author_role: Literal["customer", "agent", "bot", "moderator"] = "customer"
    author_name: Annotated[str, Meta(max_length=256)] | None = None
    language: LanguageTag | None = None
    sent_at: Timestamp | None = None
    reply_to: Id | None = None
    url: Url | None = None
    visibility: Literal["public", "private"] = "private"
    reach: Count | None = None
    attachments: Annotated[list[Attachment], Meta(max_length=64)] = msgspec.field(default_factory=list)
    event: Literal["posted", "edited", "deleted"] = "posted"
    revision: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    attributes: dict[str, Scalar] = msgspec.field(default_factory=dict)


class Incoming(Struct):
    """A message as read, with what reading it changed."""

    message: Message
    text_cut: bool
    corrected: list[str]


_WRITTEN = len("2026-01-31T23:59:59.000Z")
_decode = msgspec.json.Decoder(Message).decode
_REQUIRED = ("id", "customer_id", "text")
_OPTIONAL = {field.name: field.type for field in msgspec.structs.fields(Message) if field.name not in _REQUIRED}


def read_message(data: bytes | None, received_ms: int) -> Incoming:
    """A message from its bytes.

    Args:
        data: the record's value, as it came.
        received_ms: the broker's time in milliseconds since the epoch; the default of `sent_at`.

    Raises:
        Invalid: with the dead letter's code, and a sentence naming field, value and limit.
    """
    try:
        # Nearly every message is as it should be, and read in one go; the others go the way that finds out what is wrong.
        message = _decode(data or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return message_of(json_object(data), received_ms)
    if message.attributes and any(
        type(value) is int and value.bit_length() > 63 for value in message.attributes.values()
    ):
        # msgspec reads whole numbers of any size, which orjson cannot write; it reads them as floats.
        return message_of(json_object(data), received_ms)
    return _completed(message, False, [], received_ms)


def message_of(fields: dict[str, Any], received_ms: int) -> Incoming:
    """A message from its decoded JSON object; see `read_message`."""
    corrected: list[str] = []
    text = fields.get("text")
    text_cut = isinstance(text, str) and len(text) > MAX_TEXT
    if text_cut:
        fields = {**fields, "text": text[:MAX_TEXT]}  # type: ignore[index]  # checked above
    elif "text" not in fields and (fields.get("event") == "deleted" or fields.get("attachments")):
        fields = {**fields, "text": ""}
    try:
        message = msgspec.convert(fields, Message)
    except msgspec.ValidationError:
        required(fields, {"id": Id, "customer_id": Id, "text": str})
        fields = _mended(fields, corrected)
        message = msgspec.convert(fields, Message)
    return _completed(message, text_cut, corrected, received_ms)


def _completed(message: Message, text_cut: bool, corrected: list[str], received_ms: int) -> Incoming:
    """The message with its defaults filled in, once every field is of its type."""
    if not message.text and not message.attachments and message.event != "deleted":
        raise Invalid("no_text", 'field "text" is empty; it may be only with attachments or event "deleted"')
    if message.attributes and (
        len(message.attributes) > MAX_ATTRIBUTES or len(orjson.dumps(message.attributes)) > MAX_ATTRIBUTE_BYTES
    ):
        message.attributes = {}
        corrected.append("attributes")
    if message.conversation_id is None:
        message.conversation_id = message.id
    if message.sent_at is None:
        message.sent_at = timestamp(received_ms)
    else:
        sent = _sent_ms(message.sent_at)
        if sent is None or not EARLIEST_SENT <= sent <= received_ms + LATEST_AHEAD_MS:
            corrected.append("sent_at")
            sent = received_ms
        elif len(message.sent_at) == _WRITTEN and message.sent_at[19] == "." and message.sent_at[10::13] == "TZ":
            return Incoming(message, text_cut, corrected)  # as Tocsin writes it
        message.sent_at = timestamp(sent)
    return Incoming(message, text_cut, corrected)


def _mended(fields: dict[str, Any], corrected: list[str]) -> dict[str, Any]:
    """Drops each optional field that its type refuses, and names it in `corrected`."""
    kept = {}
    for name, value in fields.items():
        kind = _OPTIONAL.get(name)
        if kind is not None:
            if value is None:  # null is absent, not broken
                continue
            try:
                msgspec.convert(value, kind)
            except msgspec.ValidationError:
                corrected.append(name)
                continue
        kept[name] = value
    return kept


def _sent_ms(value: str) -> int | None:
    """None for a day or second that no calendar has: `2026-02-30`."""
    try:
        return milliseconds(value)
    except (ValueError, OverflowError):
        return None
