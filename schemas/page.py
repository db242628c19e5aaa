"""The page docs/topics.md: the AsyncAPI document and the JSON Schemas for people.

Owns: its layout. Must never: say what the channels, the types and their meanings do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.asyncapi import CHANNELS, PREFIX, Channel

EXAMPLES = Path(__file__).parent / "examples/valid"
_FIRST = {"message": "full", "decision": "scored", "alert": "new", "feedback": "correct", "lesson": "learn",
          "dead-letter": "not_json", "model-update": "one_head", "policy": "version", "action": "taken",
          "health": "alarm", "customer": "two_turns", "incident": "lockers_shut"}  # fmt: skip
"""The example to look at first, where there are several."""
_EXAMPLES = "../schemas/examples/valid"
_BYTES = ("model-snapshot", "crowd-state")

_HEAD = """# What is on the topics?

Made by `python -m schemas.generate`, out of the types in [schemas/](../schemas): change those. For machines there are the
AsyncAPI 3.0 document [schemas/asyncapi.json](../schemas/asyncapi.json) and a JSON Schema for each record.

- Topics carry the prefix `tocsin.`; `TOCSIN_TOPIC_PREFIX` changes it for all of them.
- Read with `isolation.level=read_committed`: [docs/subscribe.md](subscribe.md) shows how.
- *in*: you write it, Tocsin reads it. *out*: Tocsin writes it, read it if you like. *own*: Tocsin's memory, never write to it.
- Values are JSON where nothing else is said; times are RFC 3339, UTC. Fields that are not named here are kept out, not refused.
- Topics keyed by customer have as many partitions as `TOCSIN_PARTITIONS` says (8); all others have one, hence one order.
- What Tocsin writes has CloudEvents 1.0 headers: `ce_id`, `ce_source`, `ce_type`, `ce_specversion`, `ce_time`, `content-type`.
"""


def page(schemas: dict[str, dict[str, Any]]) -> str:
    """The whole page, of the records' JSON Schemas by name."""
    shared: dict[str, dict[str, Any]] = {}
    records = {schema["title"] for schema in schemas.values()}
    parts = [_HEAD, "## Topics\n" + "\n".join(_topics()) + "\n", "## Records\n"]
    for name in dict.fromkeys(channel.message for channel in CHANNELS):
        if name in _BYTES:
            continue
        schema = schemas[name]
        parts.append("\n".join(_record(name, schema)) + "\n")
        shared |= {title: each for title, each in schema.get("$defs", {}).items() if title not in records}
    parts.append("## Parts of records\n" + "\n".join(_part(name, shared[name]) for name in sorted(shared)) + "\n")
    return "\n".join(parts)


def _direction(channel: Channel) -> str:
    if channel.topic in ("messages", "feedback", "actions"):
        return "in"
    own = channel.message in (*_BYTES, "lesson", "model-update", "policy", "customer", "answered")
    return "own" if own else "out"


def _topics() -> Iterator[str]:
    yield "| topic | | key | kept | what | record |"
    yield "|---|---|---|---|---|---|"
    for channel in CHANNELS:
        kept = f"{channel.days} d" if channel.days else "for ever"
        if channel.compact:
            kept = f"newest of each key, {kept}"
        record = "bytes" if channel.message in _BYTES else f"[{_said(channel.message)}](#{channel.message})"
        says = channel.says.split(" What support tools subscribe to")[0]
        yield f"| `{PREFIX}{channel.topic}` | {_direction(channel)} | {channel.key} | {kept} | {says} | {record} |"


def _said(name: str) -> str:
    return name.replace("-", " ")


def _record(name: str, schema: dict[str, Any]) -> Iterator[str]:
    examples = sorted(file.stem for file in (EXAMPLES / name).glob("*.json"))
    first = _FIRST.get(name, examples[0])
    topics = ", ".join(f"`{channel.topic}`" for channel in CHANNELS if channel.message == name)
    yield f"### {_said(name).capitalize()}"
    more = f" and [{len(examples) - 1} more]({_EXAMPLES}/{name})" if len(examples) > 1 else ""
    yield f"On {topics}. [JSON Schema](../schemas/json/{name}.v1.json), [an example]({_EXAMPLES}/{name}/{first}.json){more}."
    yield ""
    yield schema["description"]
    yield ""
    yield "| field | | type | meaning |"
    yield "|---|---|---|---|"
    for field, shape in schema["properties"].items():
        needed = "needed" if field in schema.get("required", ()) else ""
        yield f"| `{field}` | {needed} | {_type(shape)} | {shape['description'].replace('|', chr(92) + '|')} |"


def _part(name: str, schema: dict[str, Any]) -> str:
    fields = "; ".join(f"`{field}` {_type(shape, brief=True)}" for field, shape in schema["properties"].items())
    return f'- <a id="{name.lower()}"></a>**{name}**: {schema["description"]}\n  Fields: {fields}.'


def _type(shape: dict[str, Any], *, brief: bool = False) -> str:
    """A type in words; null is left out: what may be null may be left out, too."""
    if "$ref" in shape:
        name = shape["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in shape:
        return " or ".join(_type(each, brief=brief) for each in shape["anyOf"] if each != {"type": "null"})
    if "enum" in shape:
        return " ".join(f"`{value}`" for value in shape["enum"]) if not brief else "/".join(shape["enum"])
    if shape.get("format") == "date-time":
        return "time"
    kind = shape.get("type")
    if kind == "array":
        return f"list of {_type(shape['items'], brief=True)}" if "items" in shape else "list"
    if kind == "object":
        values = shape.get("additionalProperties")
        return f"map to {_type(values)}" if isinstance(values, dict) else "map"
    words = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}
    long = shape.get("maxLength", 0) > 64 and "pattern" not in shape and not brief
    longest = f", at most {shape['maxLength']:,}" if long else ""
    return words.get(str(kind), "anything") + longest
