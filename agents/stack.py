"""Everything on one machine: Kafka, topics and policy, and the workers, each a process of its own.

Owns: which processes there are, their ports and folders, and their order. Must never: outlive the command that began it.
"""

from __future__ import annotations

import asyncio
import getpass
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.commands.init import prepare
from streams.errors import TocsinError
from streams.local import jars
from streams.local.command import download_progress
from streams.local.supervisor import Child, Event, Supervisor
from streams.settings import Settings

START_SECONDS = 90.0
STOP_SECONDS = 8.0
WORKER_STOP_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the screen: what runs, where."""

    name: str
    does: str
    url: str
    log: Path


class Stack:
    """The local stack.

    Args:
        settings: `data` says where; Kafka and ClickHouse are always local here.
        kafka_port: 9092, or 0 for any free one.
        triage: number of triage workers.
        say: told of each step, and of each process that ends and is started again.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        kafka_port: int,
        console_port: int,
        triage: int = 2,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._data = settings.data.absolute()
        self._say = say
        self._supervisor = Supervisor(self._event)
        port = kafka_port or free_port()
        self.console_port = console_port or free_port()
        self.settings = settings.model_copy(
            update={
                "kafka": f"127.0.0.1:{port}",
                "kafka_security": "PLAINTEXT",
                "clickhouse": type(settings.clickhouse)(f"chdb://{self._data / 'clickhouse'}"),
                "data": self._data,
                "console_port": self.console_port,
            }
        )
        self._port = port
        self._triage = triage
        self.processes: list[Process] = []

    @property
    def console_url(self) -> str:
        """Where the console answers."""
        return f"http://127.0.0.1:{self.console_port}"

    async def start(self) -> None:
        """Starts everything; ready to serve when it returns.

        Raises:
            TocsinError: naming what did not start, why, and its log.
        """
        with download_progress() as progress:
            jars.ensure(self.settings.cache_folder, progress=progress)
        self._data.mkdir(parents=True, exist_ok=True)
        await self._broker()
        for line in await prepare(self.settings, by=getpass.getuser()):
            self._say(line)
        await self._worker("record+console", "rows in ClickHouse; the console", "record", "console")
        await self._worker("learn", "learns from feedback", "learn")
        await self._worker("follow", "conversations, clocks, handoffs", "follow")
        await self._worker("crowd", "incidents, the alert budget", "crowd")
        for number in range(1, self._triage + 1):
            await self._worker(f"triage-{number}", "judges messages", "triage")
        self._say("workers are starting")
        await self._supervisor.wait_ready(timeout=START_SECONDS)

    async def stop(self) -> None:
        """Ends everything, workers first; no process is left."""
        await self._supervisor.stop(STOP_SECONDS)

    def states(self) -> list[tuple[str, int | None, str, int]]:
        """(name, pid, state, restarts) of each process."""
        return [(name, pid, str(state), restarts) for name, pid, state, restarts in self._supervisor.states()]

    async def _broker(self) -> None:
        ready = f"is ready on 127.0.0.1:{self._port}"
        log = self._log("kafka")

        async def answered() -> bool:
            return log.exists() and ready in log.read_text("utf-8", "replace")

        log.unlink(missing_ok=True)
        argv = [
            sys.executable,
            "-m",
            "agents.cli",
            "broker",
            "--port",
            str(self._port),
            "--data",
            str(self._data / "kafka"),
        ]
        await self._supervisor.start(Child("kafka", argv, {}, log, ready=answered, stage=1))
        self.processes.append(Process("kafka", "Apache Kafka, one node", f"127.0.0.1:{self._port}", log))
        self._say("Apache Kafka is starting")
        await self._supervisor.wait_ready("kafka", timeout=START_SECONDS)

    async def _worker(self, name: str, does: str, *roles: str) -> None:
        port = free_port()
        log = self._log(name)
        env = {
            "TOCSIN_KAFKA": self.settings.kafka,
            "TOCSIN_KAFKA_SECURITY": "PLAINTEXT",
            "TOCSIN_CLICKHOUSE": self.settings.clickhouse.get_secret_value(),
            "TOCSIN_DATA": str(self._data),
            "TOCSIN_HTTP_HOST": "127.0.0.1",
            "TOCSIN_HTTP_PORT": str(port),
            "TOCSIN_CONSOLE_HOST": "127.0.0.1",
            # On loopback, and looked at by the stack itself: doors of this shell's settings stay shut out.
            "TOCSIN_HTTP_TOKEN": "",
            "TOCSIN_CONSOLE_TOKEN": "",
            "TOCSIN_CONSOLE_PROXY_HEADER": "",
            "TOCSIN_CONSOLE_PORT": str(self.console_port),
            "TOCSIN_STOP_TIMEOUT": str(WORKER_STOP_SECONDS),
            "TOCSIN_START_FROM": "decided",  # nobody is there to say where to begin
            "PYTHONUNBUFFERED": "1",
        }
        argv = [sys.executable, "-m", "agents.cli", "worker", *roles]
        await self._supervisor.start(Child(name, argv, env, log, ready=f"http://127.0.0.1:{port}/readyz"))
        url = self.console_url if "console" in roles else f"http://127.0.0.1:{port}/metrics"
        self.processes.append(Process(name, does, url, log))

    def _log(self, name: str) -> Path:
        return self._data / "logs" / f"{name}.log"

    def _event(self, event: Event) -> None:
        if event.kind == "ended" and event.delay is not None:
            self._say(f"{event.name} ended with status {event.status}; starting it again")
        elif event.kind == "killed":
            self._say(f"{event.name} did not stop in time and was killed")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_port(port: int, name: str) -> None:
    """Raises TocsinError where a port that was asked for is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return
    raise TocsinError(f"port {port} ({name}) is in use; choose another, or 0 for any free one")


async def until_signal(*others: asyncio.Task[Any]) -> None:
    """Returns on SIGINT, SIGTERM or SIGHUP, or when one of the tasks ends."""

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting, *others}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
