"""What tests share: real servers, started once, on loopback, in folders that are removed.

Owns: the fixtures `kafka`, `settings`, `made`, `prepared`. A service that is missing skips a test on a laptop and fails it in CI.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams import topics
from streams.errors import TocsinError
from streams.local import jars
from streams.local.broker import Broker
from streams.settings import Settings, load
from tests.harness import initialised

IN_CI = os.environ.get("CI") == "true"
_numbers = itertools.count(1)


def missing(what: str) -> None:
    """Skips on a laptop, fails in CI: a check that did not run must not look green there."""
    if IN_CI:
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A temporary folder for the session's servers."""
    path = Path(tempfile.mkdtemp(prefix="tocsin-tests-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka(folder: Path) -> Iterator[str]:
    """Address of a real Apache Kafka for the whole session."""
    try:
        classpath = jars.ensure(load().cache_folder)
    except TocsinError as error:
        missing(f"Apache Kafka cannot be had: {error}")
    loop = asyncio.new_event_loop()
    broker = Broker(folder / "kafka", classpath)

    async def start() -> None:
        await broker.start()
        await broker.wait_ready()

    try:
        loop.run_until_complete(start())
    except TocsinError as error:
        loop.run_until_complete(broker.stop())
        loop.close()
        missing(f"Apache Kafka cannot be started: {error}")
    yield broker.address
    loop.run_until_complete(broker.stop())
    loop.close()


@pytest.fixture
def settings(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a topic prefix of this test's own, four partitions, and a ClickHouse folder that is its own."""
    for name in [name for name in os.environ if name.startswith("TOCSIN_")]:
        monkeypatch.delenv(name)
    return load(
        kafka=kafka,
        topic_prefix=f"test{next(_numbers)}-{os.getpid()}.",
        partitions=4,
        data=tmp_path,
        clickhouse=f"chdb://{tmp_path / 'clickhouse'}",
        http_port=0,
        console_port=0,
    )


@pytest.fixture
async def prepared(settings: Settings) -> Settings:
    """Settings whose topics and policy are there."""
    return await initialised(settings)


@pytest.fixture
async def made(settings: Settings) -> Settings:
    """The settings, with their topics there."""
    await topics.create(settings)
    return settings
