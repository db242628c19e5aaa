"""`tocsin policy try`: what a policy would have rung otherwise on the past, held against what people said; nothing rings."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agents import policies
from agents.without import without
from schemas.decision import encode
from streams.settings import Settings, load
from tests.harness import message, produce, read_all, tocsin
from tests.unit.history_world import decided

pytestmark = pytest.mark.integration
LEAVING, CALM, DANGER = (
    "I am going to cancel my subscription",
    "thanks a lot, that was kind of you",
    "I want to kill myself",
)


def louder(folder: Path) -> Path:
    """The default policy, with those who leave at p1."""
    document = policies.default_document()
    head, found, rest = document.partition("- name: leaving\n")
    assert "priority: p2" in rest[:100]
    file = folder / "louder.yaml"
    file.write_text(head + found + rest.replace("priority: p2", "priority: p1", 1), "utf-8")
    return file


def test_a_policy_is_tried_on_a_file_without_a_broker(tmp_path: Path) -> None:
    texts = (LEAVING, CALM, DANGER, LEAVING)
    rows = [json.dumps({"id": f"m{number}", "customer_id": "c", "text": text}) for number, text in enumerate(texts)]
    rows += ["no json", json.dumps({"id": "a", "customer_id": "c", "text": LEAVING, "author_role": "agent"})]
    (tmp_path / "past.jsonl").write_text("\n".join(rows), "utf-8")
    done = tocsin(load(), "policy", "try", str(louder(tmp_path)), "--messages", str(tmp_path / "past.jsonl"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["messages"], found["moved"], found["rings"]) == (4, {"p2 to p1": 2}, [3, 3])
    assert [(one["id"], one["from"], one["to"]) for one in found["changed"]] == [("m0", "p2", "p1"), ("m3", "p2", "p1")]
    assert found["changed"][0]["after"].startswith("leaving (")
    assert found["precision"] == [None, None]


@pytest.mark.parametrize(
    ("what", "moved"), [("leaving", {"p2 to p3": 2}), ("suicide", None), ("head spam", {}), ("leaving: nonsense", None)]
)
def test_what_it_would_cost_to_do_without_a_rule(tmp_path: Path, what: str, moved: dict[str, int] | None) -> None:
    texts = (LEAVING, CALM, DANGER, LEAVING)
    rows = [json.dumps({"id": f"m{number}", "customer_id": "c", "text": text}) for number, text in enumerate(texts)]
    (tmp_path / "past.jsonl").write_text("\n".join(rows), "utf-8")
    done = tocsin(load(), "policy", "try", "--without", what, "--messages", str(tmp_path / "past.jsonl"))
    if moved is None:
        assert done.returncode == 1
        assert b"has no" in done.stderr and b"Traceback" not in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["moved"] == moved


def test_a_phrase_left_out_no_longer_rings_and_the_others_do() -> None:
    policy = policies.of_file(None)
    floor = policy.floors["leaving"]
    left = without(policy, f"leaving: {floor.phrases[0].text}")
    assert [one.text for one in left.floors["leaving"].phrases] == [one.text for one in floor.phrases[1:]]
    assert [one.name for one in left.floors] == [one.name for one in policy.floors]
    assert left.version != policy.version


async def test_the_past_of_kafka_is_held_against_what_people_said(prepared: Settings, tmp_path: Path) -> None:
    await produce(prepared, "messages", [message(number, text) for number, text in enumerate((LEAVING, CALM, DANGER))])

    def said(number: int, priority: str, by: str = "human", **more: Any) -> tuple[str, dict[str, Any]]:
        one = decided(number, priority, by=by, feedback_id=f"f{number}", **more)
        return "c", json.loads(encode(one))

    people = [
        said(0, "p3"),
        said(1, "p3"),
        said(2, "p0"),
        said(1, "p2", id="again"),
        said(1, "p3", by="model", supersedes="again"),
    ]
    await produce(prepared, "decisions", people)
    before = [len(await read_all(prepared, f"priority.{one}")) for one in ("p0", "p1", "p2")]
    done = await asyncio.to_thread(tocsin, prepared, "policy", "try", str(louder(tmp_path)), "--days", "1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["messages"] == 3
    assert found["people_decided"] == 2  # what was taken back, nobody has decided
    assert found["precision"] == [0.5, 0.5]
    assert found["moved"] == {"p2 to p1": 1}
    assert found["recall"] == [1.0, 1.0]
    assert [len(await read_all(prepared, f"priority.{one}")) for one in ("p0", "p1", "p2")] == before
