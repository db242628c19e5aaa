"""`tocsin explain`: recomputes a decision from its versions and says whether it is identical."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click
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
from schemas.message import Incoming, message_of, read_message
from schemas.reading import read
from streams import cli
from streams.errors import TocsinError
from streams.follow import read_to_end
from streams.settings import Settings

UNSTABLE = ("id", "source", "supersedes", "received_at", "decided_at")
"""Fields that the guarantee excepts; `sent_at` too, where it was absent or corrected."""


@click.command()
@click.argument("decision")
@click.option(
    "--message",
    "message_file",
    help="file (JSONL, or - for standard input) with the message; default: its row in ClickHouse",
)
def explain(decision: str, message_file: str | None) -> None:
    """Recomputes DECISION (a file with one JSON line, or - for standard input) and compares.

    Prints one JSON object: identical, the fields that differ, and the decision as it comes out now. Ends with status 1
    where it differs.
    """
    settings = cli.settings()
    found = asyncio.run(_explain(settings, decision, message_file))
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    sys.exit(0 if found["identical"] else 1)


async def _explain(settings: Settings, file: str, message_file: str | None) -> dict[str, Any]:
    line = next((line for _, line in lines(file)), None)
    if line is None:
        raise TocsinError(f"{file} holds no decision")
    try:
        past = read(line, Decision)
    except Invalid as fault:
        raise TocsinError(f"{file} is no decision: {fault.detail}") from None
    if past.decided_by == "human":
        raise TocsinError(f"decision {past.id} was a human's: it is not computed, see feedback {past.feedback_id}")
    incoming = await _incoming(settings, past, message_file)
    judge = Judge(await _policy(settings, past.policy_version), await _model(settings, past.model_version))
    judged = judge.decide(incoming, past.source, past.received_at, past.decided_at, supersedes=past.supersedes)
    now: dict[str, Any] = orjson.loads(encode(judged.decision))
    then: dict[str, Any] = orjson.loads(line)
    differing = sorted(
        name for name in {*now, *then} if name not in _excepted(past) and now.get(name) != then.get(name)
    )
    return {"identical": not differing, "differs": differing, "decision": now}


def _excepted(past: Decision) -> tuple[str, ...]:
    absent = past.sent_at == past.received_at or "sent_at" in past.corrected
    return (*UNSTABLE, "sent_at") if absent else UNSTABLE


async def _incoming(settings: Settings, past: Decision, message_file: str | None) -> Incoming:
    received = milliseconds(past.received_at)
    if message_file is not None:
        for _, line in lines(message_file):
            try:
                incoming = read_message(cut(line), received)
            except Invalid:
                continue
            if (incoming.message.id, incoming.message.revision) == (past.message_id, past.revision):
                return incoming
        raise TocsinError(f"{message_file} holds no message {past.message_id} of revision {past.revision}")
    sink = Sink(settings.clickhouse.get_secret_value())
    try:
        rows = await sink.query(
            "SELECT * FROM messages WHERE id = {id:String} AND revision = {revision:UInt32} "
            "ORDER BY _offset = {offset:UInt64} DESC LIMIT 1",
            {"id": past.message_id, "revision": past.revision, "offset": past.source.offset},
        )
    except (Away, Refused) as error:
        raise TocsinError(
            f"message {past.message_id} cannot be read from ClickHouse ({error}); give it with --message"
        ) from None
    finally:
        await sink.close()
    if not rows:
        raise TocsinError(
            f"message {past.message_id} is not in ClickHouse (texts stay 28 days); give it with --message"
        )
    incoming = message_of(_fields(rows[0]), received)
    incoming.corrected = past.corrected
    incoming.text_cut = past.truncated == "text"
    return incoming


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the message it came from: times as text, what is empty left out."""
    fields = {
        name: value for name, value in row.items() if not name.startswith("_") and value not in ("", None, [], {})
    }
    if "sent_at" in fields:
        fields["sent_at"] = fields["sent_at"].strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
    fields.setdefault("text", "")
    return fields


async def _policy(settings: Settings, version: str) -> Policy:
    default = parse(policies.default_document())
    if default.version == version:
        return default
    records, _ = await policies.published(settings)
    if version not in records:
        raise TocsinError(f"policy {version} is not on {settings.topic('policies')}")
    return parse(records[version].document or "")


async def _model(settings: Settings, version: str) -> Model:
    """The model at a version: the base, and the lessons below its offset."""
    base = load_base(settings)
    name, _, offset = version.partition("@")
    if name != base.id or not offset.isdigit():
        raise TocsinError(f"model {version} is of another base than {base.id}; set TOCSIN_MODEL to its file")
    model = Model(base)
    if offset != "0":
        model.restore(await _snapshot(settings, base, int(offset)))
    return model


async def _snapshot(settings: Settings, base: Base, offset: int) -> bytes:
    learner = Learner(base)
    async for record in read_to_end(settings, settings.topic("lessons")):
        if record.offset >= offset:
            break
        if record.key == base.id.encode():
            learner.learn(read(record.value, Lesson), record.offset + 1)
    if learner.offset != offset:
        raise TocsinError(f"the lessons up to offset {offset} are not all on {settings.topic('lessons')}")
    return learner.snapshot()
