"""The stack under chaos: one broker for the whole run, and for each session its topics, ClickHouse and workers.

Owns: every process and folder of the run, and their end. Must never: leave a process or a folder behind, or judge.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import clickhouse_connect
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.local import jars
from streams.local.broker import Broker
from streams.local.tether import tethered
from streams.settings import load
from tests.chaos.clocked import set_clock
from tests.chaos.rows import collect
from tests.chaos.worker import Ended, Stopped, Worker

READY_SECONDS = 180.0
"""Longest wait for a broker: a machine that others use may need minutes for what takes seconds."""


FENCED_SECONDS = 10.0
JUST_THAWED = "just thawed"
"""Of a worker that was asked to stop this soon after it was woken: fenced, it leaves with 70, as it must."""


class Kafka:
    """The broker of the run, and how long it was down."""

    def __init__(self, folder: Path) -> None:
        self._broker = Broker(folder / "kafka", jars.ensure(load().cache_folder))
        self.version = f"Apache Kafka {jars.kafka_version()}"
        self.lock = asyncio.Lock()
        self.down: list[tuple[float, float]] = []

    @property
    def address(self) -> str:
        """Bootstrap server."""
        return self._broker.address

    async def start(self) -> None:
        """Returns when it serves."""
        await self._broker.start()
        await self._broker.wait_ready(READY_SECONDS)

    async def kill(self) -> None:
        """kill -9; down until `again`."""
        self.down.append((time.time(), float("inf")))
        assert self._broker.pid is not None
        os.kill(self._broker.pid, 9)
        await self._broker.wait()
        await self._broker.stop()  # gone already: this gives its folder free

    async def again(self) -> float:
        """The same folder and port; returns when it serves: seconds it was down."""
        await self.start()
        begun, _ = self.down.pop()
        self.down.append((begun, time.time()))
        return time.time() - begun

    def was_down(self, since: float, until: float) -> bool:
        """Whether it was away at any moment between these two."""
        return any(begun < until and ended > since for begun, ended in self.down)

    async def stop(self) -> None:
        """Ends it."""
        await self._broker.stop()


class ClickHouse:
    """The engine: in the recorder (`chdb`), or behind the tests' HTTP front in a process of its own."""

    def __init__(self, folder: Path, over_http: bool) -> None:
        self.folder = folder
        self.over_http = over_http
        self.lock = asyncio.Lock()
        self._front: asyncio.subprocess.Process | None = None
        self._port = self._control = 0

    @property
    def url(self) -> str:
        """For TOCSIN_CLICKHOUSE."""
        return f"http://127.0.0.1:{self._port}/tocsin" if self.over_http else f"chdb://{self.folder}"

    async def start(self) -> None:
        """Starts the front, where there is one."""
        if not self.over_http:
            return
        argv = tethered([sys.executable, "-m", "tests.clickhouse_front", "--path", str(self.folder)])
        self._front = await asyncio.create_subprocess_exec(
            *argv, stdout=asyncio.subprocess.PIPE, start_new_session=True
        )
        assert self._front.stdout is not None
        line = await asyncio.wait_for(self._front.stdout.readline(), 60)
        self._port, self._control = (int(port) for port in line.split())

    async def faults(self, **faults: Any) -> None:
        """Sets the faults; none: all off."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{self._control}/faults", json=faults) as answer,
        ):
            answer.raise_for_status()

    async def held(self) -> dict[str, Any]:
        """What it holds; in `chdb`, the recorder must have left."""
        if self.over_http:

            def ask() -> dict[str, Any]:
                client = clickhouse_connect.get_client(host="127.0.0.1", port=self._port, send_receive_timeout=60)
                try:
                    return collect(client)
                finally:
                    client.close()

            return await asyncio.to_thread(ask)
        argv = tethered([sys.executable, "-m", "tests.chaos.rows", str(self.folder)])
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        found: dict[str, Any] = json.loads(out)
        return found

    async def stop(self) -> None:
        """Ends the front."""
        if self._front is not None and self._front.returncode is None:
            self._front.terminate()
            try:
                await asyncio.wait_for(self._front.wait(), 10)
            except TimeoutError:
                self._front.kill()
                await self._front.wait()


class Stack:
    """One session's workers and what they need.

    Args:
        variants: module to run instead of the workers' own, by role; for the controls.
    """

    def __init__(
        self, kafka: Kafka, folder: Path, prefix: str, partitions: int, over_http: bool, variants: dict[str, str]
    ) -> None:
        self.kafka = kafka
        self.prefix = prefix
        self.folder = folder
        self.clickhouse = ClickHouse(folder / "engine", over_http)
        self.workers: dict[str, Worker] = {}
        self.ends: list[Ended] = []
        self.stops: list[Stopped] = []
        self.clocks: dict[str, Path] = {}
        self.partitions = partitions
        self._variants = variants
        self._thawed: dict[str, float] = {}

    def environment(self) -> dict[str, str]:
        """Of every process of the session."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")},
            "TOCSIN_KAFKA": self.kafka.address,
            "TOCSIN_TOPIC_PREFIX": self.prefix,
            "TOCSIN_PARTITIONS": str(self.partitions),
            "TOCSIN_CLICKHOUSE": self.clickhouse.url,
            "TOCSIN_DATA": str(self.folder),
            "TOCSIN_LOG_FORMAT": "json",
            "TOCSIN_START_FROM": "decided",  # as in the local stack: a killed coordinator may lose offsets, see docs/libraries.md
        }

    async def prepare(self) -> None:
        """Topics, policy and tables."""
        self.folder.mkdir(parents=True, exist_ok=True)
        await self.clickhouse.start()
        await self.command("init")

    async def command(self, *arguments: str) -> bytes:
        """Runs a `tocsin` command to its end; its output."""
        argv = tethered([sys.executable, "-m", "agents.cli", *arguments])
        process = await asyncio.create_subprocess_exec(
            *argv, env=self.environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"tocsin {arguments[0]}: {err.decode()[-800:]}")
        return out

    async def end_offsets(self, topics: Iterable[str]) -> dict[tuple[str, int], int]:
        """The offset behind the last committed record, by short topic name and partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka.address, isolation_level="read_committed")
        await consumer.start()
        try:
            places = [TopicPartition(self.prefix + name, at) for name in topics for at in range(self.partitions)]
            found = await consumer.end_offsets(places)
            return {(tp.topic[len(self.prefix) :], tp.partition): end for tp, end in found.items()}
        finally:
            await consumer.stop()

    def worker(self, name: str, role: str, *, clock: bool = False, **more: str) -> Worker:
        """A worker of the session, not started; with `clock`, one whose time can be set."""
        environment = {**self.environment(), **more}
        if clock:
            self.clocks[name] = self.folder / f"{name}.clock"
            set_clock(self.clocks[name], 0.0)
            environment["CHAOS_CLOCK"] = str(self.clocks[name])
        module = self._variants.get(role, "tests.chaos.clocked")
        entry = [module, "worker", role]
        self.workers[name] = Worker(name, entry, environment, self.folder, self.ends.append)
        return self.workers[name]

    def told_by_signal(self, name: str) -> bool:
        """Whether SIGUSR1 makes a worker tell its tasks; a variant's would end by it."""
        return name.split("-")[0] not in self._variants

    def thaw(self, name: str) -> None:
        """Wakes a frozen worker; remembered, for it may have been fenced meanwhile and know nothing of it yet."""
        self._thawed[name] = self.workers[name].signal(signal.SIGCONT)

    async def stop(self, name: str, context: str = "") -> Stopped:
        """SIGTERM for one worker; kept in `stops`."""
        if time.time() - self._thawed.get(name, 0.0) < FENCED_SECONDS:
            context = JUST_THAWED
        stopped = await self.workers[name].stop(context)
        if stopped.context != "was not running":
            self.stops.append(stopped)
        return stopped

    async def close(self, *, remove_topics: bool = True) -> None:
        """Ends whatever still runs."""
        for worker in self.workers.values():
            await worker.end()
        await self.clickhouse.stop()
        if remove_topics:
            client = AIOKafkaAdminClient(bootstrap_servers=self.kafka.address)
            with suppress(Exception):  # to keep the broker small, no more
                await asyncio.wait_for(client.start(), 5)
                names = [name for name in await client.list_topics() if name.startswith(self.prefix)]
                await client.delete_topics(names)
            with suppress(Exception):
                await asyncio.wait_for(client.close(), 5)
