"""Messages from files: JSON lines, gzipped or not, or standard input.

Owns: reading lines, and cutting what is absurdly long before anything else. Must never: judge a message.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from schemas.base import MAX_TEXT
from streams.errors import TocsinError

MAX_LINE_BYTES = 64 << 20
"""A line longer than this is not read whole: no message of 1 MB needs it, and memory must stay bounded."""


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """The bytes of a file (gzip by its first bytes), or standard input for `-`.

    Raises:
        TocsinError: there is no such file, or it cannot be read.
    """
    if file == "-":
        yield sys.stdin.buffer
        return
    path = Path(file)
    try:
        with path.open("rb") as raw:
            packed = raw.peek(2)[:2] == b"\x1f\x8b"
            if not packed:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked  # type: ignore[misc]  # it reads like a file
    except (OSError, EOFError, zlib.error) as error:
        raise TocsinError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def lines(file: str) -> Iterator[tuple[int, bytes]]:
    """(line number from 0, line) of every line that is not empty; one of over 64 MB is cut, and so cannot be read."""
    with opened(file) as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES):
            whole = line.endswith(b"\n") or len(line) < MAX_LINE_BYTES
            while not whole:
                more = stream.readline(MAX_LINE_BYTES)
                whole = not more or more.endswith(b"\n")
            stripped = line.strip()
            if stripped:
                yield number, stripped
            number += 1


def cut(line: bytes) -> bytes:
    """A message's line with its text cut at 100,000 characters and a mark of it; others as they are."""
    if len(line) <= MAX_TEXT:
        return line
    try:
        fields: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str) or len(fields["text"]) <= MAX_TEXT:
        return line
    # One character more than is kept, so that whoever reads the message sees, and says, that it was cut.
    try:
        return orjson.dumps({**fields, "text": fields["text"][: MAX_TEXT + 1]})
    except orjson.JSONEncodeError:  # nested deeper than orjson writes, though not deeper than it reads
        return line
