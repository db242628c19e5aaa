"""One worker process under chaos: started, ended, frozen, and started again as a supervisor would.

Owns: the process, its log, how long its end took. Must never: end a process that it did not start, or decide what is wrong.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import aiohttp

from agents.stack import free_port
from streams.local.tether import tethered

READY_SECONDS = 120.0
STOP_SECONDS = 10.0
"""Contract, section 6: gone within ten seconds of SIGTERM."""
AGAIN_SECONDS = 0.2
_OWNS = re.compile(r'"triage owns (\[.*?\])"')


class Ended(NamedTuple):
    """A process ended: when (seconds since 1970), with which status, and whether somebody asked for it."""

    name: str
    at: float
    status: int
    asked: bool


class Stopped(NamedTuple):
    """What SIGTERM did: status and seconds; `context` says what else was down, `ready` whether it was at work."""

    name: str
    status: int
    seconds: float
    context: str
    ready: bool


class NotReady(Exception):
    """A worker was not ready in time."""


class Worker:
    """A worker that is kept running.

    Args:
        entry: the module that is run, and its arguments.
        ended: told of every end.
    """

    def __init__(
        self, name: str, entry: list[str], environment: dict[str, str], folder: Path, ended: Callable[[Ended], None]
    ) -> None:
        self.name = name
        self.lock = asyncio.Lock()
        self.started_at = 0.0
        self._entry = entry
        self._environment = environment
        self._log = folder / f"{name}.log"
        self._ended = ended
        self._wanted = False
        self._asked = False
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._port = 0

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self) -> None:
        """Starts it, and again whenever it ends unasked."""
        self._wanted, self._asked = True, False
        await self._spawn()
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())

    async def _spawn(self) -> None:
        self._port = free_port()
        environment = {**self._environment, "TOCSIN_HTTP_PORT": str(self._port)}
        with self._log.open("ab") as log:
            log.write(f"--- start {time.time():.3f}\n".encode())
            log.flush()
            self._process = await asyncio.create_subprocess_exec(
                *tethered([sys.executable, "-m", *self._entry]),
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the harness, which ends them
            )
        self.started_at = time.time()

    async def _keep(self) -> None:
        while self._wanted:
            assert self._process is not None
            status = await self._process.wait()
            self._ended(Ended(self.name, time.time(), status, self._asked))
            if not self._wanted:
                return
            self._asked = False
            await asyncio.sleep(AGAIN_SECONDS)
            if self._wanted:
                await self._spawn()

    def signal(self, number: signal.Signals) -> float:
        """Sends a signal to the process that runs now; the moment, in seconds since 1970."""
        if self.pid is not None:
            self._asked = self._asked or number in (signal.SIGKILL, signal.SIGTERM)
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
        return time.time()

    async def stop(self, context: str = "") -> Stopped:
        """SIGTERM, and not started again; killed where it stays longer than twice what it may."""
        self._wanted = False
        ready = await self.is_ready()
        process, begun = self._process, time.monotonic()
        if process is None or self.pid is None:
            await self._kept()
            return Stopped(self.name, 0, 0.0, "was not running", False)
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 2 * STOP_SECONDS)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await process.wait()
        seconds = time.monotonic() - begun
        await self._kept()
        return Stopped(self.name, process.returncode or 0, round(seconds, 3), context, ready)

    async def _kept(self) -> None:
        if self._keeper is not None:
            await asyncio.gather(self._keeper, return_exceptions=True)

    async def end(self) -> None:
        """Kills it, whatever it does; for the end of the harness."""
        self._wanted = False
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self.pid is not None and self._process is not None:
            self.signal(signal.SIGKILL)
            await self._process.wait()

    async def until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Returns when `/readyz` says so.

        Raises:
            NotReady: it did not in time; with the end of its log.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if await self.is_ready():
                return
            await asyncio.sleep(0.2)
        raise NotReady(f"{self.name} was not ready within {seconds:g} s: {self.tail(800)}")

    async def is_ready(self) -> bool:
        """Asks `/readyz` once."""
        if self.pid is None:
            return False
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session,
                session.get(f"http://127.0.0.1:{self._port}/readyz") as answer,
            ):
                return answer.status == 200
        return False

    async def until_another(self, pid: int | None, seconds: float = READY_SECONDS) -> None:
        """Returns when another process than `pid` is ready; raises NotReady."""
        deadline = time.monotonic() + seconds
        while self.pid in (None, pid) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await self.until_ready(max(deadline - time.monotonic(), 0.1))

    def tail(self, length: int = 2000) -> str:
        """The end of its log."""
        return self._log.read_text("utf-8", "replace")[-length:] if self._log.exists() else ""

    def partitions(self) -> set[int]:
        """The partitions of `messages` that it says it owns (in its log, since its last start)."""
        text = self._log.read_text("utf-8", "replace").rpartition("--- start ")[2]
        found = _OWNS.findall(text.replace('\\"', '"'))
        return {int(number) for number in re.findall(r"/(\d+)'", found[-1])} if found else set()

    def memory(self) -> int:
        """Resident bytes of the process that runs now; 0 where none does."""
        try:
            fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        except OSError:
            return 0
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
