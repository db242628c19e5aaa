"""Seeded replays: background messages at an even or a daily rate, and waves of like messages put into them.

The background are real messages in a random order (the repository's own; with TOCSIN_CORPUS the labelled sets, which were not
written for this), judged as triage judges them. The waves were written for this (waves.json).
Owns: what is written when. Must never: look at what is found.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.handout import load_base
from agents.incidents.meaning import words_of
from agents.incidents.window import Seen
from agents.policies import of_file
from agents.scoring.heads import Model
from agents.scoring.judge import Asked, Judge
from agents.seeing import seen_of
from agents.training.corpora import bootstrap, rows
from schemas.base import timestamp
from schemas.decision import Source
from schemas.message import Message, message_of
from streams.settings import load

WAVES: dict[str, Any] = json.loads(Path(__file__).with_name("waves.json").read_bytes())
BEGIN_MS = 1_795_000_200_000
"""A Wednesday's noon or so; on a full look."""
CORPUS_SETS = ("twcs_threads", "banking77", "multidogo", "clinc150", "tickets_en_fr_synthetic", "allocine_fr")
MOST_OF_SET = 8_000


@dataclass(frozen=True, slots=True)
class Wave:
    """Messages of one kind put into the background.

    Attributes:
        at, seconds: when it begins (seconds from the begin), and how long it takes.
        count: messages.
        languages: of its texts.
        customers: who write them; None: each its own.
    """

    name: str
    at: float
    seconds: float
    count: int
    languages: tuple[str, ...] = ("en", "fr")
    customers: int | None = None

    @property
    def label(self) -> str:
        """Names it in a replay."""
        return f"{self.name}/{'+'.join(self.languages)}/{self.at:.0f}"


@dataclass(slots=True)
class Line:
    """A judged text: what crowd sees of it, but for who wrote it and when."""

    seen: Seen
    words: list[str]


class Judged:
    """Judges texts, each once."""

    def __init__(self) -> None:
        self.policy = of_file(None)
        self._judge = Judge(self.policy, Model(load_base(load())))
        self._known: dict[str, Line] = {}

    def line(self, text: str, language: str | None = None) -> Line:
        """What crowd would see of a text."""
        if text not in self._known:
            fields = {"id": "m", "customer_id": "c", "text": text, "channel": "chat", "language": language}
            incoming = message_of(fields, BEGIN_MS)
            asked = Asked(incoming, Source("messages", 0, 0), timestamp(BEGIN_MS))
            decision = self._judge.decide_all([asked], timestamp(BEGIN_MS))[0].decision
            message: Message = incoming.message
            self._known[text] = Line(seen_of(decision, message, BEGIN_MS, self.policy), words_of(text))
        return self._known[text]


def background(corpus: str | None = None) -> list[tuple[str, str]]:
    """(text, language) of what is written anyway; with the labelled sets in the folder `corpus`."""
    found = [(example.text, example.language) for example in bootstrap()]
    if corpus:
        for name in CORPUS_SETS:
            some = [
                (row["text"], row["language"])
                for row in rows(Path(corpus) / f"{name}.jsonl.gz")
                if row.get("author_role", "customer") == "customer" and row["language"] in ("en", "fr")
            ]
            random.Random(1).shuffle(some)
            found += some[:MOST_OF_SET]
    return found


def replay(
    judged: Judged, texts: list[tuple[str, str]], waves: list[Wave], *, seconds: float, a_minute: float, seed: int
) -> Iterator[tuple[int, Seen, list[str], str | None]]:
    """(ms, what crowd sees, its words, the wave it is of) in the order of time.

    Gaps between messages are exponential; a wave's messages are evenly spread, its texts drawn without a second before all
    were used.
    """
    rng = random.Random(seed)
    told: list[tuple[float, str, str | None, str]] = []
    for wave in waves:
        chosen: list[str] = []
        every = [text for language in wave.languages for text in WAVES[wave.name][language]]
        while len(chosen) < wave.count:
            chosen += rng.sample(every, len(every))
        for number, text in enumerate(chosen[: wave.count]):
            writer = number if wave.customers is None else number % wave.customers
            at = wave.at + wave.seconds * (number + rng.random()) / wave.count
            told.append((at, text, wave.label, f"{wave.label}-{writer}"))
    told.sort(reverse=True)
    begun, number = 0.0, 0
    while True:
        begun += rng.expovariate(a_minute / 60)
        while told and told[-1][0] <= min(begun, seconds):
            when, said, name, author = told.pop()
            number += 1
            yield _at(judged.line(said), when, number, author, name)
        if begun >= seconds:
            return
        text, language = texts[rng.randrange(len(texts))]
        number += 1
        yield _at(judged.line(text, language), begun, number, f"c-{rng.randrange(50_000)}", None)


def _at(
    line: Line, seconds: float, number: int, customer: str, wave: str | None
) -> tuple[int, Seen, list[str], str | None]:
    at = BEGIN_MS + int(seconds * 1000)
    old = line.seen
    seen = Seen(
        at,
        f"{wave or 'm'}:{number}",
        f"d-{number}",
        customer,
        f"m-{number}",
        f"g-{number}",
        number % 8,
        number,
        *(old.channel, old.language, old.category, old.priority, old.route, old.hostile, old.product),
    )
    return at, seen, line.words, wave
