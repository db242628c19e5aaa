"""`tocsin broker`: the local Apache Kafka alone, in the foreground.

Owns: the command, its one line on standard output, and what its signals do. Must never: decide how a broker works.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from streams.errors import TocsinError
from streams.local import jars
from streams.local.broker import Broker
from streams.settings import load

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=9092, show_default=True, help="0: any free one")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of its records and logs.  [default: kafka, in the folder that TOCSIN_DATA names]",
)
def broker(port: int, data: Path | None) -> None:
    """Run the local Apache Kafka alone, in the foreground, on loopback.

    Prints one line when it is ready to serve groups and transactions. The first run downloads 45 MB.
    """
    settings = load()
    # Until java runs, the end is an exit like any other.
    for number in SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))
    with download_progress() as progress:
        classpath = jars.ensure(settings.cache_folder, progress=progress)
    asyncio.run(_run(Broker(data or settings.data / "kafka", classpath, port=port)))


async def _run(kafka: Broker) -> None:
    """Until a signal comes or java ends."""
    stop = asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopped = asyncio.create_task(stop.wait())
    served = asyncio.create_task(_serve(kafka))
    try:
        await asyncio.wait({stopped, served}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():  # under a supervisor java got the same signal: its end is no fault then
            await served
    finally:
        for task in (stopped, served):
            task.cancel()
        await asyncio.gather(stopped, served, return_exceptions=True)
        await kafka.stop()


async def _serve(kafka: Broker) -> None:
    await kafka.start()
    await kafka.wait_ready()
    version = jars.kafka_version()
    print(f"Apache Kafka {version} is ready on {kafka.address} (data in {kafka.data})", flush=True)
    await kafka.wait()
    raise kafka.ended()


@contextlib.contextmanager
def download_progress() -> Iterator[jars.Progress]:
    """A bar on standard error once there is something to download, else nothing; off a terminal, its last state."""
    with contextlib.ExitStack() as shown:
        bar = Progress(TextColumn("fetching Apache Kafka"), BarColumn(), DownloadColumn(), console=Console(stderr=True))
        task = bar.add_task("", total=None)

        def show(done: int, total: int, _: str) -> None:
            if not done:
                shown.enter_context(bar)
            bar.update(task, completed=done, total=total)

        yield show


def main() -> None:
    """The command by itself, for tests: `python -m streams.local.command`."""
    try:
        broker()
    except TocsinError as error:
        sys.exit(f"tocsin broker: {error}")


if __name__ == "__main__":
    main()
