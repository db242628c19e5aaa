"""Targets: the decoders of every record on Kafka, and what is made of a record next.

Promises: bytes become a record or Invalid with a fixed code and one short line; a record is written as its schema says
and read again as equal; what Tocsin makes of it (a row, a lesson, an entry of the live queue) can be made, and read.
Owns: these checks. Must never: repeat the code under test to judge it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from aiokafka.structs import ConsumerRecord
from jsonschema import Draft202012Validator

from agents import alerts
from agents.console.entry import Entry
from agents.console.queue import LiveQueue
from agents.console.view import brief, detail
from agents.feedback import asked, human_decision, lesson_of, restored_decision, retraction, rings
from agents.feedback import message_of as message_as_known
from agents.recording.tables import Tables
from agents.scoring.base import Base
from agents.scoring.heads import Applied, Model
from agents.scoring.learner import Learner, MissingLessons
from agents.scoring.pieces import feature_id
from schemas.base import MAX_OUTPUT_BYTES, Invalid, timestamp
from schemas.decision import Alert, Decision, encode
from schemas.generate import RECORDS, record_schema
from schemas.learning import Lesson, ModelUpdate
from schemas.message import Incoming, Message, message_of, read_message
from schemas.operations import dead_letter
from schemas.people import Action, Feedback, read_feedback
from schemas.reading import CODES, json_object, read
from tests.fuzz.judging import default_policy, judged, small_base
from tests.fuzz.target import Target

NOW_MS = 1_772_442_000_000
AT = timestamp(NOW_MS)
LEARNED_CODES = (*CODES, "other_base")
"""`other_base` never becomes a dead letter: who meets it raises an alarm."""


def refused(fault: Invalid) -> None:
    """A refusal is a fixed code and one line that a terminal can show, and makes a dead letter that can be read."""
    assert fault.code in LEARNED_CODES, fault.code
    assert fault.detail.isprintable(), fault.detail
    assert 0 < len(fault.detail) < 500, fault.detail
    written_and_read("dead-letter", dead_letter("t", 0, 0, None, b"", error=fault.code, detail=fault.detail, at=AT))


@cache
def validator(record: str) -> Any:
    """The record's published schema."""
    return Draft202012Validator(record_schema(record))


def written_and_read(record: str, value: Any) -> bytes:
    """What Tocsin writes fits the published schema, and is read as what was written."""
    data: bytes = encode(value)
    fault = next(iter(validator(record).iter_errors(orjson.loads(data))), None)
    assert fault is None, f"{record}: {fault.message} at {list(fault.absolute_path)}" if fault else ""
    again = read(data, RECORDS[record])
    assert again == value, f"{record} is read as another than was written: {again} for {value}"
    return data


def row(kind: str, data: bytes | None) -> None:
    """The recorder makes a row of it, or refuses it as the reader does."""
    record: Any = ConsumerRecord(f"tocsin.{kind}", 0, 0, NOW_MS, 0, None, data, 0, 0, len(data or b""), ())
    try:
        made = Tables(lambda name, language: feature_id(f"{language}:{name}")).row(kind, record, "id")
    except Invalid as fault:
        refused(fault)
        return
    if made is not None:
        assert b"\n" not in made.data
        orjson.loads(made.data)


def message(data: bytes) -> None:
    row("messages", data)
    try:
        incoming = read_message(data, NOW_MS)
    except Invalid as fault:
        refused(fault)
        return
    try:
        thorough = message_of(json_object(data), NOW_MS)
    except Invalid as fault:
        # The quick way does not look into what it skips: fields that nobody knows.
        assert fault.code in ("not_json", "not_utf8"), f"read in one go, and refused step by step: {fault.detail}"
    else:
        assert thorough == incoming, f"read in one go as {incoming}, step by step as {thorough}"
    decided(incoming)


def decided(incoming: Incoming) -> Decision:
    """A message that was read is written, read again as equal, and judged; its decision and alert can be read."""
    own = incoming.message
    assert len(set(incoming.corrected)) == len(incoming.corrected)
    again = read_message(written_and_read("message", own), NOW_MS)
    assert again.message == own
    assert not again.corrected
    decision = judged(incoming)
    row("decisions", written_and_read("decision", decision))
    rung = alerts.alert(decision, own, default_policy(), NOW_MS)
    assert len(written_and_read("alert", rung)) <= MAX_OUTPUT_BYTES
    shown(rung)
    return decision


def shown(rung: Alert) -> None:
    """The console can show it."""
    queue = LiveQueue()
    queue.ring(rung)
    entry = queue.get(rung.decision.message_id)
    assert entry is not None
    told = detail(entry, default_policy())
    orjson.dumps([brief(entry), told, queue.totals()])
    assert "".join(text for text, _ in told["parts"]) == entry.message.text
    assert isinstance(queue.ordered()[0], Entry)


def feedback(data: bytes) -> None:
    row("feedback", data)
    try:
        word = read_feedback(data)
    except Invalid as fault:
        refused(fault)
        return
    written_and_read("feedback", word)
    policy, model = default_policy(), Model(small_base())
    queue = LiveQueue()
    queue.say(word)
    learner = Learner(small_base())
    if word.kind == "retract":
        taken: Lesson | None = None
    else:
        decision = human_decision(word, AT, model.version, policy)
        taken = lesson_of(word, model.base.id, AT, decision)
        taught(learner, model, taken, 1)
        if decision is not None:
            written(word, decision, word.predicted.priority if word.predicted else "p3", asked(word.predicted))
    if taken is not None:
        back = Feedback(
            id="back", message_id=word.message_id, customer_id=word.customer_id, kind="retract", reviewer="r",
            retracts=word.id,
        )  # fmt: skip
        decision = restored_decision(back, taken, AT, model.version, policy)
        taught(learner, model, retraction(back, model.base.id, AT, taken), 2)
        if decision is not None:
            written(back, decision, word.labels.priority or "p3", was_asked=False)


def written(word: Feedback, decision: Decision, before: Any, was_asked: bool) -> None:
    """What learning writes beside the lesson: a decision, and an alert where something rings."""
    row("decisions", written_and_read("decision", decision))
    ringing = rings(before, was_asked, decision.priority)
    own = message_as_known(word, decision)
    rung = alerts.alert(decision, own, default_policy(), NOW_MS, ringing[0] if ringing else "new")
    written_and_read("alert", rung)
    shown(rung)


def taught(learner: Learner, model: Model, taken: Lesson, offset: int) -> None:
    """A lesson that Tocsin wrote can be read, learned and followed."""
    written_and_read("lesson", taken)
    update = learner.learn(taken, offset)
    assert update is not None
    written_and_read("model-update", update)
    assert model.apply(update) is Applied.APPLIED
    again = Model(learner.base)
    again.restore(learner.snapshot())
    assert again.version == model.version


def action(data: bytes) -> None:
    row("actions", data)
    _plain("action", data, Action)


def decision(data: bytes) -> None:
    row("decisions", data)
    _plain("decision", data, Decision)


def alert(data: bytes) -> None:
    rung = _plain("alert", data, Alert)
    if rung is not None:
        shown(rung)


def dead_letters(data: bytes) -> None:
    row("dead-letters", data)
    _plain("dead-letter", data, RECORDS["dead-letter"])


def health(data: bytes) -> None:
    row("health", data)
    try:
        found = read(data, RECORDS["health"])
    except Invalid as fault:
        refused(fault)
        return
    if len(data) < 10_000:  # `figures` may nest deeper than is written: nobody writes a health record that was read
        try:
            written_and_read("health", found)
        except RecursionError:
            pass


def policy_record(data: bytes) -> None:
    _plain("policy", data, RECORDS["policy"])


def lesson(data: bytes) -> None:
    found = _plain("lesson", data, Lesson)
    if found is None:
        return
    base = Base.none()
    found.base = base.id
    learner, model = Learner(base), Model(base)
    for offset in (1, 2):
        try:
            update = learner.learn(found, offset)
        except Invalid as fault:
            refused(fault)
            return
        except MissingLessons:
            return
        assert update is not None
        written_and_read("model-update", update)
        assert model.apply(update) is Applied.APPLIED
    again = Learner(base)
    again.restore(learner.snapshot())
    assert again.snapshot() == learner.snapshot()


def model_update(data: bytes) -> None:
    found = _plain("model-update", data, ModelUpdate)
    if found is None:
        return
    model = Model(small_base())
    found.base, found.from_offset = model.base.id, 0
    before = model.version
    try:
        applied = model.apply(found)
    except Invalid as fault:
        refused(fault)
        assert model.version == before
        return
    if applied is Applied.APPLIED:
        asked_of(model)


def asked_of(model: Model) -> None:
    """A model that was taken over judges a message, and its decision can be read."""
    own = Message(id="m", customer_id="c", text="The parcel never came and I want my money back now", conversation_id="m",
                  sent_at=AT)  # fmt: skip
    written_and_read("decision", judged(Incoming(own, False, []), model))


def _plain(record: str, data: bytes, kind: Any) -> Any:
    try:
        value = read(data, kind)
    except Invalid as fault:
        refused(fault)
        return None
    # The schema also says what only their writer, Tocsin itself, has to keep to: see `decided`.
    assert read(encode(value), kind) == value if record in ("decision", "alert") else written_and_read(record, value)
    return value


TARGETS = [
    Target("message", message, "json", ("message",)),
    Target("feedback", feedback, "json", ("feedback",)),
    Target("action", action, "json", ("action",)),
    Target("decision", decision, "json", ("decision",)),
    Target("alert", alert, "json", ("alert",)),
    Target("lesson", lesson, "json", ("lesson",)),
    Target("model-update", model_update, "json", ("model-update",)),
    Target("dead-letter", dead_letters, "json", ("dead-letter",)),
    Target("health", health, "json", ("health",)),
    Target("policy-record", policy_record, "json", ("policy",)),
]
