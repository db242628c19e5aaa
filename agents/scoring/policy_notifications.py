"""The policy's section `notifications`, as values: whose text may leave for chats and mailboxes.

Owns: its type, and its defaults (for a policy without it). Must never: know how anything is delivered; that is `agents.notify`'s.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notifications:
    """What may be shown outside the console.

    Attributes:
        text: priorities whose messages may be quoted.
        sensitive: whether that goes, too, for what no machine may answer.
    """

    text: frozenset[str] = frozenset({"p1", "p2", "p3"})
    sensitive: bool = False
