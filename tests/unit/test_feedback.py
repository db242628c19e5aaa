"""What a person's word becomes: lessons, the human's decision, where it rings."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from agents.feedback import human_decision, lesson_of, restored_decision, rings, taught
from agents.scoring.policy import Policy, parse
from schemas.base import MAX_TEXT, timestamp
from schemas.decision import encode
from schemas.people import Feedback, Labels, feedback_of

AT = timestamp(1_790_000_000_000)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return parse(files("deploy").joinpath("policy", "default.yaml").read_bytes())


def word(labels: dict[str, Any], **more: Any) -> Feedback:
    fields = {
        "id": "f",
        "message_id": "m",
        "customer_id": "c",
        "kind": "override",
        "reviewer": "ana",
        "text": "the grombling quibble never zorbles",
        "language": "en",
        "labels": labels,
        "decision_id": "d",
        "predicted": {
            "labels": {"sentiment": "neutral"},
            "priority": "p3",
            "source": {"topic": "messages", "partition": 2, "offset": 7},
        },
        **more,
    }
    return feedback_of(fields)


@pytest.mark.parametrize(
    ("before", "asked", "after", "expected"),
    [
        ("p3", False, "p1", ("raised", ["priority.p1"])),
        ("p2", False, "p0", ("raised", ["priority.p2", "priority.p0"])),
        ("p0", False, "p2", ("lowered", ["priority.p0", "priority.p2"])),
        ("p1", False, "p3", ("withdrawn", ["priority.p1"])),
        ("p2", True, "p1", ("raised", ["priority.p2", "priority.p1", "review"])),
        ("p3", True, "p3", ("withdrawn", ["review"])),
        ("p1", True, "p1", ("withdrawn", ["review"])),
        ("p1", False, "p1", None),
        ("p3", False, "p3", None),
    ],
)
def test_a_humans_priority_rings_where_it_rang_and_where_it_rings_now(
    before: Any, asked: bool, after: Any, expected: Any
) -> None:
    assert rings(before, asked, after) == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"priority": "p0"}, {"urgency": "yes"}),
        ({"priority": "p1", "urgency": False}, {"urgency": "no"}),
        ({"priority": "p2"}, {}),
        ({"priority": "p3", "category": "billing"}, {"urgency": "no", "category": "billing"}),
        ({"spam": True, "abuse": False}, {"spam": "yes", "abuse": "no"}),
    ],
)
def test_a_priority_says_something_of_urgency(labels: dict[str, Any], expected: dict[str, str]) -> None:
    assert taught(word(labels).labels) == expected
    assert taught(Labels()) == {}


def test_a_lesson_holds_features_and_no_word(policy: Policy) -> None:
    feedback = word({"category": "technical"}, note="call Ada")
    lesson = lesson_of(feedback, "base", AT, None)
    assert len(lesson.features) == len(lesson.values) > 5
    for one in (b"zorble", b"quibble", b"Ada"):
        assert one not in encode(lesson)


def test_a_humans_decision_goes_to_the_partition_of_its_message_and_can_be_taken_back(policy: Policy) -> None:
    feedback = word({"priority": "p1", "sentiment": "negative"})
    decision = human_decision(feedback, AT, "base@3", policy)
    assert decision is not None
    assert (decision.decided_by, decision.priority, decision.supersedes) == ("human", "p1", "d")
    assert decision.source.partition == 2
    lesson = lesson_of(feedback, "base", AT, decision)
    back = feedback_of(
        {"id": "g", "message_id": "m", "customer_id": "c", "kind": "retract", "reviewer": "ana", "retracts": "f"}
    )
    restored = restored_decision(back, lesson, AT, "base@4", policy)
    assert restored is not None
    assert (restored.priority, restored.supersedes, restored.decided_by) == ("p3", decision.id, "model")


def test_feedback_without_a_priority_makes_no_decision(policy: Policy) -> None:
    assert human_decision(word({"category": "billing"}), AT, "base@3", policy) is None


def test_a_long_text_is_cut_and_not_refused() -> None:
    assert len(word({"category": "billing"}, text="word " * 50_000).text or "") == MAX_TEXT
