"""What the supervisor is told about a child process, and what it tells about one.

Owns: the types, the question whether a child is ready, its log file. Must never: start or stop a process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import aiohttp

LOG_BYTES: Final = 20_000_000

State = Literal["starting", "ready", "waiting", "stopping", "stopped"]
"""waiting: it ended, and the time until its next start runs."""


@dataclass(frozen=True)
class Child:
    """A process to keep running.

    `env` is put on top of this process's environment; output goes to the end of `log_path`. `ready` is a URL that
    answers 200, or a question; without one a child is ready once started. `stage`: those of stage 0 are stopped first,
    and gone before those of stage 1 are told (workers 0, the broker 1).
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log_path: Path
    ready: str | Callable[[], Awaitable[bool]] | None = None
    stage: int = 0

    async def is_ready(self) -> bool:
        """Asks it once, two seconds at most where it is asked by URL."""
        ready = self.ready
        if ready is None:
            return True
        if not isinstance(ready, str):
            return await ready()
        try:
            limit = aiohttp.ClientTimeout(total=2)
            async with aiohttp.ClientSession(timeout=limit) as session, session.get(ready) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


@dataclass(frozen=True)
class Event:
    """Something happened to a child. `status` is its exit status where it ended (negative: a signal)."""

    name: str
    kind: Literal["started", "ready", "ended", "killed"]
    pid: int
    status: int | None = None
    delay: float | None = None
    """Seconds until it is started again, where it is."""


def make_log(child: Child) -> None:
    """The folder is there, and the file is not beyond its size: a bigger one becomes `<name>.1`."""
    child.log_path.parent.mkdir(parents=True, exist_ok=True)
    if child.log_path.exists() and child.log_path.stat().st_size > LOG_BYTES:
        child.log_path.replace(child.log_path.with_name(child.log_path.name + ".1"))
