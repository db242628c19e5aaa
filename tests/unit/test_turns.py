"""Turns: one at a time, short work first, nobody for ever, and nothing is lost with who is cancelled."""

from __future__ import annotations

import asyncio

import pytest

from streams import turns as module
from streams.turns import Turns


async def _work(turns: Turns, name: str, slices: int, done: list[str]) -> None:
    async with turns.turn(slices):
        for left in range(slices - 1, -1, -1):
            done.append(name)
            await turns.give_way(left)


async def test_short_work_goes_before_long_and_long_work_is_finished_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)  # however busy the machine, waiting counts for nothing here
    turns, done = Turns(), list[str]()
    long = [asyncio.create_task(_work(turns, name, 4, done)) for name in "AB"]
    await asyncio.sleep(0)
    short = asyncio.create_task(_work(turns, "c", 1, done))
    await asyncio.gather(*long, short)
    assert done.index("c") <= 2
    assert [name for name in done if name != "c"] == ["A"] * 4 + ["B"] * 4


async def test_waiting_counts_so_that_long_work_gets_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1e12)  # who came first goes first
    turns, done = Turns(), list[str]()
    await asyncio.gather(_work(turns, "A", 3, done), _work(turns, "b", 1, done), _work(turns, "c", 1, done))
    assert done[:4] == ["A", "b", "c", "A"]


@pytest.mark.parametrize("when", [0, 1])
async def test_a_turn_is_not_lost_with_who_is_cancelled(when: int) -> None:
    turns = Turns()
    release = asyncio.Event()

    async def hold() -> None:
        async with turns.turn(1):
            await release.wait()

    first = asyncio.create_task(hold())
    await asyncio.sleep(0)
    second, third = asyncio.create_task(hold()), asyncio.create_task(hold())
    await asyncio.sleep(0)
    if when:
        first.cancel()  # its turn passes on to the second, which is cancelled as it comes
        await asyncio.sleep(0)
    second.cancel()
    release.set()
    await asyncio.wait_for(third, 5)
    await asyncio.gather(first, second, return_exceptions=True)
    async with asyncio.timeout(5), turns.turn(1):
        pass
