"""How the harness runs a worker: its clock can be set while it runs, and it can be asked what it is doing.

`python -m tests.chaos.clocked worker triage`. The file in CHAOS_CLOCK holds the seconds by which its time is wrong (a
little-endian double), read at every look at the clock. libfaketime would move the C library's clock too, but CPython 3.11
under it loses `time.sleep` (clock_nanosleep: EINVAL) and holds its own lock for seconds; Python's clock is the only one
that the workers read. Monotonic time stays true, as it does on a machine whose clock is set. On SIGUSR1 the stack of each
asyncio task and thread goes to standard error, and so into the log.
Owns: `time.time` and `time.time_ns` of this process, SIGUSR1. Must never: be run outside the tests.
"""

from __future__ import annotations

import asyncio
import faulthandler
import mmap
import os
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

_DOUBLE = struct.Struct("<d")


def set_clock(path: Path, seconds: float) -> None:
    """Makes the clock of the processes that watch `path` wrong by so many seconds."""
    if not path.exists():
        path.write_bytes(_DOUBLE.pack(seconds))
        return
    with path.open("r+b") as file:
        file.write(_DOUBLE.pack(seconds))


def watch_clock(path: Path) -> None:
    """Puts this process's clock under the file's control; before anything else is imported."""
    with path.open("rb") as file:
        held = mmap.mmap(file.fileno(), _DOUBLE.size, access=mmap.ACCESS_READ)
    true, true_ns = time.time, time.time_ns

    def now() -> float:
        return true() + float(_DOUBLE.unpack_from(held)[0])

    def now_ns() -> int:
        return true_ns() + int(_DOUBLE.unpack_from(held)[0]) * 1_000_000_000

    time.time, time.time_ns = now, now_ns


def tell_tasks(number: int, frame: Any) -> None:
    """Says what every task waits for."""
    for task in list(asyncio.tasks._all_tasks):  # type: ignore[attr-defined]  # of every loop: all_tasks() asks for one
        if not task.done():
            task.print_stack(file=sys.stderr)
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    sys.stderr.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell_tasks)
    if clock := os.environ.get("CHAOS_CLOCK"):
        watch_clock(Path(clock))
    from agents.cli import main

    main()
