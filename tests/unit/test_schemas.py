"""What the record types promise whatever comes in: properties, tried on many generated inputs, always the same ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.arrays import MAGIC, pack, unpack
from schemas.base import MAX_TEXT, Invalid, milliseconds, quoted, timestamp
from schemas.decision import Decision, Source, decision_id, encode
from schemas.message import message_of, read_message
from schemas.people import Action, Labels, feedback_of, read_feedback
from schemas.reading import CODES, convert, json_object, read

steady = settings(derandomize=True, deadline=None, max_examples=200, database=None)
LAST_MS = 253_402_300_799_999
NOW_MS = 1_772_442_000_000
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=20)
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@steady
@given(st.integers(0, LAST_MS))
@example(0)
@example(LAST_MS)
def test_a_timestamp_is_read_back_to_the_millisecond(moment: int) -> None:
    assert milliseconds(timestamp(moment)) == moment


@pytest.mark.parametrize(("moment", "shown"), [(-1, "1970-01-01T00:00:00.000Z"), (2**70, "9999-12-31T23:59:59.999Z")])
def test_a_time_no_calendar_holds_is_cut(moment: int, shown: str) -> None:
    assert timestamp(moment) == shown


@pytest.mark.parametrize(
    "same",
    ["2026-03-02T10:00:00.5+01:00", "2026-03-02T09:00:00.500000Z", "2026-03-02t09:00:00.5z", "2026-03-02 09:00:00.5Z"],
)
def test_ways_to_write_one_moment_are_equal(same: str) -> None:
    assert timestamp(milliseconds(same)) == "2026-03-02T09:00:00.500Z"


@pytest.mark.parametrize(
    "broken", ["", "yesterday", "2026-03-02T09:00:00", "2026-02-30T09:00:00Z", "2026-03-02T25:00:00Z"]
)
def test_what_is_no_time_is_refused(broken: str) -> None:
    with pytest.raises(ValueError):
        milliseconds(broken)


PARTS = st.tuples(
    st.text(max_size=4),
    st.integers(0, 30),
    st.builds(Source, topic=st.text(max_size=3), partition=st.integers(0, 30), offset=st.integers(0, 30)),
    st.text("1:", max_size=4),
    st.text("1:", max_size=4),
    st.none() | st.text("1:", min_size=1, max_size=4),
    st.none() | st.text("1:", min_size=1, max_size=4),
)


@steady
@given(PARTS, PARTS)
def test_decision_ids_are_equal_exactly_where_all_that_makes_them_is(one: Any, other: Any) -> None:
    assert (decision_id(*one) == decision_id(*other)) == (one == other)
    assert len(decision_id(*one)) == 32


def test_decision_ids_tell_neighbouring_parts_apart() -> None:
    place = Source("t", 1, 11)
    calls = [
        ("m", 0, place, "a", "b"),
        ("m", 0, place, "ab", ""),
        ("m", 0, place, "", "ab"),
        ("m", 0, place, "a1:b", ""),
    ]
    calls += [
        ("m", 0, Source("t", 11, 1), "a", "b"),
        ("m0", 0, place, "a", "b"),
        ("m", 0, Source("t1", 1, 11), "a", "b"),
    ]
    calls += [("m", 0, place, "a", "b", "x", None), ("m", 0, place, "a", "b", None, "x")]  # type: ignore[list-item]
    assert len({decision_id(*call) for call in calls}) == len(calls)


ARRAYS = st.dictionaries(
    st.text(max_size=5),
    st.one_of(
        st.lists(st.integers(0, 2**64 - 1), max_size=9).map(lambda v: np.array(v, "<u8")),
        st.lists(st.integers(0, 2**32 - 1), max_size=9).map(lambda v: np.array(v, "<u4")),
        st.lists(st.floats(), max_size=9).map(lambda v: np.array(v, "<f8")),
        st.lists(st.floats(width=32), max_size=9).map(lambda v: np.array(v, "<f4")),
    ),
    max_size=4,
)


@steady
@given(st.dictionaries(st.sampled_from("abc"), SCALARS), ARRAYS)
def test_packed_arrays_come_back_bit_for_bit(header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
    found, again = unpack(pack(header, arrays))
    assert found == orjson.loads(orjson.dumps(header))
    assert list(again) == list(arrays)
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        assert again[name].tobytes() == array.tobytes()


PACKED = pack({"lesson": 412}, {"weights": np.linspace(-1, 1, 40), "ids": np.arange(40, dtype="<u4")})


@pytest.mark.parametrize("kind", ["cut", "grown", "flipped"])
def test_packed_bytes_that_are_not_whole_are_refused_wherever_the_damage_is(kind: str) -> None:
    for position in range(len(PACKED)):
        if kind == "cut":
            damaged = PACKED[:position]
        elif kind == "grown":
            damaged = PACKED[:position] + b"\0" + PACKED[position:]
        else:
            damaged = PACKED[:position] + bytes([PACKED[position] ^ 1 << position % 8]) + PACKED[position + 1 :]
        with pytest.raises(Invalid):
            unpack(damaged)


@steady
@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_no_model(data: bytes) -> None:
    for candidate in (data, MAGIC + data):
        with pytest.raises(Invalid):
            unpack(candidate)


@steady
@given(JSON, st.integers(2, 80))
def test_a_quoted_value_is_short_and_on_one_printable_line(value: Any, limit: int) -> None:
    shown = quoted(value, limit)
    assert 0 < len(shown) <= limit
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ("a\n b", '"a b"'),
        ("\x1b[31m", '"\\x1b[31m"'),
    ],
)
def test_a_value_is_quoted_as_json_and_obeys_no_terminal(value: Any, shown: str) -> None:
    assert quoted(value) == shown


FIELDS = ("id", "customer_id", "text", "subject", "language", "sent_at", "attachments", "event", "revision", "attributes",
          "author_role", "reach", "visibility", "kind", "labels", "predicted", "reviewer", "message_id", "retracts", "at",
          "source", "reasons", "urgency", "by")  # fmt: skip
LIKELY = st.sampled_from(
    ["m-1", "posted", "deleted", "correct", "retract", "fr", "2026-03-02T09:00:00Z", 7, {"urgency": True}]
)
OBJECTS = st.dictionaries(st.sampled_from(FIELDS), JSON | LIKELY, max_size=12)
READERS: list[Callable[[dict[str, Any]], Any]] = [
    lambda fields: message_of(fields, NOW_MS),
    feedback_of,
    lambda fields: convert(fields, Action),
    lambda fields: convert(fields, Decision),
]


@pytest.mark.parametrize("reader", READERS, ids=["message", "feedback", "action", "decision"])
@steady
@given(fields=OBJECTS)
def test_any_object_is_read_or_refused_with_a_code_and_a_sentence(
    reader: Callable[[dict[str, Any]], Any], fields: dict[str, Any]
) -> None:
    try:
        reader(fields)
    except Invalid as refusal:
        assert refusal.code in CODES
        assert "something else" not in refusal.detail


@steady
@given(OBJECTS)
def test_a_message_with_its_required_fields_is_always_read_and_stays_read(extra: dict[str, Any]) -> None:
    incoming = message_of({**extra, "id": "m-1", "customer_id": "c-1", "text": "Where is it?"}, NOW_MS)
    again = read_message(encode(incoming.message), NOW_MS)
    assert again.corrected == []
    assert again.message == incoming.message
    assert len(set(incoming.corrected)) == len(incoming.corrected)


@steady
@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_read_or_refused(data: bytes) -> None:
    for reader in (json_object, lambda b: read_message(b, NOW_MS), read_feedback, lambda b: read(b, Action)):
        try:
            reader(data)
        except Invalid as refusal:
            assert refusal.code in CODES


@pytest.mark.parametrize("levels", [200, 300, 1_000, 100_000])
@pytest.mark.parametrize("around", ["%s", '{"id": "a", "customer_id": "c", "text": %s}', '{"id": %s}'])
def test_however_deep_a_value_nests_it_is_refused(levels: int, around: str) -> None:
    with pytest.raises(Invalid):
        read_message((around % ("[" * levels + "]" * levels)).encode(), NOW_MS)


def test_a_text_over_the_limit_is_cut_and_said_to_be() -> None:
    incoming = message_of({"id": "a", "customer_id": "c", "text": "é" * (MAX_TEXT + 1)}, NOW_MS)
    assert incoming.text_cut
    assert len(incoming.message.text) == MAX_TEXT
    assert not message_of({"id": "a", "customer_id": "c", "text": "é" * MAX_TEXT}, NOW_MS).text_cut


@pytest.mark.parametrize("present", [{"event": "deleted"}, {"attachments": [{"kind": "image"}]}])
def test_a_message_may_leave_out_its_text_where_none_is_needed(present: dict[str, Any]) -> None:
    assert message_of({"id": "a", "customer_id": "c", **present}, NOW_MS).message.text == ""


@pytest.mark.parametrize(("ahead_ms", "kept"), [(0, True), (86_400_000, True), (86_400_001, False)])
def test_a_message_sent_more_than_a_day_ahead_was_sent_on_arrival(ahead_ms: int, kept: bool) -> None:
    fields = {"id": "a", "customer_id": "c", "text": "hello", "sent_at": timestamp(NOW_MS + ahead_ms)}
    incoming = message_of(fields, NOW_MS)
    assert incoming.message.sent_at == timestamp(NOW_MS + ahead_ms if kept else NOW_MS)
    assert incoming.corrected == ([] if kept else ["sent_at"])


def test_labels_are_named_as_the_learner_names_them() -> None:
    labels = Labels(urgency=True, spam=False, category="returns", priority="p1")
    assert labels.heads() == {"urgency": "yes", "spam": "no", "category": "returns"}
