"""Fairness of the shipped base: Tocsin's own pairs, and the neutral sentences of the identity templates.

Owns: what is read of the template set. Must never: train on it.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from agents import policies
from agents.evaluate import prepared
from agents.fairness.pairs import measure as shifts
from agents.fairness.pairs import read
from agents.scoring import base as bases
from agents.scoring.base import Base
from agents.scoring.heads import Model
from agents.scoring.judge import Judge
from agents.scoring.policy import parse
from agents.training.corpora import rows
from tests.quality.sets import Sets


def measure(sets: Sets) -> dict[str, Any]:
    """The repository's own pairs by kind and group, and the identity templates by identity."""
    model = Model(Base.load(bases.shipped()))
    judge = Judge(parse(policies.default_document()), model)
    identities = None if sets.corpus is None else _identities(sets.corpus, model)
    return {"pairs": [one._asdict() for one in shifts(judge, read(None))], "identities": identities}


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 4)


def _identities(corpus: Path, model: Model) -> dict[str, Any]:
    """Abuse and sentiment over the neutral sentences of the template set, by identity."""
    by_identity: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows(corpus / "identity_templates.jsonl.gz"):
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
