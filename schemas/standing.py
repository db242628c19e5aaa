"""How things stand with a customer: a score with the events that made it.

Owns: that shape. Must never: hold what somebody wrote.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from schemas.base import Id, Name

Moment = Annotated[int, Meta(ge=0)]
"""Milliseconds since the epoch."""


class Event(Struct, kw_only=True):
    """What a standing is made of: a message, and what it weighs now."""

    kind: Name
    at: Moment
    message_id: Id
    weight: float = 1.0


class Standing(Struct, kw_only=True):
    """How things stand with a customer (`at_risk`, `advocate`, `first_post`): a score, and the heaviest events that made it."""

    kind: Name
    score: float
    events: list[Event]
