"""Test, then train: every message told before its label is learned, beside what ordinary tools make of it.

Owns: the share at the end that is compared, and the curves. Must never: let a base see the kind it is measured on.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from agents.evaluate import evaluate_stream, figures
from agents.scoring.calibration import calibration_error
from tests.quality import references
from tests.quality.sets import Sets, Stream

LAST = 0.3
"""Share at the end of a stream over which learners and batch models are compared."""
DELAY = 500
SETTLED = 2_000
"""Labels after which probabilities must be calibrated."""
COVERAGE = 0.8
STEPS = 20
"""Points of a curve."""


def measure(sets: Sets, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """One entry for each stream."""
    found = []
    for stream in sets.streams():
        say(f"{stream.title}: {len(stream.messages):,} messages")
        found.append(_stream(sets, stream))
    return found


def _stream(sets: Sets, stream: Stream) -> dict[str, Any]:
    messages, head = stream.messages, stream.head
    labels = [one["labels"][head] for one in messages]
    begin = round(len(messages) * (1.0 - LAST))
    base = sets.base(stream.source)
    told, found = _told(stream, base, 0)
    sure = [(max(one["probabilities"].values(), default=0.0), one["prediction"]) for one in told]
    late, _ = _told(stream, base, DELAY)
    said = {
        "always the commonest": [max(set(labels[:begin]), key=labels[:begin].count)] * len(messages),
        "River, plain": references.river(messages, head),
        "TF-IDF + logistic regression, first 70 %": [""] * begin + references.batch(messages, head, begin),
        "Tocsin": [one["prediction"] for one in told],
        f"Tocsin, labels {DELAY} late": [one["prediction"] for one in late],
    }
    if stream.head == "sentiment" and stream.messages[0]["language"] == "en":
        said["VADER"] = references.vader(messages)
    result = {
        name: _short(figures(list(zip(labels[begin:], each[begin:], strict=True)))) for name, each in said.items()
    }
    result["TF-IDF + logistic regression, refitted"] = _short(
        figures(references.refitted(messages, head)[-(len(messages) - begin) :])
    )
    settled = [(p, label == prediction) for (p, prediction), label in zip(sure, labels, strict=True)][SETTLED:]
    return {
        "name": stream.name,
        "title": stream.title,
        "n": len(messages),
        "labels": len(set(labels)),
        "shuffled": stream.shuffled,
        "base": base.id if stream.source else "none",
        "last": result,
        "ece": round(calibration_error(settled), 4) if settled else None,
        "coverage": _covered(sure[begin:], labels[begin:]),
        "curves": {name: _curve(labels, said[name]) for name in ("Tocsin", "River, plain")},
        "fifths": [_short(each) for each in found["fifths"]],
    }


def _told(stream: Stream, base: Any, delay: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    told: list[dict[str, Any]] = []
    found = evaluate_stream(stream.messages, stream.head, delay, base, told.append)
    return told, found


def _covered(sure: list[tuple[float, str]], labels: list[str]) -> dict[str, float]:
    """Accuracy over all, and over the four fifths of which it was surest."""
    right = [(p, said == label) for (p, said), label in zip(sure, labels, strict=True)]
    surest = sorted(right, key=lambda one: -one[0])[: round(COVERAGE * len(right))]
    return {"all": _share(right), "surest": _share(surest)}


def _share(right: list[tuple[float, bool]]) -> float:
    return round(sum(ok for _, ok in right) / max(len(right), 1), 4)


def _curve(labels: list[str], said: list[str]) -> list[tuple[int, float]]:
    """(labels learned, macro F1 over the twentieth of the stream before)."""
    cuts = [len(labels) * step // STEPS for step in range(STEPS + 1)]
    return [
        (end, round(figures(list(zip(labels[begin:end], said[begin:end], strict=True)))["macro_f1"], 4))
        for begin, end in pairwise(cuts)
    ]


def _short(found: dict[str, Any]) -> dict[str, Any]:
    return {"n": found["n"], "accuracy": round(found["accuracy"], 4), "macro_f1": round(found["macro_f1"], 4)}
