"""The messages of the bench: real ones where the labelled sets are at hand, the demo's own elsewhere.

Owns: which messages, in which order (seeded), their fresh ids, keys and partitions. Must never: copy a set anywhere but
into the bench's own broker.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from aiokafka.partitioner import DefaultPartitioner

from agents.training.corpora import rows as rows_of
from schemas.base import timestamp
from streams.settings import Settings

SEED = 20261122
BROKEN_EVERY = 1_000
"""One record in so many cannot be read, as in life."""
SIZE = 12_000
"""Messages of one cycle; after them the same again with fresh ids."""
FEW = 2_000
SHARES = {
    "twcs_threads": 0.45,
    "multidogo": 0.30,
    "banking77": 0.10,
    "tickets_en_fr_synthetic": 0.08,
    "allocine_fr": 0.07,
}
"""Mostly what support reads all day: tweets and chat turns; some long e-mails, and French throughout the long ones."""
_KEPT = ("text", "subject", "channel", "language", "visibility", "reach")
_partitioner = DefaultPartitioner()


class Sent(NamedTuple):
    """One record for `messages`. A broken one has the id None."""

    partition: int
    key: bytes
    value: bytes
    id: str | None


@dataclass(frozen=True, slots=True)
class Corpus:
    """Messages without ids, in a fixed order.

    Attributes:
        name: where they are from, for the report.
        rows: fields of a message, and `customer_id`, and `source`.
    """

    name: str
    rows: list[dict[str, Any]]

    def few(self) -> Corpus:
        """A corpus of fewer messages, so that a scorer that remembers has soon seen them all."""
        return Corpus(self.name, self.rows[:FEW])

    def describe(self) -> dict[str, Any]:
        """What the report says of it."""
        french = sum(str(row.get("language", "")).startswith("fr") for row in self.rows)
        sources: dict[str, int] = {}
        for row in self.rows:
            sources[row["source"]] = sources.get(row["source"], 0) + 1
        return {
            "name": self.name,
            "messages": len(self.rows),
            "distinct": len({row["text"] for row in self.rows}),
            "sources": sources,
            "mean_characters": round(sum(len(row["text"]) for row in self.rows) / len(self.rows), 1),
            "french_share": round(french / len(self.rows), 3),
            "broken_every": BROKEN_EVERY,
        }


def folder_of(settings: Settings) -> Path | None:
    """The folder of labelled sets: the setting's, else the one beside the checkout, if there is one."""
    if settings.corpus is not None:
        return settings.corpus
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return beside if (beside / "multidogo.jsonl.gz").exists() else None


def load(settings: Settings) -> Corpus:
    """The corpus; customers' own messages only, so that every readable one is decided."""
    folder = folder_of(settings)
    if folder is None:
        return Corpus("the demo's own messages (agents/demo)", _shuffled(list(_demo())))
    chooser = random.Random(SEED)
    rows: list[dict[str, Any]] = []
    for name, share in SHARES.items():
        path = folder / f"{name}.jsonl.gz"
        if not path.exists():
            continue
        found = [_row(row, name) for row in rows_of(path) if row.get("author_role", "customer") == "customer"]
        found = [row for row in found if row["text"].strip()]
        wanted = int(share * SIZE)
        rows += chooser.sample(found, wanted) if len(found) > wanted else chooser.choices(found, k=wanted)
    return Corpus("real messages of the labelled sets", _shuffled(rows))


def _row(row: dict[str, Any], source: str) -> dict[str, Any]:
    kept = {name: row[name] for name in _KEPT if row.get(name) is not None}
    return {**kept, "customer_id": str(row["customer_id"]), "source": source}


def _demo() -> Iterator[dict[str, Any]]:
    for language in ("en", "fr"):
        for line in files("agents.demo").joinpath(f"{language}.jsonl").read_bytes().splitlines():
            row = orjson.loads(line)
            if row.get("author_role", "customer") == "customer":
                yield _row({**row, "customer_id": row.get("customer", row["id"])}, "demo")


def _shuffled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    random.Random(SEED).shuffle(rows)
    return rows


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's own hash puts a key."""
    everything = list(range(partitions))
    return int(_partitioner(key, everything, everything))


class Feed:
    """Messages by number: the same number is always the same message, whoever asks.

    Args:
        ids: stands before the number in the id; ids of two feeds never meet.
        at_ms: the messages' `sent_at`.
    """

    def __init__(self, corpus: Corpus, partitions: int, *, at_ms: int, ids: str = "b", broken: bool = True) -> None:
        self._rows = corpus.rows
        self._ids = ids
        self._broken = broken
        self._sent_at = timestamp(at_ms)
        customers = {row["customer_id"] for row in corpus.rows}
        self._places = {name: (name.encode(), partition_of(name.encode(), partitions)) for name in customers}

    def fields(self, number: int) -> dict[str, Any]:
        """The message as an object."""
        row = self._rows[number % len(self._rows)]
        fields = {name: value for name, value in row.items() if name != "source"}
        return {"id": f"{self._ids}{number}", **fields, "sent_at": self._sent_at}

    def __getitem__(self, number: int) -> Sent:
        row = self._rows[number % len(self._rows)]
        key, partition = self._places[row["customer_id"]]
        identity = f"{self._ids}{number}"
        if self._broken and number % BROKEN_EVERY == BROKEN_EVERY - 1:
            return Sent(partition, key, b'{"id": "%s", "text": ' % identity.encode(), None)
        return Sent(partition, key, orjson.dumps(self.fields(number)), identity)

    def range(self, first: int, last: int) -> Iterator[Sent]:
        """The records from one number up to, not including, another."""
        return (self[number] for number in range(first, last))

    def readable(self, count: int) -> int:
        """How many of the first `count` are messages."""
        return count - (count // BROKEN_EVERY if self._broken else 0)
