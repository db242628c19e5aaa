"""From bytes to a typed record, or to one sentence that says why not.

Owns: the fixed codes of unreadable records, and their wording. Must never: mend; that is each record's own affair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
import orjson
from msgspec import inspect

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
    "delivery_refused",
    "delivery_given_up",
    "internal_error",
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
        raise explained(error, fields, kind) from None


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
            raise _refused(name, fields[name], _wanted(_inspected(kind)), str(error)) from None


def explained(error: msgspec.ValidationError, fields: Mapping[str, Any], kind: Any) -> Invalid:
    """msgspec's error about `fields` as `kind` in our words: with the value it found, and a code."""
    text = str(error)
    missing = re.search(r"missing required field `(\w+)`(?: - at `\$\.?([^`]*)`)?", text)
    if missing:
        path = ".".join(part for part in (missing[2], missing[1]) if part)
        return Invalid("missing_field", f'field "{path}" is missing')
    where = re.search(r" - at (?:`key` in )?`\$\.?([^`]*)`$", text)
    path = where[1] if where else ""
    complaint = text[: where.start()] if where else text
    if not complaint.startswith(("Expected ", "Invalid ", "Object ")):  # a struct's own check, in our words
        return Invalid("out_of_bounds", f'field "{path.partition("[...]")[0] or "(record)"}" holds {complaint}')
    # msgspec writes a list's index, and [...] for any value of a map: there the whole map is shown.
    path, of_map, _ = path.partition("[...]")
    value: Any = fields
    wanted = _inspected(kind)
    for part in re.findall(r"[^.\[\]]+", path):
        value, wanted = _inside(value, wanted, part)
    if of_map:
        wanted = next((t.value_type for t in _choices(wanted) if isinstance(t, inspect.DictType)), inspect.AnyType())
        return _refused(path, value, f"an object whose every value is {_wanted(wanted)}", complaint)
    return _refused(path or "(record)", value, _wanted(wanted), complaint)


@lru_cache(maxsize=256)
def _inspected(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _choices(kind: inspect.Type) -> list[inspect.Type]:
    """What a type may be, without null; where any number will do, a whole one is not named."""
    if isinstance(kind, inspect.UnionType):
        any_number = any(isinstance(part, inspect.FloatType) for part in kind.types)
        parts = [part for part in kind.types if not (any_number and isinstance(part, inspect.IntType))]
        return [choice for part in parts for choice in _choices(part)]
    return [] if isinstance(kind, inspect.NoneType) else [kind]


def _inside(value: Any, kind: inspect.Type, part: str) -> tuple[Any, inspect.Type]:
    """The value, and its type, one step further along a path."""
    for choice in _choices(kind):
        if isinstance(choice, inspect.StructType) and isinstance(value, Mapping):
            for field in choice.fields:
                if field.encode_name == part:
                    return value.get(part), field.type
        if isinstance(choice, inspect.ListType) and isinstance(value, list):
            return value[int(part)], choice.item_type
    return None, inspect.AnyType()


def _wanted(kind: inspect.Type) -> str:
    """A type in the words of somebody who sends JSON: "a string of 1 to 256 characters"."""
    return " or ".join(dict.fromkeys(_word(choice) for choice in _choices(kind)))


def _word(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata():
            described = (kind.extra_json_schema or {}).get("description")
            return str(described) if described else _wanted(kind.type)
        case inspect.StrType():
            return "a string" + _bounds(kind.min_length, kind.max_length, " of", " characters")
        case inspect.IntType():
            return "a whole number" + _bounds(kind.ge, kind.le)
        case inspect.FloatType():
            return "a number" + _bounds(kind.ge, kind.le)
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return "one of " + ", ".join(f'"{value}"' for value in kind.values)
        case inspect.ListType():
            return "an array" + _bounds(kind.min_length, kind.max_length, " of", " entries")
        case inspect.DictType() | inspect.StructType():
            return "an object"
    return "something else"


def _bounds(least: float | None, most: float | None, before: str = "", after: str = "") -> str:
    if least is not None and most is not None:
        return f"{before or ' from'} {least:,g} to {most:,.16g}{after}"
    if most is not None:
        return f"{before} at most {most:,.16g}{after}"
    return f"{before} of at least {least:,g}{after}" if least is not None else ""


def _refused(path: str, value: Any, wanted: str, complaint: str) -> Invalid:
    code = "out_of_bounds" if re.search(r"length|>=|<=|matching|Invalid enum|out of range", complaint) else "wrong_type"
    if isinstance(value, str) and len(value) > 80:
        shown = f"{len(value):,} characters long"
    elif isinstance(value, list) and code == "out_of_bounds":
        shown = f"{len(value):,} entries long"
    else:
        shown = quoted(value)
    return Invalid(code, f'field "{path}" is {shown}, must be {wanted}')


def _not_json(data: bytes, error: orjson.JSONDecodeError) -> Invalid:
    try:
        text = data.decode()
    except UnicodeDecodeError as fault:
        return Invalid("not_utf8", f"byte {fault.start} (0x{data[fault.start]:02x}) is not UTF-8")
    if not text:
        return Invalid("not_json", "the value is empty, must be a JSON object")
    at = len(text[: error.pos].encode())  # orjson counts characters
    return Invalid("not_json", f"not JSON at byte {at}: {error.msg}")


def _kind(value: Any) -> str:
    return {list: "an array", str: "a string", bool: "a truth value", type(None): "null"}.get(type(value), "a number")
