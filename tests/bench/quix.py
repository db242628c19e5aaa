"""The environment that Quix Streams runs in: made once from its own lock, kept in the cache folder.

Quix Streams pins an older Kafka client than the tests use, so it cannot live in `.venv`.
Owns: that environment. Must never: change `.venv`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from streams.settings import load

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "bench.txt"


def python() -> Path:
    """The environment's Python; installs it where it is missing or the lock has changed.

    Raises:
        subprocess.CalledProcessError: the packages could not be installed.
    """
    tag = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home = load().cache_folder / f"bench-{tag}"
    found = home / "bin" / "python"
    if not found.exists():
        fresh = home.with_name(f"{home.name}.{os.getpid()}")
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(fresh)], check=True)
            install = [
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--require-hashes",
                "-r",
                str(LOCK),
            ]
            subprocess.run([str(fresh / "bin" / "python"), *install], check=True)
            fresh.rename(home)  # an install cut short leaves nothing to trip over
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return found


def command(guarantee: str) -> list[str]:
    """What to run for one guarantee of delivery."""
    return [str(python()), "-m", "tests.bench.contenders.quix_streams", guarantee]
