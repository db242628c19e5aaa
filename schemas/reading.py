"""From bytes to a typed record, or to one sentence that says why not.

Owns: the fixed codes of unreadable records. Must never: mend; that is each record's own affair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import orjson

from schemas.base import Invalid, quoted

T = TypeVar("T")

CODES = (
    "no_value",
    "not_utf8",
    "not_json",
    "not_an_object",
    "missing_field",
    "wrong_type",
    "out_of_bounds",
    "no_text",
    "too_large",
    "feedback_without_source",
    "unknown_feedback",
    "record_refused",
)
"""Every value of a dead letter's `error`."""


def json_object(data: bytes | None) -> dict[str, Any]:
    """The JSON object in a record's value.

    Raises:
        Invalid: `no_value`, `not_utf8`, `not_json` or `not_an_object`.
    """
    if data is None:
        raise Invalid("no_value", "the record has a key and no value")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _not_json(data, error) from None
    if type(value) is not dict:
        raise Invalid("not_an_object", f"the value is {_kind(value)} ({quoted(value)}), must be a JSON object")
    return value


def convert(fields: Mapping[str, Any], kind: type[T]) -> T:
    """A decoded object as its struct.

    Raises:
        Invalid: `missing_field`, `wrong_type` or `out_of_bounds`, naming field, value and limit.
    """
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise explained(error, fields) from None


def read(data: bytes | None, kind: type[T]) -> T:
    """A record's value as its struct; raises Invalid as `json_object` and `convert` do."""
    return convert(json_object(data), kind)


def required(fields: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Checks the fields that no default can stand in for.

    Raises:
        Invalid: for the first that is missing or refused.
    """
    for name, kind in kinds.items():
        if name not in fields:
            raise Invalid("missing_field", f'field "{name}" is missing')
        try:
            msgspec.convert(fields[name], kind)
        except msgspec.ValidationError as error:
            raise _refused(name, fields[name], str(error)) from None


def explained(error: msgspec.ValidationError, fields: Mapping[str, Any]) -> Invalid:
    """msgspec's error as ours: with the value it found, and a code."""
    text = str(error)
    missing = re.search(r"missing required field `(\w+)`(?: - at `\$\.?([^`]*)`)?", text)
    if missing:
        path = ".".join(part for part in (missing[2], missing[1]) if part)
        return Invalid("missing_field", f'field "{path}" is missing')
    where = re.search(r" - at `(?:key in )?\$\.?([^`]*)`$", text)
    path = where[1] if where else ""
    value: Any = fields
    for part in re.findall(r"[^.\[\]]+", path):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, TypeError, ValueError):
            value = None
            break
    return _refused(path or "(record)", value, text[: where.start()] if where else text)


def _refused(path: str, value: Any, complaint: str) -> Invalid:
    bounds = re.search(r"length|>=|<=|pattern|Invalid enum", complaint)
    shown = f"{len(value):,} characters long" if isinstance(value, str) and len(value) > 80 else quoted(value)
    wanted = complaint.replace("Expected ", "must be ").replace("Invalid enum value", "not one of the known values:")
    return Invalid("out_of_bounds" if bounds else "wrong_type", f'field "{path}" is {shown}: {wanted}')


def _not_json(data: bytes, error: orjson.JSONDecodeError) -> Invalid:
    try:
        data.decode()
    except UnicodeDecodeError as fault:
        return Invalid("not_utf8", f"byte {fault.start} (0x{data[fault.start]:02x}) is not UTF-8")
    return Invalid("not_json", f"not JSON at byte {error.pos}: {error.msg}")


def _kind(value: Any) -> str:
    return {list: "an array", str: "a string", bool: "a truth value", type(None): "null"}.get(type(value), "a number")
