"""Owns the way from YAML bytes to plain values that know their line: maps, lists and scalars, nothing else.

Only YAML's events are used, so no object is ever built from a tag, an alias cannot multiply, and depth is bounded. Words
such as `no` and `on` stay words. It must never know what a policy is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

import yaml

from agents.scoring.policy import MAX_BYTES, PolicyError

_MAX_DEPTH = 12
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)$")


@dataclass(slots=True)
class Node:
    """A value at `line`; `name` says what it is in an error ('floor "gas": priority')."""

    value: str | list[Node] | dict[str, Node]
    line: int
    name: str
    quoted: bool = False
    top: bool = False

    def fail(self, problem: str) -> NoReturn:
        """Raise a `PolicyError` about this value."""
        raise PolicyError(self.line, f"{self.name} {problem}")

    def _shown(self) -> str:
        if isinstance(self.value, str):
            return f'"{self.value[:60]}"' if self.value or self.quoted else "empty"
        return "a list" if isinstance(self.value, list) else "a map"

    def map(self, required: Iterable[str] = (), optional: Iterable[str] = ()) -> dict[str, Node]:
        """The value as a map with exactly these keys."""
        entries = self.any_map()
        known = [*required, *optional]
        for key, node in entries.items():
            if key not in known:
                raise PolicyError(node.line, f'{self.name} has the unknown key "{key}", known are {", ".join(known)}')
        for key in required:
            if key not in entries:
                self.fail(f'has no "{key}"')
        for key, node in entries.items():
            node.name = f"{self.name}: {key}" if not self.top else key
        return entries

    def any_map(self) -> dict[str, Node]:
        """The value as a map with whatever keys it has."""
        if not isinstance(self.value, dict):
            self.fail(f"is {self._shown()}, must be a map")
        return self.value

    def list(self) -> list[Node]:
        """The value as a list."""
        if not isinstance(self.value, list):
            self.fail(f"is {self._shown()}, must be a list")
        return self.value

    def text(self, limit: int = 300) -> str:
        """The value as words: not empty, at most `limit` characters."""
        if not isinstance(self.value, str) or not self.value.strip():
            self.fail(f"is {self._shown()}, must be text")
        if len(self.value) > limit:
            self.fail(f"is {len(self.value)} characters long, at most {limit}")
        return self.value.strip()

    def choice(self, options: Iterable[str]) -> str:
        """The value as one of `options`."""
        known = list(options)
        if not isinstance(self.value, str) or self.value not in known:
            listed = f"{', '.join(known[:-1])} or {known[-1]}" if len(known) > 1 else "".join(known)
            self.fail(f"is {self._shown()}, must be {listed}")
        return self.value

    def flag(self) -> bool:
        """The value as true or false."""
        return self.choice(("true", "false")) == "true"

    def number(self, low: float, high: float) -> float:
        """The value as a number from `low` to `high`."""
        if not isinstance(self.value, str) or self.quoted or not _NUMBER.match(self.value):
            self.fail(f"is {self._shown()}, must be a number from {low:g} to {high:g}")
        if not low <= float(self.value[:40]) <= high:
            self.fail(f"is {self.value[:40]}, must be from {low:g} to {high:g}")
        return float(self.value[:40])

    def whole(self, low: int, high: int) -> int:
        """The value as a whole number from `low` to `high`."""
        number = self.number(low, high)
        if number != int(number):
            self.fail(f"is {self.value}, must be a whole number")
        return int(number)

    def texts(self, options: Iterable[str] | None = None) -> tuple[str, ...]:
        """The value as a list of different words, each of `options` where given."""
        found: dict[str, None] = {}
        for number, node in enumerate(self.list(), 1):
            node.name = f"{self.name}, entry {number},"
            text = node.text() if options is None else node.choice(options)
            if text in found:
                node.fail(f'is "{text}", which stands there already')
            found[text] = None
        return tuple(found)


def tree(data: bytes, what: str = "the policy") -> Node:
    """Read one YAML document, which errors call `what`. Raises `PolicyError`."""
    if len(data) > MAX_BYTES:
        raise PolicyError(1, f"{what} is {len(data):,} bytes long, at most {MAX_BYTES:,}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PolicyError(line, f"{what} is not UTF-8 (byte {data[error.start]:#04x})") from None
    try:
        return _compose(text, what)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(str(error.problem or error.context).split())
        raise PolicyError(mark.line + 1 if mark else 1, f"this is not YAML: {problem}") from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        raise PolicyError(
            text.count("\n", 0, position) + 1, f"this is not YAML: {str(error).splitlines()[0]}"
        ) from None


def _compose(text: str, what: str) -> Node:
    root: Node | None = None
    open_nodes: list[Node] = []
    keys: list[tuple[str, int] | None] = []
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent) and root is not None:
            raise PolicyError(line, f"a second document begins here, {what} is one document")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise PolicyError(line, f"anchors and aliases (& and *) are not allowed in {what}")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise PolicyError(line, f"the tag {tag} is not allowed in {what}")
        if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            open_nodes.pop()
            keys.pop()
            continue
        if not isinstance(event, (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            continue
        parent = open_nodes[-1] if open_nodes else None
        if parent is not None and isinstance(parent.value, dict) and keys[-1] is None:
            if not isinstance(event, yaml.ScalarEvent):
                raise PolicyError(line, "a key must be a word")
            if event.value in parent.value:
                raise PolicyError(line, f'the key "{event.value[:60]}" stands here a second time')
            keys[-1] = (event.value, line)
            continue
        value: str | list[Node] | dict[str, Node] = {}
        if isinstance(event, yaml.ScalarEvent):
            value = event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
        quoted = isinstance(event, yaml.ScalarEvent) and event.style in ("'", '"')
        node = Node(value, line, what, quoted, parent is None)
        if parent is None:
            root = node
        elif isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict) and (key := keys[-1]) is not None:
            node.line = key[1]  # An error names the line of the key: an empty value has none of its own.
            node.name = key[0]
            parent.value[key[0]] = node
            keys[-1] = None
        if not isinstance(event, yaml.ScalarEvent):
            if len(open_nodes) >= _MAX_DEPTH:
                raise PolicyError(line, f"{what} is nested more than {_MAX_DEPTH} deep")
            open_nodes.append(node)
            keys.append(None)
    if root is None:
        raise PolicyError(1, f"{what} is empty")
    return root


def texts_by_key(node: Node) -> Mapping[str, str]:
    """A map of words to words."""
    return {key: entry.text() for key, entry in node.any_map().items()}
