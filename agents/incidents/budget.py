"""The alert budget: how many alerts of a priority and route may ring in an hour; what is beyond is gathered in one ring.

Alerts that an incident has gathered are one ring already, and so is a group that rang in this hour: they cost nothing. p0 is
never held. Owns: that count. Must never: keep an alert from its topic.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from agents.incidents.live import Live
from agents.incidents.window import Seen
from agents.scoring.policy_crowd import CrowdRules
from schemas.incident import Budget

HOUR_MS = 3_600_000
MOST_GROUPS = 5_000


class Purse(Struct):
    """One priority and route in one hour: what rang, and the ring that gathers the rest, once there is one."""

    hour: int = 0
    rang: int = 0
    groups: set[str] = msgspec.field(default_factory=set)
    held: Live | None = None


class Purses(Struct):
    """All of them, by `<priority> <route>`."""

    by_place: dict[str, Purse] = msgspec.field(default_factory=dict)

    def spend(self, one: Seen, rules: CrowdRules) -> None:
        """A flagged message that no incident has gathered."""
        hourly = rules.hourly(one.priority, one.route)
        if hourly is None:
            return
        purse = self.by_place.setdefault(f"{one.priority} {one.route}", Purse())
        hour = one.at // HOUR_MS
        if hour > purse.hour and (purse.held is None or not purse.held.open):
            purse.hour, purse.rang, purse.groups, purse.held = hour, 0, set(), None
        if one.group in purse.groups:
            return
        if purse.rang < hourly:
            purse.rang += 1
            if len(purse.groups) < MOST_GROUPS:
                purse.groups.add(one.group)
            return
        if purse.held is None:
            purse.held = Live(
                id=f"budget-{one.priority}-{one.route}-{hour}",
                kind="budget",
                state="opened",
                opened_at=one.at,
                first=one,
                middles=[],
                share=0.0,
                known=0,
            )
        purse.held.take(one, [])

    def due(self, now: int) -> list[tuple[str, Purse]]:
        """Those whose ring is to be told of now: new, twice as large, a minute older, or over with its hour."""
        found = []
        for place, purse in self.by_place.items():
            held = purse.held
            if held is None or not held.open:
                continue
            if now // HOUR_MS > purse.hour:
                held.state, held.closed_at = "closed", now
            elif held.told and held.messages < 2 * held.told and not (held.alerts and now - held.told_at >= 60_000):
                continue
            elif held.told:
                held.state = "grown"
            found.append((place, purse))
        return found


def budget_of(place: str, purse: Purse, rules: CrowdRules) -> Budget:
    """What is told of one."""
    priority, _, route = place.partition(" ")
    held = 0 if purse.held is None else purse.held.messages
    return Budget(
        priority="p1" if priority == "p1" else "p2",
        route=route,
        hourly=rules.hourly(priority, route) or 0,
        rang=purse.rang,
        held=held,
    )
