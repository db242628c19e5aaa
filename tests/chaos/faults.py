"""Doing what the nemesis planned, and healing it.

A victim has one fault at a time; faults of different victims overlap. Owns: signals, the broker's death, ClickHouse's
fault switches, workers' clocks; what was done and when. Must never: touch a process that the stack did not start.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.chaos.clocked import set_clock
from tests.chaos.nemesis import AT_BIRTH, Fault
from tests.chaos.reading import committed
from tests.chaos.stack import Stack
from tests.chaos.worker import READY_SECONDS, NotReady, Worker


@dataclass
class Done:
    """A fault that was done: seconds since 1970, and what there is to say of it."""

    kind: str
    began: float
    ended: float = 0.0
    what: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kill:
    """A triage worker was killed: when, and the partitions that it owned."""

    name: str
    kind: str
    at: float
    partitions: frozenset[int]


class Faults:
    """Does the faults of a session's rounds."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.done: list[Done] = []
        self.kills: list[Kill] = []
        self.disturbed: list[tuple[float, float, str]] = []

    async def run(self, plan: list[Fault], seconds: float) -> list[BaseException]:
        """Does the faults of a round whose load lasts so many seconds; when all is healed, what could not be."""
        begun = time.monotonic()
        doing = [asyncio.create_task(self._do(fault, begun + fault.at * seconds)) for fault in plan]
        try:
            # One that fails must not keep the others from healing what they broke.
            results = await asyncio.gather(*doing, return_exceptions=True)
        finally:
            for task in doing:
                task.cancel()
        return [result for result in results if isinstance(result, BaseException)]

    async def _do(self, fault: Fault, when: float) -> None:
        await asyncio.sleep(max(when - time.monotonic(), 0))
        names = list(fault.what.get("workers", ()))
        locks = [self._stack.workers[name].lock for name in sorted(names)] if fault.kind != "rolling_restart" else []
        if fault.kind.startswith("broker"):
            locks.append(self._stack.kafka.lock)
        if fault.kind.startswith("clickhouse"):
            locks.append(self._stack.clickhouse.lock)
        if fault.kind == "kill_recorder_inserting":
            locks.append(self._stack.workers["record"].lock)
        async with AsyncExitStack() as held:
            for lock in locks:
                await held.enter_async_context(lock)
            done = Done(fault.kind, time.time(), what=dict(fault.what))
            self.done.append(done)
            await getattr(self, f"_{fault.kind}")(names, fault.what, done)
            done.ended = time.time()

    async def at_birth(self, workers: list[Worker]) -> None:
        """Kills triage workers the moment that anything stands in `decisions`, whether or not it is committed.

        Raises:
            NotReady: nothing came.
        """
        consumer = AIOKafkaConsumer(bootstrap_servers=self._stack.kafka.address)
        await consumer.start()
        try:
            places = [TopicPartition(f"{self._stack.prefix}decisions", at) for at in range(self._stack.partitions)]
            deadline = time.monotonic() + READY_SECONDS
            while not any((await consumer.end_offsets(places)).values()):
                if time.monotonic() > deadline:
                    raise NotReady(f"no decision within {READY_SECONDS:g} s: {workers[0].tail()}")
        finally:
            at = min(worker.signal(signal.SIGKILL) for worker in workers)
            await consumer.stop()
        self.done.append(Done(AT_BIRTH, at, at, {"workers": [worker.name for worker in workers]}))

    @asynccontextmanager
    async def _disturbing(self, name: str) -> AsyncIterator[None]:
        """A triage worker, or the broker, is not there meanwhile: recovery from another's kill is not judged alone."""
        begun = time.time()
        place = len(self.disturbed)
        self.disturbed.append((begun, float("inf"), name))
        try:
            yield
        finally:
            self.disturbed[place] = (begun, time.time(), name)

    # --- workers

    async def _kill(self, names: list[str], what: dict[str, Any], done: Done) -> None:
        pids: dict[str, int | None] = {}
        async with AsyncExitStack() as disturbing:
            for name in names:
                worker = self._stack.workers[name]
                pids[name] = worker.pid
                triage = name.startswith("triage")
                owned = frozenset(worker.partitions()) if triage else frozenset()
                at = worker.signal(signal.SIGKILL)
                if triage:
                    self.kills.append(Kill(name, done.kind, at, owned))
                    await disturbing.enter_async_context(self._disturbing(name))
            for name, pid in pids.items():
                await self._stack.workers[name].until_another(pid)

    _kill_triage = _kill_follow = _kill_several = _kill

    async def _kill_crowd(self, names: list[str], what: dict[str, Any], done: Done) -> None:
        """Once it has committed: who comes next goes on from there, and must be able to."""
        until = time.monotonic() + READY_SECONDS
        prefix = self._stack.prefix
        while not await committed(self._stack.kafka.address, f"{prefix}crowd", prefix) and time.monotonic() < until:
            await asyncio.sleep(0.2)
        await self._kill(names, what, done)

    async def _freeze(self, names: list[str], what: dict[str, Any], done: Done) -> None:
        async with AsyncExitStack() as disturbing:
            for name in names:
                self._stack.workers[name].signal(signal.SIGSTOP)
                if name.startswith("triage"):
                    await disturbing.enter_async_context(self._disturbing(name))
            await asyncio.sleep(what["seconds"])
            for name in names:
                self._stack.thaw(name)
            for name in names:
                await self._stack.workers[name].until_ready()

    _freeze_short = _freeze_long = _freeze_several = _freeze

    async def _starve(self, names: list[str], what: dict[str, Any], done: Done) -> None:
        """It gets a small share of the processor, and another worker comes and goes meanwhile: chunks outlast rebalances."""
        guest = self._stack.worker("triage-guest-of-starved", "triage")
        until = time.monotonic() + what["seconds"]
        async with self._disturbing(names[0]), self._disturbing(guest.name):
            await guest.start()
            while time.monotonic() < until:
                self._stack.workers[names[0]].signal(signal.SIGSTOP)
                await asyncio.sleep(0.2 * (1 - what["share"]))
                self._stack.thaw(names[0])
                await asyncio.sleep(0.2 * what["share"])
            await guest.until_ready()
            await self._stack.stop(guest.name, self._context())
            await self._stack.workers[names[0]].until_ready()

    async def _zombie_recorder(self, names: list[str], what: dict[str, Any], done: Done) -> None:
        """Frozen while another takes its partitions; then both are awake, then the other leaves."""
        heir = self._stack.worker("record-heir", "record")
        await heir.start()
        self._stack.workers["record"].signal(signal.SIGSTOP)
        try:
            await heir.until_ready()
            await asyncio.sleep(what["seconds"])
        finally:
            self._stack.thaw("record")
        await self._stack.workers["record"].until_ready()
        await self._stack.stop("record-heir")

    async def _rolling_restart(self, names: list[str], what: dict[str, Any], done: Done) -> None:
        for name in names:
            worker = self._stack.workers[name]
            async with worker.lock, self._disturbing(name):
                await self._stack.stop(name, self._context())
                await worker.start()
                await worker.until_ready()

    async def _join_leave(self, names: list[str], what: dict[str, Any], done: Done) -> None:
        guest = self._stack.worker("triage-guest", "triage")
        async with guest.lock, self._disturbing("triage-guest"):
            await guest.start()
            await guest.until_ready()
            await self._stack.stop("triage-guest", self._context())

    # --- servers

    async def _broker_kill(self, names: list[str], what: dict[str, Any], done: Done) -> None:
        async with self._disturbing("broker"):
            await self._stack.kafka.kill()
            stopped = [await self._stack.stop(name, "Kafka away") for name in names]
            done.what["down_seconds"] = round(await self._stack.kafka.again(), 2)
            for name, _ in zip(names, stopped, strict=True):
                await self._stack.workers[name].start()
                await self._stack.workers[name].until_ready()

    _broker_kill_and_stop = _broker_kill

    async def _clickhouse(self, names: list[str], what: dict[str, Any], done: Done) -> None:
        fault = done.kind.removeprefix("clickhouse_").removesuffix("_minutes")
        setting = what.get("milliseconds") or what.get("requests") or True
        clickhouse = self._stack.clickhouse
        await clickhouse.faults(**{fault: setting})
        if "seconds" in what:
            await asyncio.sleep(what["seconds"])
            await clickhouse.faults()

    _clickhouse_away = _clickhouse_away_minutes = _clickhouse_slow = _clickhouse_refuse = _clickhouse
    _clickhouse_full = _clickhouse_drop_answer = _clickhouse

    async def _kill_recorder_inserting(self, names: list[str], what: dict[str, Any], done: Done) -> None:
        for _ in range(what["times"]):
            await asyncio.sleep(what["after"])
            await self._kill(["record"], what, done)

    # --- clocks

    async def _clock_jump(self, names: list[str], what: dict[str, Any], done: Done) -> None:
        done.what["workers"] = sorted(self._stack.clocks)
        for clock in self._stack.clocks.values():
            set_clock(clock, what["step"])
        await asyncio.sleep(what["seconds"])
        for clock in self._stack.clocks.values():
            set_clock(clock, 0.0)

    def _context(self) -> str:
        """What else was down when somebody was asked to stop."""
        now = time.time()
        names = {name for begun, ended, name in self.disturbed if begun <= now < ended and name == "broker"}
        return "Kafka away" if names else ""
