"""Ten corrections of a phrase: whether paraphrases follow, and what that costs elsewhere.

Owns: the phrases (corrections.json). Must never: count a phrase that the base had right.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from agents.evaluate import figures, prepared
from agents.scoring import base as bases
from agents.scoring.base import Base
from agents.scoring.heads import Model
from agents.scoring.learner import Learner
from schemas.learning import Lesson
from tests.quality.sets import Messages, Sets

HEAD = "sentiment"


def measure(sets: Sets) -> dict[str, Any]:
    """Of the shipped base: each phrase by itself, then all of them one after the other."""
    asked = orjson.loads((Path(__file__).parent / "corrections.json").read_bytes())
    elsewhere = [one for stream in sets.streams()[:3] for one in stream.messages[:1_000]]
    base = Base.load(bases.shipped())
    before = _right(Model(base), elsewhere)
    rows = []
    for one in asked["phrases"]:
        contexts, language, label = asked["contexts"][one["language"]], one["language"], one["label"]
        untaught = [_says(Model(base), text, language) for text in one["paraphrases"]]
        model = _taught(base, [(context.format(one["phrase"]), language, label) for context in contexts])
        rows.append(
            {
                "phrase": one["phrase"],
                "language": language,
                "label": label,
                "before": sum(said == label for said in untaught),
                "after": sum(_says(model, text, language) == label for text in one["paraphrases"]),
                "of": len(one["paraphrases"]),
                "cost": round(before - _right(model, elsewhere), 4),
            }
        )
    return {"elsewhere": len(elsewhere), "accuracy": round(before, 4), "phrases": rows}


def _taught(base: Base, lessons: list[tuple[str, str, str]]) -> Model:
    learner, model = Learner(base), Model(base)
    for number, (text, language, label) in enumerate(lessons):
        features, tag = prepared({"text": text, "language": language})
        update = learner.learn(
            Lesson(
                id=f"l{number}", base=base.id, feedback_id=f"f{number}", reviewer="r", at="2026-01-01T00:00:00.000Z",
                language=tag, features=features.ids, values=features.values, labels={HEAD: label},
            ),
            number + 1,
        )  # fmt: skip
        if update is not None:
            model.apply(update)
    return model


def _says(model: Model, text: str, language: str) -> str:
    features, _ = prepared({"text": text, "language": language})
    said = model.ask(features, HEAD)
    return "" if said is None else said.label


def _right(model: Model, messages: Messages) -> float:
    pairs = [(one["labels"][HEAD], _says(model, one["text"], one["language"])) for one in messages]
    return float(figures(pairs)["accuracy"])
