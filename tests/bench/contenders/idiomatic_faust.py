"""Faust as its documentation shows it: one event at a time, `await topic.send(...)`, offsets committed behind it."""

from __future__ import annotations

import logging
import sys
from typing import Any

import faust
from mode.loop import use

from streams.settings import load
from tests.bench.contenders import scorers
from tests.bench.contenders.work import Record, Work

use("uvloop")
settings = load()
work = Work(settings, scorers.judge(settings))
app = faust.App(
    settings.group("faust"),
    broker=f"kafka://{settings.kafka}",
    key_serializer="raw",
    value_serializer="raw",
    store="memory://",
    topic_disable_leader=True,
    topic_allow_declare=False,
    web_enabled=False,
    datadir=str(settings.data / f"{settings.topic_prefix}faust"),
    producer_compression_type="lz4",
)
messages = app.topic(work.messages)
outputs: dict[str, Any] = {}


@app.agent(messages)
async def triage(stream: Any) -> None:
    """The work on each event."""
    async for event in stream.events():
        message = event.message
        headers = list(message.headers.items()) if isinstance(message.headers, dict) else list(message.headers or ())
        at_ms = int(message.timestamp * 1000)
        record = Record(message.partition, message.offset, at_ms, message.key, event.value, headers)
        for out in work.outs([record]):
            topic = outputs.get(out.topic)
            if topic is None:
                topic = outputs[out.topic] = app.topic(out.topic)
            await topic.send(key=out.key, value=out.value, partition=out.partition, headers=dict(out.headers))


if __name__ == "__main__":
    sys.argv = ["faust", "worker", "--without-web", "-l", "warn"]
    logging.captureWarnings(True)
    app.main()
