"""A child process that does not outlive its parent, not even one that dies of kill -9.

Owns: the few lines between fork and exec. Must never: import anything of ours or of others; it is run as a script.

Linux sends a process the signal it asked for (PR_SET_PDEATHSIG) when its parent dies, and keeps that through exec. Each
child asks for itself, in this script, and then becomes the program: `preexec_fn` would run Python between fork and exec
of a process that has threads, which may deadlock. The parent must start the child from a thread that lives as long as
itself (the main thread), because the signal comes when that thread ends. Other systems have no such thing; there the
child is stopped by an orderly end only.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def tethered(argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` under the same pid, killed when this process is gone."""
    if not sys.platform.startswith("linux"):
        return list(argv)
    # -I -S: no site packages, no environment: 15 ms instead of a whole start.
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def _main(parent: int, argv: list[str]) -> None:
    import ctypes  # here, because who imports this module has no use for it

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked: no signal will come
        os._exit(1)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would pass that on
    try:
        os.execvp(argv[0], argv)  # noqa: S606  # no shell is meant
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr)
        os._exit(127)


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2:])
