"""Keeps the processes of the local stack running, and ends them in order.

Owns: starting, watching, restarting and stopping child processes, and their log files. Must never: know what a child
does, let one outlive it, or take longer to stop than its deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from streams.errors import TocsinError
from streams.local.child import Child, Event, State, make_log
from streams.local.logs import Tail
from streams.local.tether import tethered

__all__ = ["Child", "Event", "State", "Supervisor"]

START_AGAIN: Final = 70
"""Exit status of a worker that left on purpose, to be started anew."""
STOP_SECONDS: Final = 8.0
STAGE_SECONDS: Final = 2.5
"""What is kept of the deadline for each later stage: Kafka ends within a second."""
FIRST_DELAY, LONGEST_DELAY = 0.25, 10.0
STEADY_SECONDS: Final = 30.0
"""Who ran as long as this starts over with no failure counted."""


@dataclass
class _Run:
    """One child through all its lives."""

    child: Child
    tail: Tail
    process: asyncio.subprocess.Process | None = None
    state: State = "starting"
    restarts: int = 0
    failures: int = 0
    status: int | None = None
    was_ready: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Supervisor:
    """Children of one process. Use it from the main thread's event loop (see `streams.local.tether`)."""

    def __init__(self, on_event: Callable[[Event], None] | None = None) -> None:
        self._on_event = on_event
        self._runs: dict[str, _Run] = {}
        self._stop = asyncio.Event()

    async def start(self, child: Child) -> None:
        """The child has been started once when this returns, and is started again whenever it ends.

        Raises:
            TocsinError: it cannot be started at all.
        """
        assert child.name not in self._runs, f"{child.name} was started already"
        if shutil.which(child.argv[0]) is None:
            raise TocsinError(f"{child.name}: there is no program {child.argv[0]}; install it, or mend PATH")
        run = self._runs[child.name] = _Run(child, Tail(child.log_path))
        try:
            await self._spawn(run)
        except OSError as error:
            del self._runs[child.name]
            raise TocsinError(f"{child.name}: {error.filename or child.argv[0]}: {error.strerror}") from error
        run.task = asyncio.create_task(self._keep(run), name=f"keep {child.name}")

    async def wait_ready(self, *names: str, timeout: float = 60.0) -> None:
        """Returns when these children (default: all) are ready.

        Raises:
            TocsinError: one ended without ever having been ready (it is started again all the same), or time is up;
            with its last log lines.
        """
        deadline = time.monotonic() + timeout
        for name in names or tuple(self._runs):
            run = self._runs[name]
            while run.state != "ready":
                if not run.was_ready and run.status not in (None, START_AGAIN):
                    raise self._sentence(run, f"ended with status {run.status} before it was ready")
                run.changed.clear()
                try:
                    await asyncio.wait_for(run.changed.wait(), deadline - time.monotonic())
                except TimeoutError:
                    raise self._sentence(run, f"was not ready after {timeout:g} s") from None

    def states(self) -> list[tuple[str, int | None, State, int]]:
        """(name, pid, state, restarts) of every child, in the order they were started; no pid while it is not there."""
        return [
            (name, run.process.pid if run.process else None, run.state, run.restarts)
            for name, run in self._runs.items()
        ]

    async def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Ends all children and theirs, stage by stage: SIGTERM, then SIGKILL; `timeout` seconds at most in all."""
        self._stop.set()
        deadline = time.monotonic() + timeout
        stages = sorted({run.child.stage for run in self._runs.values()})
        for later, stage in zip(range(len(stages) - 1, -1, -1), stages, strict=True):
            until = max(deadline - later * min(STAGE_SECONDS, timeout / len(stages)), time.monotonic())
            await asyncio.gather(*(self._end(run, until) for run in self._runs.values() if run.child.stage == stage))

    async def _end(self, run: _Run, until: float) -> None:
        assert run.task is not None
        self._set(run, "stopping")
        if run.process is not None:
            _signal(run.process.pid, signal.SIGTERM)
        await asyncio.wait({run.task}, timeout=until - time.monotonic())
        if not run.task.done():
            if run.process is not None:
                self._tell(Event(run.child.name, "killed", run.process.pid))
                _signal(run.process.pid, signal.SIGKILL)
            await asyncio.wait({run.task})
        self._set(run, "stopped")

    async def _keep(self, run: _Run) -> None:
        """Watches, and starts again, until the end of the supervisor."""
        while True:
            if run.process is not None:
                await self._watch(run)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._delay(run))
            if self._stop.is_set():
                return
            run.restarts += 1
            try:
                await self._spawn(run)
            except OSError:  # the program is gone, or no process is to be had: the next try may find them again
                run.failures += 1

    async def _watch(self, run: _Run) -> None:
        """One life."""
        assert run.process is not None
        process, began = run.process, time.monotonic()
        asking = asyncio.create_task(self._ask_ready(run), name=f"ready {run.child.name}")
        try:
            run.status = await process.wait()
        finally:
            asking.cancel()
        # What it left in its group would hold ports and files against its successor.
        _signal(process.pid, signal.SIGKILL)
        run.process = None
        if time.monotonic() - began > STEADY_SECONDS:
            run.failures = 0
        run.failures += 1
        self._set(run, "stopping" if self._stop.is_set() else "waiting")
        delay = None if self._stop.is_set() else self._delay(run)
        self._tell(Event(run.child.name, "ended", process.pid, run.status, delay))

    def _delay(self, run: _Run) -> float:
        """Seconds until the next start: twice as long each time; none for the first that asked for it."""
        doublings = run.failures - (2 if run.status == START_AGAIN else 1)
        return 0.0 if doublings < 0 else min(FIRST_DELAY * 2.0 ** min(doublings, 10), LONGEST_DELAY)

    async def _spawn(self, run: _Run) -> None:
        child = run.child
        make_log(child)
        run.tail.mark()
        with child.log_path.open("ab") as log:
            run.process = await asyncio.create_subprocess_exec(
                *tethered(child.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **child.env},
                # A session each: Ctrl-C in the terminal reaches us alone, and a child's own children go with it.
                start_new_session=True,
            )
        self._set(run, "stopping" if self._stop.is_set() else "starting")
        self._tell(Event(child.name, "started", run.process.pid))
        if self._stop.is_set():  # stop() came between, and saw no process
            _signal(run.process.pid, signal.SIGTERM)

    async def _ask_ready(self, run: _Run) -> None:
        """Follows the child's own word: often until it is ready, now and then after."""
        assert run.process is not None
        pid = run.process.pid
        while not self._stop.is_set():
            answer = await run.child.is_ready()
            if self._stop.is_set() or run.process is None:
                return
            if answer and run.state != "ready":
                self._tell(Event(run.child.name, "ready", pid))
            run.was_ready = run.was_ready or answer
            self._set(run, "ready" if answer else "starting")
            await asyncio.sleep(2.0 if answer else 0.1)

    def _set(self, run: _Run, state: State) -> None:
        run.state = state
        run.changed.set()

    def _tell(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)

    def _sentence(self, run: _Run, what: str) -> TocsinError:
        return TocsinError(f"{run.child.name} {what}; see {run.child.log_path}{run.tail.text()}")


def _signal(pid: int, number: signal.Signals) -> None:
    """To the child and all of its group, which bears the child's pid."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
