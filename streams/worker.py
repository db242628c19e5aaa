"""One worker process: several roles, one end.

Owns: starting and stopping roles, probes, the figures every ten seconds, the watchdog. Must never: fork, or start itself
again; exit status 70 asks whoever supervises to do that.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import uvloop

from streams import rights
from streams.app import EXIT_RESTART, leave
from streams.health import HealthReporter
from streams.http import HealthServer, Status
from streams.settings import Settings

log = logging.getLogger("tocsin.worker")

FIGURES_SECONDS = 10.0
STUCK_SECONDS = 60.0
"""A role that has records to take and takes none for this long is given up (aiokafka and Faust both have open reports of
consumers that stay assigned and silent)."""


class Role(Protocol):
    """What runs in a worker: triage, learn, follow, record, console, door."""

    name: str

    async def start(self) -> None:
        """Ready to begin; raises TocsinError where something must be mended first."""

    async def stop(self) -> None:
        """Finishes what is in hand."""

    @property
    def ready(self) -> bool:
        """Whether it does its work now."""

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""

    async def figures(self) -> dict[str, Any]:
        """Its own figures; `stuck_seconds` where it has work and does none."""


Build = Callable[[Settings, HealthReporter], Role]


class Worker:
    """Runs roles until a signal, a failure or the end of one of them."""

    def __init__(self, settings: Settings, builders: list[Build], names: list[str]) -> None:
        self._settings = settings
        self._builders = builders
        self._names = names
        self._roles: list[Role] = []
        self._stop = asyncio.Event()
        self._beat = time.monotonic()
        self._started = False

    async def run(self) -> int:
        """The process's exit status: 0 after a signal, 70 after a failure.

        Raises:
            TocsinError: a role cannot start, or the port is in use.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        server = HealthServer(self._settings, self._alive, self._ready)
        server.start()
        component = f"{'+'.join(self._names)}@{socket.gethostname()}-{os.getpid()}"
        health = HealthReporter(self._settings, component)
        status = 0
        try:
            starting = asyncio.create_task(self._start(health, component, server.port))
            stopping = asyncio.create_task(self._stop.wait())
            failure = None
            while not starting.done() and not stopping.done() and failure is None:
                # Joining a group may be refused for good while its start still waits.
                await asyncio.wait({starting, stopping}, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
                failure = self._failure(health)
            if starting.done():
                starting.result()
                status = await self._watch(health, component)
            else:
                status = 0 if failure is None else EXIT_RESTART
                starting.cancel()
                await asyncio.wait({starting}, timeout=1.0)
            stopping.cancel()
        finally:
            await self._end(health)
            server.stop()
        return status

    async def _start(self, health: HealthReporter, component: str, port: int) -> None:
        await rights.check(self._settings, self._names)
        await health.start()
        for build in self._builders:
            role = build(self._settings, health)
            self._roles.append(role)
            await role.start()
            log.info("%s started", role.name)
        gc.collect()
        gc.freeze()  # model and policy stay: a collection need not walk through them
        self._started = True
        log.info("worker %s: metrics and probes on http://%s:%d", component, self._settings.http_host, port)

    async def _watch(self, health: HealthReporter, component: str) -> int:
        next_figures = time.monotonic() + FIGURES_SECONDS
        while not self._stop.is_set():
            self._beat = time.monotonic()
            if self._failure(health) is not None:
                return EXIT_RESTART
            if time.monotonic() >= next_figures:
                next_figures += FIGURES_SECONDS
                await self._report(health, component)
            try:
                await asyncio.wait_for(self._stop.wait(), 0.5)
            except TimeoutError:
                continue
        return 0

    def _failure(self, health: HealthReporter) -> BaseException | None:
        for role in self._roles:
            if role.failed is not None:
                log.error("%s failed: %r", role.name, role.failed)
                health.alarm("worker_failed", f"{role.name} failed: {role.failed}", severity="critical")
                return role.failed
        return None

    async def _report(self, health: HealthReporter, component: str) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        process = {"memory_bytes": memory_bytes(), "cpu_seconds": usage.ru_utime + usage.ru_stime}
        for role in self._roles:
            try:
                figures = await role.figures()
            except Exception as error:  # figures asked for in the middle of a rebalance must not end the worker
                log.warning("no figures of %s: %r", role.name, error)
                continue
            if figures.get("stuck_seconds", 0) > STUCK_SECONDS:
                leave(f"{role.name} has records to take and took none for {figures['stuck_seconds']:.0f} s")
            health.report("worker_metrics", figures={"role": role.name, "worker": component, **figures, **process})

    async def _end(self, health: HealthReporter) -> None:
        # Nothing is lost by leaving at any moment; a Kafka that is away must not hold the process.
        watchdog = asyncio.get_running_loop().call_later(self._settings.stop_timeout, os._exit, self._exit_status())
        for role in reversed(self._roles):
            try:
                await role.stop()
            except (Exception, asyncio.CancelledError) as error:  # aiokafka lets its own tasks' cancellation out
                log.warning("%s did not stop cleanly: %r", role.name, error)
        await health.stop()
        watchdog.cancel()

    def _exit_status(self) -> int:
        return 0 if self._stop.is_set() else EXIT_RESTART

    def _signalled(self) -> None:
        log.info("stopping")
        self._stop.set()

    def _alive(self) -> Status:
        silent = time.monotonic() - self._beat
        ok = not self._started or silent < STUCK_SECONDS / 2
        return {"ok": ok, "roles": self._names, "loop_silent_seconds": round(silent, 3)}

    def _ready(self) -> Status:
        roles = {role.name: role.ready for role in self._roles}
        return {"ok": self._started and all(roles.values()), "roles": roles}


def memory_bytes() -> int:
    """Resident memory of this process."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def collect_seldom() -> None:
    """Python looks for cycles of garbage after every 700 objects: a tenth of a worker's CPU, as judging makes objects and no
    cycles. Every 50,000 is enough for those that connections and tracebacks make."""
    gc.set_threshold(50_000, 20, 50)


def run(settings: Settings, builders: list[Build], names: list[str]) -> int:
    """Runs a worker in this process; see `Worker.run`."""
    collect_seldom()

    async def main() -> int:
        return await Worker(settings, builders, names).run()

    status = uvloop.run(main())
    if any(thread.daemon for thread in threading.enumerate()):
        # One that goes on is within a call of native code, which crashes where Python is taken down around it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status
