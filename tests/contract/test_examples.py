"""Every example payload through our reader and through its JSON Schema: both agree, and say what `expected.json` says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.base import Invalid, milliseconds
from schemas.decision import encode
from schemas.generate import FOLDER, RECORDS, record_schema
from schemas.message import Incoming, read_message
from schemas.people import read_feedback
from schemas.reading import CODES, read

EXAMPLES = FOLDER / "examples"
EXPECTED = json.loads((EXAMPLES / "expected.json").read_text(encoding="utf-8"))
RECEIVED_MS = milliseconds(EXPECTED["received"])
VALID = sorted((EXAMPLES / "valid").glob("*/*"))
INVALID = sorted((EXAMPLES / "invalid").glob("*/*"))
NOT_FROM_READING = {
    "too_large",
    "unknown_feedback",
    "record_refused",
    "delivery_refused",
    "delivery_given_up",
    "internal_error",
}
"""Codes that others give: whoever takes files or forms, the learner, the recorder, notify, and a chunk that met a defect."""
BEYOND_A_SCHEMA = {"sent_at", "attributes"}
"""What only the reader can fault: the calendar and the arrival, and a map's bytes."""


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def reader(record: str) -> Callable[[bytes | None], Any]:
    if record == "message":
        return lambda data: read_message(data, RECEIVED_MS)
    if record == "feedback":
        return read_feedback
    return lambda data: read(data, RECORDS[record])


def bytes_of(path: Path) -> bytes | None:
    return None if path.suffix == ".absent" else path.read_bytes()


def faulted_fields(record: str, value: Any) -> set[str]:
    """The first steps of the paths that the schema objects to; "" for the record itself."""
    errors = Draft202012Validator(record_schema(record)).iter_errors(value)
    return {str(error.absolute_path[0]) if error.absolute_path else "" for error in errors}


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_a_valid_payload_is_read_and_fits_its_schema(path: Path) -> None:
    record = path.parent.name
    value = reader(record)(path.read_bytes())
    corrected = set(value.corrected) if isinstance(value, Incoming) else set()
    faults = faulted_fields(record, json.loads(path.read_bytes()))
    assert faults <= corrected
    assert corrected - faults <= BEYOND_A_SCHEMA


@pytest.mark.parametrize("path", VALID, ids=name_of)
def test_what_was_read_is_written_as_the_schema_says_and_read_again_as_equal(path: Path) -> None:
    record = path.parent.name
    value = reader(record)(path.read_bytes())
    value = value.message if isinstance(value, Incoming) else value
    written = encode(value)
    assert faulted_fields(record, json.loads(written)) == set()
    assert read(written, RECORDS[record]) == value


@pytest.mark.parametrize("path", [path for path in VALID if path.parent.name == "message"], ids=name_of)
def test_a_message_is_mended_where_expected_and_nowhere_else(path: Path) -> None:
    incoming = read_message(path.read_bytes(), RECEIVED_MS)
    assert sorted(incoming.corrected) == EXPECTED["corrected"].get(name_of(path), [])
    assert incoming.message.conversation_id is not None
    assert incoming.message.sent_at is not None
    if "sent_at" in incoming.corrected:
        assert incoming.message.sent_at == EXPECTED["received"]


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_payload_is_refused_with_its_code_and_sentence(path: Path) -> None:
    with pytest.raises(Invalid) as refusal:
        reader(path.parent.name)(bytes_of(path))
    expected = EXPECTED["invalid"][name_of(path)]
    assert refusal.value.code == expected["error"]
    assert expected["says"] in refusal.value.detail
    assert "`" not in refusal.value.detail, "a developer of a support tool does not read Python's type names"
    assert len(refusal.value.detail.splitlines()) == 1
    assert len(refusal.value.detail) < 300


@pytest.mark.parametrize("path", [path for path in INVALID if path.suffix == ".json"], ids=name_of)
def test_an_invalid_payload_is_refused_by_its_schema(path: Path) -> None:
    assert faulted_fields(path.parent.name, json.loads(path.read_bytes()))


def test_expected_json_names_exactly_the_files_there_are() -> None:
    assert set(EXPECTED["invalid"]) == {name_of(path) for path in INVALID}
    assert set(EXPECTED["corrected"]) <= {name_of(path) for path in VALID}
    assert {path.suffix for path in VALID} == {".json"}
    assert {path.suffix for path in INVALID} == {".json", ".bin", ".absent"}


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_has_valid_and_invalid_examples(record: str) -> None:
    assert list((EXAMPLES / "valid" / record).glob("*"))
    assert list((EXAMPLES / "invalid" / record).glob("*"))


def test_every_code_that_reading_can_give_has_an_example() -> None:
    assert set(CODES) >= NOT_FROM_READING
    assert {entry["error"] for entry in EXPECTED["invalid"].values()} == set(CODES) - NOT_FROM_READING
