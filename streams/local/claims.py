"""A port and a folder for one broker alone.

Owns: finding out, before java is started, that somebody else has them, and saying so. Must never: end the other one.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import random
import socket
import time
from pathlib import Path
from typing import Final

from streams.errors import TocsinError

HOST: Final = "127.0.0.1"
FREE_PORTS: Final = range(20_000, 32_000)
"""Below what systems give to outgoing connections: one of those could take a port between our look and java's."""
LOCK_SECONDS: Final = 3.0


def taken(port: int) -> TocsinError:
    """What to say of a port that is in use."""
    return TocsinError(
        f"port {port} on {HOST} is in use by another program; choose another with --port, or 0 for any free one"
    )


def refuse_taken(port: int) -> None:
    """Raises TocsinError where java could not listen."""
    try:
        _bind(port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise taken(port) from None
        raise TocsinError(f"port {port} on {HOST}: {error.strerror}; choose another with --port") from None


def free_port(but: int = 0) -> int:
    """A port that nobody listens on, and not a given one that somebody will."""
    for port in random.sample(FREE_PORTS, 100):
        if port == but:
            continue
        with contextlib.suppress(OSError):
            _bind(port)
            return port
    raise TocsinError(f"no free port on {HOST} from {FREE_PORTS.start} to {FREE_PORTS.stop}; close some programs")


def _bind(port: int) -> None:
    """With SO_REUSEADDR, as java does: connections that are closing don't count."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()


async def claim_folder(folder: Path) -> int:
    """The descriptor of the folder's lock; the claim lasts until every process that holds it has closed it.

    Waits a little: the java of a broker that was just killed may still be on its way out.

    Raises:
        TocsinError: another broker has it.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + LOCK_SECONDS
    try:
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 100, 0).decode("utf-8", "replace")
                raise TocsinError(
                    f"data folder {folder} is in use by another broker ({holder}); stop that one, "
                    "or name another folder with --data"
                )
            await asyncio.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}".encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
