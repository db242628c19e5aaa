"""The consumers on docs/subscribe.md, as they stand there, read what triage wrote, and nothing of an aborted transaction."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
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
LOCK = Path(__file__).parents[1] / "data/javascript"
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


def modules(npm: str) -> Path:
    """The folder `node_modules` that the lock names, its bytes checked by npm; from the cache folder, or fetched into it."""
    lock = (LOCK / "package-lock.json").read_bytes()
    assert b'"resolved"' not in lock, "the lock names a registry"
    kept = load().cache_folder / "javascript" / hashlib.sha256(lock).hexdigest()[:16]
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as made:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(LOCK / name, made)
            argv = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved=true"]
            done = subprocess.run(argv, cwd=made, capture_output=True, text=True, timeout=120)
            if done.returncode != 0:
                missing(f"the packages of the consumer in JavaScript cannot be had: {done.stderr[-1000:]}")
            if not kept.is_dir():
                shutil.copytree(made, f"{made}-whole")
                os.rename(f"{made}-whole", kept)
    return kept / "node_modules"


def javascript(folder: Path) -> list[str]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing("node or npm is missing, so the consumer in JavaScript cannot be run: install Node.js")
    assert node is not None
    assert npm is not None
    (folder / "node_modules").symlink_to(modules(npm))
    file = folder / "subscribe.mjs"
    file.write_text(snippet("javascript"), "utf-8")
    return [node, str(file)]


def test_reading_committed_records_alone_is_the_first_setting() -> None:
    for language, stands in (("python", "consumer = Consumer("), ("java", "new HashMap<>();")):
        first, second = re.findall(r'"([^"]+)"', snippet(language).split(stands)[1])[:2]
        assert (first, second) == ("isolation.level", "read_committed")
    first = snippet("javascript").split("kafka.consumer({\n")[1].split(",")[0]
    assert first.strip() == "readUncommitted: false"


@pytest.mark.parametrize("made", [python, java, javascript])
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
        rang = await wait_values(prepared, "priority.p0", at_least(1), "a danger rang")
        zombie = await started(producer(prepared, transactional_id="aborts"), prepared)
        for _ in range(2):  # a client that knows one aborted transaction of each writer shows the first of two
            await zombie.begin_transaction()
            await zombie.send_and_wait(prepared.topic("priority.p0"), ABORTED, partition=0)
            await zombie.abort_transaction()
        await zombie.begin_transaction()
        behind = json.dumps(rang[0]).replace('"m1"', '"m3"').encode()
        await zombie.send_and_wait(prepared.topic("priority.p0"), behind, partition=0)
        await zombie.commit_transaction()
        await zombie.stop()
        with log.open("wb") as out:
            env = environment(prepared, GROUP=f"{prepared.topic_prefix}reads")
            subscriber = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, env=env)
        try:

            def dead() -> str | None:
                return None if subscriber.poll() is None else log.read_text("utf-8")[-2000:]

            wait_for(
                lambda: {"m1", "m2", "m3"} <= set(re.findall(r"\bm[123]\b", log.read_text("utf-8"))), "all rang", dead
            )
        finally:
            subscriber.kill()
            subscriber.wait()
    finally:
        worker.stop()
    assert "aborted" not in log.read_text("utf-8")
