"""From a Kafka record to a row of its table: a JSON object whose keys are the table's columns.

A row is a pure function of its record, so that every recorder that sends a range sends the same rows.
Owns: what of a record is recorded, and the times that partitions and time-to-live go by. Must never: read a clock, keep
text outside `messages` and `dead_letters`, or let an absurd value reach ClickHouse and stop the rows beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec
import orjson
from aiokafka.structs import ConsumerRecord

from schemas.base import Invalid, milliseconds
from schemas.decision import Decision
from schemas.history import Customer, Handoff
from schemas.incident import Incident
from schemas.message import read_message
from schemas.operations import DeadLetter, Health
from schemas.people import HEADS, Action, read_feedback
from schemas.reading import read

Record: TypeAlias = ConsumerRecord[bytes | None, bytes | None]

TABLES = {
    "messages": "messages",
    "decisions": "decisions",
    "shadow": "shadow",
    "feedback": "feedback",
    "actions": "actions",
    "handoffs": "handoffs",
    "incidents": "incidents",
    "customers": "customers",
    "dead-letters": "dead_letters",
    "health": "health",
}
"""The table of each kind of topic (its name without the prefix)."""
DAY_MS = 86_400_000
LATEST_MS = 10_413_791_999_000
"""2299-12-31: what DateTime64(3) holds; later ones cannot even be read back (clickhouse-connect 1.12: ValueError)."""
LATEST_ARRIVAL_MS = 4_102_444_800_000
"""2100: time-to-live and roll-ups go through DateTime, which ends in 2106 and starts again in 1970."""
OLDEST_DECIDED_MS = 170 * DAY_MS
"""How much older than its decision a message may be: beyond, ClickHouse would drop the row as it comes (180 days)."""
_KNOWN_FEATURES = 200_000
_KNOWN_LANGUAGES = 50
_ELSEWHERE = frozenset(("messages", "feedback"))
"""Kinds whose unreadable records become dead letters in the role that acts on them (triage, learn)."""


class Row(NamedTuple):
    """One row.

    `data` is a JSON object without a line break; `day` counts from 1970 and is the UTC day of `received_at`: rows of
    one day stand in one partition of every table and roll-up, whether that is cut by day, week or month.
    """

    data: bytes
    day: int


class _FeatureIds(dict[str, int]):
    """Ids of the features of one language; bounded, for names come from messages."""

    def __init__(self, language: str, feature_id: Callable[[str, str], int]) -> None:
        super().__init__()
        self._language = language
        self._feature_id = feature_id

    def __missing__(self, name: str) -> int:
        if len(self) >= _KNOWN_FEATURES:
            self.clear()
        found = self[name] = self._feature_id(name, self._language)
        return found


class Tables:
    """Makes rows.

    Args:
        feature_id: the id of a feature by its readable name and the decision's language; `decisions` holds no words.
    """

    def __init__(self, feature_id: Callable[[str, str], int]) -> None:
        self._feature_id = feature_id
        self._features: dict[str, _FeatureIds] = {}
        self._places: dict[tuple[str, int, str], bytes] = {}
        self._decode = msgspec.json.Decoder(Decision).decode
        self._encode = msgspec.json.Encoder().encode
        self._makers: Mapping[str, Callable[[bytes | None, int], tuple[bytes, int]]] = {
            "messages": self._message,
            "decisions": self._decision,
            "shadow": _shadow,
            "feedback": _feedback,
            "actions": _action,
            "handoffs": _handoff,
            "incidents": _incident,
            "dead-letters": _dead_letter,
            "health": _health,
        }

    def row(self, kind: str, record: Record, topic_id: str) -> Row | None:
        """The row of a record of this kind of topic; None where another role reports the record, or it has nothing to say.

        Raises:
            Invalid: the record cannot be read, and nobody but the recorder would say so.
        """
        arrived = min(max(record.timestamp, 0), LATEST_ARRIVAL_MS)
        try:
            if kind == "customers":
                found = _customer(record.key, record.value)
                if found is None:
                    return None
                fields, received = found, arrived
            else:
                fields, received = self._makers[kind](record.value, arrived)
        except Invalid:
            if kind in _ELSEWHERE:
                return None
            raise
        place = self._place(record.topic, record.partition, topic_id)
        data = b'%b,"received_at":%b,"_offset":%d,%b' % (fields[:-1], _seconds(received), record.offset, place)
        return Row(data, received // DAY_MS)

    def _place(self, topic: str, partition: int, topic_id: str) -> bytes:
        key = (topic, partition, topic_id)
        if key not in self._places:
            place = {"_topic": topic, "_partition": partition, "_topic_id": topic_id}
            self._places[key] = orjson.dumps(place)[1:]
        return self._places[key]

    def _message(self, value: bytes | None, arrived: int) -> tuple[bytes, int]:
        row: Any = read_message(value, arrived).message  # Any: a row's times are numbers, its attributes text
        row.sent_at = _time(row.sent_at, arrived)
        row.attributes = {name: _plain(scalar) for name, scalar in row.attributes.items()}
        return self._encode(row), arrived

    def _decision(self, value: bytes | None, arrived: int) -> tuple[bytes, int]:
        row: Any
        try:
            row = self._decode(value or b"")  # bytes to struct in one pass: half the time of going through a dict
        except (msgspec.MsgspecError, ValueError, RecursionError):
            row = read(value, Decision)  # slower; says what is wrong
        features = self._features.get(row.language)
        if features is None:
            if len(self._features) >= _KNOWN_LANGUAGES:
                self._features.clear()
            features = self._features[row.language] = _FeatureIds(row.language, self._feature_id)
        for reason in row.reasons:
            reason.phrase = msgspec.UNSET
            for part in reason.contributions or ():
                part.feature = features[part.feature]
        received = _milliseconds(row.received_at, arrived)
        if not arrived - OLDEST_DECIDED_MS <= received <= arrived + DAY_MS:
            received = arrived
        row.sent_at = _time(row.sent_at, received)
        row.decided_at = _time(row.decided_at, arrived)
        row.received_at = msgspec.UNSET  # `row` sets it
        return b'%b,"_timestamp":%b}' % (self._encode(row)[:-1], _seconds(arrived)), received


def _shadow(value: bytes | None, arrived: int) -> tuple[bytes, int]:
    decision = read(value, Decision)
    names = ("id", "message_id", "revision", "channel", "language", "status", "priority", "decided_by", "route")
    row: dict[str, Any] = {name: getattr(decision, name) for name in names}
    row |= {name: getattr(decision, name) for name in ("automation_allowed", "model_version", "policy_version")}
    row["category"] = "" if isinstance(decision.category, msgspec.UnsetType) else decision.category.label
    received = _milliseconds(decision.received_at, arrived)
    if not arrived - OLDEST_DECIDED_MS <= received <= arrived + DAY_MS:
        received = arrived
    return orjson.dumps(
        {**row, "channel": decision.channel or "", "decided_at": _time(decision.decided_at, arrived)}
    ), received


def _feedback(value: bytes | None, arrived: int) -> tuple[bytes, int]:
    feedback = read_feedback(value)
    fields = msgspec.to_builtins(feedback)
    del fields["text"], fields["note"]
    fields["at"] = _time(feedback.at, arrived)
    judged = fields.pop("predicted")
    if judged is not None:
        known = (*HEADS, "priority")
        labels = {name: label for name, label in judged["labels"].items() if name in known}
        judged["labels"] = {name: _plain(label)[:64] for name, label in labels.items() if isinstance(label, str | bool)}
        del judged["sent_at"], judged["received_at"]
        fields["predicted"] = judged
    return orjson.dumps(fields), arrived


def _action(value: bytes | None, arrived: int) -> tuple[bytes, int]:
    action = read(value, Action)
    until = None if action.until is None else _time(action.until, arrived)
    return orjson.dumps({**msgspec.to_builtins(action), "at": _time(action.at, arrived), "until": until}), arrived


def _handoff(value: bytes | None, arrived: int) -> tuple[bytes, int]:
    handoff = read(value, Handoff)
    fields = {**msgspec.to_builtins(handoff), "at": _time(handoff.at, arrived)}
    del fields["why"]  # the policy has the sentence; `trigger` says which
    if handoff.journey is None:
        del fields["journey"]
    return orjson.dumps(fields), arrived


def _incident(value: bytes | None, arrived: int) -> tuple[bytes, int]:
    incident = read(value, Incident)
    times = {name: getattr(incident, name) for name in ("at", "opened_at", "peaked_at", "closed_at")}
    row = {
        **msgspec.to_builtins(incident),
        **{name: None if at is None else _time(at, arrived) for name, at in times.items()},
        "first": {**msgspec.to_builtins(incident.first), "at": _time(incident.first.at, arrived)},
    }
    del row["why"]  # the policy has the sentence; `kind` says which
    return orjson.dumps({name: one for name, one in row.items() if one is not None}), arrived


def _customer(key: bytes | None, value: bytes | None) -> bytes | None:
    """How things stand with a customer; None where there is nothing to say."""
    name = (key or b"").decode("utf-8", "replace")
    if not value or b'"cleared":true' in value:
        return orjson.dumps({"customer_id": name, "standing": []})  # the last row counts: what stood before must not
    if b'"standing"' not in value:
        return None
    standing = [
        {
            "kind": one.kind,
            "score": one.score,
            "events": [
                {
                    "kind": each.kind,
                    "at": min(each.at, LATEST_MS) / 1000,
                    "message_id": each.message_id,
                    "weight": each.weight,
                }
                for each in one.events
            ],
        }
        for one in read(value, Customer).standing
    ]
    return orjson.dumps({"customer_id": name, "standing": standing})


def _dead_letter(value: bytes | None, arrived: int) -> tuple[bytes, int]:
    letter = read(value, DeadLetter)
    return orjson.dumps({**msgspec.to_builtins(letter), "at": _time(letter.at, arrived)}), arrived


def _health(value: bytes | None, arrived: int) -> tuple[bytes, int]:
    health = read(value, Health)
    try:
        figures = orjson.dumps(health.figures).decode()
    except orjson.JSONEncodeError:  # nested deeper than 254 levels: read, but not written
        figures = "{}"
    fields = {**msgspec.structs.asdict(health), "at": _time(health.at, arrived), "figures": figures}
    return orjson.dumps(fields), arrived


def _milliseconds(value: str | None, default: int) -> int:
    if value is None:
        return default
    try:
        return milliseconds(value)
    except (ValueError, OverflowError):  # the shape of a time, but not on any calendar
        return default


def _time(value: str | None, default: int) -> float:
    """Seconds since 1970, as a row holds times, within what the column can hold."""
    return min(max(_milliseconds(value, default), 0), LATEST_MS) / 1000


def _seconds(moment: int) -> bytes:
    # Seconds with decimals: ClickHouse 26.9 reads a whole number in JSON as seconds, whatever DateTime64's precision.
    return b"%d.%03d" % divmod(moment, 1000)


def _plain(scalar: Any) -> str:
    """A label or an attribute as text; true, false and null as JSON has them."""
    return scalar if isinstance(scalar, str) else orjson.dumps(scalar, default=str).decode()
