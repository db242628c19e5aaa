"""A worker whose clock can be set while it runs: `python -m tests.chaos.clocked worker triage`.

The file in CHAOS_CLOCK holds the seconds by which its time is wrong (a little-endian double), read at every look at the
clock. libfaketime would move the C library's clock too, but CPython 3.11 under it loses `time.sleep` (clock_nanosleep:
EINVAL) and holds its own lock for seconds; Python's clock is the only one that the workers read. Monotonic time stays
true, as it does on a machine whose clock is set. Owns: `time.time` and `time.time_ns` of this process.
Must never: be run outside the tests.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

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


if __name__ == "__main__":
    watch_clock(Path(os.environ["CHAOS_CLOCK"]))
    from agents.cli import main

    main()
