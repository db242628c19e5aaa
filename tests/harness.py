"""Worker processes under test, and readers of topics that share no code with them.

Owns: starting, killing and waiting for `tocsin` processes; plain aiokafka readers. Must never: use `streams` to judge
`streams`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.settings import Settings

DEADLINE = 60.0


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a `tocsin` process with these settings."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")},
        "TOCSIN_KAFKA": settings.kafka,
        "TOCSIN_TOPIC_PREFIX": settings.topic_prefix,
        "TOCSIN_PARTITIONS": str(settings.partitions),
        "TOCSIN_CLICKHOUSE": settings.clickhouse.get_secret_value(),
        "TOCSIN_DATA": str(settings.data),
        "TOCSIN_CONSOLE_PORT": "0",
        "TOCSIN_LOG_FORMAT": "json",
        **more,
    }


def tocsin(settings: Settings, *arguments: str, timeout: float = 60, stdin: bytes = b"", **more: str) -> Any:
    """Runs a command to its end; the CompletedProcess, output as bytes."""
    argv = [sys.executable, "-m", "agents.cli", *arguments]
    return subprocess.run(
        argv, env=environment(settings, **more), input=stdin, capture_output=True, timeout=timeout, check=False
    )


async def initialised(settings: Settings) -> Settings:
    """The settings, with topics and policy there: by the command that people use."""
    done = await asyncio.to_thread(tocsin, settings, "init")
    assert done.returncode == 0, done.stderr
    return settings


class Worker:
    """One `tocsin worker` process, with its log."""

    def __init__(self, settings: Settings, *roles: str, folder: Path, ready: bool = True, **more: str) -> None:
        from agents.stack import free_port

        self.port = free_port()
        self.log = folder / f"{'-'.join(roles)}-{self.port}.log"
        argv = [sys.executable, "-m", "agents.cli", "worker", *roles]
        env = environment(settings, **{"TOCSIN_HTTP_PORT": str(self.port), **more})
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, env=env, stdout=log, stderr=log)
        if ready:
            try:
                self.wait_ready()
            except BaseException:
                self.kill()
                raise

    def wait_ready(self) -> None:
        """Returns when `/readyz` says so."""
        wait_for(self._ready, f"{self.log.name} ready", self._dead)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _dead(self) -> str | None:
        if self.process.poll() is None:
            return None
        return f"ended with {self.process.returncode}: {self.text()[-3000:]}"

    def text(self) -> str:
        """Its log so far."""
        return self.log.read_text("utf-8", "replace")

    def metric(self, name: str) -> str:
        """The text of /metrics; `name` is asserted to be in it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        assert name in text
        return text

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Any signal."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, and its exit status; killed where it takes more than 15 s."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        return int(self.process.returncode)


def wait_for(done: Callable[[], bool], what: str, dead: Callable[[], str | None] = lambda: None) -> None:
    """Polls until done; fails with `what` after a minute, or at once where `dead` gives a reason."""
    deadline = time.monotonic() + DEADLINE
    while not done():
        reason = dead()
        assert reason is None, reason
        assert time.monotonic() < deadline, f"not within {DEADLINE:g} s: {what}"
        time.sleep(0.05)


async def read_all(settings: Settings, topic: str, *, committed: bool = True) -> list[Any]:
    """Every record of a topic now, by partition and offset."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        isolation_level="read_committed" if committed else "read_uncommitted",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        name = settings.topic_prefix + topic
        numbers = consumer.partitions_for_topic(name)
        while not numbers:
            await consumer._client.add_topic(name)
            numbers = consumer.partitions_for_topic(name)
        partitions = [TopicPartition(name, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[Any] = []
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            for batch in (await consumer.getmany(timeout_ms=100)).values():
                records += batch
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()


async def values(settings: Settings, topic: str) -> list[dict[str, Any]]:
    """The JSON values of a topic now."""
    return [json.loads(record.value) for record in await read_all(settings, topic)]


async def wait_values(
    settings: Settings, topic: str, enough: Callable[[list[dict[str, Any]]], bool], what: str
) -> list[dict[str, Any]]:
    """The values of a topic once there are enough."""
    deadline = time.monotonic() + DEADLINE
    while True:
        found = await values(settings, topic)
        if enough(found):
            return found
        assert time.monotonic() < deadline, f"not within {DEADLINE:g} s: {what}; {len(found)} on {topic}"
        await asyncio.sleep(0.05)


def at_least(count: int) -> Callable[[list[dict[str, Any]]], bool]:
    """For `wait_values`."""
    return lambda found: len(found) >= count


async def produce(settings: Settings, topic: str, records: Sequence[tuple[str | None, Any]]) -> None:
    """Sends (key, value) records; a value that is not bytes or None becomes JSON."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, max_request_size=4_000_000, enable_idempotence=True)
    await producer.start()
    try:
        waiting = [
            await producer.send(
                settings.topic_prefix + topic,
                value if isinstance(value, bytes) or value is None else json.dumps(value).encode(),
                key=None if key is None else key.encode(),
            )
            for key, value in records
        ]
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()


def message(number: int, text: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """(key, value) of a message."""
    customer = more.pop("customer_id", f"customer-{number % 7}")
    return customer, {"id": f"m{number}", "customer_id": customer, "text": text, **more}
