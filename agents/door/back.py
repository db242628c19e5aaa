"""From what a tool tells to records: a message, a feedback, an action; or the reason why there is none.

Owns: whose conversation it is, which decision an agent's word judges, and that what Tocsin itself did is nobody's word. Must
never: write a feedback that learning would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import orjson

from agents.door.adapters import Deed, Ignored, Said, Told, Word
from agents.door.lookup import Lookup, judged
from agents.door.lookup import Told as Known
from agents.door.mapping import OWN_PREFIX, ToolMap
from schemas.base import MAX_MESSAGE_BYTES, MAX_TEXT, Invalid, timestamp
from schemas.decision import encode
from schemas.message import Message, message_of
from schemas.people import Action, Labels, feedback_of
from schemas.reading import convert

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
FIELDS = frozenset(field.name for field in msgspec.structs.fields(Message))


@dataclass(frozen=True, slots=True)
class Out:
    """One record for Kafka.

    Attributes:
        topic: without its prefix.
        identity: what makes it the same as another: of a message all it says, of a feedback or an action its id.
        partition: where it must go; None: where its key says.
        corrected: fields of a message that are broken, and will be replaced by their default.
    """

    topic: Literal["messages", "feedback", "actions"]
    id: str
    key: str
    value: bytes
    identity: bytes
    partition: int | None = None
    corrected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """No record; `outcome` is a label of `tocsin_door_records_total`."""

    outcome: Literal["ignored", "unmapped", "unknown"]
    reason: str


def message_out(fields: dict[str, Any], arrived: int) -> Out:
    """A message as it goes to Kafka: what was sent, without fields that nobody reads.

    Raises:
        Invalid: triage would not read it either; or it is larger than a message may be.
    """
    incoming = message_of(fields, arrived)
    kept = {name: value for name, value in fields.items() if name in FIELDS}
    if incoming.text_cut:
        # One character more than is kept, so that whoever reads the message sees, and says, that it was cut.
        kept["text"] = fields["text"][: MAX_TEXT + 1]
    try:
        value = orjson.dumps(kept)
        identity = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise Invalid("out_of_bounds", "a field is nested deeper than 254 levels, must be flat") from None
    if len(value) > MAX_MESSAGE_BYTES:
        raise Invalid("too_large", f"the message is {len(value):,} bytes, must be at most {MAX_MESSAGE_BYTES:,}")
    said = incoming.message
    return Out("messages", said.id, said.customer_id, value, identity, None, tuple(incoming.corrected))


async def records(
    tool: str, told: Sequence[Told], part: ToolMap, lookup: Lookup, arrived: int
) -> list[Out | Nothing | Invalid]:
    """One for each of what a tool tells.

    Raises:
        NoAnswer: ClickHouse is needed, and away.
    """
    found: list[Out | Nothing | Invalid] = []
    for one in told:
        try:
            found.append(await _record(tool, one, part, lookup, arrived))
        except Invalid as fault:
            found.append(fault)
    return found


async def _record(tool: str, one: Told, part: ToolMap, lookup: Lookup, arrived: int) -> Out | Nothing:
    if isinstance(one, Ignored):
        return Nothing("ignored", one.reason)
    if one.by and one.by in part.ours:
        return Nothing("ignored", f"{tool}'s user {one.by[:80]} is Tocsin itself (`ours` in the map file)")
    if isinstance(one, Said):
        return await _said(one, lookup, arrived)
    if isinstance(one, Word):
        return await _word(tool, one, part, lookup)
    return await _deed(tool, one, lookup)


async def _said(one: Said, lookup: Lookup, arrived: int) -> Out | Nothing:
    fields = one.fields
    if "customer_id" not in fields:
        told = await lookup.message(fields["id"]) if fields.get("event") in ("edited", "deleted") else None
        if told is None:
            told = next(iter(await lookup.conversation(fields["conversation_id"])), None)
        if told is None:
            return Nothing("unknown", "a turn in a conversation of which Tocsin has no customer's message")
        fields = {**fields, "customer_id": told.customer_id}
        if told.id == fields["id"]:
            fields["conversation_id"] = told.conversation_id
    return message_out(fields, arrived)


async def _word(tool: str, word: Word, part: ToolMap, lookup: Lookup) -> Out | Nothing:
    if word.kind == "tag" and word.value.casefold().startswith(OWN_PREFIX):
        return Nothing("ignored", f"the tag {word.value[:80]!r} is Tocsin's own")
    labels = part.of(word)
    if labels is None:
        return Nothing("unmapped", f"the map file (TOCSIN_DOOR_MAP) does not name {tool}.{word.kind}.{word.value[:80]}")
    if word.message_id is not None:
        told = await lookup.message(word.message_id)
        said: Sequence[Known] = [] if told is None else [told]
    else:
        said = await lookup.conversation(word.conversation_id)
    decided = await lookup.decided(said)
    if not decided:
        where = word.message_id or word.conversation_id
        return Nothing("unknown", f"Tocsin has no decision on {where[:200]} that this could judge")
    one = judged(decided)
    assert one.decision is not None
    return _feedback(tool, word, labels, one, one.decision)


def _feedback(tool: str, word: Word, labels: Labels, one: Known, decision: dict[str, Any]) -> Out:
    said = {name: value for name, value in msgspec.structs.asdict(labels).items() if value is not None}
    shown = decision["predicted"]["labels"] | {"priority": one.priority}
    kind, reason = "confirm", None
    if any(shown.get(name) != value for name, value in said.items()):
        wanted = said.get("priority", one.priority)
        if wanted != one.priority:  # "p0" is the most pressing
            kind, reason = "override", "missed" if wanted < one.priority else "false_alarm"
        else:
            kind, reason = "correct", "wrong_label"
    fields = {
        "id": word.id[:256],
        "message_id": one.id,
        "customer_id": one.customer_id,
        "kind": kind,
        "reviewer": f"{tool}:{word.by}"[:256],
        "labels": said,
        "text": one.text[:MAX_TEXT],
        "language": one.language if _TAG.fullmatch(one.language) else None,
        "conversation_id": one.conversation_id,
        "channel": one.channel or None,
        "reason": reason,
        "at": timestamp(word.at),
        **decision,
    }
    feedback = feedback_of({name: value for name, value in fields.items() if value is not None})
    return Out("feedback", feedback.id, feedback.customer_id, encode(feedback), feedback.id.encode(), 0)


async def _deed(tool: str, deed: Deed, lookup: Lookup) -> Out | Nothing:
    told = next(iter(await lookup.conversation(deed.conversation_id)), None)
    if told is None:
        return Nothing("unknown", f"Tocsin has no customer's message of {deed.conversation_id[:200]}")
    fields = {
        "id": deed.id[:256],
        "customer_id": told.customer_id,
        "message_id": told.id,
        "kind": deed.kind,
        "by": f"{tool}:{deed.by}"[:256] if deed.by else tool,
        "at": timestamp(deed.at),
        "until": None if deed.until is None else timestamp(deed.until),
        "rating": deed.rating,
    }
    action = convert({name: value for name, value in fields.items() if value is not None}, Action)
    # Beside the messages it speaks of: whoever keeps history reads the same partition number of both.
    return Out("actions", action.id, action.customer_id, encode(action), action.id.encode(), told.partition)
