"""Owns the reading of the policy's section `crowd`: every key, its type, its limits. As `policy_file`, it repairs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agents.scoring.policy_crowd import DEFAULT_ROUTE, CrowdRules
from agents.scoring.policy_tree import Node

_HELD = ("p1", "p2")
_MOST_HOURLY = 1_000_000
_DAY = 86_400


def read_crowd(node: Node, floors: frozenset[str], routes: tuple[str, ...]) -> CrowdRules:
    """The section; raises `PolicyError` with the line that is wrong."""
    top = node.map(
        required=(
            "least", "quiet_seconds", "impostors", "product", "sample", "budget", "silent_after",
        ),
    )  # fmt: skip
    return CrowdRules(
        least=top["least"].whole(5, 10_000),
        quiet_seconds=top["quiet_seconds"].whole(10, _DAY),
        impostors=tuple(one.choice(floors) for one in top["impostors"].list()),
        product=top["product"].text(256),
        sample=top["sample"].number(0, 1),
        budget=MappingProxyType(_budget(top["budget"], routes)),
        silent_after=top["silent_after"].whole(5, 10_000),
    )


def _budget(node: Node, routes: tuple[str, ...]) -> dict[str, Mapping[str, int]]:
    found: dict[str, Mapping[str, int]] = {}
    for priority, by_route in node.map(optional=_HELD).items():
        entries = by_route.map(optional=(DEFAULT_ROUTE, *routes))
        found[priority] = MappingProxyType({route: one.whole(1, _MOST_HOURLY) for route, one in entries.items()})
    return found
