"""Target: files of lines, as `score`, `explain`, `replay` and `evaluate` read them.

Promises: a file is read in bounded memory or refused in one line; each line becomes a message or Invalid; what is not a
labelled message is refused with its place; every labelled message is learned.
Owns: these checks. Must never: repeat the code under test to judge it.
"""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from agents.evaluate import evaluate_stream, read_labelled
from agents.inputs import cut, lines
from schemas.base import MAX_TEXT, Invalid
from schemas.message import read_message
from streams.errors import TocsinError
from tests.fuzz.judging import judged
from tests.fuzz.records import NOW_MS, refused
from tests.fuzz.target import Target


def line_files(data: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="tocsin-fuzz-") as folder:
        path = Path(folder) / "in.jsonl"
        path.write_bytes(data)
        try:
            found = list(lines(str(path)))
        except TocsinError as fault:
            assert len(str(fault).splitlines()) == 1
            return
    assert [number for number, _ in found] == sorted({number for number, _ in found})
    for _, line in found[:50]:
        try:
            incoming = read_message(cut(line), NOW_MS)
        except Invalid as fault:
            refused(fault)
            continue
        assert len(incoming.message.text) <= MAX_TEXT
        judged(incoming)
    for head in ("urgency", "topic"):
        try:
            labelled = list(read_labelled("in.jsonl", found[:50], head))
        except Invalid as fault:
            assert fault.detail.startswith("in.jsonl line "), fault.detail
            assert fault.detail.isprintable(), fault.detail
            continue
        figures = evaluate_stream(labelled, head, delay=1)
        assert figures["n"] <= len(labelled)


def _made() -> list[bytes]:
    plain = (
        b'{"id": "a", "customer_id": "c", "text": "My parcel is late", "labels": {"urgency": true, "topic": "delivery"}}\n'
        b'{"id": "b", "customer_id": "c", "text": "Rendez-moi mon argent", "language": "fr", "labels": {"urgency": 0}}\n\n'
        b'{"id": "d", "customer_id": "c", "text": "ok", "subject": "thanks", "labels": {"topic": ["b", "a"], "urgency": "no"}}'
    )
    long = b'{"id": "a", "customer_id": "c", "text": "' + b"a " * (MAX_TEXT // 2 + 5) + b'", "n": [[[1]]]}'
    packed = gzip.compress(plain, mtime=0)
    return [
        plain,
        packed,
        packed[:-9],
        packed + b"\x1f\x8b",
        long,
        b"\n\n",
        b"",
        b"[]\n{}\nnull",
        plain.replace(b"\n", b"\r\n"),
    ]


TARGETS = [Target("lines", line_files, "lines", made=_made, seconds=10.0)]
"""Ten seconds for up to fifty messages, each judged twice and learned twice."""
