"""What rings on everyday messages, by phrase and by head; what is left to people; which language is claimed.

Owns: which sets count as everyday. Must never: print a message of a set that may not be shown.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from agents import policies, training
from agents.scoring import base as bases
from agents.scoring.base import Base
from agents.scoring.heads import Model
from agents.scoring.judge import Asked, Judge
from agents.scoring.language import detect, word_count
from agents.scoring.policy import parse
from agents.training.corpora import rows
from schemas.decision import Source
from schemas.message import Incoming, Message
from tests.quality.sets import Sets

EVERYDAY = ("banking77", "clinc150", "multidogo", "goemotions", "vader_groundtruth", "allocine_fr", "twcs_threads")
"""Card questions, chat with assistants and desks, Reddit, tweets and reviews, film reviews, support threads."""
MOST = 6_000
"""Messages of a set: each n-th, so that they are spread over it."""
LOUDEST = 12
JUDGED = Path(__file__).parent / "rings.json"
"""By set, the ids of messages read one by one for which a person should be rung; every other ring is a false alarm. Ids alone,
for the sets are not ours to copy."""
OWN = Path(training.__file__).parent
Row = dict[str, Any]
WORDS = 4
BATCH = 64


def measure(sets: Sets) -> list[dict[str, Any]]:
    """One entry a set."""
    judge = Judge(parse(policies.default_document()), Model(Base.load(bases.shipped())))
    judged = orjson.loads(JUDGED.read_bytes())
    found = [_set(judge, f"written, {language}", *_written(language)) for language in ("en", "fr")]
    if sets.corpus is None:
        return found
    return found + [_set(judge, name, _rows(sets.corpus, name), frozenset(judged.get(name, ()))) for name in EVERYDAY]


def _written(language: str) -> tuple[list[Row], frozenset[str]]:
    """The repository's own messages, and the ids of those labelled p0 or p1; the shipped base has learned from them."""
    own = list(rows(OWN / f"bootstrap/{language}.jsonl"))
    return own, frozenset(row["id"] for row in own if row["labels"]["priority"] in ("p0", "p1"))


def _rows(corpus: Path, name: str) -> list[Row]:
    every = [row for row in rows(corpus / f"{name}.jsonl.gz") if row.get("author_role", "customer") == "customer"]
    return [row for row in every[:: max(len(every) // MOST, 1)] if row["language"] in ("en", "fr")]


def _set(judge: Judge, name: str, chosen: list[Row], wanted: frozenset[str]) -> dict[str, Any]:
    priorities: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    by: Counter[str] = Counter()
    rang = false = told = right = 0
    asked = [_asked(number, row) for number, row in enumerate(chosen)]
    for begin in range(0, len(asked), BATCH):
        some = judge.decide_all(asked[begin : begin + BATCH], "2026-01-01T00:00:00.000Z")
        for row, judged in zip(chosen[begin : begin + BATCH], some, strict=True):
            decision = judged.decision
            priorities[decision.priority] += 1
            statuses["too short" if decision.status_reason == "too_short" else decision.status] += 1
            if decision.priority in ("p0", "p1"):
                rang += 1
                if row["id"] in wanted:
                    continue
                false += 1
                floors = {f"{one.floor}: {one.phrase}" for one in decision.reasons if isinstance(one.floor, str)}
                by.update(floors or {f"{decision.priority} by the model"})
    for row in chosen:
        if word_count(row["text"]) >= WORDS:
            told += 1
            right += detect(row["text"]).tag == row["language"]
    return {
        "set": name,
        "n": len(chosen),
        "priorities": dict(priorities),
        "statuses": dict(statuses),
        "rang": rang,
        "false": false,
        "language_right": round(right / max(told, 1), 4),
        "language_asked": told,
        "loudest": by.most_common(LOUDEST),
    }


def _asked(number: int, row: dict[str, Any]) -> Asked:
    message = Message(id=f"q{number}", customer_id="c", text=row["text"], language=None)
    return Asked(Incoming(message, False, []), Source("messages", 0, number), "2026-01-01T00:00:00.000Z")
