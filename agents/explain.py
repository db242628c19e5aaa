"""Past decisions computed again: from the message, the policy and the lessons that their versions name.

Owns: finding those three, and what of two decisions must be equal. Must never: write anything, or compute with newer weights.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import orjson

from agents import policies
from agents.handout import load_base
from agents.inputs import cut, lines
from agents.recording import Away, Refused
from agents.recording.sink import Sink
from agents.scoring.base import Base
from agents.scoring.heads import Model
from agents.scoring.judge import Judge
from agents.scoring.learner import Learner
from agents.scoring.policy import Policy, parse
from schemas.base import Invalid, milliseconds
from schemas.decision import Decision, encode
from schemas.learning import Lesson
from schemas.message import Incoming, Message, message_of, read_message
from schemas.reading import read
from streams.errors import TocsinError
from streams.follow import read_to_end
from streams.settings import Settings

UNSTABLE = ("id", "source", "supersedes", "received_at", "decided_at")
"""Fields that the guarantee excepts; `sent_at` too, where it was absent or corrected."""
COMPUTED = ("model", "rule")
"""Who decided what can be computed from a message alone."""
AT_ONCE = 500
"""Messages asked of ClickHouse in one query."""

Key = tuple[str, int]
"""A message's id and revision."""


class Recomputed(NamedTuple):
    """A past decision, what comes out now (as its JSON's fields), and the names of the fields that differ."""

    past: Decision
    now: dict[str, Any]
    differs: list[str]


def read_decision(line: bytes, where: str) -> Decision:
    """The decision in a JSON line.

    Raises:
        TocsinError: it is none; says `where`.
    """
    try:
        return read(line, Decision)
    except Invalid as fault:
        raise TocsinError(f"{where} is no decision: {fault.detail}") from None


async def recomputed(
    settings: Settings, found: Sequence[tuple[Decision, bytes]], message_file: str | None
) -> AsyncIterator[Recomputed]:
    """Each decision (with the JSON line that it was) computed again, by the age of its model.

    The lessons are read once, whatever the number of decisions.

    Args:
        message_file: JSONL with the messages; None: their rows in ClickHouse.

    Raises:
        TocsinError: a human's decision, one that history raised, or a message, policy or lesson that cannot be found; names it.
    """
    for past, _ in found:
        if past.decided_by not in COMPUTED:
            raise TocsinError(_uncomputed(past))
    base = load_base(settings)
    waiting = sorted(found, key=lambda one: _offset(one[0], base), reverse=True)
    policies_by_version = await _policies(settings, {past.policy_version for past, _ in found})
    judges = {version: Judge(policy, Model(base)) for version, policy in policies_by_version.items()}
    messages = await _messages(settings, [past for past, _ in found], message_file)
    model, learner = Model(base), Learner(base)

    def due() -> list[Recomputed]:
        """What the model, as it stands, has decided."""
        made = []
        while waiting and _offset(waiting[-1][0], base) == learner.offset:
            past, line = waiting.pop()
            judge = judges[past.policy_version]
            judge.model = model
            made.append(_again(judge, past, orjson.loads(line), _incoming(past, messages, message_file)))
        return made

    for each in due():
        yield each
    if waiting:
        async for record in read_to_end(settings, settings.topic("lessons")):
            if record.key != base.id.encode():
                continue
            update = learner.learn(read(record.value, Lesson), record.offset + 1)
            if update is not None:
                model.apply(update)
            model.offset = learner.offset  # a lesson that changes no weight is a version, too
            for each in due():
                yield each
            if not waiting:
                return
    if waiting:
        offset = _offset(waiting[-1][0], base)
        raise TocsinError(f"the lessons up to offset {offset} are not all on {settings.topic('lessons')}")


def _uncomputed(past: Decision) -> str:
    if past.decided_by == "human":
        return (
            f"decision {past.id} was a human's: it is not computed, see feedback {past.feedback_id or 'of its message'}"
        )
    reason = next((one for one in past.reasons if one.history is not None), None)
    rule, made = "", ""
    if reason is not None:
        rule, made = f" ({reason.history})", f"; messages {', '.join(reason.messages or [])} made it"
    return (
        f"decision {past.id} was raised by what came before it{rule}: it is not computed from its message{made}; "
        f"explain {past.supersedes}, which it supersedes"
    )


def _offset(past: Decision, base: Base) -> int:
    name, _, offset = past.model_version.partition("@")
    if name != base.id or not offset.isdigit():
        raise TocsinError(f"model {past.model_version} is of another base than {base.id}; set TOCSIN_MODEL to its file")
    return int(offset)


def _again(judge: Judge, past: Decision, then: dict[str, Any], incoming: Incoming) -> Recomputed:
    judged = judge.decide(incoming, past.source, past.received_at, past.decided_at, supersedes=past.supersedes)
    now: dict[str, Any] = orjson.loads(encode(judged.decision))
    excepted = _excepted(past)
    differs = sorted(name for name in {*now, *then} if name not in excepted and now.get(name) != then.get(name))
    return Recomputed(past, now, differs)


def _excepted(past: Decision) -> tuple[str, ...]:
    absent = past.sent_at == past.received_at or "sent_at" in past.corrected
    return (*UNSTABLE, "sent_at") if absent else UNSTABLE


async def _policies(settings: Settings, versions: set[str]) -> dict[str, Policy]:
    default = parse(policies.default_document())
    found = {default.version: default}
    if versions - found.keys():
        records, _ = await policies.published(settings)
        for version in versions - found.keys():
            if version not in records:
                raise TocsinError(f"policy {version} is not on {settings.topic('policies')}")
            found[version] = parse(records[version].document or "")
    return found


# --- messages


def _incoming(past: Decision, messages: dict[Key, dict[str, Any] | bytes], message_file: str | None) -> Incoming:
    """The message as triage read it."""
    received = milliseconds(past.received_at)
    found = messages.get((past.message_id, past.revision))
    if found is None:
        if message_file is not None:
            raise TocsinError(f"{message_file} holds no message {past.message_id} of revision {past.revision}")
        raise TocsinError(
            f"message {past.message_id} is not in ClickHouse (texts stay 28 days); give it with --message"
        )
    if isinstance(found, bytes):
        return read_message(found, received)
    incoming = message_of(found, received)
    incoming.corrected = past.corrected
    incoming.text_cut = past.truncated == "text"
    return incoming


async def _messages(
    settings: Settings, pasts: Sequence[Decision], message_file: str | None
) -> dict[Key, dict[str, Any] | bytes]:
    wanted = {(past.message_id, past.revision) for past in pasts}
    if message_file is not None:
        return _of_file(message_file, wanted)
    return await _of_clickhouse(settings, pasts)


def _of_file(message_file: str, wanted: set[Key]) -> dict[Key, dict[str, Any] | bytes]:
    found: dict[Key, dict[str, Any] | bytes] = {}
    for _, line in lines(message_file):
        whole = cut(line)
        try:
            message: Message = read_message(whole, 0).message
        except Invalid:
            continue
        key = (message.id, message.revision)
        if key in wanted:
            found.setdefault(key, whole)
    return found


async def _of_clickhouse(settings: Settings, pasts: Sequence[Decision]) -> dict[Key, dict[str, Any] | bytes]:
    found: dict[Key, dict[str, Any] | bytes] = {}
    decided = {(past.message_id, past.revision): past.source.offset for past in pasts}
    sink = Sink(settings.clickhouse.get_secret_value())
    try:
        order = sorted(decided)
        for begin in range(0, len(order), AT_ONCE):
            ids = [identity for identity, _ in order[begin : begin + AT_ONCE]]
            rows = await sink.query("SELECT * FROM messages WHERE id IN {ids:Array(String)}", {"ids": ids})
            for row in rows:
                key = (row["id"], row["revision"])
                # The record that was decided on, where the same message was sent twice.
                if key in decided and (key not in found or row["_offset"] == decided[key]):
                    found[key] = _fields(row)
    except (Away, Refused) as error:
        raise TocsinError(f"the messages cannot be read from ClickHouse ({error}); give them with --message") from None
    finally:
        await sink.close()
    return found


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the message it came from: times as text, what is empty left out."""
    fields = {
        name: value for name, value in row.items() if not name.startswith("_") and value not in ("", None, [], {})
    }
    if "sent_at" in fields:
        fields["sent_at"] = fields["sent_at"].strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
    fields.setdefault("text", "")
    return fields
