"""What judging one message costs, beside plain River pipelines for the same heads, in the same run.

Owns: the messages (short ones of real sets) and the two loops. Must never: time what only one of them does.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from agents import policies
from agents.scoring import base as bases
from agents.scoring.base import Base
from agents.scoring.heads import Model
from agents.scoring.judge import Asked, Judge
from agents.scoring.policy import parse
from agents.training.corpora import bootstrap, rows
from agents.triage import BATCH
from schemas.decision import Source
from schemas.message import Incoming, Message
from tests.quality.sets import Sets

SHORT = 140
"""Characters at most."""
COUNT = 4_000
ROUNDS = 5
TAUGHT = 2_000
"""Messages that the River pipelines learn first, so that they have something to say."""
SETS = ("twcs_threads", "goemotions", "banking77", "multidogo")
AT = "2026-01-01T00:00:00.000Z"


def measure(sets: Sets) -> dict[str, Any]:
    """Microseconds of this process's CPU a message, medians of rounds in turn, and the ratio."""
    texts = _texts(sets)
    model = Model(Base.load(bases.shipped()))
    judge = Judge(parse(policies.default_document()), model)
    asked = [
        Asked(Incoming(Message(id=f"q{number}", customer_id="c", text=text), False, []), Source("m", 0, number), AT)
        for number, text in enumerate(texts)
    ]
    pipelines = _pipelines(model.base, texts[:TAUGHT])
    ours, theirs = [], []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for begin in range(0, len(asked), BATCH):
            judge.decide_all(asked[begin : begin + BATCH], AT)
        ours.append((time.process_time() - begun) / len(asked) * 1e6)
        begun = time.process_time()
        for text in texts:
            for pipeline in pipelines:
                pipeline.predict_proba_one(text)
        theirs.append((time.process_time() - begun) / len(texts) * 1e6)
    return {
        "messages": len(texts),
        "judging_us": round(median(ours), 1),
        "river_us": round(median(theirs), 1),
        "ratio": round(median(theirs) / median(ours), 2),
    }


def _texts(sets: Sets) -> list[str]:
    if sets.corpus is None:
        return [one.text for one in bootstrap() if one.language == "en" and len(one.text) <= SHORT]
    texts: list[str] = []
    for name in SETS:
        found = [row["text"] for row in rows(sets.corpus / f"{name}.jsonl.gz") if row["language"] == "en"]
        texts += [text for text in found if len(text) <= SHORT][: COUNT // len(SETS)]
    return texts


def _pipelines(base: Base, texts: list[str]) -> list[Any]:
    """One plain River pipeline a head, with the head's labels: words and pairs, one-vs-rest logistic regression."""
    from river import feature_extraction, linear_model, multiclass, optim

    found = []
    for labels in base.heads.values():
        words: Any = feature_extraction.BagOfWords(ngram_range=(1, 2))
        single: Any = linear_model.LogisticRegression(optim.AdaGrad(0.1))
        pipeline = words | (multiclass.OneVsRestClassifier(single) if len(labels) > 2 else single)
        for number, text in enumerate(texts):
            label = labels[number % len(labels)]
            pipeline.learn_one(text, label if len(labels) > 2 else label == "yes")
        found.append(pipeline)
    return found
