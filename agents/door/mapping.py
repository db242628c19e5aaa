"""The map file: what an agent's priority, tag or group in a tool means here.

Owns: its shape and its faults' wording. Must never: guess; what it does not name means nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml

from agents.door.adapters import TOOLS, Known, Word
from schemas.base import Invalid, quoted
from schemas.people import Labels
from schemas.reading import explained
from streams.errors import TocsinError

OWN_PREFIX = "tocsin_"
"""Tags that Tocsin itself puts on tickets begin so: they are no agent's word."""
_KINDS = ("priority", "tag", "group")


@dataclass(frozen=True, slots=True)
class ToolMap:
    """One tool's part: labels by kind and value, ids of agents, ids of the users that Tocsin itself acts as."""

    labels: Mapping[tuple[str, str], Labels] = field(default_factory=dict)
    known: Known = field(default_factory=Known)
    ours: frozenset[str] = frozenset()

    def of(self, word: Word) -> Labels | None:
        """What a word means; None where it means nothing here."""
        return self.labels.get((word.kind, word.value.casefold()))


def load_map(path: Path | None) -> dict[str, ToolMap]:
    """Every tool's part of the map file; without one, nothing that an agent changes means anything.

    Raises:
        TocsinError: naming the file, the place in it, and what may stand there.
    """
    if path is None:
        return {}
    try:
        document = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise TocsinError(f"TOCSIN_DOOR_MAP: {path} cannot be read as YAML: {_reason(error)}") from None
    if document is None:
        return {}
    try:
        return {tool: _tool(tool, part) for tool, part in _entries(document, "(the file)", TOOLS)}
    except ValueError as fault:
        raise TocsinError(f"TOCSIN_DOOR_MAP: {path}: {fault}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    mark = getattr(error, "problem_mark", None)
    where = "" if mark is None else f"line {mark.line + 1}: "
    return where + str(getattr(error, "problem", None) or type(error).__name__)


def _entries(value: Any, place: str, names: Collection[str | int] | None = None) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise ValueError(f"{place} is {quoted(value)}, must be a mapping")
    found = []
    for name, one in value.items():
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise ValueError(f"{place} has the key {quoted(name)}, must be a word or a number; quote it")
        if names is not None and name not in names:
            raise ValueError(f"{place} names {quoted(name)}, must be one of {', '.join(map(str, names))}")
        found.append((str(name), one))
    return found


def _tool(tool: str, part: Any) -> ToolMap:
    labels: dict[tuple[str, str], Labels] = {}
    people: dict[str, frozenset[str]] = {}
    for kind, value in _entries(part, tool, (*_KINDS, "agents", "ours")):
        if kind not in _KINDS:
            people[kind] = frozenset(_ids(value, f"{tool}.{kind}"))
            continue
        for name, meaning in _entries(value, f"{tool}.{kind}"):
            labels[kind, name.casefold()] = _labels(kind, meaning, f"{tool}.{kind}.{name}")
    return ToolMap(labels, Known(people.get("agents", frozenset())), people.get("ours", frozenset()))


def _ids(value: Any, place: str) -> list[str]:
    if not isinstance(value, list) or not all(
        isinstance(one, str | int) and not isinstance(one, bool) for one in value
    ):
        raise ValueError(f"{place} is {quoted(value)}, must be a list of ids")
    return [str(one) for one in value]


def _labels(kind: str, meaning: Any, place: str) -> Labels:
    if isinstance(meaning, str):
        # In short: a priority means a priority, a group a category.
        meaning = {"priority" if kind == "priority" else "category": meaning}
    fields = dict(_entries(meaning, place, msgspec.structs.asdict(Labels())))
    try:
        labels = msgspec.convert(fields, Labels)
    except msgspec.ValidationError as error:
        fault: Invalid = explained(error, fields, Labels)
        raise ValueError(f"{place}: {fault.detail}") from None
    if not labels.heads() and labels.priority is None:
        raise ValueError(f"{place} labels nothing; give it a priority, a category or another head")
    return labels
