"""A second opinion where something is missing: another client's look at the same topics, committed or not.

Owns: telling a record that was never written from one that is hidden (its transaction aborted, or open for ever) and from
one that only our reader did not see. Must never: be asked where nothing is wrong; it reads whole topics.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

QUIET_SECONDS = 3.0


def sources(kafka: str, topic: str, partitions: Iterable[int], isolation: str) -> dict[tuple[int, int], list[int]]:
    """Offsets of the decisions in a topic by the partition and offset of their message, as librdkafka reads them."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "chaos-second-opinion",
            "enable.auto.commit": False,
            "isolation.level": isolation,
        }
    )
    found: dict[tuple[int, int], list[int]] = {}
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        while records := consumer.consume(1000, QUIET_SECONDS):
            for record in records:
                value, partition, offset = record.value(), record.partition(), record.offset()
                if record.error() or value is None or partition is None or offset is None:
                    continue
                source = json.loads(value)["source"]
                found.setdefault((source["partition"], source["offset"]), []).append(offset)
    finally:
        consumer.close()
    return found


def of_places(kafka: str, topic: str, places: Iterable[tuple[int, int]]) -> list[str]:
    """What another client sees of the decisions of some messages."""
    wanted = sorted(places)
    partitions = {partition for partition, _ in wanted}
    committed = sources(kafka, topic, partitions, "read_committed")
    written = sources(kafka, topic, partitions, "read_uncommitted")
    return [f"{place}: committed at {committed.get(place)}, written at {written.get(place)}" for place in wanted]
