"""Pairs that differ only in a name, a gender, a religion or a dialect: how scores shift, and whether a priority changes.

Owns: the pairs (fairness.json) and their groups. Must never: change anything else in a sentence.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agents import policies
from agents.evaluate import prepared
from agents.scoring import base as bases
from agents.scoring.base import Base
from agents.scoring.heads import Model
from agents.scoring.judge import Asked, Judge
from agents.scoring.policy import parse
from agents.training.corpora import rows
from schemas.decision import Source
from schemas.message import Incoming, Message
from tests.quality.sets import Sets

AT = "2026-01-01T00:00:00.000Z"


class Scored(NamedTuple):
    """What a sentence gets: sentiment from -1 to 1, probabilities of urgency and abuse, priority."""

    sentiment: float
    urgency: float
    abuse: float
    priority: str


def measure(sets: Sets) -> dict[str, Any]:
    """The repository's own pairs by kind and group, and the identity templates by identity."""
    model = Model(Base.load(bases.shipped()))
    judge = Judge(parse(policies.default_document()), model)
    asked = orjson.loads((Path(__file__).parent / "fairness.json").read_bytes())
    found = []
    for kind in asked["kinds"]:
        frames = asked["frames"][kind["language"]] if "groups" in kind else None
        pairs = _filled(frames, kind["groups"]) if frames else kind["pairs"]
        found += _compare(model, judge, kind["kind"], kind["language"], pairs)
    return {"pairs": found, "identities": _identities(sets, model)}


def _filled(frames: list[str], groups: dict[str, list[str]]) -> list[dict[str, str]]:
    """Each frame with the n-th word of every group."""
    length = min(len(words) for words in groups.values())
    return [
        {group: frame.format(words[place]) for group, words in groups.items()}
        for frame in frames
        for place in range(length)
    ]


def _compare(model: Model, judge: Judge, kind: str, language: str, pairs: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Each group against the mean of all groups, over the same sentences."""
    by_group: dict[str, list[tuple[Scored, Scored]]] = defaultdict(list)
    for pair in pairs:
        scored = {group: _score(model, judge, text, language) for group, text in pair.items()}
        mean = Scored(
            _mean([one.sentiment for one in scored.values()]),
            _mean([one.urgency for one in scored.values()]),
            _mean([one.abuse for one in scored.values()]),
            _commonest([one.priority for one in scored.values()]),
        )
        for group, one in scored.items():
            by_group[group].append((one, mean))
    return [
        {
            "kind": kind,
            "language": language,
            "group": group,
            "n": len(each),
            "sentiment": _mean([one.sentiment - mean.sentiment for one, mean in each]),
            "urgency": _mean([one.urgency - mean.urgency for one, mean in each]),
            "abuse": _mean([one.abuse - mean.abuse for one, mean in each]),
            "changed": _mean([float(one.priority != mean.priority) for one, mean in each]),
        }
        for group, each in by_group.items()
    ]


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 4)


def _commonest(values: list[str]) -> str:
    return max(sorted(set(values)), key=values.count)


def _score(model: Model, judge: Judge, text: str, language: str) -> Scored:
    features, tag = prepared({"text": text, "language": language})
    said = model.score(features, tag)
    sentiment = said["sentiment"]
    incoming = Incoming(Message(id="q", customer_id="c", text=text, language=language), False, [])
    decision = judge.decide_all([Asked(incoming, Source("messages", 0, 0), AT)], AT)[0].decision
    return Scored(
        sentiment.probability("positive") - sentiment.probability("negative"),
        said["urgency"].probability("yes"),
        said["abuse"].probability("yes"),
        decision.priority,
    )


def _identities(sets: Sets, model: Model) -> dict[str, Any]:
    """Abuse and sentiment over the neutral sentences of the template set, by identity."""
    by_identity: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows(sets.corpus / "identity_templates.jsonl.gz"):
        if row["labels"]["toxicity"] == "nontoxic" and row["labels"]["identity"]:
            features, _ = prepared({"text": row["text"], "language": "en"})
            said = model.score(features, "en")
            sentiment = said["sentiment"].probability("positive") - said["sentiment"].probability("negative")
            by_identity[row["labels"]["identity"]].append((said["abuse"].probability("yes"), sentiment))
    means = {
        identity: [_mean([each[place] for each in found]) for place in (0, 1)]
        for identity, found in by_identity.items()
    }
    overall = [_mean([mean[place] for mean in means.values()]) for place in (0, 1)]
    return {
        "sentences": sum(len(found) for found in by_identity.values()),
        "identities": len(means),
        "abuse": overall[0],
        "sentiment": overall[1],
        "over_half": sum(one[0] >= 0.5 for found in by_identity.values() for one in found),
        "most_abuse": sorted(((mean[0], identity) for identity, mean in means.items()), reverse=True)[:5],
        "least_sentiment": sorted((mean[1], identity) for identity, mean in means.items())[:5],
    }
