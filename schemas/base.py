"""What every record type shares: limits, field types, timestamps, and the error for a bad record.

Owns: contract section 3's limits, and the wording of "field, value and limit". Must never: know Kafka, or read a clock.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

import orjson
from msgspec import Meta

MAX_ID = 256
"""Characters of an id."""
MAX_NAME = 64
"""Characters of a label, a route, a floor's name."""
MAX_TEXT = 100_000
"""Characters of a message's text that are kept; floors read all of them."""
MAX_MODEL_TEXT = 10_000
"""Characters of a message's text that models read."""
MAX_MESSAGE_BYTES = 1_048_576
"""Bytes of a message on the wire."""
MAX_OUTPUT_BYTES = 4_194_304
"""Bytes of a record that Tocsin writes."""
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_BYTES = 16_384
MAX_DEAD_LETTER_BYTES = 262_144
"""Bytes of an unreadable value that its dead letter keeps."""

Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]
ShortText = Annotated[str, Meta(max_length=1_000)]
Url = Annotated[str, Meta(max_length=4_096)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
# `(?!\n)$` and not `$`: Python's `$` also stands before a last newline, other languages' does not.
LanguageTag = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*(?!\n)$",
        max_length=35,
        description='a BCP 47 language tag such as "en" or "fr-CA"',
    ),
]
Timestamp = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt ]"
        r"([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)(\.[0-9]+)?)?([Zz]|[+-][0-2][0-9]:?[0-5][0-9])(?!\n)$",
        description='an RFC 3339 time such as "2026-01-31T23:59:59.000Z"',
        extra_json_schema={"format": "date-time"},
    ),
]
"""RFC 3339; what Tocsin writes is in UTC with milliseconds and a Z. Seconds may be absent on the way in."""
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Priority = Literal["p0", "p1", "p2", "p3"]
PRIORITIES: tuple[Priority, ...] = ("p0", "p1", "p2", "p3")
FLAGGED: tuple[Priority, ...] = ("p0", "p1", "p2")


class Invalid(ValueError):
    """A record that cannot be read.

    Attributes:
        code: one of the fixed codes of a dead letter's `error`.
        detail: one sentence that names field, value and limit.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def timestamp(milliseconds: int) -> str:
    """Milliseconds since the epoch as a Timestamp; what no calendar holds is cut to 1970 or 9999."""
    seconds, rest = divmod(min(max(milliseconds, 0), 253_402_300_799_999), 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    # isoformat, and not %Y: glibc writes the year 999 without a zero.
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


def milliseconds(value: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 time.

    Raises:
        ValueError: not a time, or without an offset from UTC.
    """
    moment = datetime.fromisoformat(value.upper())  # RFC 3339 allows t and z, Python 3.11 does not
    if moment.tzinfo is None:
        raise ValueError("no offset from UTC")
    return round(moment.timestamp() * 1000)


def quoted(value: Any, limit: int = 80) -> str:
    """A value as an error shows it: as JSON, short, on one line, without what a terminal would obey."""
    if isinstance(value, str):
        text = f'"{value[: limit + 1]}"'
    else:
        try:
            text = orjson.dumps(value).decode()
        except orjson.JSONEncodeError:  # nested deeper than 254 levels, or not from JSON
            text = "a value too deep to show" if isinstance(value, list | dict) else repr(value)
    text = " ".join(text[: 4 * limit].split())
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
