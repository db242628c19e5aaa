"""What was sent before this door began: the newest records of `messages`, read once.

Owns: how far back it reads. Must never: hold back the start for longer than that takes, or need what it cannot read.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import orjson

from agents.door.back import FIELDS
from agents.door.window import Window, mark
from streams.follow import partitions_of
from streams.kafka import end_offsets, reader, started
from streams.settings import Settings

log = logging.getLogger("tocsin.door")

MOST_SECONDS = 20.0
"""A start does not wait longer; what is not read by then is not remembered."""


async def remember(settings: Settings, window: Window) -> None:
    """Fills a window with the newest `door_remembers` records, shared evenly among the partitions.

    Raises:
        TocsinError: Kafka is away, or the topic is missing.
    """
    if not settings.door_remembers:
        return
    client = await started(reader(settings, max_poll_records=5_000), settings)
    begun, found = time.monotonic(), []
    try:
        tps = await partitions_of(client, settings, [settings.topic("messages")])
        client.assign(tps)
        first, ends = await client.beginning_offsets(tps), await end_offsets(client, tps)
        share = -(-settings.door_remembers // len(tps))
        for tp in tps:
            client.seek(tp, max(first[tp], ends[tp] - share))
        left = {tp for tp in tps if ends[tp] > first[tp]}
        while left and time.monotonic() - begun < MOST_SECONDS:
            for records in (await client.getmany(*left, timeout_ms=200)).values():
                found += [one for record in records if (one := _known(record)) is not None]
            left = {tp for tp in left if await client.position(tp) < ends[tp]}
    finally:
        await client.stop()
    for _, key, place in sorted(found):
        window.confirmed(key, place)
    log.info("%d messages remembered in %.1f s", len(window), time.monotonic() - begun)


def _known(record: Any) -> tuple[int, bytes, tuple[int, int]] | None:
    """(arrival, mark, place); None for what the door would not have sent."""
    try:
        fields = orjson.loads(record.value or b"")
        if not isinstance(fields, dict):
            return None
        kept = {name: value for name, value in fields.items() if name in FIELDS}
        identity = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    return record.timestamp, mark("messages", identity), (record.partition, record.offset)
