"""The report's arithmetic and what it says of targets; nothing here measures anything."""

from __future__ import annotations

from typing import Any

from agents.markdown import table
from tests.quality import learning, picture, report

LAST = {
    "always the commonest": 0.2,
    "River, plain": 0.60,
    "Tocsin": 0.64,
    "TF-IDF + logistic regression, refitted": 0.68,
}


def stream(base: str) -> dict[str, Any]:
    return {
        "title": "made up",
        "n": 100,
        "labels": 3,
        "shuffled": False,
        "base": base,
        "last": {name: {"macro_f1": value} for name, value in LAST.items()},
        "ece": 0.02,
        "coverage": {"all": 0.70, "surest": 0.74},
        "curves": {name: [(50, 0.31), (100, 0.62)] for name in ("Tocsin", "River, plain")},
    }


def test_a_target_that_is_missed_is_said_to_be() -> None:
    found = {what: met for what, _, _, met in report.targets({"learning": [stream("b"), stream("none")]})}
    assert found["made up: macro F1 beside plain River"]
    assert not found["made up: accuracy over the surest 80%"]
    assert not found["made up: macro F1 beside a batch model refitted"]


def test_a_phrase_that_was_right_before_is_not_counted_as_learned() -> None:
    phrases = [
        {"before": 3, "after": 0, "of": 3, "cost": 0.0},
        {"before": 0, "after": 2, "of": 3, "cost": 0.02},
    ]
    found = {what: told for what, _, told, _ in report.targets({"corrections": {"phrases": phrases}})}
    assert found["paraphrases right after ten corrections"] == "2 of 3"


def test_accuracy_is_over_the_surest_four_fifths() -> None:
    sure = [(0.9, "a"), (0.8, "a"), (0.7, "a"), (0.6, "a"), (0.1, "a")]
    found = learning._covered(sure, ["a", "a", "b", "a", "b"])
    assert found == {"all": 0.6, "surest": 0.75}


def test_the_picture_holds_every_point_of_every_stream() -> None:
    drawn = picture.curves([stream("b"), stream("none")])
    assert drawn.count("<circle") == 8
    assert drawn.count("made up") == 2


def test_a_bar_in_a_phrase_does_not_break_a_table() -> None:
    assert list(table(("phrase",), [("a | b",)]))[-1] == "| a \\| b |"
