"""JSON Schema 2020-12 of every record, the AsyncAPI document and the page of the topics, generated from the types.

`python -m schemas.generate` writes them; `--check` writes nothing and fails where a file differs from its type.
Owns: `schemas/json/`, `schemas/asyncapi.json` and `docs/topics.md`. Must never: say what the types do not, but for the fields'
meanings (`schemas.meanings`) and the rules between fields, which the readers check in code and `_RULES` repeats here; the example
payloads hold the two together.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

from schemas import asyncapi
from schemas.answered import Answered
from schemas.base import MAX_ATTRIBUTES
from schemas.decision import Alert, Decision
from schemas.history import Customer, Handoff
from schemas.incident import Incident
from schemas.learning import Lesson, ModelUpdate
from schemas.meanings import MEANINGS
from schemas.message import Message
from schemas.operations import DeadLetter, Health, PolicyRecord
from schemas.page import page
from schemas.people import Action, Feedback, Labels

FOLDER = Path(__file__).parent
RECORDS: dict[str, type[msgspec.Struct]] = {
    "message": Message,
    "decision": Decision,
    "alert": Alert,
    "feedback": Feedback,
    "action": Action,
    "lesson": Lesson,
    "model-update": ModelUpdate,
    "dead-letter": DeadLetter,
    "health": Health,
    "policy": PolicyRecord,
    "customer": Customer,
    "handoff": Handoff,
    "incident": Incident,
    "answered": Answered,
}
"""Every record that is JSON, by the name of its schema."""

_NULL = {"type": "null"}


def record_schema(name: str) -> dict[str, Any]:
    """The schema of one record: self-contained, with the types it uses under `$defs`."""
    kind = RECORDS[name]
    _, components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    for title, schema in components.items():
        schema["description"] = " ".join(schema.get("description", "").split())
        if title in _RULES:
            _RULES[title](schema)
    if "Message" in components and kind is not Message:
        # A person's word rings with what it knows of the message; of one without text, that is none.
        del components["Message"]["anyOf"]
    root = components.pop(kind.__name__)
    _explain(root["properties"], MEANINGS[name])
    for part, other in RECORDS.items():
        if other.__name__ in components:
            _explain(components[other.__name__]["properties"], MEANINGS[part])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:tocsin:schema:{name}:v1",
        **root,
        "title": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", root["title"]).capitalize(),
        **({"$defs": dict(sorted(components.items()))} if components else {}),
    }


def _explain(properties: dict[str, Any], meanings: dict[str, str]) -> None:
    """Puts each field's meaning into its description, before what that says already of its form."""
    for field, shape in properties.items():
        said = shape.get("description", "")
        # A description that sits beside the type is the type's: "an RFC 3339 time".
        kept = f"; {said[0].lower()}{said[1:]}".removesuffix(".") if said and "format" not in shape else ""
        shape["description"] = f"{meanings[field][0].upper()}{meanings[field][1:]}{kept}."


def _message(schema: dict[str, Any]) -> None:
    """Null is absent in any optional field; a long text is cut, not refused; something must be there to read."""
    properties = schema["properties"]
    for name, field in properties.items():
        if name not in schema["required"] and _NULL not in field.get("anyOf", ()):
            default = {"default": field.pop("default")} if "default" in field else {}
            properties[name] = {"anyOf": [field, _NULL], **default}
    schema["description"] += (
        " Producers send what this schema accepts. The reader is milder: an optional field that does not fit is replaced"
        " by its default and named in the decision's `corrected`."
    )
    properties["text"] = {"type": "string", "description": "Kept up to 100,000 characters, cut beyond."}
    properties["sent_at"]["description"] = "Replaced by the arrival where it is before 1970 or a day ahead of it."
    properties["attributes"]["anyOf"][0]["maxProperties"] = MAX_ATTRIBUTES
    properties["attributes"]["description"] = "A flat map of at most 64 entries and 16 KB."
    schema["anyOf"] = [
        {"properties": {"text": {"minLength": 1}}},
        {"properties": {"event": {"const": "deleted"}}, "required": ["event"]},
        {"properties": {"attachments": {"type": "array", "minItems": 1}}, "required": ["attachments"]},
    ]


def _reason(schema: dict[str, Any]) -> None:
    schema.pop("required", None)
    schema["oneOf"] = [
        {"title": "Floor hit", "required": ["floor", "phrase", "start", "end"]},
        {"title": "History", "required": ["history", "messages"]},
        {"title": "Model account", "required": ["head", "label", "bias", "contributions", "rest", "logit"]},
    ]


def _present(*names: str) -> dict[str, Any]:
    return {"required": list(names), "properties": {name: {"not": _NULL} for name in names}}


def _feedback(schema: dict[str, Any]) -> None:
    """As `schemas.people.feedback_of` checks."""
    labels = [field.encode_name for field in msgspec.structs.fields(Labels)]
    judged = {"required": ["predicted"], "properties": {"predicted": _present("priority", "source")}}
    prioritised = {"required": ["labels"], "properties": {"labels": _present("priority")}}
    correction = _present("labels", "text")
    correction["properties"]["labels"] = {"anyOf": [_present(label) for label in labels]}
    schema["if"] = {"properties": {"kind": {"const": "retract"}}, "required": ["kind"]}
    schema["then"] = _present("retracts")
    schema["else"] = {**correction, "if": prioritised, "then": judged}


_RULES = {"Message": _message, "Reason": _reason, "Feedback": _feedback}


def documents() -> dict[Path, str]:
    """Every generated file and its text."""
    records = {name: record_schema(name) for name in RECORDS}
    found = {f"json/{name}.v1.json": schema for name, schema in records.items()}
    found["asyncapi.json"] = asyncapi.document()
    texts = {FOLDER / path: json.dumps(value, indent=2, ensure_ascii=False) + "\n" for path, value in found.items()}
    return {**texts, FOLDER.parent / "docs/topics.md": page(records)}


def drifted() -> list[Path]:
    """Files that differ from what would be generated, and ones in `json/` that nothing generates."""
    wanted = documents()
    stray = [path for path in sorted((FOLDER / "json").glob("*")) if path not in wanted]
    return [p for p, text in wanted.items() if not p.is_file() or p.read_text(encoding="utf-8") != text] + stray


def main(arguments: list[str]) -> int:
    """Writes the files, or with `--check` names those that drifted and returns 1."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m schemas.generate [--check]", file=sys.stderr)
        return 2
    if arguments:
        for path in drifted():
            print(f"{path.relative_to(FOLDER.parent)} differs from its type: run python -m schemas.generate")
        return 1 if drifted() else 0
    for path, text in documents().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
