"""Test-then-train figures: what each head would have said right before it learned, by head and language.

Owns: the counts. Must never: see a label after it was learned.
"""

from __future__ import annotations

from math import log
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    """What one head would have said, before it learned, of one label."""

    head: str
    language: str
    right: bool


Figures = dict[str, dict[str, dict[str, Any]]]
"""{head: {language: {"n", "right", "majority_right" (counts), "log_loss" (sum, in nats), "labels" {label: count}}}}."""


class Prequential:
    """Counts since the first lesson; those of lessons taken back since stay, for they are what was measured."""

    def __init__(self, figures: Figures | None = None) -> None:
        self._figures: Figures = figures or {}

    def count(self, head: str, language: str, label: str, probabilities: dict[str, float]) -> Outcome:
        """One lesson: the head's probabilities before it learned that `label` is right."""
        right = max(probabilities, key=lambda each: probabilities[each]) == label
        empty = {"n": 0, "right": 0, "majority_right": 0, "log_loss": 0.0, "labels": {}}
        figures = self._figures.setdefault(head, {}).setdefault(language, empty)
        labels = figures["labels"]
        figures["n"] += 1
        figures["right"] += right
        figures["majority_right"] += bool(labels) and max(labels, key=lambda each: (labels[each], each)) == label
        figures["log_loss"] -= log(max(probabilities[label], 1e-9))
        labels[label] = labels.get(label, 0) + 1
        return Outcome(head, language, right)

    def figures(self) -> Figures:
        """A copy of them."""
        return {
            head: {language: {**each, "labels": dict(each["labels"])} for language, each in by_language.items()}
            for head, by_language in self._figures.items()
        }
