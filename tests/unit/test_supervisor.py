"""The supervisor: who ends is started again, who must end ends, and nobody is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.errors import TocsinError
from streams.local.supervisor import Child, Event, Supervisor

DEADLINE = 20.0


def python(name: str, code: str, folder: Path, **more: object) -> Child:
    return Child(name, [sys.executable, "-u", "-c", code], {}, folder / f"{name}.log", **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody has waited for yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return sys.platform != "linux"


async def until(question: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not question():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


def state_of(supervisor: Supervisor, name: str) -> tuple[int | None, str, int]:
    return next((pid, state, restarts) for it, pid, state, restarts in supervisor.states() if it == name)


def numbers(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_status_70_is_started_again_at_once_then_with_growing_delays(tmp_path: Path) -> None:
    events: list[Event] = []

    async def scenario() -> None:
        supervisor = Supervisor(events.append)
        await supervisor.start(python("leaver", "raise SystemExit(70)", tmp_path))
        await until(lambda: state_of(supervisor, "leaver")[2] >= 3)
        await supervisor.stop()

    asyncio.run(scenario())
    ended = [event for event in events if event.kind == "ended" and event.delay is not None]
    assert [event.status for event in ended[:3]] == [70, 70, 70]
    assert [event.delay for event in ended[:3]] == [0.0, 0.25, 0.5]


def test_a_killed_child_comes_back_as_another_process(tmp_path: Path) -> None:
    async def scenario() -> None:
        supervisor = Supervisor()
        await supervisor.start(python("worker", "import time; time.sleep(600)", tmp_path))
        await supervisor.wait_ready("worker")
        first = state_of(supervisor, "worker")[0]
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: state_of(supervisor, "worker")[2] == 1 and state_of(supervisor, "worker")[1] == "ready")
        second = state_of(supervisor, "worker")[0]
        assert second is not None and second != first
        await supervisor.stop()
        assert not alive(second)
        assert state_of(supervisor, "worker") == (None, "stopped", 1)

    asyncio.run(scenario())


def test_stop_kills_who_ignores_sigterm_and_its_children(tmp_path: Path) -> None:
    deaf = (
        "import signal, subprocess, sys, time, os\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.getpid())\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)\n"
        "time.sleep(600)\n"
    )
    events: list[Event] = []

    async def scenario() -> float:
        supervisor = Supervisor(events.append)
        await supervisor.start(python("deaf", deaf, tmp_path))
        await until(lambda: len(numbers(tmp_path / "deaf.log")) == 2)
        began = time.monotonic()
        await supervisor.stop(timeout=1.0)
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 3
    assert any(event.kind == "killed" for event in events)
    pids = numbers(tmp_path / "deaf.log")
    asyncio.run(until(lambda: not any(alive(pid) for pid in pids)))


def test_what_a_dead_child_left_is_ended_before_its_successor(tmp_path: Path) -> None:
    careless = (
        "import subprocess, sys, time\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)\n"
        "raise SystemExit(1)\n"
    )

    async def scenario() -> None:
        supervisor = Supervisor()
        await supervisor.start(python("careless", careless, tmp_path))
        await until(lambda: state_of(supervisor, "careless")[2] >= 1)
        orphan = numbers(tmp_path / "careless.log")[0]
        await until(lambda: not alive(orphan))
        await supervisor.stop()

    asyncio.run(scenario())


def test_stages_end_one_after_the_other(tmp_path: Path) -> None:
    polite = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit(0)))\n"
        "print('up')\n"
        "while True: time.sleep(600)\n"
    )
    events: list[Event] = []

    async def scenario() -> None:
        supervisor = Supervisor(events.append)
        await supervisor.start(python("broker", polite, tmp_path, stage=1))
        await supervisor.start(python("worker", polite, tmp_path))
        for name in ("broker", "worker"):
            await until(lambda name=name: "up" in (tmp_path / f"{name}.log").read_text())  # type: ignore[misc]
        await supervisor.stop()

    asyncio.run(scenario())
    assert [(event.name, event.status) for event in events if event.kind == "ended"] == [("worker", 0), ("broker", 0)]


def test_ready_is_what_the_child_says(tmp_path: Path) -> None:
    answers = iter([False, False, True])

    async def asked() -> bool:
        return next(answers, True)

    async def scenario() -> list[str]:
        supervisor = Supervisor()
        await supervisor.start(python("slow", "import time; time.sleep(600)", tmp_path, ready=asked))
        before = state_of(supervisor, "slow")[1]
        await supervisor.wait_ready("slow")
        after = state_of(supervisor, "slow")[1]
        await supervisor.stop()
        return [before, after]

    assert asyncio.run(scenario()) == ["starting", "ready"]


def test_who_dies_before_it_is_ready_is_named_with_its_last_words(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    async def scenario() -> None:
        supervisor = Supervisor()
        try:
            await supervisor.start(python("broken", "raise ValueError('no such topic')", tmp_path, ready=never))
            with pytest.raises(TocsinError, match=r"(?s)broken ended with status 1 .*no such topic"):
                await supervisor.wait_ready("broken", timeout=DEADLINE)
        finally:
            await supervisor.stop()

    asyncio.run(scenario())


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    child = Child("ghost", ["tocsin-no-such-program"], {}, tmp_path / "ghost.log")
    with pytest.raises(TocsinError, match="ghost: there is no program tocsin-no-such-program"):
        asyncio.run(Supervisor().start(child))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys\n"
        "from streams.local.supervisor import Child, Supervisor\n"
        "async def main():\n"
        "    supervisor = Supervisor()\n"
        "    log = pathlib.Path(sys.argv[1])\n"
        "    await supervisor.start(Child('worker', [sys.executable, '-c', 'import time; time.sleep(600)'], {}, log))\n"
        "    print(supervisor.states()[0][1], flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "worker.log")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    asyncio.run(until(lambda: not alive(pid)))
