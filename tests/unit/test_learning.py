"""Learning: one order, equal bits in scorer, learner and a restarted learner; what is taken back leaves no trace."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from agents.scoring.base import Base, timed
from agents.scoring.features import extract
from agents.scoring.heads import Applied, Model, Scores
from agents.scoring.learner import Learner, MissingLessons
from schemas.base import Invalid
from schemas.learning import Lesson

SEED = 20260101
SENTENCE = "late parcel refund great awful thanks charger broken slow love staff never again quick nice hate wrong box"
WORDS = SENTENCE.split()
LABELS = {
    "sentiment": ("negative", "neutral", "positive"),
    "category": ("delivery", "billing", "other", "a:new-one"),
    "spam": ("no", "yes"),
}


def a_base() -> Base:
    rng = np.random.default_rng(SEED)
    ids = np.array(sorted(set(extract(" ".join(WORDS), None, "en").ids)), dtype=np.uint64)
    heads: dict[str, tuple[str, ...]] = {"sentiment": LABELS["sentiment"], "urgency": ("no", "yes")}
    languages = {"sentiment": {"en": 10, "fr": 3}, "urgency": {"en": 5}}
    weights = rng.normal(size=(len(ids), 4)).astype(np.float32).astype(np.float64)
    return Base(heads, languages, ids, weights, [0.25, -0.5, 0.125, -1.0])


def texts(count: int, seed: int = SEED) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) + rng.choice(["", "!", "?", " 😡"]) for _ in range(count)]


def lessons(base: Base, count: int, seed: int = SEED) -> list[Lesson]:
    rng = random.Random(seed)
    made = []
    for number, text in enumerate(texts(count, seed)):
        language = rng.choice(["en", "en", "fr", "de"])
        features = extract(text, None, language)
        heads = rng.sample(sorted(LABELS), k=rng.randint(1, 3))
        made.append(
            Lesson(
                id=f"l{number}",
                base=base.id,
                feedback_id=f"f{number}",
                reviewer=f"r{number % 4}",
                at="2026-01-01T00:00:00.000Z",
                language=language,
                features=features.ids,
                values=features.values,
                labels={head: rng.choice(LABELS[head]) for head in heads},
            )
        )
    return made


def taught(base: Base, made: list[Lesson]) -> tuple[Learner, Model]:
    learner, model = Learner(base), Model(base)
    for offset, lesson in enumerate(made):
        update = learner.learn(lesson, offset + 1)
        assert update is not None
        assert model.apply(update) is Applied.APPLIED
    return learner, model


def all_scores(model: Model) -> list[Scores]:
    return [model.score(extract(text, None, tag), tag) for text in texts(60, 5) for tag in ("en", "fr", "de")]


def from_snapshot(learner: Learner) -> Model:
    model = Model(learner.base)
    model.restore(learner.snapshot())
    return model


@pytest.mark.parametrize("base", [a_base(), Base.none()], ids=["base", "none"])
def test_updates_and_snapshot_give_the_same_scores_to_the_last_bit(base: Base) -> None:
    learner, model = taught(base, lessons(base, 120))
    other = from_snapshot(learner)
    assert other.version == model.version == learner.version == f"{base.id}@120"
    assert all_scores(other) == all_scores(model)


def test_scores_are_the_rivers_own_logits() -> None:
    base = a_base()
    learner, model = taught(base, lessons(base, 80))
    features = extract("late parcel, great staff!", None, "en")
    said = base.logits(features.ids, features.values).tolist()
    for head, scores in model.score(features, "en").items():
        for label, logit in zip(scores.labels, scores.logits, strict=True):
            own = learner._online.get(head, {}).get(label)
            if own is not None:
                x = dict(zip(features.ids, features.values, strict=True))
                learner._offer(own, head, label, x, said)
                assert logit == pytest.approx(own.logit(x), abs=1e-9)


def test_a_restored_learner_goes_on_with_the_same_bits() -> None:
    base = a_base()
    made = lessons(base, 200)
    whole, _ = taught(base, made)
    first, _ = taught(base, made[:90])
    restored = Learner(base)
    restored.restore(first.snapshot())
    for offset, lesson in enumerate(made[90:], start=90):
        assert restored.learn(lesson, offset + 1) is not None
    assert restored.snapshot() == whole.snapshot()
    assert restored.quality() == whole.quality()


def test_a_gap_is_told_from_an_old_update_and_neither_changes_anything() -> None:
    base = a_base()
    made = lessons(base, 3)
    learner = Learner(base)
    updates = [learner.learn(lesson, offset + 1) for offset, lesson in enumerate(made)]
    model = Model(base)
    assert updates[0] is not None
    assert updates[1] is not None
    assert updates[2] is not None
    before = all_scores(model)
    assert model.apply(updates[1]) is Applied.GAP
    assert all_scores(model) == before
    assert model.apply(updates[0]) is Applied.APPLIED
    after = all_scores(model)
    assert model.apply(updates[0]) is Applied.OLDER
    assert all_scores(model) == after
    assert model.offset == 1
    updates[2].base = "another"
    assert model.apply(updates[2]) is Applied.OTHER_BASE


def test_a_snapshot_of_another_base_is_refused_and_nothing_changes() -> None:
    base = a_base()
    learner, model = taught(base, lessons(base, 5))
    stranger = Learner(Base.none()).snapshot()
    before = all_scores(model)
    for owner in (learner, model):
        with pytest.raises(Invalid, match="base"):
            owner.restore(stranger)
        with pytest.raises(Invalid):
            owner.restore(learner.snapshot()[:-20])
    assert model.version == learner.version
    assert all_scores(model) == before


def test_a_feedback_is_learned_once() -> None:
    base = a_base()
    made = lessons(base, 10)
    learner, model = taught(base, made)
    before = all_scores(model)
    assert learner.knows("f3")
    assert not learner.knows("f99")
    update = learner.learn(made[3], 11)
    assert update is not None
    assert not update.heads
    assert model.apply(update) is Applied.APPLIED
    assert model.offset == 11
    assert all_scores(model) == before
    restored = Learner(base)
    restored.restore(learner.snapshot())
    assert restored.knows("f3")
    assert not restored.knows("f99")
    assert learner.learn(made[3], 11) is None, "an offset already learned changes nothing"


def taking(base: Base, kind: str, number: int, **rest: object) -> Lesson:
    fields = {"kind": kind, "reviewer": "r1", "at": "2026-01-01T00:00:00.000Z", **rest}
    return Lesson(id=f"t{number}", base=base.id, feedback_id=f"t{number}", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("base", [a_base(), Base.none()], ids=["base", "none"])
@pytest.mark.parametrize("kind", ["retract", "unlearn"])
def test_what_was_taken_back_leaves_no_trace(base: Base, kind: str) -> None:
    made = lessons(base, 60)
    if kind == "retract":
        lesson, gone = taking(base, kind, 1, retracts="f7"), {7}
    else:
        lesson, gone = taking(base, kind, 1, from_offset=20), {n for n in range(20, 60) if made[n].reviewer == "r1"}
    learner, model = taught(base, made)
    update = learner.learn(lesson, 61)
    assert update is not None
    assert model.apply(update) is Applied.APPLIED

    clean = Learner(base)
    for offset, each in enumerate(made):
        if offset not in gone:
            clean.learn(each, offset + 1)
    expected = from_snapshot(clean)
    assert all_scores(model) == all_scores(from_snapshot(learner)) == all_scores(expected)
    assert learner.knows("f7")


def test_what_stays_can_be_learned_beforehand_and_is_not_used_when_it_is_old() -> None:
    base = a_base()
    made = lessons(base, 30)
    lesson = taking(base, "retract", 1, retracts="f7")
    (one, _), (two, _), (late, _) = (taught(base, made) for _ in range(3))
    before = one.snapshot()
    rest = one.anew(lesson)
    assert one.snapshot() == before
    assert one.learn(lesson, 31, rest) == two.learn(lesson, 31)
    assert one.snapshot() == two.snapshot()
    old = late.anew(lesson)
    for learner in (late, (other := taught(base, made)[0])):
        learner.learn(lessons(base, 31)[30], 31)
    assert late.learn(lesson, 32, old) == other.learn(lesson, 32)
    assert late.snapshot() == other.snapshot()


def test_a_label_that_only_the_taken_back_lesson_named_is_gone() -> None:
    base = a_base()
    made = lessons(base, 12)
    made[11].labels = {"category": "never heard of"}
    learner, model = taught(base, made)
    assert "never heard of" in model.labels("category")
    update = learner.learn(taking(base, "retract", 1, retracts="f11"), 13)
    assert update is not None
    model.apply(update)
    assert "never heard of" not in model.labels("category")


def test_a_restored_learner_says_which_lessons_it_needs_and_then_takes_back() -> None:
    base = a_base()
    made = lessons(base, 40)
    whole, _ = taught(base, made)
    restored = Learner(base)
    restored.restore(whole.snapshot())
    lesson = taking(base, "retract", 1, retracts="f7")
    with pytest.raises(MissingLessons) as missing:
        restored.learn(lesson, 41)
    assert missing.value.below == 40
    assert restored.offset == 40
    for offset, each in enumerate(made):
        restored.remember(each, offset + 1)
    assert restored.learn(lesson, 41) is not None
    whole.learn(lesson, 41)
    assert all_scores(from_snapshot(restored)) == all_scores(from_snapshot(whole))


def test_accounts_add_up_to_the_logit() -> None:
    base = a_base()
    _, model = taught(base, lessons(base, 100))
    for text in texts(30, 9):
        features = extract(text, None, "en")
        said = model.said([features])[0]
        for head, scores in model.scores(said, "en").items():
            for label, logit in zip(scores.labels, scores.logits, strict=True):
                reason = model.account(said, head, label, top=3)
                assert reason.logit == logit
                assert isinstance(reason.contributions, list)
                assert len(reason.contributions) <= 3
                assert isinstance(reason.bias, float)
                assert isinstance(reason.rest, float)
                total = reason.bias + sum(one.value for one in reason.contributions) + reason.rest
                assert math.isclose(total, logit, rel_tol=0.0, abs_tol=1e-9)


def test_an_account_with_every_feature_leaves_no_rest() -> None:
    base = a_base()
    _, model = taught(base, lessons(base, 100))
    features = extract("never again, awful staff!", None, "en")
    said = model.said([features])[0]
    for head, scores in model.scores(said, "en").items():
        for label in scores.labels:
            reason = model.account(said, head, label, top=1_000)
            assert isinstance(reason.rest, float)
            assert abs(reason.rest) < 1e-9


def test_a_head_never_trained_for_a_language_is_left_out() -> None:
    base = a_base()
    model = Model(base)
    features = extract("late parcel", None, "fr")
    assert set(model.score(features, "fr")) == {"sentiment"}
    assert set(model.score(features, "de")) == set()
    assert Model(Base.none()).score(features, "en") == {}


def test_ten_corrections_turn_a_paraphrase() -> None:
    base = a_base()
    learner, model = Learner(base), Model(base)
    wrong = "the staff were sick, absolutely sick work"
    for number in range(10):
        features = extract(wrong, None, "en")
        update = learner.learn(
            Lesson(
                id=str(number), base=base.id, feedback_id=str(number), reviewer="r", at="2026-01-01T00:00:00.000Z",
                language="en", features=features.ids, values=features.values, labels={"sentiment": "positive"},
            ),
            number + 1,
        )  # fmt: skip
        assert update is not None
        model.apply(update)
    assert model.score(extract("sick work by your staff", None, "en"), "en")["sentiment"].label == "positive"


def test_figures_are_taken_before_the_label_is_learned() -> None:
    base = Base.none()
    learner = Learner(base)
    made = lessons(base, 1)[0]
    made.labels, made.language = {"sentiment": "positive"}, "en"
    learner.learn(made, 1)
    figures = learner.quality()["sentiment"]["en"]
    assert (figures["n"], figures["majority_right"]) == (1, 0)
    for number in range(2, 12):
        made.feedback_id = f"again{number}"
        learner.learn(made, number)
    figures = learner.quality()["sentiment"]["en"]
    assert (figures["n"], figures["majority_right"], figures["labels"]) == (11, 10, {"positive": 11})


def test_a_broken_lesson_is_refused_and_nothing_is_learned() -> None:
    base = a_base()
    made = lessons(base, 2)
    learner, _ = taught(base, made[:1])
    before = learner.snapshot()
    made[1].values = made[1].values[:-1]
    with pytest.raises(Invalid, match="values"):
        learner.learn(made[1], 2)
    made[1].values, made[1].features = [1.0, 1.0], [5, 5]
    with pytest.raises(Invalid, match="twice"):
        learner.learn(made[1], 2)
    made[1].values, made[1].features = [float("nan")], [5]
    with pytest.raises(Invalid, match="finite"):
        learner.learn(made[1], 2)
    made[1].values, made[1].features = [1.0], [1 << 48]
    with pytest.raises(Invalid, match="48"):
        learner.learn(made[1], 2)
    made[1].values, made[1].features, made[1].labels = [1.0], [5], {"sentiment": "positive", "spam": "perhaps"}
    with pytest.raises(Invalid, match="perhaps"):
        learner.learn(made[1], 2)
    made[1].labels, made[1].base = {"spam": "yes"}, "another"
    with pytest.raises(Invalid, match="another"):
        learner.learn(made[1], 2)
    assert learner.snapshot() == before


@pytest.mark.parametrize("columns", [2, 3, 8, 29, 64])
def test_sums_are_added_row_after_row(columns: int) -> None:
    rng = np.random.default_rng(SEED)
    for count in (1, 2, 7, 8, 9, 40, 700):
        weights = rng.normal(size=(count, columns)) * 10.0 ** rng.integers(-8, 8, size=(count, columns))
        values = rng.normal(size=count).tolist()
        found = np.add.reduce(timed(weights, values), axis=0)
        for column in range(columns):
            total = 0.0
            for row in range(count):
                product = float(weights[row, column]) * values[row]
                total = product if row == 0 else total + product
            assert found[column] == total
