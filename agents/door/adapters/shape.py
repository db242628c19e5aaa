"""Reading JSON that others made: nothing here is surprised by a type.

Owns: the ways into a payload. Must never: raise anything but Invalid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.base import Invalid, quoted, timestamp

MAX_ATTACHMENTS = 64
_LAST_MS = 253_402_300_799_999


def at(value: Any, *path: str | int) -> Any:
    """What stands at a path; None where a step is missing or of another type. A number steps into a list, from 0 or -1."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, Mapping) else None
        elif isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def many(value: Any, *path: str | int) -> list[Any]:
    """The list at a path; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, list) else []


def text(value: Any, *path: str | int) -> str:
    """The string at a path, else an empty one."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def ident(value: Any, *path: str | int) -> str:
    """An id at a path, which tools write as a number or as a string; empty where there is none."""
    found = at(value, *path)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found.strip() if isinstance(found, str) else ""


def needed(value: Any, *path: str | int) -> str:
    """An id that nothing can be done without; raises Invalid, naming its place."""
    found = ident(value, *path)
    if not found:
        place = ".".join(map(str, path))
        there = at(value, *path)
        if there is None or there == "":
            raise Invalid("missing_field", f'field "{place}" is missing')
        raise Invalid("wrong_type", f'field "{place}" is {quoted(there)}, must be a number or a string')
    return found


def millis(value: Any, default: int) -> int:
    """A time as milliseconds since the epoch: RFC 3339, "2026-01-31 23:59:59 UTC", or seconds, also as a string."""
    if isinstance(value, str):
        written = value.strip()
        try:
            value = float(written)
        except ValueError:
            try:
                moment = datetime.fromisoformat(written.upper().removesuffix(" UTC"))
            except ValueError:
                return default
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            try:
                value = moment.timestamp()
            except (ValueError, OverflowError):
                return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12 or math.isnan(value):
        return default
    milliseconds = round(value * 1000)
    return milliseconds if 0 < milliseconds <= _LAST_MS else default


def revision(milliseconds: int) -> int:
    """A later change's revision: the second it was made, as tools seldom count their edits."""
    return min(milliseconds // 1000, 2**31 - 1)


def message(**fields: Any) -> dict[str, Any]:
    """A message's fields, without those that are absent; `sent_at` in milliseconds."""
    kept = {name: value for name, value in fields.items() if value not in (None, "", [], {})}
    if "text" in fields:
        kept["text"] = fields["text"]
    if "sent_at" in kept:
        kept["sent_at"] = timestamp(kept["sent_at"])
    for name, most in (("subject", 1_000), ("author_name", 256), ("channel", 64)):
        if name in kept:
            kept[name] = kept[name][:most]
    return kept


def attachments(entries: list[Any], kind: str, url: str) -> list[dict[str, str]]:
    """A message's attachments from the tool's, whose type and address stand in these fields."""
    found = []
    for entry in entries[:MAX_ATTACHMENTS]:
        one = {"kind": text(entry, kind)[:64] or "file"}
        if text(entry, url) and len(text(entry, url)) <= 4_096:
            one["url"] = text(entry, url)
        found.append(one)
    return found
