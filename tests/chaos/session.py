"""One session: a stack on fresh topics and a fresh ClickHouse, its load, its rounds, its accounts.

Owns: the order of a round (load and faults, heal, drain, account) and the deadlines. Must never: pass over a deadline.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.chaos import opinion
from tests.chaos.faults import Faults
from tests.chaos.load import Load
from tests.chaos.nemesis import Fault
from tests.chaos.outcome import Round
from tests.chaos.reading import RECORDED, NotReached, Reader, committed
from tests.chaos.rows import compare
from tests.chaos.script import Script
from tests.chaos.stack import JUST_THAWED, Kafka, Stack
from tests.chaos.timing import RECOVERY_SECONDS, recovery
from tests.chaos.verifier import Accounts, Failure
from tests.chaos.worker import STOP_SECONDS, NotReady

PARTITIONS = 4
START_SECONDS = 10.0
"""Issue and contract: from start to the first decision."""
DRAIN_SECONDS = 90.0
"""Longest a drain may go on without anything becoming less."""
FEW = 64
"""Messages that wait for the workers at a session's start."""
MANY = 1000
"""The same where they are killed over them."""


class Session:
    """A stack and its accounts.

    Args:
        variants: modules to run instead of the workers' own, by role; for the controls.
    """

    def __init__(
        self,
        kafka: Kafka,
        folder: Path,
        number: int,
        over_http: bool,
        script: Script,
        rate: float,
        variants: dict[str, str],
    ) -> None:
        self.prefix = f"chaos{script.seed}-{number}."
        self._kafka = kafka
        self.stack = Stack(kafka, folder, self.prefix, PARTITIONS, over_http, variants)
        self.load = Load(kafka.address, self.prefix, script, self._judged, rate)
        self.accounts = Accounts(self.prefix, self.load.ledger)
        self.faults = Faults(self.stack)
        self._reader = Reader(kafka.address, self.prefix, PARTITIONS, self.accounts.take)
        self._told_rows: set[tuple[str, str]] = set()
        self._limits: dict[tuple[str, int], int] = {}
        self._counted: dict[str, int] = {}
        self._told_faults = 0
        self.patience = DRAIN_SECONDS

    def _judged(self) -> dict[str, Any] | None:
        recent = self.accounts.recent
        return recent.pop(len(recent) // 2) if recent else None

    async def start(self, *, at_birth: bool = False) -> float | None:
        """Starts all; seconds from the triage workers' start to the first decision.

        Args:
            at_birth: kills the triage workers in their very first transaction; then the time is not told.

        Raises:
            NotReady: no decision came, or a worker is not at work; with the end of its log.
        """
        await self.stack.prepare()
        await self._reader.start()
        for _ in range(MANY if at_birth else FEW):
            await self.load.one()
        await self.load.answered()
        names = ("triage-1", "triage-2")
        workers = [self.stack.worker(name, "triage", clock=name == "triage-2") for name in names]
        begun = time.time()
        for worker in workers:
            await worker.start()
        if at_birth:
            await self.faults.at_birth(workers)
        while not self.accounts.moments:
            if time.time() > begun + DRAIN_SECONDS:
                raise NotReady(f"no decision within {DRAIN_SECONDS:g} s: {workers[0].tail()}")
            await asyncio.sleep(0.05)
        first = min(times[0] for times in self.accounts.moments.values()) - begun
        for name in ("learn", "record", "follow-1", "follow-2", "crowd"):
            await self.stack.worker(name, name.partition("-")[0], clock=name != "follow-1").start()
        for worker in self.stack.workers.values():
            await worker.until_ready()
        return None if at_birth else round(first, 2)

    async def round(self, number: int, messages: int, plan: list[Fault], *, last: bool, leisure: float = 0.0) -> Round:
        """Load and faults, heal, drain, account.

        Args:
            leisure: seconds over which the load is stretched, where it must outlast a long fault.
            last: the session's last: its workers are stopped before the account.
        """
        one = Round(number, "HTTP" if self.stack.clickhouse.over_http else "in-process", messages)
        begun = time.monotonic()
        before = (self._told_faults, len(self.faults.kills), len(self.stack.stops), len(self.stack.ends))
        rate = messages / leisure if leisure else self.load.rate
        self.load.calm.clear()
        sending = asyncio.create_task(self.load.send(messages, rate))
        try:
            for error in await self.faults.run(plan, messages / rate):
                if not isinstance(error, NotReady):
                    raise error
                one.failures.append(Failure("not_ready", "worker", str(error)))
        finally:
            self.load.calm.set()
        if self.stack.clickhouse.over_http:
            await self.stack.clickhouse.faults()
        await sending
        healed = time.monotonic()
        drained = await self._drained(one, last=last)
        if last:
            await asyncio.gather(*(self.stack.stop(name, "session's end") for name in list(self.stack.workers)))
            with suppress(NotReached):
                await self._reader.to_end()
        elif drained and not self.stack.clickhouse.over_http:
            await self.stack.stop("record", "to look at the engine's folder")
        if drained:
            await self._account(one)
        if last and drained:
            read_to = await committed(self._kafka.address, self.prefix + "crowd", self.prefix)
            one.failures += [Failure(*each) for each in self.accounts.crowded.account(read_to)]
        if not last and not self.stack.clickhouse.over_http and drained:
            await self.stack.workers["record"].start()
        one.drain_seconds = round(time.monotonic() - healed, 2)
        one.seconds = round(time.monotonic() - begun, 2)
        one.load_average = round(os.getloadavg()[0], 1)
        self._tell(one, before)
        return one

    async def _drained(self, one: Round, *, last: bool) -> bool:
        """Waits until every record has become what it must, and its row is in; tells where that does not come."""
        least, since = 1 << 60, time.monotonic()
        waiting, behind = 0, {}
        while time.monotonic() - since < self.patience:
            with suppress(NotReached):
                await self._reader.to_end(20)
            waiting = self.accounts.waiting()
            behind = {} if waiting else await self._behind()
            if last and not waiting and not behind:
                behind = await self._crowd_behind()
            if not waiting and not behind:
                return True
            left = waiting + sum(behind.values())
            if left < least:
                least, since = left, time.monotonic()
            await asyncio.sleep(0.1)
        one.failures.append(Failure("not_drained", f"round {one.number + 1}", await self._told(waiting, behind)))
        one.failures += self.accounts.account()
        return False

    async def _told(self, waiting: int, behind: dict[str, int]) -> str:
        """What there is to say of a drain that does not end; the workers write what they are doing into their logs."""
        for worker in self.stack.workers.values():
            if self.stack.told_by_signal(worker.name):
                worker.signal(signal.SIGUSR1)
        groups = {
            role: sorted((await committed(self._kafka.address, self.prefix + role, self.prefix)).items())
            for role in ("triage", "learn", "follow", "crowd")
        }
        topic, places = self.prefix + "decisions", self.accounts.undecided()[:20]
        seen = await asyncio.to_thread(opinion.of_places, self._kafka.address, topic, places) if places else []
        return (
            f"{waiting} records wait: {self.accounts.awaited()}; the recorder or crowd is behind by {behind}; "
            f"another client: {seen}; "
            f"groups stand at {groups}"
        )

    async def _behind(self) -> dict[str, int]:
        """Records that were read here and that the recorder has not committed, by topic and partition."""
        wanted = {place: offset + 1 for place, offset in self._reader.last.items() if place[0] in RECORDED}
        self._limits = await committed(self._kafka.address, self.prefix + "record", self.prefix)
        # Health goes on for ever; a figure that came while we asked is none to wait for.
        return {
            f"{place[0]}/{place[1]}": end - self._limits.get(place, 0)
            for place, end in wanted.items()
            if self._limits.get(place, 0) < end and (place[0] != "health" or end - self._limits.get(place, 0) > 20)
        }

    async def _crowd_behind(self) -> dict[str, int]:
        """Decisions that were read here and that crowd has not committed, by partition; it saves every few seconds."""
        found = await committed(self._kafka.address, self.prefix + "crowd", self.prefix)
        wanted = {place: offset + 1 for place, offset in self._reader.last.items() if place[0] == "decisions"}
        left = {f"crowd's {place[0]}/{place[1]}": end - found.get(place, 0) for place, end in wanted.items()}
        return {name: count for name, count in left.items() if count > 0}

    async def _account(self, one: Round) -> None:
        one.failures += self.accounts.account()
        held = await self.stack.clickhouse.held()
        with suppress(NotReached):
            await self._reader.to_end()  # health goes on, and its rows too
        found = compare(held, self.accounts.rows, self._limits, self.prefix)
        one.failures += [failure for failure in found if failure[:2] not in self._told_rows]
        self._told_rows.update(failure[:2] for failure in found)
        counts = self.accounts.counts()
        one.fresh = {name: count - self._counted.get(name, 0) for name, count in counts.items()}
        self._counted = counts

    def _tell(self, one: Round, before: tuple[int, int, int, int]) -> None:
        done, kills, stops, ends = before
        one.faults = self.faults.done[done:]
        self._told_faults = len(self.faults.done)
        one.stops = self.stack.stops[stops:]
        one.statuses = dict(Counter(end.status for end in self.stack.ends[ends:]))
        for kill in self.faults.kills[kills:]:
            one.recoveries.append(
                recovery(
                    kill.name, kill.kind, kill.at, sorted(kill.partitions), self.accounts.moments, self.faults.disturbed
                )
            )
        for found in one.recoveries:
            if found.seconds is not None and found.seconds > RECOVERY_SECONDS and not found.beside:
                one.failures.append(Failure("recovery", f"{found.worker} killed at {found.at:.3f}", str(found)))
        for stop in one.stops:
            # Who was still starting may not have heard of the signal yet, or may have failed by itself.
            excused = not stop.ready or (stop.status == 70 and stop.context == JUST_THAWED)
            if stop.seconds > STOP_SECONDS or (stop.status != 0 and not excused):
                said = f"status {stop.status} after {stop.seconds} s; {stop.context}"
                one.failures.append(Failure("stop", stop.name, said))
        for end in self.stack.ends[ends:]:
            if (
                not end.asked
                and end.status != 70
                and not (end.status == 1 and self._kafka.was_down(end.at - 45, end.at))
            ):
                one.failures.append(Failure("ended", end.name, f"status {end.status} unasked"))

    async def close(self) -> None:
        """Ends everything of the session."""
        for stop in (self.load.stop, self._reader.stop):
            with suppress(TimeoutError):  # a client whose broker is gone may wait for it
                await asyncio.wait_for(stop(), 5)
        await self.stack.close()
