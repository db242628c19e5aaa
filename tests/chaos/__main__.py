"""`python -m tests.chaos`: the real stack under load, a seeded nemesis, and a verifier that accounts for every offset.

Ends with status 0 where nothing is missing, double or late (a control: where the verifier caught what it must), else
with 1 and the folder of the logs. Owns: the command line. Must never: leave a process or a folder behind.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from tests.chaos.backlog import backlog
from tests.chaos.campaign import CONTROLS, Campaign


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, help="how many (default 100; --short: 10; a control: 2)")
    parser.add_argument("--seed", type=int, default=20261122, help="of load and nemesis")
    parser.add_argument("--messages-per-round", type=int, help="default 10,000; --short: 1,500")
    parser.add_argument("--rate", type=float, help="messages offered a second (default 700; --short: 300)")
    parser.add_argument("--out", type=Path, help="folder of the report; without it none is written")
    parser.add_argument("--control", choices=CONTROLS, default="none", help="a run whose outcome is known")
    parser.add_argument("--short", action="store_true", help="few messages and small faults, for CI")
    parser.add_argument("--backlog", type=int, metavar="N", help="instead: how a backlog of N messages is drained")
    parser.add_argument("--keep", action="store_true", help="after a failure keep the servers' data too, not only logs")
    return parser.parse_args()


async def _run(options: argparse.Namespace) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        if options.backlog:
            return await backlog(options.backlog, options.seed, options.out)
        return await Campaign(options).run()
    except asyncio.CancelledError:
        print("interrupted; every process is ended", file=sys.stderr)
        return 130


def main() -> None:
    """Entry point."""
    logging.disable(logging.CRITICAL)  # aiokafka's cries while the broker is down
    sys.exit(asyncio.run(_run(arguments())))


if __name__ == "__main__":
    main()
