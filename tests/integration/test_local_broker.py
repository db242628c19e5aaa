"""The local Apache Kafka, for real: it serves, it says what is wrong, it survives a crash, it leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.errors import TocsinError
from streams.local import jars
from streams.local.broker import Broker
from streams.settings import load

pytestmark = pytest.mark.integration

DEADLINE = 90.0
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(scope="module")
def classpath() -> tuple[Path, ...]:
    return jars.ensure(load().cache_folder)


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder with a difficult name; not pytest's: those are kept for three runs, and a broker's takes megabytes."""
    with tempfile.TemporaryDirectory(prefix="tocsin-test-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "kafka, à moi"


def java_of(data: Path) -> list[int]:
    """The pids of the java processes that hold this data folder's server.properties."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if str(data / "server.properties").encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def until(question: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not question():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


@contextlib.contextmanager
def command(data: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-m", "streams.local.command", "--data", str(data), *(options or ("--port", "0"))]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ready_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


async def make_topic(address: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    finally:
        await admin.close()


async def read(address: str, topic: str, **options: object) -> list[bytes]:
    """All that is there; `read_committed`."""
    consumer = AIOKafkaConsumer(bootstrap_servers=address, isolation_level="read_committed", **options)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        values: list[bytes] = []
        async with asyncio.timeout(DEADLINE):
            while await consumer.position(partition) < end:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    values += [record.value for record in records]
        return values
    finally:
        await consumer.stop()


def test_it_serves_records_groups_and_transactions_the_moment_it_is_ready(
    data: Path, classpath: tuple[Path, ...]
) -> None:
    async def scenario() -> None:
        broker = Broker(data, classpath)
        try:
            await broker.start()
            await broker.wait_ready(DEADLINE)
            await make_topic(broker.address, "t")
            producer = AIOKafkaProducer(
                bootstrap_servers=broker.address, transactional_id="t", max_request_size=5_000_000
            )
            await producer.start()
            try:
                async with producer.transaction():
                    await producer.send_and_wait("t", b"a" * 4_000_000)  # outputs may have 4 MB
                    await producer.send_offsets_to_transaction({TopicPartition("t", 0): 1}, "g")
                with contextlib.suppress(ZeroDivisionError):
                    async with producer.transaction():
                        await producer.send_and_wait("t", b"aborted")
                        raise ZeroDivisionError
                async with producer.transaction():
                    await producer.send_and_wait("t", b"b")
            finally:
                await producer.stop()
            assert await read(broker.address, "t") == [b"a" * 4_000_000, b"b"]
            member = AIOKafkaConsumer("t", bootstrap_servers=broker.address, group_id="g")
            await member.start()
            try:
                assert await member.committed(TopicPartition("t", 0)) == 1
            finally:
                await member.stop()
        finally:
            await broker.stop()

    asyncio.run(scenario())


def test_a_java_that_was_killed_starts_again_with_its_records(data: Path, classpath: tuple[Path, ...]) -> None:
    async def scenario() -> None:
        first = Broker(data, classpath)
        second = Broker(data, classpath)
        try:
            await first.start()
            await first.wait_ready(DEADLINE)
            await make_topic(first.address, "t")
            async with AIOKafkaProducer(bootstrap_servers=first.address, acks="all") as producer:
                for number in range(100):
                    await producer.send_and_wait("t", b"%d" % number)
            assert first.pid is not None
            os.kill(first.pid, signal.SIGKILL)
            assert await first.wait() == -signal.SIGKILL
            assert "was killed by signal 9" in str(first.ended())
            await first.stop()
            await second.start()
            await second.wait_ready(DEADLINE)
            assert await read(second.address, "t") == [b"%d" % number for number in range(100)]
        finally:
            await first.stop()
            await second.stop()

    asyncio.run(scenario())


@linux_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_one_line_and_ends_cleanly_on_a_signal(data: Path, number: signal.Signals) -> None:
    with command(data) as process:
        line = ready_line(process)
        version = re.escape(jars.kafka_version())
        assert re.fullmatch(rf"Apache Kafka {version} is ready on 127\.0\.0\.1:\d+ \(data in {data}\)\n", line)
        assert len(java_of(data)) == 1
        began = time.monotonic()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=DEADLINE)
        assert time.monotonic() - began < 10
        assert (process.returncode, rest, errors) == (0, "", "")
    assert not java_of(data)


@linux_only
def test_a_signal_before_it_is_ready_ends_it_too(data: Path) -> None:
    with command(data) as process:
        until(lambda: java_of(data))
        process.terminate()
        rest, _ = process.communicate(timeout=DEADLINE)
        assert (process.returncode, rest) == (0, "")
    assert not java_of(data)


def test_a_port_in_use_is_one_clear_sentence(data: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with command(data, "--port", str(port)) as process:
            out, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, out) == (1, "")
    assert errors == (
        f"tocsin broker: port {port} on 127.0.0.1 is in use by another program; "
        "choose another with --port, or 0 for any free one\n"
    )


@linux_only
def test_a_folder_in_use_is_refused_and_its_broker_goes_on(data: Path, classpath: tuple[Path, ...]) -> None:
    with command(data) as process:
        address = re.search(r"127\.0\.0\.1:\d+", ready_line(process))
        assert address is not None
        with pytest.raises(TocsinError, match=f"is in use by another broker \\(process {process.pid}\\)"):
            asyncio.run(Broker(data, classpath).start())
        asyncio.run(make_topic(address[0], "still-there"))
        process.terminate()
        assert process.wait(DEADLINE) == 0


@linux_only
def test_java_that_dies_ends_the_command_with_a_sentence(data: Path) -> None:
    with command(data) as process:
        ready_line(process)
        os.kill(java_of(data)[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "Apache Kafka was killed by signal 9" in errors and "Traceback" not in errors


@linux_only
def test_java_goes_with_a_command_that_is_killed_and_the_folder_is_free(data: Path) -> None:
    with command(data) as process:
        ready_line(process)
        assert java_of(data)
        process.kill()
        until(lambda: not java_of(data))
    with command(data) as process:
        assert "is ready" in ready_line(process)
        process.terminate()
        assert process.wait(DEADLINE) == 0


@linux_only
def test_java_that_is_frozen_is_killed_in_time(data: Path) -> None:
    with command(data) as process:
        ready_line(process)
        java = java_of(data)[0]
        os.kill(java, signal.SIGSTOP)
        began = time.monotonic()
        process.terminate()
        assert process.wait(DEADLINE) == 0
        assert time.monotonic() - began < 10
    assert not java_of(data)


def test_a_folder_formatted_by_somebody_else_is_refused(data: Path, classpath: tuple[Path, ...]) -> None:
    records = data / "records"
    records.mkdir(parents=True)
    (records / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=other\n")
    with pytest.raises(TocsinError, match=r"meta\.properties was not written by a local broker"):
        asyncio.run(Broker(data, classpath).start())


def test_a_format_java_cannot_read_says_so_with_the_log(data: Path, classpath: tuple[Path, ...]) -> None:
    async def scenario() -> None:
        broker = Broker(data, classpath)
        try:
            await broker.start()
            with pytest.raises(TocsinError, match=r"(?s)Apache Kafka ended with status 1; see .*kafka\.log.*\n  .*"):
                await broker.wait_ready(DEADLINE)
        finally:
            await broker.stop()

    records = data / "records"
    records.mkdir(parents=True)
    (records / "meta.properties").write_text("version=1\nnode.id=1\ncluster.id=other\ndirectory.id=not-one\n")
    asyncio.run(scenario())


def test_a_tampered_jar_never_runs(data: Path, classpath: tuple[Path, ...]) -> None:
    cache = data.parent / "cache"
    folder = cache / classpath[0].parent.name
    folder.mkdir(parents=True)
    for path in classpath[1:]:
        (folder / path.name).symlink_to(path)
    shutil.copy(classpath[0], folder)
    with (folder / classpath[0].name).open("ab") as file:
        file.write(b"x")
    environment = {**os.environ, "TOCSIN_CACHE": str(cache)}
    argv = [sys.executable, "-m", "streams.local.command", "--port", "0", "--data", str(data)]
    ended = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"{folder / classpath[0].name} is not " in ended.stderr and "SHA-256 expected" in ended.stderr
    assert not (folder / classpath[0].name).exists() and not data.exists()
