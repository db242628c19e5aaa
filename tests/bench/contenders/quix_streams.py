"""The same work in the dataframe API of Quix Streams: `python -m ... at-least-once|exactly-once`.

Runs in an environment of its own (see `tests.bench.quix`): the library pins an older client than the tests use.
"""

from __future__ import annotations

import sys
from typing import Any

from quixstreams import Application, message_context  # type: ignore[import-not-found]  # in its own environment
from quixstreams.models import Serializer  # type: ignore[import-not-found]

from streams.settings import load
from tests.bench.contenders import scorers
from tests.bench.contenders.work import Out, Record, Work


class _Value(Serializer):  # type: ignore[misc]  # no types where the tests are checked
    """An output's bytes, as the work made them."""

    def __call__(self, value: Any, ctx: Any) -> bytes:
        return bytes(value.value)


NAMES = ("decisions", "priority.p0", "priority.p1", "priority.p2", "review", "dead-letters")


def run(guarantee: Any) -> None:
    """Until SIGTERM."""
    settings = load()
    work = Work(settings, scorers.judge(settings))
    app = Application(
        broker_address=settings.kafka,
        consumer_group=settings.group("quix"),
        auto_offset_reset="earliest",
        processing_guarantee=guarantee,
        auto_create_topics=False,
        use_changelog_topics=False,
        commit_interval=1.0,
        state_dir=settings.data / f"{settings.topic_prefix}quix",
        producer_extra_config={"compression.type": "lz4", "linger.ms": 5},
        loglevel="WARNING",
    )
    raw: dict[str, Any] = {"key_deserializer": "bytes", "value_deserializer": "bytes"}
    out_raw: dict[str, Any] = {"key_serializer": "bytes", "value_serializer": _Value()}
    messages = app.topic(work.messages, **raw)
    outputs = {settings.topic(name): app.topic(settings.topic(name), **out_raw) for name in NAMES}

    def outs(value: bytes, key: bytes | None, timestamp: int, headers: Any) -> list[Out]:
        context = message_context()
        return work.outs([Record(context.partition, context.offset, timestamp, key, value, headers or ())])

    frame = app.dataframe(messages)
    frame = frame.apply(outs, metadata=True, expand=True)
    frame = frame.set_headers(lambda out, key, timestamp, headers: out.headers)
    frame.to_topic(lambda out, key, timestamp, headers: outputs[out.topic])
    app.run()


if __name__ == "__main__":
    run(sys.argv[1])
