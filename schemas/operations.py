"""What Tocsin says of itself: dead letters, health, and the policies it runs by.

Owns: their shapes. Must never: raise an alarm.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.base import MAX_DEAD_LETTER_BYTES, Count, Name, Timestamp


class DeadLetter(Struct, kw_only=True):
    """What could not be read: the bytes (base64, the first 256 KB), where they stood, why."""

    topic: str
    partition: Count
    offset: Count
    key: str | None
    value: str | None
    length: Count
    sha256: str
    error: str
    detail: str
    at: Timestamp


class Health(Struct, kw_only=True):
    """An alarm about Tocsin itself, or a worker's own figures."""

    code: Name
    component: Name
    severity: Literal["info", "warning", "critical"] = "info"
    at: Timestamp
    where: str | None = None
    detail: str | None = None
    figures: dict[str, Any] = msgspec.field(default_factory=dict)


class PolicyRecord(Struct, kw_only=True):
    """One version of a policy, as `policies` keeps it under `name@sha256`; under `name`, `document` is left out."""

    name: Name
    version: Annotated[str, Meta(max_length=256)]
    owner: str
    changed_by: str
    reason: str
    at: Timestamp
    document: str | None = None


def dead_letter(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    *,
    error: str,
    detail: str,
    at: str,
) -> DeadLetter:
    """The dead letter of one record; `key` and `value` are the bytes as they came."""
    data = value or b""
    return DeadLetter(
        topic=topic,
        partition=partition,
        offset=offset,
        key=None if key is None else b64encode(key[:MAX_DEAD_LETTER_BYTES]).decode(),
        value=None if value is None else b64encode(data[:MAX_DEAD_LETTER_BYTES]).decode(),
        length=len(data),
        sha256=sha256(data).hexdigest(),
        error=error,
        detail=detail[:1000],
        at=at,
    )
