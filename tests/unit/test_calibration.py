"""How sure a head says it is: nearer to how often it is right, and never another answer."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from agents.scoring.base import Base
from agents.scoring.calibration import LEAST, MOST, Temperature, calibration_error, shared, sigmoid
from agents.scoring.features import Features
from agents.scoring.heads import Model
from schemas.learning import HeadUpdate, ModelUpdate

SEED = 20261123
LOUD = 2.5
"""By how much the logits below are too large."""


def loud(count: int, labels: int) -> list[tuple[list[float], int]]:
    """Logits, each `LOUD` times what it should be, and the place of the label that was drawn by what they should be."""
    chance, found = Random(SEED), []
    for _ in range(count):
        honest = [chance.gauss(-1.0, 2.0) for _ in range(labels)]
        if labels == 1:
            right = 0 if chance.random() < sigmoid(honest[0]) else 1
        else:
            (right,) = chance.choices(range(labels), shared([sigmoid(logit) for logit in honest]))
        found.append(([LOUD * logit for logit in honest], right))
    return found


def sure(logits: list[float], right: int, temperature: float) -> tuple[float, bool]:
    said = [sigmoid(temperature * logit) for logit in logits]
    said = [said[0], 1.0 - said[0]] if len(said) == 1 else shared(said)
    return max(said), said.index(max(said)) == right


@pytest.mark.parametrize("labels", [1, 3, 12])
def test_a_head_that_is_too_sure_becomes_as_sure_as_it_is_right(labels: int) -> None:
    stream, temperature = loud(4_000, labels), Temperature()
    before, after = [], []
    for logits, right in stream:
        before.append(sure(logits, right, 1.0))
        after.append(sure(logits, right, temperature.value))
        temperature.learn(logits, right)
    assert calibration_error(after[2_000:]) < 0.05 < calibration_error(before[2_000:])
    assert [right for _, right in before] == [right for _, right in after]


def test_no_label_however_strange_takes_the_number_out_of_its_bounds() -> None:
    for right in (0, 1):
        temperature = Temperature()
        for _ in range(500):
            temperature.learn([1e9, -1e9, 0.0], 1 - right)
            temperature.learn([1e9], right)
        assert LEAST <= temperature.value <= MOST


def test_a_scorer_takes_the_temperature_from_an_update_and_keeps_its_logits() -> None:
    ids = np.array([1, 2], dtype=np.uint64)
    base = Base({"sentiment": ("negative", "positive")}, {"sentiment": {"en": 9}}, ids, np.eye(2), [0.5, -0.5])
    model, features = Model(base), Features([1, 2], [1.0, 2.0], [], [], "en")
    before = model.score(features, "en")["sentiment"]
    change = {"sentiment": HeadUpdate([], {}, {"en": 1}, 0.5)}
    model.apply(ModelUpdate(base=base.id, from_offset=0, to_offset=1, at="2026-01-01T00:00:00.000Z", heads=change))
    after = model.score(features, "en")["sentiment"]
    assert after.logits == before.logits
    assert after.probabilities == shared([sigmoid(0.5 * logit) for logit in before.logits])


def test_the_calibration_error_is_the_distance_between_how_sure_and_how_often_right() -> None:
    assert calibration_error([(0.75, True)] * 3 + [(0.75, False)]) == pytest.approx(0.0)
    assert calibration_error([(0.95, False)] * 2 + [(0.55, True)] * 2) == pytest.approx((0.95 + 0.45) / 2)
    assert calibration_error([]) == 0.0
