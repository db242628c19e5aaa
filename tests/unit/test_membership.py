"""A named worker that its group disowns does not join again; any other answer is none of ours."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.protocol.group import HeartbeatRequest, LeaveGroupRequest

from streams.errors import FencedError, TocsinError
from streams.membership import explained, keep_out
from streams.settings import load


class Coordinator:
    """aiokafka's, as far as it is asked."""

    group_id = "tocsin.triage"

    def __init__(self, code: int) -> None:
        self._code = code
        self._pending_exception: BaseException | None = None

    async def _send_req(self, request: Any) -> Any:
        return SimpleNamespace(error_code=self._code)


HEARTBEAT, LEAVE = HeartbeatRequest("g", 1, "m"), LeaveGroupRequest("g", "m")


@pytest.mark.parametrize("code", [25, 82])
async def test_who_is_disowned_says_so_where_the_consumer_looks(code: int) -> None:
    one = Coordinator(code)
    keep_out(one, "triage-0")
    with pytest.raises(FencedError, match="TOCSIN_INSTANCE=triage-0"):
        await one._send_req(HEARTBEAT)
    assert isinstance(one._pending_exception, FencedError)
    # aiokafka tries a heartbeat again after any error of Kafka's kind, and then joins.
    assert not isinstance(one._pending_exception, KafkaError)


@pytest.mark.parametrize(("code", "request_"), [(0, HEARTBEAT), (27, HEARTBEAT), (22, HEARTBEAT), (25, LEAVE)])
async def test_rebalances_and_goodbyes_pass(code: int, request_: Any) -> None:
    one = Coordinator(code)
    keep_out(one, "triage-0")
    assert (await one._send_req(request_)).error_code == code
    assert one._pending_exception is None


def test_a_fenced_producer_is_explained_to_a_named_worker_alone() -> None:
    error = ProducerFenced()
    assert explained(error, "g", "") is error
    assert isinstance(explained(error, "g", "triage-0"), FencedError)
    other = ValueError()
    assert explained(other, "g", "triage-0") is other


def test_a_name_is_one_that_kafka_takes() -> None:
    assert load(_env_file=None, instance="tocsin-follow-0").instance == "tocsin-follow-0"
    with pytest.raises(TocsinError, match="TOCSIN_INSTANCE"):
        load(_env_file=None, instance="two words")
