"""Processes under measurement: started, watched through /proc, ended.

Owns: CPU and memory over time of one process. Must never: end a process it did not start.
"""

from __future__ import annotations

import bisect
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from agents.stack import free_port
from streams.settings import Settings
from tests.harness import environment

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
SAMPLE_SECONDS = 0.05


class Sample(NamedTuple):
    """One look at a process: seconds since 1970, CPU seconds so far, resident bytes."""

    at: float
    cpu: float
    rss: int


def cpu_seconds(pid: int) -> float:
    """User and system CPU of a process and all its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def rss_bytes(pid: int) -> int:
    """Resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def pss_bytes(pid: int) -> int:
    """Memory of its own, with its share of what is shared."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


class Measured:
    """A child process, sampled twenty times a second in a thread.

    Args:
        argv: what to run; the first word is a Python.
        folder: for its log.
    """

    def __init__(self, name: str, argv: list[str], settings: Settings, folder: Path, **more: str) -> None:
        self.name = name
        self.port = free_port()
        self.log = folder / f"{name}-{self.port}.log"
        env = environment(settings, TOCSIN_HTTP_PORT=str(self.port), TOCSIN_LOG_LEVEL="info", **more)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, env=env, stdout=log, stderr=log)
        self.began = time.time()
        self.samples: list[Sample] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            try:
                cpu = cpu_seconds(self.process.pid)
                self.samples.append(Sample(time.time(), cpu, rss_bytes(self.process.pid)))
            except (OSError, IndexError):
                return

    def check(self) -> None:
        """Raises where it has ended by itself."""
        status = self.process.poll()
        if status is not None:
            last = (self.text().strip().splitlines() or ["it said nothing"])[-1]
            raise RuntimeError(f"{self.name} ended with status {status}: {last[-500:]}\n{self.text()[-3000:]}")

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Returns when /readyz says that partitions are assigned. Blocks."""
        deadline = time.monotonic() + seconds
        while not self._ready():
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} is not ready after {seconds:g} s\n{self.text()[-3000:]}")
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def metric(self, name: str) -> float:
        """The sum of a metric's samples on /metrics, whatever their labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return sum(
            float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))
        )

    def text(self) -> str:
        """Its log so far."""
        return self.log.read_text("utf-8", "replace")

    def cpu_at(self, at: float) -> float:
        """CPU seconds used up to a moment, between two samples in proportion."""
        times = [sample.at for sample in self.samples]
        place = min(max(bisect.bisect_left(times, at), 1), len(times) - 1)
        before, after = self.samples[place - 1], self.samples[place]
        share = min(max((at - before.at) / max(after.at - before.at, 1e-9), 0.0), 1.0)
        return before.cpu + share * (after.cpu - before.cpu)

    @property
    def peak_rss(self) -> int:
        """Most resident bytes seen."""
        return max((sample.rss for sample in self.samples), default=0)

    def stop(self) -> None:
        """SIGTERM; kill -9 after ten seconds."""
        self._ended.set()
        self._thread.join()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def worker(settings: Settings, folder: Path, *roles: str, **more: str) -> Measured:
    """A `tocsin worker` process."""
    return Measured("-".join(roles), [sys.executable, "-m", "agents.cli", "worker", *roles], settings, folder, **more)
