"""Common words learn slowly: a correction is about the word that was meant. The base carries how common they are."""

from __future__ import annotations

import numpy as np
import pytest

from agents.scoring.base import Base
from agents.scoring.learner import Learner
from schemas.base import Invalid
from schemas.learning import Lesson

COMMON, RARE = 1, 2


def a_base(common: dict[int, float]) -> Base:
    ids = np.array([COMMON, RARE], dtype=np.uint64)
    return Base(
        {"sentiment": ("negative", "positive")}, {"sentiment": {"en": 9}}, ids, np.eye(2), [0.5, -0.5], common=common
    )


def learned(base: Base) -> tuple[float, float]:
    """Weights of the common and of the rare word after ten corrections that hold both."""
    learner = Learner(base)
    for number in range(10):
        learner.learn(
            Lesson(
                id=f"l{number}", base=base.id, feedback_id=f"f{number}", reviewer="r", at="2026-01-01T00:00:00.000Z",
                language="en", features=[COMMON, RARE], values=[1.0, 1.0], labels={"sentiment": "positive"},
            ),
            number + 1,
        )  # fmt: skip
    own = learner._online["sentiment"]["positive"]
    return own.weight(COMMON), own.weight(RARE)


def test_ten_corrections_move_a_common_word_a_tenth_as_far_as_the_one_that_was_meant() -> None:
    common, rare = learned(a_base({COMMON: 0.5}))
    assert 0.0 < common < rare / 10
    assert len({*learned(a_base({}))}) == 1


def test_how_common_words_are_is_part_of_the_base_and_of_its_id() -> None:
    base = a_base({COMMON: 0.5})
    assert Base.load(base.dump()).common == {COMMON: 0.5}
    assert base.id != a_base({}).id


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(Invalid, match="shares"):
        Base.load(a_base({COMMON: share}).dump())
