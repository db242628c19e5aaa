"""Rows are pure functions of records, hold no text where none may be, and nothing that ClickHouse would choke on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from aiokafka.structs import ConsumerRecord

from agents.recording.tables import DAY_MS, LATEST_MS, TABLES, Row, Tables
from schemas.base import Invalid, timestamp

NOW = 1_790_000_000_123


def row(kind: str, value: Any, arrived: int = NOW, ids: Callable[[str, str], int] | None = None) -> Row | None:
    data = value if isinstance(value, bytes) or value is None else orjson.dumps(value)
    record = ConsumerRecord(f"tocsin.{kind}", 2, 7, arrived, 1, None, data, None, 0, 0, ())
    return Tables(ids or (lambda name, language: 5)).row(kind, record, "life")


def fields(kind: str, value: Any, arrived: int = NOW, ids: Callable[[str, str], int] | None = None) -> dict[str, Any]:
    made = row(kind, value, arrived, ids)
    assert made is not None
    assert b"\n" not in made.data
    found = orjson.loads(made.data)
    assert made.day == int(found["received_at"] // 86_400)
    assert isinstance(found, dict)
    return found


def decision(**changes: Any) -> dict[str, Any]:
    at = timestamp(NOW)
    return {
        "id": "d1", "message_id": "m1", "revision": 0, "customer_id": "c1", "conversation_id": "v1", "channel": None,
        "language": "en", "status": "scored", "status_reason": None, "priority": "p1", "decided_by": "rule",
        "sentiment": {"label": "negative", "score": -0.5, "probabilities": {"negative": 0.8, "positive": 0.2}},
        "reasons": [
            {"floor": "legal", "phrase": "my lawyer", "start": 3, "end": 12},
            {"head": "sentiment", "label": "negative", "bias": 0.1, "rest": 0.2, "logit": 0.8,
             "contributions": [{"feature": "refund", "value": 0.3}, {"feature": "not happy", "value": 0.2}]},
        ],
        "route": "legal", "automation_allowed": False, "model_version": "b@0", "policy_version": "default@f",
        "truncated": None, "corrected": [], "sent_at": at, "received_at": at, "decided_at": at,
        "source": {"topic": "tocsin.messages", "partition": 2, "offset": 9}, "supersedes": None, "feedback_id": None,
        **changes,
    }  # fmt: skip


FEEDBACK = {
    "id": "f1",
    "message_id": "m1",
    "customer_id": "c1",
    "kind": "override",
    "reviewer": "r1",
    "text": "SECRET words",
    "note": "SECRET note",
    "labels": {"urgency": True, "priority": "p1"},
    "predicted": {
        "labels": {"urgency": False, "category": "billing", "note": "SECRET", "spam": {"deep": ["SECRET" * 50]}},
        "priority": "p3",
        "source": {"topic": "tocsin.messages", "partition": 2, "offset": 9},
    },
}
HEALTH = {"code": "model_quality", "component": "learn", "at": timestamp(NOW), "figures": {"head": "spam", "n": 3}}
ACTION = {"id": "a1", "customer_id": "c1", "message_id": "m1", "kind": "snoozed", "by": "r1", "at": timestamp(NOW)}
HANDOFF = {
    "id": "h1", "customer_id": "c1", "conversation_id": "v1", "message_id": "m1", "decision_id": "d1", "trigger": "asked",
    "why": {"en": "SECRET", "fr": "SECRET"}, "priority": "p2", "route": "support", "transcript": ["m0", "m1"],
    "journey": None, "at": timestamp(NOW),
}  # fmt: skip
INCIDENT = {
    "id": "i1", "kind": "burst", "state": "opened", "at": timestamp(NOW), "opened_at": timestamp(NOW),
    "why": {"en": "Many.", "fr": "Beaucoup."}, "first": {"message_id": "m1", "customer_id": "c1", "at": timestamp(NOW),
    "source": {"topic": "tocsin.messages", "partition": 2, "offset": 9}}, "messages": 20, "customers": 18, "rate": 20.0,
    "peak": 20.0, "usual": None, "phrases": ["down"], "categories": {"technical": 20}, "channels": {"chat": 20},
    "languages": {"en": 20}, "priorities": {"p3": 19, "p1": 1}, "examples": ["m1"], "alerts": [], "rang": 1,
}  # fmt: skip
EVENT = {"kind": "trouble", "at": NOW, "message_id": "m1", "weight": 0.5}
CUSTOMER = {"turns": [], "standing": [{"kind": "at_risk", "score": 6.5, "events": [EVENT]}]}
LETTER = {
    "topic": "tocsin.messages", "partition": 0, "offset": 4, "key": None, "value": "eA==", "length": 1, "sha256": "ab",
    "error": "not_json", "detail": "not JSON at byte 0", "at": timestamp(NOW),
}  # fmt: skip
MESSAGE = {
    "id": "m1",
    "customer_id": "c1",
    "text": "Hello\nthere",
    "attributes": {"vip": True, "n": 1, "x": None, "s": "a"},
}
GOOD = {
    "messages": MESSAGE,
    "decisions": decision(),
    "feedback": FEEDBACK,
    "actions": ACTION,
    "handoffs": HANDOFF,
    "incidents": INCIDENT,
    "shadow": decision(),
    "customers": CUSTOMER,
    "dead-letters": LETTER,
    "health": HEALTH,
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_row_names_its_record_and_is_the_same_each_time(kind: str) -> None:
    found = fields(kind, GOOD[kind])
    place = {name: found[name] for name in ("_topic", "_partition", "_offset", "_topic_id", "received_at")}
    assert place == {
        "_topic": f"tocsin.{kind}",
        "_partition": 2,
        "_offset": 7,
        "_topic_id": "life",
        "received_at": NOW / 1000,
    }
    assert row(kind, GOOD[kind]) == row(kind, GOOD[kind])


def test_a_decision_holds_feature_ids_instead_of_words_and_no_phrase() -> None:
    known = {("refund", "en"): 11, ("not happy", "en"): 2**64 - 1}
    found = fields("decisions", decision(), ids=lambda name, language: known[name, language])
    assert found["reasons"][0] == {"floor": "legal", "start": 3, "end": 12}
    assert found["reasons"][1]["contributions"] == [{"feature": 11, "value": 0.3}, {"feature": 2**64 - 1, "value": 0.2}]
    assert "urgency" not in found
    for word in ("lawyer", "refund", "happy", "phrase"):
        assert word.encode() not in orjson.dumps(found)


def test_a_feature_is_looked_up_once_a_language() -> None:
    asked: list[tuple[str, str]] = []

    def ids(name: str, language: str) -> int:
        asked.append((name, language))
        return len(asked)

    tables = Tables(ids)
    for language in ("en", "fr", "en"):
        record = ConsumerRecord("t", 0, 0, NOW, 1, None, orjson.dumps(decision(language=language)), None, 0, 0, ())
        assert tables.row("decisions", record, "") is not None
    assert asked == [("refund", "en"), ("not happy", "en"), ("refund", "fr"), ("not happy", "fr")]


@pytest.mark.parametrize(
    ("received", "kept"),
    [
        (NOW, True),
        (NOW - 150 * DAY_MS, True),
        (NOW - 200 * DAY_MS, False),
        (NOW + 2 * DAY_MS, False),
        (0, False),
        (4_330_000_000_000, False),
        (253_402_300_799_999, False),
    ],
)
def test_an_absurd_arrival_is_replaced_by_the_brokers_time(received: int, kept: bool) -> None:
    found = fields("decisions", decision(received_at=timestamp(received)))
    assert found["received_at"] == (received if kept else NOW) / 1000
    assert found["_timestamp"] == NOW / 1000


@pytest.mark.parametrize(
    "at", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-02-31T00:00:00Z", "2026-01-01T23:59:60Z"]
)
def test_times_stay_within_what_a_column_can_hold(at: str) -> None:
    found = fields("decisions", decision(sent_at=at, decided_at=at))
    for name in ("sent_at", "decided_at"):
        assert 0 <= found[name] <= LATEST_MS / 1000


def test_a_message_keeps_its_text_and_its_time_of_years_ago() -> None:
    found = fields("messages", {**MESSAGE, "sent_at": "2017-05-01T10:00:00Z"})
    assert found["text"] == "Hello\nthere"
    assert found["sent_at"] == 1_493_632_800.0
    assert found["attributes"] == {"vip": "true", "n": "1", "x": "null", "s": "a"}
    assert fields("messages", {**MESSAGE, "author_role": "agent"})["author_role"] == "agent"


@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"\xff", b"[]", b'{"id":"m1"}', b'{"id":"m1","customer_id":"c","text":""}']
)
def test_what_triage_or_learn_report_is_no_row(value: bytes | None) -> None:
    assert row("messages", value) is None
    assert row("feedback", value) is None


@pytest.mark.parametrize("kind", ["decisions", "actions", "handoffs", "dead-letters", "health"])
@pytest.mark.parametrize(
    "value",
    [None, b"", b"{", b"\xff", b"[]", b"{}", b'{"id":"\xff"}', b"[" * 5000, b'{"id":"\\ud800"}', b'{"reasons":[1]}'],
)
def test_what_nobody_else_would_report_is_invalid(kind: str, value: bytes | None) -> None:
    with pytest.raises(Invalid):
        row(kind, value)


def test_feedback_leaves_text_note_and_free_words_behind() -> None:
    made = row("feedback", FEEDBACK)
    assert made is not None
    found = orjson.loads(made.data)
    assert "text" not in found
    assert "note" not in found
    assert found["labels"] == {"urgency": True, "priority": "p1"}
    assert found["predicted"]["labels"]["category"] == "billing"
    assert found["predicted"]["labels"]["urgency"] == "false"
    assert b"SECRET" not in made.data


def test_feedback_without_a_judgement_has_no_predicted() -> None:
    retract = {
        "id": "f2",
        "message_id": "m1",
        "customer_id": "c1",
        "kind": "retract",
        "retracts": "f1",
        "reviewer": "r1",
    }
    found = fields("feedback", retract)
    assert "predicted" not in found
    assert found["retracts"] == "f1"
    assert found["at"] == NOW / 1000


def test_figures_are_json_text() -> None:
    assert fields("health", HEALTH)["figures"] == '{"head":"spam","n":3}'
    assert fields("health", {**HEALTH, "figures": {}})["figures"] == "{}"


def test_unknown_fields_are_left_out() -> None:
    for kind, good in GOOD.items():
        assert "surprise" not in fields(kind, {**good, "surprise": 1})


@pytest.mark.parametrize("arrived", [-1, 0, 2**62])
def test_an_absurd_broker_time_is_bounded(arrived: int) -> None:
    for kind, good in GOOD.items():
        made = row(kind, good, arrived)
        assert made is not None
        assert 0 <= orjson.loads(made.data)["received_at"] <= 4_102_444_800


def test_a_customer_has_a_row_only_where_there_is_something_to_say() -> None:
    found = fields("customers", CUSTOMER)
    event = {"kind": "trouble", "at": NOW / 1000, "message_id": "m1", "weight": 0.5}
    assert found["standing"] == [{"kind": "at_risk", "score": 6.5, "events": [event]}]
    assert row("customers", {"turns": []}) is None
    for silent in (None, {"turns": [], "cleared": True}):  # the last row counts
        assert fields("customers", silent)["standing"] == []
