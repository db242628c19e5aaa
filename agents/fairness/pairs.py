"""Sentences that differ only in a name, a gender, a religion or a dialect: how scores shift, and whether a priority changes.

Owns: the sentences (pairs.json) and how groups are compared. Must never: change anything else in a sentence.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import msgspec

from agents.scoring.judge import Asked, Judge
from schemas.base import Invalid
from schemas.decision import Decision, Likelihood, Sentiment, Source
from schemas.message import Incoming, Message

_AT = "2026-01-01T00:00:00.000Z"
Sentences = list[dict[str, str]]
"""The same sentence for each group: group to text."""


class Kind(msgspec.Struct, forbid_unknown_fields=True):
    """What the sentences of one kind differ in: either words by group, put into every frame of the language, or whole pairs."""

    kind: str
    language: str
    groups: dict[str, list[str]] = {}
    pairs: Sentences = []

    def sentences(self, frames: list[str]) -> Sentences:
        """Each frame with the n-th word of every group, then the pairs."""
        length = min((len(words) for words in self.groups.values()), default=0)
        return [
            {group: frame.replace("{}", words[place]) for group, words in self.groups.items()}
            for frame in frames
            for place in range(length)
        ] + self.pairs


class Asking(msgspec.Struct, forbid_unknown_fields=True):
    """A file of pairs: frames with a `{}` by language, and kinds."""

    kinds: list[Kind]
    frames: dict[str, list[str]] = {}


class Scored(NamedTuple):
    """What a sentence gets: sentiment from -1 to 1, probabilities of urgency and abuse, priority."""

    sentiment: float
    urgency: float
    abuse: float
    priority: str


class Shift(NamedTuple):
    """A group against the mean of all groups, over the same sentences; `changed` is the share of them whose priority is another
    than the one that most groups get."""

    kind: str
    language: str
    group: str
    sentences: int
    sentiment: float
    urgency: float
    abuse: float
    changed: float


def read(file: Path | None) -> Asking:
    """The pairs in a JSON file; None: Tocsin's own.

    Raises:
        Invalid: it is no such file; says where and what.
        OSError: it cannot be read.
    """
    own = Path(__file__).parent / "pairs.json"
    try:
        asking = msgspec.json.decode((file or own).read_bytes(), type=Asking)
    except msgspec.DecodeError as error:
        raise Invalid("wrong_type", f"{file}: {error}") from None
    for kind in asking.kinds:
        if not kind.sentences(asking.frames.get(kind.language, [])):
            raise Invalid(
                "missing_field",
                f'{file}: kind "{kind.kind}" in "{kind.language}" has no sentences: give it pairs, or groups and frames.'
                f"{kind.language}",
            )
    return asking


def measure(judge: Judge, asking: Asking) -> list[Shift]:
    """Every group of every kind."""
    found: list[Shift] = []
    for kind in asking.kinds:
        found += _compare(judge, kind, kind.sentences(asking.frames.get(kind.language, [])))
    return found


def _compare(judge: Judge, kind: Kind, sentences: Sentences) -> list[Shift]:
    by_group: dict[str, list[tuple[Scored, Scored]]] = defaultdict(list)
    for sentence in sentences:
        scored = {group: _score(judge, text, kind.language) for group, text in sentence.items()}
        every = list(scored.values())
        mean = Scored(
            _mean([one.sentiment for one in every]),
            _mean([one.urgency for one in every]),
            _mean([one.abuse for one in every]),
            _commonest([one.priority for one in every]),
        )
        for group, one in scored.items():
            by_group[group].append((one, mean))
    return [
        Shift(
            kind.kind,
            kind.language,
            group,
            len(each),
            _mean([one.sentiment - mean.sentiment for one, mean in each]),
            _mean([one.urgency - mean.urgency for one, mean in each]),
            _mean([one.abuse - mean.abuse for one, mean in each]),
            _mean([float(one.priority != mean.priority) for one, mean in each]),
        )
        for group, each in by_group.items()
    ]


def _score(judge: Judge, text: str, language: str) -> Scored:
    incoming = Incoming(Message(id="q", customer_id="c", text=text, language=language), False, [])
    decision = judge.decide_all([Asked(incoming, Source("messages", 0, 0), _AT)], _AT)[0].decision
    return Scored(_sentiment(decision), _likely(decision.urgency), _likely(decision.abuse), decision.priority)


def _sentiment(decision: Decision) -> float:
    return decision.sentiment.score if isinstance(decision.sentiment, Sentiment) else 0.0


def _likely(told: object) -> float:
    return told.probability if isinstance(told, Likelihood) else 0.0


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 4)


def _commonest(values: list[str]) -> str:
    return max(sorted(set(values)), key=values.count)
