"""Errors that rise are said once, with figures; steady ones and those that fall are not."""

from __future__ import annotations

from random import Random
from unittest.mock import Mock

import pytest

from agents.model_health import ModelHealth
from agents.scoring.base import Base
from agents.scoring.drift import Drift, Drifted
from agents.scoring.learner import Learner
from agents.scoring.prequential import Outcome
from streams.health import HealthReporter


def watched(drift: Drift, seed: int, count: int, wrong: float, language: str = "en") -> list[Drifted]:
    chance, found = Random(seed), []
    for _ in range(count):
        found += drift.watch([Outcome("sentiment", language, chance.random() >= wrong)])
    return found


@pytest.mark.parametrize("seed", range(5))
def test_errors_that_rise_by_a_fifth_are_said_within_four_hundred_lessons(seed: int) -> None:
    drift = Drift()
    assert watched(drift, seed, 2_000, 0.2) == []
    (first, *_) = watched(drift, seed + 100, 400, 0.4)
    assert (first.head, first.language) == ("sentiment", "en")
    assert first.before < first.after <= 0.5
    assert first.lessons < 2_000


@pytest.mark.parametrize("seed", range(5))
def test_a_head_that_learns_has_not_drifted(seed: int) -> None:
    drift = Drift()
    assert [
        *watched(drift, seed, 1_000, 0.5),
        *watched(drift, seed, 1_000, 0.3),
        *watched(drift, seed, 3_000, 0.2),
    ] == []


def test_one_language_does_not_hide_behind_the_other() -> None:
    drift = Drift()
    watched(drift, 1, 1_000, 0.2, "fr")
    watched(drift, 2, 9_000, 0.2, "en")
    found = watched(drift, 3, 400, 0.5, "fr")
    assert {one.language for one in found} == {"fr"}


def test_drift_is_said_on_health_with_figures_but_not_for_what_was_learned_before() -> None:
    health = Mock(spec=HealthReporter)
    chance = Random(4)
    for past in (True, False):
        told = ModelHealth(health, lambda: Learner(Base.none()))
        for number in range(2_400):
            told.tested([Outcome("sentiment", "en", chance.random() >= (0.2 if number < 2_000 else 0.5))], past=past)
        assert health.alarm.called is not past
    call = health.alarm.call_args
    assert call.args[0] == "model_drift"
    assert call.kwargs["where"] == "sentiment/en"
    assert call.kwargs["figures"]["before"] < call.kwargs["figures"]["after"]
