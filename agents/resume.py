"""Where triage goes on: behind what was decided last, whatever its group remembers.

A decision, its dead letters and the offset are one transaction, so the outputs say how far a partition was read as surely as
the offset does; and they are not lost with it. Owns: finding that, and proving that it is the same topic still.
Must never: guess.
"""

from __future__ import annotations

from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.errors import TocsinError
from streams.follow import Record
from streams.kafka import end_offsets
from streams.settings import Settings

WINDOW = 500
"""Records read at once, from the end backwards: the last of triage's own may stand behind many of people."""


async def behind_decisions(
    client: AIOKafkaConsumer, settings: Settings, tp: TopicPartition, source: str, committed: int | None
) -> int | None:
    """The first offset of a partition of `messages` that is neither decided nor a dead letter; the committed one where that
    is further, or nothing was decided.

    Args:
        client: without a group; it may be reassigned.
        source: who decides, as in the header `ce_source`; people's decisions and the recorder's dead letters, which
            stand beside those, say nothing of how far triage read.
        committed: by the group; None where it has no offset.

    Raises:
        TocsinError: the message that was decided last is not there any more, or is another: nothing is certain then.
    """
    last = await _last(client, TopicPartition(settings.topic("decisions"), tp.partition), source)
    if last is None:
        return committed
    offset: int = last["source"]["offset"]
    message_id = last["message_id"]
    if committed is not None and committed > offset:
        return committed
    found = await _record(client, TopicPartition(*tp), offset)  # Faust has a type of its own
    if found is None or _id(found.value) != message_id:
        raise TocsinError(
            f"message {message_id}, decided last, is not at offset {offset} of {tp.topic}/{tp.partition} any more; "
            "where to go on cannot be known: set TOCSIN_START_FROM to earliest or latest"
        )
    letter = await _last(client, TopicPartition(settings.topic("dead-letters"), tp.partition), source)
    # An older one may be of an earlier topic of that name.
    if letter is not None and letter["at"] >= last["decided_at"]:
        offset = max(offset, letter["offset"])
    return offset + 1


async def _last(client: AIOKafkaConsumer, tp: TopicPartition, source: str) -> Any:
    """The last record of a partition that `source` wrote, decoded; None where there is none."""
    client.assign([tp])
    first = (await client.beginning_offsets([tp]))[tp]
    end = behind = (await end_offsets(client, [tp]))[tp]
    while behind > first:
        begin = max(first, behind - WINDOW)
        client.seek(tp, begin)
        found: list[Record] = []
        while await client.position(tp) < min(behind, end):
            for record in (await client.getmany(tp, timeout_ms=200)).get(tp, []):
                if record.offset < behind and record.value and dict(record.headers).get("ce_source") == source.encode():
                    found.append(record)
        if found:
            return orjson.loads(found[-1].value)
        behind = begin
    return None


async def _record(client: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> Record | None:
    client.assign([tp])
    first, end = (await client.beginning_offsets([tp]))[tp], (await end_offsets(client, [tp]))[tp]
    if not first <= offset < end:
        return None
    client.seek(tp, offset)
    while await client.position(tp) <= offset:
        for record in (await client.getmany(tp, timeout_ms=200, max_records=1)).get(tp, []):
            return record if record.offset == offset else None
    return None


def _id(value: bytes | None) -> Any:
    try:
        return orjson.loads(value or b"")["id"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
