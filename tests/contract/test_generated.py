"""The generated files: none drifted from the types, and what they hold is sound by their own standards."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas import asyncapi, generate
from schemas.meanings import MEANINGS

ASYNCAPI = json.loads((generate.FOLDER / "asyncapi.json").read_text(encoding="utf-8"))
DAY_MS = 86_400_000
# Contract section 2: topic, cleanup, days (None: for ever), partitions by default.
TOPICS = {
    "messages": ("delete", 28, 8),
    "decisions": ("delete", 28, 8),
    "shadow": ("delete", 28, 8),
    "priority.p0": ("delete", 28, 8),
    "priority.p1": ("delete", 28, 8),
    "priority.p2": ("delete", 28, 8),
    "review": ("delete", 28, 8),
    "feedback": ("delete", 28, 1),
    "lessons": ("delete", None, 1),
    "models": ("compact", None, 1),
    "model-updates": ("delete", 7, 1),
    "policies": ("compact", None, 1),
    "actions": ("delete", 28, 8),
    "customers": ("compact", None, 8),
    "handoffs": ("delete", 28, 8),
    "answered": ("compact", "delete", 90, 1),
    "incidents": ("delete", 28, 1),
    "crowd": ("compact", None, 1),
    "dead-letters": ("delete", 28, 8),
    "health": ("delete", 7, 1),
}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(document: Any, reference: str) -> Any:
    """What a reference points at; KeyError or FileNotFoundError where nothing is."""
    file, _, pointer = reference.partition("#")
    if file:
        document = json.loads((generate.FOLDER / file).read_text(encoding="utf-8"))
    for part in pointer.split("/")[1:]:
        document = document[part.replace("~1", "/").replace("~0", "~")]
    return document


def test_no_file_drifted_from_the_types() -> None:
    assert generate.drifted() == [], "run python -m schemas.generate"


def test_generating_twice_gives_the_same_bytes() -> None:
    assert generate.documents() == generate.documents()


@pytest.mark.parametrize("damage", ["changed", "deleted", "stray"])
def test_check_fails_and_names_the_file_that_drifted(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "FOLDER", tmp_path / "schemas")
    (tmp_path / "schemas").mkdir()
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    victim = tmp_path / "schemas" / "json" / ("old.v1.json" if damage == "stray" else "alert.v1.json")
    victim.unlink() if damage == "deleted" else victim.write_text("{}")
    capsys.readouterr()
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out.startswith(f"schemas/json/{victim.name} ")


@pytest.mark.parametrize("record", generate.RECORDS)
def test_a_schema_is_valid_2020_12_self_contained_and_described(record: str) -> None:
    schema = generate.record_schema(record)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:tocsin:schema:{record}:v1"
    assert all(reference.startswith("#/$defs/") and resolved(schema, reference) for reference in references(schema))
    for described in (schema, *schema.get("$defs", {}).values()):
        assert described["title"]
        assert described["description"].endswith(".")
        assert "additionalProperties" not in described, "unknown fields are kept out, not rejected"


def test_every_field_has_its_meaning_and_no_meaning_is_left_over() -> None:
    told = {name: set(meanings) for name, meanings in MEANINGS.items()}
    assert told == {name: set(generate.record_schema(name)["properties"]) for name in generate.RECORDS}


def test_the_page_of_the_topics_has_every_topic_and_record_and_its_links_lead_somewhere() -> None:
    page = generate.FOLDER.parent / "docs/topics.md"
    text = page.read_text("utf-8")
    assert set(re.findall(r"^\| `tocsin\.([^`]+)`", text, re.MULTILINE)) == set(TOPICS)
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in text.split("\n") if line.startswith("#")}
    assert set(generate.RECORDS) <= headings
    anchors = headings | set(re.findall(r'<a id="([^"]+)">', text))
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert link[1:] in anchors if link.startswith("#") else (page.parent / link).exists(), link


FLOOR = {"floor": "fire", "phrase": "caught fire", "start": 3, "end": 14}
ACCOUNT = {"head": "urgency", "label": "yes", "bias": 0.0, "contributions": [], "rest": 0.0, "logit": 0.0}


@pytest.mark.parametrize(
    ("reason", "fits"),
    [
        (FLOOR, True),
        (ACCOUNT, True),
        ({}, False),
        ({**FLOOR, **ACCOUNT}, False),
        ({"floor": "fire", "phrase": "caught fire"}, False),
        ({"head": "urgency", "label": "yes", "logit": 0.5}, False),
    ],
)
def test_a_reason_is_a_floor_hit_or_a_model_account(reason: dict[str, Any], fits: bool) -> None:
    schema = generate.record_schema("decision")
    assert Draft202012Validator({**schema["$defs"]["Reason"], "$defs": schema["$defs"]}).is_valid(reason) is fits


def test_every_reference_of_the_asyncapi_document_resolves() -> None:
    found = list(references(ASYNCAPI))
    assert len(found) > len(TOPICS)
    for reference in found:
        assert resolved(ASYNCAPI, reference)


def test_the_asyncapi_document_has_every_topic_as_the_contract_says() -> None:
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    found = {}
    for channel in ASYNCAPI["channels"].values():
        kafka = channel["bindings"]["kafka"]
        assert kafka["topic"] == channel["address"]
        configuration = kafka["topicConfiguration"]
        retention = configuration.get("retention.ms", -1)
        days = None if retention == -1 else retention / DAY_MS
        found[channel["address"].removeprefix("tocsin.")] = (
            *configuration["cleanup.policy"],
            days,
            kafka["partitions"],
        )
    assert found == TOPICS


def test_every_channel_has_messages_with_headers_payload_and_key_and_somebody_who_uses_it() -> None:
    used = {operation["channel"]["$ref"].rpartition("/")[2] for operation in ASYNCAPI["operations"].values()}
    assert used == set(ASYNCAPI["channels"])
    for channel in ASYNCAPI["channels"].values():
        assert channel["messages"]
        for reference in channel["messages"].values():
            message = resolved(ASYNCAPI, reference["$ref"])
            kind = message["headers"]["properties"]["ce_type"]["const"]
            assert kind == message["name"] == f"tocsin.{reference['$ref'].rpartition('/')[2]}.v1"
            assert {"ce_id", "ce_source", "ce_specversion", "ce_time", "content-type", "traceparent"} <= set(
                message["headers"]["properties"]
            )
            assert message["payload"]
            assert message["bindings"]["kafka"]["key"]["description"]


def test_operations_speak_of_messages_of_their_own_channel_and_reading_is_committed() -> None:
    for name, operation in ASYNCAPI["operations"].items():
        assert operation["action"] in ("send", "receive")
        assert name.startswith(operation["action"])
        for reference in operation["messages"]:
            assert reference["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")
        if operation["action"] == "receive":
            assert "isolation.level=read_committed" in operation["summary"]


def test_every_record_has_a_channel_and_every_json_payload_is_a_record() -> None:
    assert {channel.message for channel in asyncapi.CHANNELS} == set(generate.RECORDS) | {
        "model-snapshot",
        "crowd-state",
    }


def test_schemas_imports_nothing_else_of_ours_and_no_kafka() -> None:
    for path in generate.FOLDER.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        roots = {alias.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
        roots |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not roots & {"streams", "agents", "deploy", "tests", "aiokafka", "faust", "confluent_kafka"}, path.name
