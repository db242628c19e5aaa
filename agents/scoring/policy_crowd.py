"""The policy's section `crowd`, as values: what is made of many messages.

Owns: its types, and its defaults (those of deploy/policy/default.yaml, for a policy without it). Must never: know what is done
with them; that is `agents.incidents`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

DEFAULT_ROUTE = "default"


@dataclass(frozen=True, slots=True)
class CrowdRules:
    """What crowd goes by, and the share of p3 that triage gives to people.

    Attributes:
        least: messages of different customers that are an incident, at least.
        quiet_seconds: for so long at least nothing unusual must come, before an incident is over.
        impostors: floors whose messages, when they are many, are of impostors.
        product: the attribute of a message that names its product.
        sample: share of p3 that goes to `review`, so that what was missed is known.
        budget: alerts an hour by priority and route; what the route `default` has stands for the others; None: no bound.
        silent_after: messages that a channel should have brought, while it brought none.
    """

    least: int = 12
    quiet_seconds: int = 60
    impostors: tuple[str, ...] = ("impostor",)
    product: str = "product"
    sample: float = 0.005
    budget: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: MappingProxyType({}))
    silent_after: int = 15

    def hourly(self, priority: str, route: str) -> int | None:
        """How many alerts of a priority and route may ring in an hour; None: as many as there are, and so for p0 always."""
        if priority not in ("p1", "p2"):
            return None
        by_route = self.budget.get(priority, {})
        return by_route.get(route, by_route.get(DEFAULT_ROUTE))
