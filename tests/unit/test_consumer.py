"""The consumer: partitions that were assigned and are not read do not go unseen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.consumer.subscription_state import Assignment, Subscription
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.chunks import Chunk
from streams.consumer import RESUME_SECONDS, ChunkConsumer
from streams.fetching import ChunkThread, Fetched, OneMemberAssignor, keep_asking

FIRST, SECOND = TP("messages", 0), TP("messages", 1)


class Assigned(ChunkConsumer):
    """A consumer as Faust left it, without Kafka."""

    def __init__(self, since: float | None, flow: bool, active: set[TP]) -> None:
        self.assigned_at = None if since is None else time.monotonic() - since
        self.flow_active = flow
        self._own_active = active

    def assignment(self) -> Any:
        return {FIRST, SECOND}

    def _get_active_partitions(self) -> Any:
        return self._own_active


@pytest.mark.parametrize(
    ("since", "flow", "active", "stalled"),
    [
        (RESUME_SECONDS + 1, True, {FIRST, SECOND}, False),
        (RESUME_SECONDS + 1, True, {SECOND}, True),
        (RESUME_SECONDS + 1, False, {FIRST, SECOND}, True),
        (RESUME_SECONDS / 2, False, set(), False),
        (None, False, set(), False),
    ],
)
def test_partitions_assigned_and_not_read_are_a_stall(
    since: float | None, flow: bool, active: set[TP], stalled: bool
) -> None:
    assert Assigned(since, flow, active).stalled is stalled


def notify(waiter: asyncio.Future[None]) -> None:
    """As aiokafka's fetcher does."""
    waiter.set_result(None)


class Reading(ChunkThread):
    """The thread's reader where a rebalance comes and goes while records are fetched."""

    def __init__(self, meanwhile: Callable[[Subscription], None] = lambda _: None) -> None:
        self.subscription = Subscription({FIRST.topic})
        self.subscription._assign({FIRST, SECOND})
        self._seek(0)
        self.asked: set[TP] = set()
        self.consumer = cast("Any", SimpleNamespace(flow_active=True))
        fetcher = SimpleNamespace(
            _closed=False,
            _subscriptions=SimpleNamespace(
                reassignment_in_progress=False, subscription=self.subscription, fetch_context=nullcontext
            ),
            fetched_records=self._fetched_records,
            _records=dict[TP, Any](),
            _fetch_waiters=set[asyncio.Future[None]](),
            _notify=notify,
        )
        self._client = SimpleNamespace(
            _closed=False, _fetcher=fetcher, _subscription=fetcher._subscriptions, position=self._position
        )
        self._consumer = self._client
        self._client.seek = lambda tp, offset: self._assignment.state_value(tp).seek(offset)
        self._meanwhile = meanwhile

    @property
    def _assignment(self) -> Assignment:
        return cast("Assignment", self.subscription.assignment)

    def _seek(self, offset: int) -> None:
        self._assignment.state_value(FIRST).seek(offset)

    def _ensure_consumer(self) -> Any:
        return self._client

    async def _position(self, tp: TP) -> int:
        return cast("int", self._assignment.state_value(tp).position)

    async def _fetched_records(self, partitions: set[TP], **_: Any) -> dict[TP, list[Any]]:
        self._meanwhile(self.subscription)
        self.asked = partitions
        at = await self._position(FIRST)
        self._seek(at + 2)
        return {FIRST: [record(at), record(at + 1)]}

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        return await fun(*args, **kwargs)


def record(offset: int) -> Any:
    """A record at an offset."""
    return ConsumerRecord(FIRST.topic, 0, offset, 0, 0, b"k", b"v", None, 1, 1, ())


def reassigned(subscription: Subscription) -> None:
    """The same partitions anew, and Faust has sought where the group committed."""
    subscription._assign({FIRST})
    cast("Assignment", subscription.assignment).state_value(FIRST).seek(0)


async def test_records_of_an_assignment_that_came_while_they_were_fetched_are_read_again() -> None:
    thread = Reading(reassigned)
    assert await thread.fetch({FIRST}, 1.0, 10) == {}
    assert await thread._position(FIRST) == 0


async def test_records_handed_to_nobody_are_read_again_where_the_reader_still_stands_behind_them() -> None:
    thread = Reading()
    fetched = await thread.fetch({FIRST}, 1.0, 10)
    assert fetched == {FIRST: Fetched([record(0), record(1)], 0, 2)}
    await thread.give_back(fetched, set())
    assert await thread._position(FIRST) == 0
    again = await thread.fetch({FIRST}, 1.0, 10)
    await thread.give_back(again, {FIRST})  # these the agent has
    assert await thread._position(FIRST) == 2
    thread._seek(7)  # a rebalance has set it since
    await thread.give_back(again, set())
    assert await thread._position(FIRST) == 7


async def test_a_partition_in_hand_is_not_fetched_ahead() -> None:
    thread = Reading()
    paused = [thread._assignment.state_value(tp) for tp in (FIRST, SECOND)]
    await thread.fetch({FIRST, SECOND}, 1.0, 10)
    assert [state.paused for state in paused] == [True, False]
    await thread.fetch({FIRST}, 1.0, 10)
    assert [state.paused for state in paused] == [True, True]


async def test_a_partition_that_comes_free_joins_the_fetch_under_way() -> None:
    thread = Reading(lambda _: thread._release(FIRST))
    fetched = await thread.fetch({SECOND}, 1.0, 10)
    assert thread.asked == {FIRST, SECOND}
    assert fetched == {FIRST: Fetched([record(0), record(1)], 0, 2)}


async def test_a_partition_that_comes_free_with_records_at_hand_ends_the_wait_for_others() -> None:
    waiter = asyncio.get_running_loop().create_future()
    thread = Reading(lambda _: thread._release(FIRST))
    thread._client._fetcher._fetch_waiters.add(waiter)
    await thread.fetch({SECOND}, 1.0, 10)
    assert not waiter.done()
    thread._client._fetcher._records[FIRST] = "more than a chunk holds"
    await thread.fetch({SECOND}, 1.0, 10)
    assert waiter.done()


@pytest.mark.parametrize(("under_way", "woken"), [([], True), (["a request"], False)])
async def test_a_fetcher_that_looked_before_an_answer_was_noted_looks_again(under_way: list[str], woken: bool) -> None:
    future = asyncio.get_running_loop().create_future()
    fetcher = SimpleNamespace(
        _in_flight={1},
        _pending_tasks=set(under_way),
        _wait_consume_future=future,
        _notify=notify,
        _get_actions_per_node=lambda assignment: ("nothing to ask", assignment),
    )
    keep_asking(fetcher)
    assert fetcher._get_actions_per_node("assignment") == ("nothing to ask", "assignment")
    assert not future.done()  # the answer's callback is to run before
    await asyncio.sleep(0)
    assert future.done() is woken


async def test_a_generation_ends_before_a_rebalance_waits_for_the_chunks_in_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    during = []

    async def waiting(consumer: ChunkConsumer, revoked: set[TP]) -> None:
        during.append(consumer.generation)

    async def revoked(partitions: set[TP]) -> None:
        during.append(consumer.generation)

    monkeypatch.setattr(driver.Consumer, "on_partitions_revoked", waiting)
    consumer = Assigned(None, True, {FIRST})
    consumer.generation, consumer.busy, consumer._freed = 4, {FIRST}, asyncio.Event()
    consumer.hooks = cast("Any", SimpleNamespace(revoked=revoked))
    await consumer.on_partitions_revoked({FIRST})
    assert during == [5, 5]
    assert consumer.busy == set()


async def test_a_chunk_read_before_a_rebalance_is_not_begun_after_it() -> None:
    consumer = Assigned(None, True, {FIRST})
    consumer.generation, consumer.in_hand = 4, set()
    chunk = Chunk(FIRST, [record(0)], 1, generation=3)
    assert consumer.take(chunk) is False
    assert consumer.in_hand == set()


def test_one_member_has_every_partition_and_the_others_none() -> None:
    cluster = SimpleNamespace(partitions_for_topic=lambda topic: {0, 1, 2})
    topics = {"m-b": ["messages", "decisions"], "m-a": ["messages", "decisions"]}
    members = {name: OneMemberAssignor.metadata(some) for name, some in topics.items()}
    shares = OneMemberAssignor.assign(cluster, members)
    assert {name: dict(share.assignment) for name, share in shares.items()} == {
        "m-a": {"decisions": [0, 1, 2], "messages": [0, 1, 2]},
        "m-b": {},
    }
