"""The last words of a process: what its log files got since it was started.

Owns: reading the end of a log for an error message. Must never: write one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

LINES: Final = 5
WIDTH: Final = 300
BYTES: Final = 64 * 1024
_GRAVE: Final = re.compile(r"\b(ERROR|FATAL|Exception|Error)\b")
_FRAME: Final = re.compile(r"^\s+(at |\.\.\. )")


class Tail:
    """Several log files of one process, read from where they ended at `mark`."""

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._starts = dict.fromkeys(paths, 0)

    def mark(self) -> None:
        """From now on only what comes behind this moment counts."""
        self._starts = {path: path.stat().st_size if path.exists() else 0 for path in self._paths}

    def lines(self) -> list[str]:
        """What came since, without stack frames; at most the last 64 KB of each file."""
        found: list[str] = []
        for path in self._paths:
            if not path.exists():
                continue
            size = path.stat().st_size
            start = self._starts[path] if self._starts[path] <= size else 0  # shorter than it was: begun anew
            with path.open("rb") as file:
                file.seek(max(start, size - BYTES))
                text = file.read().decode("utf-8", "replace")
            found += [line[:WIDTH] for line in text.splitlines() if line.strip() and not _FRAME.match(line)]
        return found

    def has(self, words: str) -> bool:
        """Whether any of it holds these words."""
        return any(words in line for line in self.lines())

    def text(self) -> str:
        """The last few lines, the grave ones if there are any, as the end of an error message; may be empty."""
        lines = self.lines()
        chosen = [line for line in lines if _GRAVE.search(line)] or lines
        return "".join(f"\n  {line}" for line in chosen[-LINES:])
