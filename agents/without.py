"""A policy without one of its rules: what `tocsin policy try --without` runs over the past.

Owns: what can be left out, and how it is named. Must never: publish it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from agents.scoring.policy import Policy
from streams.errors import TocsinError

NEVER = 2.0
"""A threshold that no probability reaches."""
HEADS = {
    "head urgency": ("urgency_p1", "urgency_p2"),
    "head anger": ("anger_p2",),
    "head abuse": ("abuse_p2",),
    "head spam": ("spam",),
}


def without(policy: Policy, what: str) -> Policy:
    """A policy without a floor (`legal`), without one phrase of it (`legal: sue you`), or without what a head raises (`head
    urgency`).

    Raises:
        TocsinError: it has no such floor, phrase or head; naming what it has.
    """
    what = what.strip()
    # Not the same version: what it would decide is another's.
    sha256 = hashlib.sha256(f"{policy.sha256} without {what}".encode()).hexdigest()
    if what in HEADS:
        limits = replace(policy.thresholds, **dict.fromkeys(HEADS[what], NEVER))
        return replace(policy, thresholds=limits, sha256=sha256)
    name, _, phrase = (part.strip() for part in what.partition(":"))
    floor = next((one for one in policy.floors if one.name == name), None)
    if floor is None:
        raise TocsinError(
            f"policy {policy.name} has no floor {name!r}: it has {', '.join(one.name for one in policy.floors)}; and "
            f"{', '.join(HEADS)}"
        )
    rules = [one for one in policy.floors if one is not floor]
    if phrase:
        kept = tuple(one for one in floor.phrases if one.text != phrase)
        if len(kept) == len(floor.phrases):
            raise TocsinError(
                f"floor {name} has no phrase {phrase!r} as the policy writes it; `tocsin policy show` prints it"
            )
        rules = [replace(one, phrases=kept) if one is floor else one for one in policy.floors]
    return replace(policy, floors=replace(policy.floors, rules=tuple(rules)), sha256=sha256)
