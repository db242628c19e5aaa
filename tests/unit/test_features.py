"""The feature pass: stable ids, constant length, readable names, no surprise in hostile text."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from agents.scoring import runs as runs_module
from agents.scoring.features import MAX_CHARACTERS, extract
from agents.scoring.pieces import feature_id


def named(text: str, language: str = "en", subject: str | None = None) -> dict[str, float]:
    found = extract(text, subject, language)
    return dict(zip(found.names, found.values, strict=True))


def test_ids_are_the_same_in_another_process() -> None:
    code = "from agents.scoring.features import extract; print(extract('Not good at all!! 😡', 'Hi', 'en')[:2])"
    seeded = {"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)}
    other = subprocess.run([sys.executable, "-c", code], env=seeded, capture_output=True, text=True, check=True).stdout
    assert other.strip() == str(extract("Not good at all!! 😡", "Hi", "en")[:2])


def test_ids_have_48_bits_and_stand_once() -> None:
    found = extract("good good GOOD Good, so good and good", None, "en")
    assert len(set(found.ids)) == len(found.ids) == len(found.values) == len(found.names)
    assert all(0 <= feature < 1 << 48 for feature in found.ids)
    assert feature_id("en:good") in found.ids


@pytest.mark.parametrize("text", ["bad", "late again and again", "the quick brown fox " * 40])
def test_squares_of_words_and_pairs_add_up_to_sixteen(text: str) -> None:
    found = extract(text, None, "en")
    words = found.values[: found.names.index("language:en")]
    assert sum(value * value for value in words) == pytest.approx(16.0)


def test_a_word_belongs_to_its_language_and_a_mark_to_all() -> None:
    english, french = extract("pain ! 😡", None, "en"), extract("pain ! 😡", None, "fr")
    shared = {"!", "😡", "emoji"}
    assert shared <= set(english.names) & set(french.names)
    ids = dict(zip(english.names, english.ids, strict=True)), dict(zip(french.names, french.ids, strict=True))
    assert ids[0]["pain"] != ids[1]["pain"]
    assert all(ids[0][name] == ids[1][name] for name in shared)


def test_case_folds_accents_stay_and_elongation_collapses() -> None:
    assert "été" in named("ÉTÉ chaud", "fr")
    assert "soo" in named("soooooooo bad")
    assert named("soooo bad").keys() == named("sooooooo bad").keys()
    assert "capitals" in named("THIS IS BAD")
    assert "capitals" not in named("this is bad")


def test_negation_marks_words_until_the_clause_ends() -> None:
    found = named("I am not really happy, but content")
    assert "not happy" in found
    assert "happy" not in found
    assert "content" in found
    assert "not content" not in found
    assert "not recommande" in named("je ne recommande pas", "fr")


def test_negation_turns_the_lexicon() -> None:
    assert named("this is good")["lexicon:sum"] > 0 > named("this is not good")["lexicon:sum"]
    assert named("c'est très bon", "fr")["lexicon:sum"] > named("c'est bon", "fr")["lexicon:sum"] > 0


def test_numbers_addresses_and_mentions_are_classes() -> None:
    first = extract("@ann owes 12.50€ see https://a.example/1 or call 5551234", None, "en")
    second = extract("@bob owes 99€ see https://b.example/2 or call 5559876", None, "en")
    assert first.ids == second.ids
    assert {"<mention>", "<money>", "<url>", "<number>"} <= set(first.names)


def test_french_elision_gives_the_word_itself() -> None:
    assert {"colis", "aime"} <= named("l'colis j’aime", "fr").keys()


def test_subject_is_read_and_counts_into_the_ten_thousand_characters() -> None:
    assert "refund" in named("hello", subject="Refund")
    assert "late" in named("late", subject="x " * (MAX_CHARACTERS // 2 - 2))
    assert "late" not in named("late", subject="x " * (MAX_CHARACTERS // 2))
    assert extract("x " * 9_000, None, "en").ids == extract(("x " * 9_000)[:MAX_CHARACTERS], None, "en").ids


def test_what_was_read_before_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "MOST_RUNS", 3)
    rng = random.Random(20260101)
    words = [f"w{chr(97 + n)}{chr(97 + n)}" for n in range(20)] + ["not", "bad!!", "soooo", ":)"]
    texts = [" ".join(rng.choices(words, k=12)) for _ in range(50)]
    first = [extract(text, None, "en") for text in texts]
    runs_module._known.clear()
    assert [extract(text, None, "en") for text in reversed(texts)] == first[::-1]


@pytest.mark.parametrize(
    "text", ["", "   \n", "\ud800", "\x00\x00", "!" * 9_999, "é" * 10_000, "你好" * 5_000, "' '' l'"]
)
def test_hostile_text_has_features_too(text: str) -> None:
    for language in ("en", "fr", "other", "de"):
        found = extract(text, None, language)
        assert len(found.ids) == len(found.values) == len(found.names) == len(set(found.ids))
        assert all(value == value and abs(value) <= 4.0 for value in found.values)
