"""The topics we create are those that the AsyncAPI document describes."""

from __future__ import annotations

from schemas.asyncapi import CHANNELS
from streams.topics import TOPICS


def test_the_document_and_the_topics_agree() -> None:
    described = {channel.topic: (channel.by_customer, channel.days, channel.compact) for channel in CHANNELS}
    assert described == {topic.name: (topic.by_customer, topic.days, topic.compact) for topic in TOPICS}


def test_only_feedback_is_keyed_by_customer_on_one_partition() -> None:
    keyed = {channel.topic for channel in CHANNELS if channel.key == "customer_id"}
    assert keyed - {topic.name for topic in TOPICS if topic.by_customer} == {"feedback"}
