"""Where a record stands.

Owns: that shape. Must never: read it.
"""

from __future__ import annotations

from msgspec import Struct

from schemas.base import Count


class Source(Struct, frozen=True):
    """Where the message stood: a Kafka record, or a line of a file."""

    topic: str
    partition: Count
    offset: Count
