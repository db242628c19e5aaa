"""Adapters: what a tool sends, in our words.

An adapter is one pure function from a payload to what it tells. What it cannot know (which decision an agent judged, whose
conversation it is) it leaves open; `agents.door.back` finds that out.
Owns: these words, and which tools there are. Must never: read a clock, the network or the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

TOOLS = ("zendesk", "intercom", "discourse", "chatwoot", "slack", "discord")


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody wrote, changed or deleted something.

    Attributes:
        fields: a message's fields. Without `customer_id` it is said in a customer's conversation, and whose that is the
            tool does not tell.
        by: the author's id in the tool.
    """

    fields: dict[str, Any]
    by: str


@dataclass(frozen=True, slots=True)
class Word:
    """An agent set a priority, a tag or a group on a conversation, or on one message of it.

    Attributes:
        id: the same each time the tool tells it.
        value: the tool's own word, as the map file names it.
        by: the agent's id in the tool.
        at: milliseconds since the epoch.
    """

    id: str
    conversation_id: str
    kind: Literal["priority", "tag", "group"]
    value: str
    by: str
    at: int
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """Something was done about a conversation: an action's `kind`. `by` is empty where the tool does not name anybody."""

    id: str
    conversation_id: str
    kind: Literal["taken", "released", "resolved", "reopened", "snoozed", "answered", "rated"]
    by: str
    at: int
    until: int | None = None
    rating: float | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing is to be done; `reason` is one sentence."""

    reason: str


NOTE = Ignored("an agent's private note: the customer does not see it, so it answers nobody")
"""Whoever keeps history takes an agent's turn for an answer: a note must not end a customer's wait."""

Told = Said | Word | Deed | Ignored


@dataclass(frozen=True, slots=True)
class Known:
    """What the map file says of a tool's people, where the tool itself does not: ids of agents."""

    agents: frozenset[str] = frozenset()


Adapter = Callable[[Mapping[str, Any], str, int, Known], list[Told]]
"""(payload, the event's name where a header tells it, arrival in ms since the epoch, who is known) -> what it tells.

Raises Invalid: it is of a kind that is read, and lacks what that needs."""


def adapter(tool: str) -> Adapter:
    """The function of one of `TOOLS`."""
    found: Adapter = import_module(f"agents.door.adapters.{tool}").told
    return found
