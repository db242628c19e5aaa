"""The two sets of messages written for this repository: every line whole, every label one that exists, nothing twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.people import SENTIMENTS

AGENTS = Path(__file__).parents[2] / "agents"
LANGUAGES = ("en", "fr")
BOOTSTRAP = AGENTS / "training" / "bootstrap"
DEMO = AGENTS / "demo"
CHANNELS = {"chat", "tweet", "review", "ticket", "community", "email"}
CATEGORIES = [
    "billing", "delivery", "returns", "account", "technical", "information", "sales", "booking", "product_feedback",
    "cancellation", "safety", "legal", "privacy", "press", "other",
]  # fmt: skip
EMOTIONS = ["anger", "fear", "sadness", "disappointment", "confusion", "gratitude", "joy", "none"]
ALLOWED: dict[str, tuple[Any, ...]] = {
    "sentiment": SENTIMENTS,
    "urgency": (True, False),
    "category": tuple(CATEGORIES),
    "emotion": tuple(EMOTIONS),
    "spam": (True, False),
    "abuse": (True, False),
    "priority": ("p0", "p1", "p2", "p3"),
}
MOST_WORDS = 90


def rows_of(folder: Path, language: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (folder / f"{language}.jsonl").read_bytes().splitlines()]


def folded(text: str) -> str:
    return " ".join(text.casefold().split())


def shares(rows: list[dict[str, Any]], head: str) -> Counter[Any]:
    return Counter(row["labels"][head] for row in rows if "labels" in row)


@pytest.mark.parametrize("folder", [BOOTSTRAP, DEMO], ids=["bootstrap", "demo"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_line_has_its_shape_its_language_and_labels_that_exist(folder: Path, language: str) -> None:
    prefix = f"{'boot' if folder == BOOTSTRAP else 'demo'}-{language}-"
    for row in rows_of(folder, language):
        assert row["id"].startswith(prefix)
        assert row["language"] == language, row["id"]
        assert row["channel"] in CHANNELS, row["id"]
        assert isinstance(row["text"], str), row["id"]
        assert len(row["text"].split()) <= MOST_WORDS, row["id"]
        unlabelled = row.get("author_role") == "agent" or row.get("event") == "deleted"
        assert ("labels" in row) is not unlabelled, row["id"]
        assert bool(row["text"].strip()) or row.get("event") == "deleted", row["id"]
        if unlabelled:
            continue
        assert row["labels"].keys() == ALLOWED.keys(), row["id"]
        for head, label in row["labels"].items():
            assert type(label) is type(ALLOWED[head][0]), (row["id"], head)
            assert label in ALLOWED[head], (row["id"], head)


@pytest.mark.parametrize("folder", [BOOTSTRAP, DEMO], ids=["bootstrap", "demo"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_do_not_contradict_each_other(folder: Path, language: str) -> None:
    for row in rows_of(folder, language):
        labels = row.get("labels")
        if labels is None:
            continue
        assert not (labels["urgency"] and labels["priority"] == "p3"), row["id"]
        assert not (labels["abuse"] and labels["priority"] == "p3"), row["id"]
        assert not (labels["spam"] and labels["priority"] != "p3"), row["id"]
        assert not (labels["emotion"] in ("joy", "gratitude") and labels["sentiment"] == "negative"), row["id"]


@pytest.mark.parametrize("folder", [BOOTSTRAP, DEMO], ids=["bootstrap", "demo"])
def test_an_id_is_used_once_a_revision(folder: Path) -> None:
    used = Counter((row["id"], row.get("revision", 0)) for name in LANGUAGES for row in rows_of(folder, name))
    assert [each for each, count in used.items() if count > 1] == []


def test_no_text_stands_twice_in_either_set_or_in_both() -> None:
    texts = Counter(
        folded(row["text"])
        for folder in (BOOTSTRAP, DEMO)
        for language in LANGUAGES
        for row in rows_of(folder, language)
        if row["text"]
    )
    assert [text for text, count in texts.items() if count > 1] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_bootstrap_set_is_large_and_every_label_has_its_share(language: str) -> None:
    rows = rows_of(BOOTSTRAP, language)
    assert len(rows) >= 1500
    for category in CATEGORIES:
        assert shares(rows, "category")[category] >= 35, category
    for emotion in EMOTIONS:
        assert shares(rows, "emotion")[emotion] >= 55, emotion
    for head, least, most in (("urgency", 0.15, 0.21), ("spam", 0.04, 0.1), ("abuse", 0.04, 0.12)):
        assert least <= shares(rows, head)[True] / len(rows) <= most, head
    for label, least, most in (("negative", 0.4, 0.55), ("neutral", 0.2, 0.35), ("positive", 0.15, 0.35)):
        assert least <= shares(rows, "sentiment")[label] / len(rows) <= most, label
    assert shares(rows, "priority")["p3"] / len(rows) >= 0.55
    assert shares(rows, "priority")["p0"] >= 100


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_demo_set_is_everyday_talk_with_enough_that_must_ring(language: str) -> None:
    rows = rows_of(DEMO, language)
    assert len(rows) >= 130
    assert len({row["customer"] for row in rows}) == 30
    assert {row["visibility"] for row in rows} == {"public", "private"}
    assert sum(row.get("author_role") == "agent" for row in rows) == 8
    priorities = shares(rows, "priority")
    for priority, least in (("p0", 4), ("p1", 8), ("p2", 12)):
        assert priorities[priority] >= least, priority
    assert priorities["p3"] / len(rows) >= 0.65


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_demo_conversation_is_one_customers_on_one_channel(language: str) -> None:
    turns: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(DEMO, language):
        if "conversation" in row:
            turns.setdefault(row["conversation"], []).append(row)
    assert len(turns) >= 4
    for name, each in turns.items():
        assert 2 <= len(each) <= 3, name
        assert len({(row["customer"], row["channel"], row["visibility"]) for row in each}) == 1, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_demo_edit_or_deletion_follows_the_message_it_changes(language: str) -> None:
    posted: dict[str, dict[str, Any]] = {}
    kinds: Counter[str] = Counter()
    for row in rows_of(DEMO, language):
        if "event" not in row:
            posted[row["id"]] = row
            continue
        first = posted[row["id"]]
        kinds[row["event"]] += 1
        assert row["revision"] == 1
        assert row["customer"] == first["customer"]
        assert (row["event"] == "deleted") is (row["text"] == "")
    assert kinds["edited"] >= 1
    assert kinds["deleted"] >= 2
