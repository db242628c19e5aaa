"""The consumers on docs/subscribe.md, as they stand there, read what triage wrote, and nothing of an aborted transaction."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.kafka import producer, started
from streams.local import jars
from streams.settings import Settings, load
from tests.conftest import missing
from tests.harness import Worker, at_least, environment, message, produce, wait_for, wait_values

pytestmark = pytest.mark.integration

PAGE = Path(__file__).parents[2] / "docs/subscribe.md"
ABORTED = b'{"aborted": true}'


def snippet(language: str) -> str:
    """The one block of code in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(found)


def python(folder: Path) -> list[str]:
    file = folder / "subscribe.py"
    file.write_text(snippet("python"), "utf-8")
    return [sys.executable, str(file)]


def java(folder: Path) -> list[str]:
    found = shutil.which("java")
    modules = subprocess.run([found, "--list-modules"], capture_output=True, text=True).stdout if found else ""
    if found is None or "jdk.compiler" not in modules:
        missing("a JDK is missing, so the consumer in Java cannot be run: install the package default-jdk-headless")
    assert found is not None
    file = folder / "Subscribe.java"
    file.write_text(snippet("java"), "utf-8")
    classpath = jars.ensure(load().cache_folder)
    return [found, "-cp", classpath if isinstance(classpath, str) else ":".join(map(str, classpath)), str(file)]


def test_reading_committed_records_alone_is_the_first_setting() -> None:
    for language, stands in (("python", "consumer = Consumer("), ("java", "new HashMap<>();")):
        first, second = re.findall(r'"([^"]+)"', snippet(language).split(stands)[1])[:2]
        assert (first, second) == ("isolation.level", "read_committed")


@pytest.mark.parametrize("made", [python, java])
async def test_the_consumer_on_the_page_reads_what_rings(
    prepared: Settings, tmp_path: Path, made: Callable[[Path], list[str]]
) -> None:
    argv = made(tmp_path)
    worker = Worker(prepared, "triage", folder=tmp_path)
    log = tmp_path / "subscriber.log"
    try:
        await produce(
            prepared, "messages", [message(1, "I can smell gas in the hallway"), message(2, "I will sue you")]
        )
        await wait_values(prepared, "priority.p0", at_least(1), "a danger rang")
        zombie = await started(producer(prepared, transactional_id="aborts"), prepared)
        await zombie.begin_transaction()
        await zombie.send_and_wait(prepared.topic("priority.p0"), ABORTED, partition=0)
        await zombie.abort_transaction()
        await zombie.stop()
        with log.open("wb") as out:
            env = environment(prepared, GROUP=f"{prepared.topic_prefix}reads")
            subscriber = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, env=env)
        try:

            def dead() -> str | None:
                return None if subscriber.poll() is None else log.read_text("utf-8")[-2000:]

            wait_for(lambda: {"m1", "m2"} <= set(re.findall(r"\bm[12]\b", log.read_text("utf-8"))), "both rang", dead)
        finally:
            subscriber.kill()
            subscriber.wait()
    finally:
        worker.stop()
    assert "aborted" not in log.read_text("utf-8")
