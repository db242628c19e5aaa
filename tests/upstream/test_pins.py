"""What we work around in other people's libraries: a test goes red when upstream mends it, and our code may go."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any, get_args

import aiokafka
import numpy as np
import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import IllegalArgumentError
from aiokafka.producer import sender
from aiokafka.protocol.metadata import MetadataRequest, MetadataRequestStruct
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP


def test_faust_commits_past_an_offset_that_was_never_finished() -> None:
    """faust-streaming#606: the reason why ChunkConsumer commits nothing."""
    tp = TP("messages", 0)
    acked = [2586, 2587, 2588, 2589]
    fake: Any = SimpleNamespace(
        _acked={tp: list(acked)}, _acked_index={tp: set(acked)}, _gap={tp: None}, _committed_offset={tp: 2585}
    )
    # 2585 is committed as "next to read" and was never finished: a commit of 2590 loses it.
    assert faust_consumer.Consumer._new_offset(fake, tp) == 2590


def test_faust_reads_uncommitted_unless_its_own_transactions_are_on() -> None:
    source = inspect.getsource(driver.AIOKafkaConsumerThread._create_worker_consumer)
    assert 'isolation_level: str = "read_uncommitted"' in source


def test_faust_waits_a_hard_coded_time_for_a_fetch() -> None:
    assert "fetch_max_wait_ms=1500" in inspect.getsource(driver.AIOKafkaConsumerThread._create_worker_consumer)


def test_faust_waits_for_unfinished_events_without_a_bound() -> None:
    source = inspect.getsource(faust_consumer.Consumer.wait_empty)
    assert "while not self.should_stop and self._unacked_messages" in source
    assert "deadline" not in source


def test_aiokafka_fetches_from_all_partitions_where_it_is_given_none() -> None:
    source = inspect.getsource(aiokafka.consumer.fetcher.Fetcher.fetched_records)
    assert "if partitions and tp not in partitions" in source


def test_aiokafka_notes_an_answer_in_a_callback_and_looks_again_after_a_fifth_of_a_second_only() -> None:
    """Why streams/fetching.py wakes the fetcher."""
    assert "task.add_done_callback(on_done)" in inspect.getsource(
        aiokafka.consumer.fetcher.Fetcher._fetch_requests_routine
    )
    assert inspect.signature(aiokafka.consumer.fetcher.Fetcher).parameters["fetcher_timeout"].default == 0.2


def test_aiokafka_waits_after_a_transaction_before_the_next() -> None:
    assert sender.BACKOFF_OVERRIDE == 0.02


def test_aiokafka_refuses_the_brokers_default_replication() -> None:
    with pytest.raises(IllegalArgumentError):
        NewTopic("any", 1, -1)


def test_aiokafka_knows_no_topic_ids() -> None:
    assert max(kind.API_VERSION for kind in get_args(MetadataRequestStruct)) == 5
    assert MetadataRequest.API_KEY == 3


def test_aiokafka_keeps_what_the_coordinator_refused_for_a_poll() -> None:
    source = inspect.getsource(aiokafka.consumer.group_coordinator.GroupCoordinator._push_error_to_user)
    assert "_pending_exception" in source


def test_numpy_adds_a_row_of_numbers_in_another_order_than_python() -> None:
    numbers = np.random.default_rng(7).normal(size=1000)
    assert float(np.sum(numbers)) != sum(numbers.tolist())


def test_numpy_adds_rows_of_a_matrix_in_order() -> None:
    """What the scorer builds on: a sum over the first axis is Python's own, column by column."""
    rows = np.random.default_rng(7).normal(size=(1000, 29))
    added = np.add.reduce(rows, axis=0)
    assert added.tolist() == [sum(rows[:, column].tolist()) for column in range(29)]


def test_aiokafka_does_not_know_that_a_named_member_was_fenced() -> None:
    """KIP-345's error, and heartbeats that carry the name: why streams/membership.py looks at the answers itself."""
    from aiokafka.errors import UnknownError, for_code
    from aiokafka.protocol.group import HeartbeatRequest

    assert for_code(82) is UnknownError
    assert "group_instance_id" not in inspect.signature(HeartbeatRequest.__init__).parameters


def test_aiokafka_does_not_take_a_named_member_out_of_its_group_when_it_stops() -> None:
    """What TOCSIN_INSTANCE is for."""
    source = inspect.getsource(aiokafka.consumer.group_coordinator.GroupCoordinator._maybe_leave_group)
    assert "self._group_instance_id is None" in source
