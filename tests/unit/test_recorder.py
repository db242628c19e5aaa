"""The range protocol in a world that forgets, repeats, stalls and dies: every row in once, whatever happens."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition

from agents.recording import Refused
from agents.recording.ranges import Range
from agents.recording.recorder import pace
from streams.errors import TocsinError
from tests.unit.recording_world import TP, Died, Fenced, Member, World, exact, log, record, run


@pytest.mark.parametrize("step", ["range", "insert", "done"])
@pytest.mark.parametrize("fate", ["die before", "die behind"])
@pytest.mark.parametrize("size", [2, 5, 7, 30])
def test_a_crash_at_any_step_leaves_every_row_in_once(step: str, fate: str, size: int) -> None:
    world = World(log(20))
    seen = Counter[str]()

    def plan(at: str) -> str:
        seen[at] += 1
        return fate if at == step and seen[at] == 2 else "well"

    async def story() -> None:
        with pytest.raises(Died):
            await run(world, Member(world, plan), lambda: 5)
        await run(world, Member(world), lambda: size)

    asyncio.run(story())
    exact(world)


@pytest.mark.parametrize("size", [1, 3, 30])
def test_an_insert_that_lands_late_adds_nothing(size: int) -> None:
    world = World(log(20))

    async def story() -> None:
        fates = iter(["well", "die late"])
        with pytest.raises(Died):
            await run(world, Member(world, lambda step: next(fates, "well") if step == "insert" else "well"), lambda: 5)
        assert world.committed[1], "the range in flight is not in Kafka"
        await run(world, Member(world), lambda: size)
        for token, rows in world.late:
            world.take(token, rows)

    asyncio.run(story())
    assert len(world.late) == 1
    exact(world)


def test_a_zombie_inserts_nothing_new_after_it_wakes() -> None:
    world = World(log(20))

    async def story() -> None:
        asleep, awake = asyncio.Event(), asyncio.Event()
        zombie = Member(world)
        plain = zombie.insert

        async def stalled(table: str, rows: Sequence[bytes], token: str) -> None:
            asleep.set()
            await awake.wait()
            await plain(table, rows, token)

        zombie.insert = stalled  # type: ignore[method-assign]
        first = asyncio.create_task(run(world, zombie, lambda: 14))
        await asleep.wait()
        await run(world, Member(world), lambda: 4)
        awake.set()
        with pytest.raises(Fenced):
            await first

    asyncio.run(story())
    exact(world)


def test_the_same_rows_go_again_until_there_is_an_answer() -> None:
    world = World(log(20))
    fates = iter(["away", "away", "drop answer", "away", "well"] * 2)
    asyncio.run(run(world, Member(world, lambda step: next(fates, "well") if step == "insert" else "well"), lambda: 6))
    assert world.batches[0] == list(range(6))
    exact(world)


def test_a_rebalance_in_the_same_process_drops_the_chunk_in_hand() -> None:
    world = World(log(12))

    async def story() -> None:
        away = True
        member = Member(world, lambda step: "away" if away and step == "insert" else "well")
        await member.recorder.assigned([TP])
        chunk = world.chunk(7)
        assert chunk is not None
        waiting = asyncio.create_task(member.recorder.handle(chunk))
        while "insert" not in world.steps:
            await asyncio.sleep(0)
        await member.recorder.assigned([TP])
        away = False
        assert await waiting is False
        await run(world, member, lambda: 4)
        await member.recorder.revoked([TP])
        assert await member.recorder.handle(chunk) is False

    asyncio.run(story())
    exact(world)


def test_the_three_steps_are_all_there_is() -> None:
    world = World(log(6))
    asyncio.run(run(world, Member(world), lambda: 6))
    assert world.steps == ["range", "insert", "done"]


def test_a_partition_taken_away_during_an_insert_is_not_committed() -> None:
    world = World(log(14))

    async def story() -> None:
        member, asleep, awake = Member(world), asyncio.Event(), asyncio.Event()
        plain = member.insert

        async def stalled(table: str, rows: Sequence[bytes], token: str) -> None:
            asleep.set()
            await awake.wait()
            await plain(table, rows, token)

        member.insert = stalled  # type: ignore[method-assign]
        old = asyncio.create_task(run(world, member, lambda: 14))
        await asleep.wait()
        await member.recorder.revoked([TP])
        awake.set()
        await old
        assert world.steps == ["range", "insert"]
        await run(world, member, lambda: 4)

    asyncio.run(story())
    exact(world)


def test_an_insert_in_hand_and_its_successor_do_not_run_side_by_side() -> None:
    world = World(log(14))

    async def story() -> None:
        member, asleep, awake = Member(world), asyncio.Event(), asyncio.Event()
        plain, running = member.insert, 0

        async def stalled(table: str, rows: Sequence[bytes], token: str) -> None:
            nonlocal running
            running += 1
            assert running == 1
            asleep.set()
            await awake.wait()
            await plain(table, rows, token)
            running -= 1

        member.insert = stalled  # type: ignore[method-assign]
        old = asyncio.create_task(run(world, member, lambda: 14))
        await asleep.wait()
        new = asyncio.create_task(run(world, member, lambda: 4))
        while not member.recorder._locks[TP]._waiters:
            await asyncio.sleep(0)
        awake.set()
        await asyncio.gather(old, new)

    asyncio.run(story())
    exact(world)


def test_after_a_failed_commit_the_range_in_kafka_is_read_again() -> None:
    world = World(log(12))

    async def story() -> None:
        member = Member(world)
        plain, broken = member.commit, True

        async def commit(tp: TopicPartition, offset: int, metadata: str) -> None:
            if broken and not metadata:
                raise ConnectionError("the coordinator is away")
            await plain(tp, offset, metadata)

        member.commit = commit  # type: ignore[method-assign]
        await member.recorder.assigned([TP])
        for size in (5, 3, 5):
            chunk = world.chunk(size, 0)
            assert chunk is not None
            if size == 3:
                assert await member.recorder.handle(chunk) is False  # the beginning of the range of five
                broken = True
            else:
                with pytest.raises(ConnectionError):
                    await member.recorder.handle(chunk)
        broken = False
        chunk = world.chunk(12, 0)
        assert chunk is not None
        assert await member.recorder.handle(chunk)

    asyncio.run(story())
    exact(world)


def test_a_chunk_delivered_twice_is_recorded_once() -> None:
    world = World(log(10))

    async def story() -> None:
        member = Member(world)
        await member.recorder.assigned([TP])
        for start, size in ((0, 4), (0, 4), (2, 4), (0, 10)):
            chunk = world.chunk(size, start)
            assert chunk is not None
            assert await member.recorder.handle(chunk)

    asyncio.run(story())
    exact(world)


def test_a_range_longer_than_the_chunks_is_put_together_again() -> None:
    world = World(log(7))

    async def story() -> None:
        with pytest.raises(Died):
            await run(world, Member(world, lambda step: "die behind" if step == "insert" else "well"), lambda: 7)
        member = Member(world)
        await member.recorder.assigned([TP])
        done = []
        for start in (0, 2, 4, 6):
            chunk = world.chunk(2, start)
            assert chunk is not None
            done.append(await member.recorder.handle(chunk))
        assert done == [False, False, False, True]

    asyncio.run(story())
    assert world.batches == [list(range(7))]
    exact(world)


@pytest.mark.parametrize("poison", [{0}, {19}, {3, 4}, {0, 7, 13, 19}, set(range(20))])
def test_refused_rows_are_found_and_the_others_go_on(poison: set[int]) -> None:
    world = World(log(20, lambda offset: b"poison" if offset in poison else b"row"))
    asyncio.run(run(world, Member(world), lambda: 20))
    exact(world)
    assert {letter.error for letter in world.dead} == {"record_refused"}
    assert len(world.dead) == len(poison)


def test_records_without_a_row_count_in_the_range() -> None:
    values = {0: b"none", 4: b"broken", 5: b"none", 9: b"none"}
    world = World(log(10, lambda offset: values.get(offset, b"row")))
    asyncio.run(run(world, Member(world), lambda: 10))
    exact(world)
    assert [(letter.offset, letter.error) for letter in world.dead] == [(4, "not_json")]


@pytest.mark.parametrize("seed", range(150))
def test_random_crashes_never_cost_or_double_a_row(seed: int) -> None:
    world = asyncio.run(_random_story(seed, metadata=True))
    exact(world)


def test_without_the_range_in_kafka_the_same_crashes_double_rows() -> None:
    """The control: were this clean, the test above would prove nothing."""
    doubled = 0
    for seed in range(40):
        world = asyncio.run(_random_story(seed, metadata=False))
        doubled += any(count > 1 for count in Counter(world.offsets).values())
    assert doubled > 5


async def _random_story(seed: int, metadata: bool) -> World:
    chance = random.Random(seed)
    records, offset, day = [], 0, 100
    for _ in range(120):
        offset += chance.choice((1, 1, 1, 2))  # transaction markers between
        day += chance.random() < 0.05
        value = chance.choices((b"row", b"none", b"broken", b"poison"), (90, 4, 3, 3))[0]
        records.append(record(offset, value, day - (chance.random() < 0.05)))
    world = World(records)
    fates = ("well", "away", "drop answer", "die before", "die behind", "die late")

    def plan(step: str) -> str:
        if world.late and chance.random() < 0.3:
            token, rows = world.late.pop()
            try:
                world.take(token, rows)
            except Refused:
                pass
        fate = chance.choices(fates, (70, 8, 8, 5, 5, 4))[0]
        return fate if step == "insert" or fate in ("die before", "die behind") else "well"

    for _ in range(400):
        try:
            await run(world, Member(world, plan, metadata), lambda: chance.randint(1, 25))
            break
        except Died:
            continue
    else:
        pytest.fail(f"seed {seed}: never reached the end")
    for token, rows in world.late:
        try:
            world.take(token, rows)
        except Refused:
            pass
    return world


def test_kafka_shorter_than_the_table_is_refused_loudly() -> None:
    world = World(log(20))
    world.offsets = [500]

    async def story() -> None:
        with pytest.raises(TocsinError, match=r"ends at offset 21, but table decisions holds its offset 500"):
            await run(world, Member(world), lambda: 5)

    asyncio.run(story())
    assert "insert" not in world.steps


def test_rows_the_table_already_holds_are_skipped_when_the_group_lost_its_offset() -> None:
    for held in (8, 20):
        world = World(log(20))
        world.offsets = list(range(held))
        asyncio.run(run(world, Member(world), lambda: 5))
        exact(world)


def test_a_topic_made_anew_starts_anew() -> None:
    world = World(log(5))
    world.committed = (0, Range(0, 4, "life-0").metadata())
    world.tokens = {Range(0, 4, "life-0").token(TP)}
    asyncio.run(run(world, Member(world), lambda: 5))
    exact(world)


def test_pace_grows_with_the_partitions() -> None:
    assert [pace(n, 1.0) for n in (1, 4, 8)] == [1.0, 1.0, 2.0]
