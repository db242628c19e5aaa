"""The policy's section `desk`, as values: what stands beside a message at the triage desk.

Owns: its types. Must never: know how it is shown; that is the console's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Protocol:
    """What the team does about a priority, step by step, in both languages."""

    en: tuple[str, ...]
    fr: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Helpline:
    """Where people find help.

    Attributes:
        country: ISO 3166, two capital letters.
        number: as it is dialled there.
        floors: for messages of these floors; for all where there is none.
    """

    country: str
    name: str
    number: str
    floors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeskRules:
    """What the console shows beside a message.

    Attributes:
        protocol: by priority.
        country: the attribute of a message that names its writer's country; else the region of its language ("fr-CA") does.
    """

    protocol: Mapping[str, Protocol] = field(default_factory=lambda: MappingProxyType({}))
    country: str = "country"
    helplines: tuple[Helpline, ...] = ()

    def lines(self, floors: frozenset[str], country: str | None) -> list[Helpline]:
        """Those for a message of these floors, those of its country first; only these where there are some."""
        fitting = [one for one in self.helplines if not one.floors or floors.intersection(one.floors)]
        return [one for one in fitting if one.country == country] or fitting
