"""Learning on real Kafka: a correction reaches every scorer, a person's word stands, a killed learner loses nothing."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agents.handout import load_base
from agents.scoring.heads import Applied, Model
from agents.scoring.learner import Learner
from schemas.learning import Lesson, ModelUpdate
from schemas.reading import read
from streams.settings import Settings
from tests.harness import Worker, at_least, message, produce, read_all, tocsin, values, wait_values

pytestmark = pytest.mark.integration

TEXT = "the zorbling on my flimflam keeps grombling since the quibble update"


def feedback(number: int, labels: dict[str, Any] | None, **more: Any) -> tuple[str, dict[str, Any]]:
    """(key, value) of a feedback record about message `number`."""
    fields = {
        "id": f"f{number}",
        "message_id": f"m{number}",
        "customer_id": "c",
        "kind": "correct",
        "labels": labels,
        "text": TEXT,
        "reviewer": "ana",
        "language": "en",
        **more,
    }
    return "c", {name: value for name, value in fields.items() if value is not None}


def judged(decision: dict[str, Any]) -> dict[str, Any]:
    """`predicted`, as a tool that saw the decision sends it."""
    return {"labels": {}, "priority": decision["priority"], "source": decision["source"], "status": decision["status"]}


async def test_a_correction_changes_the_next_like_message_on_every_worker(prepared: Settings, tmp_path: Path) -> None:
    workers = [Worker(prepared, *roles, folder=tmp_path) for roles in (["triage"], ["triage"], ["learn"])]
    try:
        everywhere = [message(number, TEXT, customer_id=f"c{number}") for number in range(24)]
        await produce(prepared, "messages", everywhere)
        before = await wait_values(prepared, "decisions", lambda found: len(found) == 24, "first decisions")
        assert {one["source"]["partition"] for one in before} == {0, 1, 2, 3}
        labels = {"category": "technical", "sentiment": "negative"}
        await produce(prepared, "feedback", [feedback(number, labels) for number in range(10)])
        updates = await wait_values(prepared, "model-updates", lambda found: len(found) == 10, "updates")
        version = f"{updates[-1]['base']}@{updates[-1]['to']}"
        number = 24
        while True:
            await produce(
                prepared, "messages", [message(n, TEXT, customer_id=f"c{n}") for n in range(number, number + 24)]
            )
            number += 24
            found = await wait_values(prepared, "decisions", at_least(number), "later decisions")
            after = [one for one in found if one["model_version"] == version]
            if {one["source"]["partition"] for one in after} == {0, 1, 2, 3}:
                break
            assert number < 1000, "the workers never reached the learned version"
    finally:
        for worker in workers:
            worker.stop()
    assert all(one["category"]["label"] == "technical" for one in after)
    assert all(one["sentiment"]["label"] == "negative" for one in after)
    scores = {one["sentiment"]["score"] for one in after}
    assert len(scores) == 1, "workers disagree"
    assert scores.pop() < before[0]["sentiment"]["score"]


async def test_an_override_is_answered_by_the_humans_decision_and_its_alerts(
    prepared: Settings, tmp_path: Path
) -> None:
    workers = [Worker(prepared, role, folder=tmp_path) for role in ("triage", "learn")]
    try:
        await produce(prepared, "messages", [message(1, TEXT, customer_id="c")])
        (decision,) = await wait_values(prepared, "decisions", bool, "the decision")
        override = feedback(
            1,
            {"priority": "p1"},
            kind="override",
            reason="missed",
            decision_id=decision["id"],
            predicted=judged(decision),
        )
        await produce(prepared, "feedback", [override])
        decisions = await wait_values(prepared, "decisions", lambda found: len(found) == 2, "the human's decision")
        raised = await values(prepared, "priority.p1")
        back = feedback(2, None, kind="retract", retracts="f1", text=None, message_id="m1")
        await produce(prepared, "feedback", [back])
        restored = await wait_values(prepared, "decisions", lambda found: len(found) == 3, "the restored decision")
        alerts = await values(prepared, "priority.p1")
    finally:
        for worker in workers:
            worker.stop()
    human = decisions[1]
    assert (human["decided_by"], human["priority"], human["supersedes"]) == ("human", "p1", decision["id"])
    assert human["feedback_id"] == "f1"
    records = await read_all(prepared, "decisions")
    assert {record.partition for record in records} == {decision["source"]["partition"]}
    assert [(one["change"], one["decision"]["id"]) for one in raised] == [("raised", human["id"])]
    assert raised[0]["message"]["text"] == TEXT
    assert (restored[2]["priority"], restored[2]["supersedes"]) == (decision["priority"], human["id"])
    assert alerts[-1]["change"] == "withdrawn"


async def test_what_feedback_lacks_is_named_in_its_dead_letter(prepared: Settings, tmp_path: Path) -> None:
    worker = Worker(prepared, "learn", folder=tmp_path)
    try:
        await produce(
            prepared,
            "feedback",
            [
                feedback(1, {"priority": "p1"}, kind="override"),
                feedback(2, {"sentiment": "bad"}),
                feedback(3, None, kind="retract", retracts="never", text=None),
                ("c", b"{"),
                feedback(4, {"category": "technical"}, message_id="a message that nobody has seen"),
            ],
        )
        letters = await wait_values(prepared, "dead-letters", lambda found: len(found) == 4, "dead letters")
        lessons = await wait_values(prepared, "lessons", bool, "the lesson of the good one")
    finally:
        worker.stop()
    assert Counter(one["error"] for one in letters) == Counter(
        ["feedback_without_source", "out_of_bounds", "unknown_feedback", "not_json"]
    )
    assert [one["feedback_id"] for one in lessons] == ["f4"]


async def test_the_same_feedback_twice_is_one_lesson(prepared: Settings, tmp_path: Path) -> None:
    worker = Worker(prepared, "learn", folder=tmp_path)
    try:
        twice = [feedback(1, {"category": "technical"})] * 2
        await produce(prepared, "feedback", [*twice, feedback(2, {"category": "billing"}), *twice])
        await produce(prepared, "feedback", [feedback(3, {"category": "billing"})])
        lessons = await wait_values(
            prepared, "lessons", lambda found: found[-1:] != [] and found[-1]["feedback_id"] == "f3", "the last"
        )
    finally:
        worker.stop()
    assert [one["feedback_id"] for one in lessons] == ["f1", "f2", "f3"]


async def test_labels_of_an_export_taught_twice_are_learned_once(prepared: Settings, tmp_path: Path) -> None:
    export = tmp_path / "reviews.csv"
    export.write_text("Review,Stars\nlovely and quick,5\nbroken again,1\nnobody answers,1\nfine,3\n")
    arguments = ["--label", "sentiment=Stars", "--value", "sentiment:5=positive", "--value", "sentiment:1=negative"]
    learner = Worker(prepared, "learn", folder=tmp_path)
    try:
        for _ in range(2):
            done = await asyncio.to_thread(tocsin, prepared, "teach", str(export), *arguments)
            assert done.returncode == 0, done.stderr
            assert b"3 messages sent as feedback" in done.stdout
        await produce(prepared, "feedback", [feedback(1, {"sentiment": "neutral"})])  # learned last
        lessons = await wait_values(
            prepared, "lessons", lambda found: found[-1:] != [] and found[-1]["feedback_id"] == "f1", "lessons"
        )
    finally:
        learner.stop()
    assert [one["labels"]["sentiment"] for one in lessons] == ["positive", "negative", "negative", "neutral"]


async def test_lessons_hold_no_text(prepared: Settings, tmp_path: Path) -> None:
    worker = Worker(prepared, "learn", folder=tmp_path)
    try:
        await produce(prepared, "feedback", [feedback(1, {"category": "technical"}, note="call Ada Example")])
        await wait_values(prepared, "lessons", bool, "the lesson")
        topics = [await read_all(prepared, topic) for topic in ("lessons", "model-updates", "models")]
    finally:
        worker.stop()
    written = b"".join(record.value for records in topics for record in records)
    for word in ("zorbling", "flimflam", "grombling", "Ada"):
        assert word.encode() not in written


async def test_a_learner_killed_again_and_again_comes_back_to_the_same_weights(
    prepared: Settings, tmp_path: Path
) -> None:
    words = [f"word{number % 40} thing{number % 17} again and again" for number in range(300)]
    entries = [feedback(number, {"category": f"kind{number % 5}"}, text=words[number]) for number in range(len(words))]
    worker = Worker(prepared, "learn", folder=tmp_path, TOCSIN_CHUNK_RECORDS="7")
    try:
        for turn in range(3):
            await produce(prepared, "feedback", entries[turn * 100 : (turn + 1) * 100])
            wanted = turn * 100 + 30
            await wait_values(prepared, "lessons", at_least(wanted), "some lessons")
            worker.signal(signal.SIGKILL)
            worker.process.wait()
            worker = Worker(prepared, "learn", folder=tmp_path, TOCSIN_CHUNK_RECORDS="7")
        lessons = await wait_values(prepared, "lessons", lambda found: len(found) >= 300, "all lessons")
        assert len(lessons) == 300
        worker.stop()
        worker = Worker(prepared, "learn", folder=tmp_path)  # writes a snapshot of what it restored
        await wait_values_raw(prepared, "models")
    finally:
        worker.stop()
    base = load_base(prepared)
    scorer, learner = Model(base), Learner(base)
    for record in await read_all(prepared, "model-updates"):
        scorer.apply(read(record.value, ModelUpdate))
    for record in await read_all(prepared, "lessons"):
        learner.learn(read(record.value, Lesson), record.offset + 1)
    snapshot = (await read_all(prepared, "models"))[-1].value
    assert snapshot == learner.snapshot()
    restored = Model(base)
    restored.restore(snapshot)
    assert scorer.version == restored.version == learner.version


async def test_a_reviewer_who_flips_labels_is_left_out_and_a_person_can_take_that_back(
    prepared: Settings, tmp_path: Path
) -> None:
    texts = {"positive": "lovely, it works, thank you", "negative": "awful, it is broken again"}

    def label(number: int, flips: bool) -> tuple[str, dict[str, Any]]:
        right, wrong = random.Random(number).sample(list(texts), 2)
        given, reviewer = (wrong, "mallory") if flips else (right, f"honest-{number % 3}")
        return feedback(number, {"sentiment": given}, text=f"{texts[right]} {number}", reviewer=reviewer)

    worker = Worker(prepared, "learn", folder=tmp_path)
    try:
        await produce(prepared, "feedback", [label(number, number > 100 and number % 8 == 0) for number in range(600)])
        lessons = await wait_values(prepared, "lessons", at_least(601), "all lessons and the quarantine")
        (left_out,) = [one for one in lessons if one.get("kind") == "unlearn"]
        (health,) = coded(await wait_values(prepared, "health", lambda found: bool(coded(found)), "the alarm"))
        worker.signal(signal.SIGKILL)
        worker.process.wait()
        worker = Worker(prepared, "learn", folder=tmp_path)
        await produce(prepared, "feedback", [label(number, number % 8 == 0) for number in range(600, 800)])
        await wait_values(prepared, "lessons", at_least(801), "later lessons")
        learned = await replayed(prepared)
        back = feedback(900, None, kind="retract", retracts=left_out["feedback_id"], text=None, reviewer="lead")
        await produce(prepared, "feedback", [back])
        await wait_values(prepared, "lessons", at_least(802), "the release")
        released = await replayed(prepared)
    finally:
        worker.stop()
    assert left_out["reviewer"] == "mallory"
    assert (health["where"], health["severity"]) == ("mallory", "critical")
    assert left_out["feedback_id"] in health["detail"]
    honest = sum(1 for number in range(800) if number <= 100 or number % 8)
    first = [record for record in await read_all(prepared, "lessons") if record.offset < left_out["from_offset"]]
    before = sum(1 for record in first if read(record.value, Lesson).reviewer == "mallory")
    assert learned == {"en": honest + before}
    assert released == {"en": 800}


async def test_ten_thousand_decisions_are_explained_across_workers_restarts_and_a_quarantine(
    prepared: Settings, tmp_path: Path
) -> None:
    rng = random.Random(20261123)
    sentences = (
        "the parcel is late again thanks lovely awful broken refund when app login nobody answers cassé merci colis"
    )
    words = sentences.split()

    def some(number: int) -> tuple[str, dict[str, Any]]:
        text = " ".join(rng.choices(words, k=rng.randint(4, 14)))
        return message(number, text, customer_id=f"c{number % 97}")

    def label(number: int) -> tuple[str, dict[str, Any]]:
        flips = number > 100 and number % 8 == 0
        good = (number % 3 == 0) is not flips
        text = "lovely, it works, thanks" if number % 3 == 0 else "awful, it is broken again"
        given = "positive" if good else "negative"
        return feedback(number, {"sentiment": given}, text=f"{text} {number}", reviewer="mallory" if flips else "ana")

    count, parts = 10_000, 3
    messages = [some(number) for number in range(count)]
    roles = ("triage", "learn", "triage")
    workers = [Worker(prepared, role, folder=tmp_path) for role in roles]
    try:
        for part in range(parts):
            begin, end = part * count // parts, (part + 1) * count // parts
            await produce(prepared, "messages", messages[begin:end])
            await produce(prepared, "feedback", [label(number) for number in range(part * 200, (part + 1) * 200)])
            await wait_values(prepared, "decisions", at_least(end), f"decisions of part {part}")
            await wait_values(prepared, "lessons", at_least((part + 1) * 200), f"lessons of part {part}")
            workers[part].signal(signal.SIGKILL)
            workers[part].process.wait()
            workers[part] = Worker(prepared, roles[part], folder=tmp_path)
        (left_out,) = [one for one in await values(prepared, "lessons") if one.get("kind") == "unlearn"]
        decisions = await values(prepared, "decisions")
    finally:
        for worker in workers:
            worker.stop()
    versions = {int(one["model_version"].partition("@")[2]) for one in decisions}
    assert len(decisions) == count
    assert len(versions) > 3
    assert max(versions) > left_out["from_offset"], "no decision after the quarantine"
    past, texts = tmp_path / "decisions.jsonl", tmp_path / "messages.jsonl"
    past.write_text("\n".join(json.dumps(one) for one in decisions))
    texts.write_text("\n".join(json.dumps(value) for _, value in messages))
    done = await asyncio.to_thread(
        tocsin, prepared, "explain", str(past), "--every", "--message", str(texts), timeout=300
    )
    found = json.loads(done.stdout)
    assert (found["identical"], found["differing"]) == (count, [])
    assert done.returncode == 0, done.stderr
    # The other way round: one changed text, and that one differs.
    changed = json.loads(texts.read_text().splitlines()[7])
    texts.write_text(json.dumps({**changed, "text": changed["text"] + " thanks"}))
    one = next(each for each in decisions if each["message_id"] == changed["id"])
    past.write_text(json.dumps(one))
    done = await asyncio.to_thread(tocsin, prepared, "explain", str(past), "--every", "--message", str(texts))
    assert done.returncode == 1
    assert json.loads(done.stdout)["differing"][0]["id"] == one["id"]


def coded(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found if one["code"] == "reviewer_quarantined"]


async def replayed(settings: Settings) -> dict[str, int]:
    """How many examples the sentiment has by language, of the lessons and of the updates: they must agree."""
    base = load_base(settings)
    scorer, learner = Model(base), Learner(base)
    for record in await read_all(settings, "lessons"):
        learner.learn(read(record.value, Lesson), record.offset + 1)
    for record in await read_all(settings, "model-updates"):
        assert scorer.apply(read(record.value, ModelUpdate)) is Applied.APPLIED
    assert scorer.version == learner.version
    return dict(learner._languages["sentiment"])


async def wait_values_raw(settings: Settings, topic: str) -> None:
    """Returns once a topic holds a record."""
    for _ in range(600):
        if await read_all(settings, topic):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"nothing on {topic}")
