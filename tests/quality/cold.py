"""What the base is worth before any feedback: every head on the written test sets, sentiment on kinds it never saw.

Owns: the references beside each figure. Must never: measure a base on what it was trained on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from agents.evaluate import figures, prepared
from agents.scoring import base as bases
from agents.scoring.base import Base
from agents.scoring.heads import Model
from tests.quality import references
from tests.quality.sets import Messages, Sets

WRITTEN = "bootstrap_test"


def measure(sets: Sets, say: Callable[[str], None]) -> dict[str, Any]:
    """Figures of the written sets, as `tocsin train` found them, and of the streams."""
    shipped = Base.load(bases.shipped())
    heads = [
        {"head": head, "language": language, **by_source[WRITTEN]}
        for head, by_language in shipped.metrics.items()
        for language, by_source in by_language.items()
        if WRITTEN in by_source
    ]
    kinds = []
    for stream in sets.streams()[:3] if sets.corpus is not None else ():
        say(f"cold: {stream.title}")
        kinds.append({"title": stream.title, **_kind(sets.base(stream.source), stream.messages)})
    written = sets.written("en")
    told = references.vader([{"text": one.text} for one in written])
    vader = [(one.labels["sentiment"], said) for one, said in zip(written, told, strict=True)]
    return {"base": shipped.id, "heads": heads, "kinds": kinds, "vader_written": round(figures(vader)["macro_f1"], 4)}


def _kind(base: Base, messages: Messages) -> dict[str, Any]:
    model = Model(base)
    pairs, scored = [], 0
    for one in messages:
        features, tag = prepared({"text": one["text"], "language": one["language"]})
        said = model.score(features, tag).get("sentiment")
        scored += said is not None
        pairs.append((one["labels"]["sentiment"], "" if said is None else said.label))
    labels = Counter(label for label, _ in pairs)
    commonest = max(labels, key=lambda each: labels[each])
    found = figures(pairs)
    result = {
        "n": len(pairs),
        "scored": round(scored / len(pairs), 4),
        "accuracy": round(found["accuracy"], 4),
        "macro_f1": round(found["macro_f1"], 4),
        "commonest": round(figures([(label, commonest) for label, _ in pairs])["macro_f1"], 4),
    }
    if messages[0]["language"] == "en":
        told = references.vader(messages)
        vader = figures([(label, each) for (label, _), each in zip(pairs, told, strict=True)])
        result["vader"] = round(vader["macro_f1"], 4)
    return result
