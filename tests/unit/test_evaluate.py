"""Test-then-train: a label is never seen before its message was predicted, and late labels come late."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.evaluate import evaluate, evaluate_stream, figures, label_of
from agents.scoring import online
from agents.scoring.base import Base


def alternating(count: int, head: str = "topic") -> list[dict[str, Any]]:
    pair = (("the parcel came late again", "delivery"), ("you charged my card twice", "billing"))
    return [
        {"id": f"m{n}", "text": pair[n % 2][0], "language": "en", "labels": {head: pair[n % 2][1]}}
        for n in range(count)
    ]


def run(path: Path, *options: str) -> Result:
    return CliRunner().invoke(evaluate, [str(path), *options])


def written(path: Path, messages: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(message) + "\n" for message in messages), encoding="utf-8")
    return path


def test_what_repeats_is_learned_and_nothing_is_known_before() -> None:
    said: list[dict[str, Any]] = []
    found = evaluate_stream(alternating(100), "topic", predictions=said.append)
    assert said[0]["prediction"] == ""
    assert said[0]["probabilities"] == {}
    assert said[1]["prediction"] == "delivery", "the only label there was"
    assert [row["prediction"] for row in said[4:]] == ["delivery", "billing"] * 48
    assert found["n"] == 100
    assert found["accuracy"] >= 0.95
    assert [fifth["n"] for fifth in found["fifths"]] == [20] * 5
    assert found["fifths"][4]["macro_f1"] == 1.0


def test_late_labels_are_not_seen_early() -> None:
    said: list[dict[str, Any]] = []
    evaluate_stream(alternating(60), "topic", delay=30, predictions=said.append)
    assert all(row["probabilities"] == {} for row in said[:31])
    assert said[31]["probabilities"] == {"delivery": 1.0}
    assert said[59]["prediction"] == "billing"


def test_a_prediction_does_not_depend_on_its_own_label() -> None:
    messages, other = alternating(40), alternating(40)
    other[39]["labels"] = {"topic": "something else"}
    first: list[dict[str, Any]] = []
    second: list[dict[str, Any]] = []
    evaluate_stream(messages, "topic", predictions=first.append)
    evaluate_stream(other, "topic", predictions=second.append)
    assert first == second


def test_unlabelled_messages_pass_by() -> None:
    messages = alternating(10)
    messages[3]["labels"] = {"another": "x"}
    messages[4]["labels"] = {"topic": None}
    assert evaluate_stream(messages, "topic")["n"] == 8


def test_figures_are_what_they_say() -> None:
    found = figures([("a", "a"), ("a", "b"), ("b", "b"), ("c", "b")])
    assert found["accuracy"] == 0.5
    assert found["per_class"]["b"] == {"precision": 1 / 3, "recall": 1.0, "f1": 0.5, "support": 1}
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0.5 + 0.0) / 3)


@pytest.mark.parametrize(
    ("value", "head", "label"),
    [
        (["b", "a"], "topic", "a+b"),
        (True, "spam", "yes"),
        (0, "spam", "no"),
        (3, "stars", "3"),
        ([], "topic", None),
        (None, "x", None),
    ],
)
def test_labels_of_any_taxonomy(value: Any, head: str, label: str | None) -> None:
    assert label_of(value, head) == label


def test_a_label_that_is_lists_within_lists_is_refused_however_deep() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="must be a list of strings"):
        label_of(value, "topic")


def test_the_command_prints_json_and_writes_one_line_a_labelled_message(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    messages = alternating(25, "sentiment")
    for message in messages:
        message["labels"] = {"sentiment": "negative"}
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(message) + "\n" for message in messages).encode()))
    result = run(path, "--head", "sentiment", "--delay", "5", "--predictions", str(out))
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["n"] == 25
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["message_id"] for row in rows] == [f"m{n}" for n in range(25)]
    assert all(sum(row["probabilities"].values()) == pytest.approx(1.0) for row in rows)


def test_the_shipped_base_helps_before_any_label(tmp_path: Path) -> None:
    texts = [("what a lovely surprise, thank you", "positive"), ("terrible, rude and slow, never again", "negative")]
    path = written(tmp_path / "in.jsonl", [{"id": t, "text": t, "labels": {"sentiment": label}} for t, label in texts])
    shipped = json.loads(run(path, "--head", "sentiment", "--delay", "9").stdout)
    none = json.loads(run(path, "--head", "sentiment", "--delay", "9", "--base", "none").stdout)
    assert shipped["accuracy"] == 1.0 > none["accuracy"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2: not JSON"),
        ('["a"]', "line 2: must be an object"),
        ('{"id": "a"}', '"text"'),
        ('{"text": "a", "labels": 3}', '"labels" is 3'),
        ('{"text": "a", "labels": {"sentiment": {}}}', "labels.sentiment"),
        ('{"text": "a", "language": 7}', '"language" is 7'),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(alternating(1)[0]) + "\n" + line + "\n", encoding="utf-8")
    result = run(path, "--head", "sentiment")
    assert result.exit_code == 1
    assert complaint in result.stderr
    assert "in.jsonl line 2" in result.stderr
    assert not result.stdout


def test_nothing_to_measure_and_no_such_file_are_errors(tmp_path: Path) -> None:
    empty = written(tmp_path / "in.jsonl", alternating(3))
    assert "no message has a label" in run(empty, "--head", "sentiment").stderr
    assert run(tmp_path / "none.jsonl", "--head", "sentiment").exit_code == 1
    (tmp_path / "bad.jsonl.gz").write_bytes(b"not gzip")
    assert run(tmp_path / "bad.jsonl.gz", "--head", "sentiment").exit_code == 1


def test_a_rare_label_is_found_though_most_lessons_are_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(20261123)
    stream = []
    for _ in range(1_500):
        label = "negative" if chance.random() < 0.15 else "neutral"
        words = [f"word{chance.randrange(300)}" for _ in range(6)]
        words.append(f"{label if chance.random() < 0.6 else 'other'}{chance.randrange(6)}")
        chance.shuffle(words)
        stream.append({"text": " ".join(words), "language": "en", "labels": {"sentiment": label}})
    lifted = evaluate_stream(stream, "sentiment", base=Base.none())
    monkeypatch.setattr(online, "RARE", 0.0)
    plain = evaluate_stream(stream, "sentiment", base=Base.none())
    assert lifted["per_class"]["negative"]["recall"] > plain["per_class"]["negative"]["recall"]
