"""Who contradicts what all others teach is found; who is honest is not, however unusual their task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

import orjson
import pytest

from agents.quarantine import quarantine, told
from agents.scoring.base import Base
from agents.scoring.features import extract
from agents.scoring.learner import Learner
from agents.scoring.reviewers import BINS, SEEN, Reviewers
from schemas.learning import Lesson

AT = "2026-01-01T00:00:00.000Z"
HEAD = "sentiment"
SURENESS = 2.5
"""Spread of the made logits: a model that is right on 69 of 100 among three labels."""


class Judged(NamedTuple):
    """What a model that is as sure as it is right says of one message, and what is right."""

    probabilities: dict[str, float]
    right: str

    @property
    def said(self) -> str:
        return max(self.probabilities, key=lambda each: self.probabilities[each])


def stream(seed: int, labels: int) -> Iterator[Judged]:
    chance = Random(seed)
    names = [f"label {number}" for number in range(labels)]
    while True:
        powers = [2.718281828459045 ** chance.gauss(0.0, SURENESS) for _ in names]
        shares = {name: power / sum(powers) for name, power in zip(names, powers, strict=True)}
        yield Judged(shares, chance.choices(names, list(shares.values()))[0])


class Desk:
    """Everybody's labels, in one order."""

    def __init__(self, seed: int, labels: int) -> None:
        self.stream, self.chance, self.reviewers, self.offset = stream(seed, labels), Random(seed), Reviewers(), 0
        self.given: dict[str, int] = {}

    def label(self, reviewer: str, one: Judged, label: str) -> None:
        self.reviewers.weigh(reviewer, HEAD, one.probabilities, label, SEEN, self.offset)
        self.offset += 1
        self.given[reviewer] = self.given.get(reviewer, 0) + 1

    def honest(self, count: int) -> None:
        for _ in range(count):
            one = next(self.stream)
            self.label(f"honest {self.chance.randrange(9)}", one, one.right)

    @property
    def suspected(self) -> str | None:
        return None if self.reviewers.suspect is None else self.reviewers.suspect.reviewer


@pytest.mark.parametrize("labels", [2, 3, 12])
@pytest.mark.parametrize("seed", range(5))
def test_who_flips_one_label_in_twenty_of_all_is_suspected_within_two_hundred_of_theirs(seed: int, labels: int) -> None:
    desk = Desk(seed, labels)
    desk.honest(400)
    while desk.suspected is None:
        desk.honest(19)
        one = next(desk.stream)
        desk.label("flipper", one, desk.chance.choice([each for each in one.probabilities if each != one.right]))
        assert desk.given["flipper"] <= 200
    assert desk.suspected == "flipper"


TASKS: dict[str, Callable[[Judged], bool]] = {
    "only what the model got wrong": lambda one: one.said != one.right,
    "only one label": lambda one: one.right == "label 0",
    "one label the model never says": lambda one: one.right == "label 0" != one.said,
}


@pytest.mark.parametrize("labels", [2, 3, 12])
@pytest.mark.parametrize("task", TASKS)
def test_an_honest_reviewer_with_an_unusual_task_is_not_suspected(task: str, labels: int) -> None:
    for seed in range(5):
        desk = Desk(seed, labels)
        desk.honest(400)
        for _ in range(300):
            desk.honest(2)
            one = next(each for each in desk.stream if TASKS[task](each))
            desk.label("unusual", one, one.right)
            assert desk.suspected is None, f"seed {seed}, after {desk.given['unusual']} labels"


def test_a_label_that_the_model_cannot_know_yet_says_nothing_of_its_reviewer() -> None:
    reviewers = Reviewers()
    for offset in range(500):
        reviewers.weigh("ana", HEAD, {"old": 0.99, "new": 0.01}, "new", SEEN - 1, offset)
    assert reviewers.suspect is None


def test_evidence_survives_a_snapshot_to_the_last_bit() -> None:
    desk = Desk(7, 3)
    desk.honest(300)
    state = orjson.dumps(desk.reviewers.state(), option=orjson.OPT_SORT_KEYS)
    other = Reviewers(orjson.loads(state))
    one = next(desk.stream)
    for reviewers in (desk.reviewers, other):
        reviewers.weigh("ana", HEAD, one.probabilities, "label 1", SEEN, 301)
    assert other.state() == desk.reviewers.state()
    assert all(len(counted) == BINS for counted in other.state()["heads"][HEAD])


# --- in the learner


def learned(learner: Learner, lessons: list[Lesson]) -> None:
    for lesson in lessons:
        learner.learn(lesson, learner.offset + 1)


def lesson(base: Base, number: int, reviewer: str, text: str, label: str) -> Lesson:
    features = extract(text, None, "en")
    return Lesson(
        id=f"l{number}", base=base.id, feedback_id=f"f{number}", reviewer=reviewer, at=AT, language="en",
        features=features.ids, values=features.values, labels={HEAD: label},
    )  # fmt: skip


WORDS = {
    "positive": ["lovely", "thanks", "great", "works", "happy", "kind"],
    "negative": ["awful", "broken", "late", "rude", "angry", "refund"],
    "neutral": ["account", "order", "today", "screen", "number", "page"],
}


def taught(base: Base, count: int, flips: str | None) -> list[Lesson]:
    """Messages whose words say what they are; every twentieth is `flips`', who says otherwise."""
    chance, made = Random(11), []
    for number in range(count):
        right = chance.choice(list(WORDS))
        words = chance.choices(WORDS[right], k=2) + chance.choices(
            [word for own in WORDS.values() for word in own], k=2
        )
        reviewer = flips if flips is not None and number % 20 == 19 else f"honest {number % 5}"
        label = chance.choice([each for each in WORDS if each != right]) if reviewer == flips else right
        made.append(lesson(base, number, reviewer, " ".join(words), label))
    return made


def test_a_quarantine_leaves_out_what_was_and_what_will_be_taught_until_a_person_takes_it_back() -> None:
    base = Base.none()
    made = taught(base, 2_000, "mallory")
    learner = Learner(base)
    while learner.suspect is None:
        learned(learner, [made[learner.offset]])
    suspect, reached = learner.suspect, learner.offset
    assert suspect.reviewer == "mallory"
    assert sum(one.reviewer == "mallory" for one in made[:reached]) <= 100
    own = quarantine(suspect, base.id, AT)
    assert '"mallory"' in told(suspect, own)
    assert own.feedback_id in told(suspect, own)
    learned(learner, [own, *made[reached : reached + 200]])
    assert learner.suspect is None

    clean = Learner(base)
    learned(clean, [one for place, one in enumerate(made[: reached + 200]) if not out(place, one, suspect.from_offset)])
    assert weights(learner) == weights(clean)

    whole, released = Learner(base), Learner(base)
    released.restore(learner.snapshot())
    for place, each in enumerate([*made[:reached], own, *made[reached : reached + 200]]):
        released.remember(each, place + 1)
    back = Lesson(
        id="back", base=base.id, feedback_id="back", reviewer="lead", at=AT, kind="retract", retracts=own.feedback_id
    )
    learned(whole, made[: reached + 200])
    for one in (learner, released):
        learned(one, [back])
        assert weights(one) == weights(whole)
        learned(one, made[reached + 200 : reached + 600])
        assert one.suspect is None, "whom a person released is not suspected again"


def out(offset: int, one: Lesson, begin: int) -> bool:
    return one.reviewer == "mallory" and offset >= begin


def weights(learner: Learner) -> dict[str, list[tuple[float, dict[int, float]]]]:
    return {
        head: [(own.bias, own.items()) for own in labels.values()] for head, labels in learner._online.items() if labels
    }
