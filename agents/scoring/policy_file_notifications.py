"""Owns the reading of the policy's section `notifications`: every key, its type. As `policy_file`, it repairs nothing."""

from __future__ import annotations

from agents.scoring.policy import PRIORITIES
from agents.scoring.policy_notifications import Notifications
from agents.scoring.policy_tree import Node


def read_notifications(node: Node) -> Notifications:
    """The section; raises `PolicyError` with the line that is wrong."""
    keys = node.map(optional=("text", "sensitive"))
    usual = Notifications()
    return Notifications(
        text=frozenset(keys["text"].texts(PRIORITIES)) if "text" in keys else usual.text,
        sensitive=keys["sensitive"].flag() if "sensitive" in keys else usual.sensitive,
    )
