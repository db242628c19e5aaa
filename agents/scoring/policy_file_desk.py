"""Owns the reading of the policy's section `desk`: every key, its type, its limits. As `policy_file`, it repairs nothing."""

from __future__ import annotations

import re
from types import MappingProxyType

from agents.scoring.policy import LANGUAGES, PRIORITIES
from agents.scoring.policy_desk import DeskRules, Helpline, Protocol
from agents.scoring.policy_tree import Node

_COUNTRY = re.compile(r"[A-Z]{2}$")
_NUMBER = re.compile(r"[+0-9][0-9 ()*#-]{1,29}$")


def read_desk(node: Node, floors: frozenset[str]) -> DeskRules:
    """The section; raises `PolicyError` with the line that is wrong."""
    top = node.map(optional=("protocol", "country", "helplines"))
    protocol = top["protocol"].map(optional=PRIORITIES) if "protocol" in top else {}
    by_country = top["helplines"].any_map() if "helplines" in top else {}
    return DeskRules(
        protocol=MappingProxyType({priority: _protocol(steps) for priority, steps in protocol.items()}),
        country=top["country"].text(256) if "country" in top else DeskRules().country,
        helplines=tuple(
            _helpline(country, one, floors) for country, lines in by_country.items() for one in _listed(country, lines)
        ),
    )


def _protocol(node: Node) -> Protocol:
    steps = node.map(required=LANGUAGES)
    return Protocol(**{language: steps[language].texts() for language in LANGUAGES})


def _listed(country: str, node: Node) -> list[Node]:
    if not _COUNTRY.match(country):
        node.fail(f'stands under "{country}", which must be a country of two capital letters (ISO 3166), such as "CA"')
    return node.list()


def _helpline(country: str, node: Node, floors: frozenset[str]) -> Helpline:
    node.name = f"desk: helplines: {country}"
    entries = node.map(required=("name", "number"), optional=("floors",))
    number = entries["number"].text(30)
    if not _NUMBER.match(number):
        entries["number"].fail(f'is "{number}", must be a number as it is dialled, such as "116 123"')
    named = tuple(one.choice(floors) for one in entries["floors"].list()) if "floors" in entries else ()
    return Helpline(country, entries["name"].text(100), number, named)
