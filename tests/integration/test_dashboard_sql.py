"""Every ClickHouse query of the dashboards runs on the real engine and shows something.

The engine takes one folder a process, so this file is also a program: it fills a folder's tables with a handful of rows
through their real SQL, runs every query, and prints what came back.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests import boards
from tests.boards import queries

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.integration


def rows(now: float) -> dict[str, list[dict[str, Any]]]:
    """A handful of rows a table: one message of each kind, corrected, taken, broken."""

    def at(ago: float) -> float:
        return round(now - ago, 3)

    def source(offset: int) -> dict[str, Any]:
        return {"_topic": "tocsin.x", "_topic_id": "life", "_partition": 0, "_offset": offset}

    def decision(number: int, priority: str, status: str = "scored", **more: Any) -> dict[str, Any]:
        arrived = at(600 - 10 * number)
        return {
            "id": f"d{number}", "message_id": f"m{number}", "customer_id": f"c{number % 2}", "channel": "chat",
            "conversation_id": f"m{number}", "language": "fr" if number % 2 else "en", "status": status,
            "priority": priority, "decided_by": "model", "sentiment": {"label": "negative", "score": -0.5},
            "category": {"label": "billing"}, "emotion": {"label": "anger"}, "route": "support",
            "model_version": "base@0", "sent_at": arrived, "received_at": arrived,
            "decided_at": round(arrived + 0.25, 3), "_timestamp": round(arrived + 0.3, 3), **source(number), **more,
        }  # fmt: skip

    floor = [{"floor": "threat", "start": 0, "end": 4}]
    decisions = [
        decision(1, "p0", decided_by="rule", reasons=floor),
        decision(2, "p1"),
        decision(3, "p2"),
        decision(4, "p3"),
        decision(5, "p2", "abstained", status_reason="urgency"),
        decision(6, "p2", "unscored", status_reason="language", category={"label": ""}, channel="", language=""),
        decision(7, "p2"),
        decision(8, "p1", message_id="m4", decided_by="human", supersedes="d4", feedback_id="f1"),
        decision(9, "p2", message_id="m7", decided_by="history", supersedes="d7", reasons=[{"history": "breach_near"}]),
    ]
    for one in decisions:
        for head in ("sentiment", "category", "emotion"):
            one[head] = {**one[head], "probabilities": {one[head]["label"] or "other": 0.85}}
    figures = {"n": 10, "right": 8, "majority_right": 6, "log_loss": 4.5}
    quality = [
        {**figures, "head": head, "language": language}
        for head in ("sentiment", "urgency")
        for language in ("en", "fr")
    ]
    worker = {
        "role": "triage", "worker": "triage@a-1", "messages": 100, "decisions": 90, "rate": 10.5, "lag_records": 3,
        "latency_p50_seconds": 0.02, "latency_p99_seconds": 0.2, "lag_seconds": 0.5, "memory_bytes": 250_000_000,
    }  # fmt: skip
    health = [("model_quality", "info", json.dumps(each)) for each in quality]
    health += [("worker_metrics", "info", json.dumps(worker)), ("dead_letter_flood", "warning", "{}")]
    health += [(code, "warning", "{}") for code in ("source_silent", "model_drift")]
    health.append(("drill", "info", json.dumps({"arrived": True, "seconds": 0.4})))

    def incident(identity: str, kind: str, number: int, **more: Any) -> dict[str, Any]:
        first = {"message_id": "m2", "customer_id": "c0", "at": at(500), "source": {"partition": 0, "offset": 2}}
        return {
            "id": identity, "kind": kind, "state": "opened", "at": at(400), "opened_at": at(400), "first": first,
            "messages": 20, "customers": 18, "rate": 20.0, "peak": 20.0, "phrases": ["down"], "rang": 2,
            "alerts": [{"message_id": "m2", "decision_id": "d2", "group": "g2", "priority": "p1"}],
            "received_at": at(400), **source(number), **more,
        }  # fmt: skip

    return {
        "decisions": decisions,
        "feedback": [
            {"id": "f1", "message_id": "m4", "customer_id": "c0", "kind": "override", "reviewer": "ana",
             "at": at(300), "received_at": at(300), **source(0)},
            {"id": "f2", "message_id": "m1", "decision_id": "d1", "customer_id": "c1", "kind": "confirm", "reviewer": "ana",
             "predicted": {"priority": "p0", "decided_by": "rule", "status": "scored"}, "at": at(290),
             "received_at": at(290), **source(1)},
        ],
        "shadow": [
            {"id": f"s{number}", "message_id": f"m{number}", "priority": "p2", "status": "scored", "policy_version": "next@1",
             "model_version": "base@0", "received_at": at(600), "decided_at": at(600), **source(number)}
            for number in (1, 2)
        ],
        "incidents": [
            incident("i1", "burst", 0),
            incident("budget-p2-support-1", "budget", 1,
                     budget={"priority": "p2", "route": "support", "hourly": 240, "rang": 240, "held": 12}),
        ],
        "customers": [
            {"customer_id": "c1", "received_at": at(50), "standing": [
                {"kind": "at_risk", "score": 6.5,
                 "events": [{"kind": "trouble", "at": at(300), "message_id": "m1", "weight": 0.5}]}], **source(0)},
        ],
        "messages": [
            {"id": "m10", "customer_id": "c1", "text": "x", "author_role": "agent", "sent_at": at(200), "received_at": at(200),
             **source(10)},
        ],
        "actions": [
            {"id": "a1", "customer_id": "c1", "message_id": "m7", "kind": "taken", "by": "ana", "at": at(200),
             "received_at": at(200), **source(0)},
        ],
        "dead_letters": [
            {"topic": "tocsin.messages", "partition": 0, "offset": 9, "length": 3, "error": "not_json",
             "detail": "not JSON at byte 0", "at": at(100), "received_at": at(100), **source(0)},
        ],
        "health": [
            {"code": code, "component": "triage@a-1", "severity": severity, "figures": figures_, "detail": "so it is",
             "where": "chat" if code == "source_silent" else "", "at": at(60), "received_at": at(60), **source(number)}
            for number, (code, severity, figures_) in enumerate(health)
        ],
    }  # fmt: skip


async def answers(folder: str) -> dict[str, Any]:
    """Every query's rows, or the engine's complaint as text."""
    from agents.recording.sink import Sink

    now = time.time()
    sink = Sink(f"chdb://{folder}")
    await sink.ensure_tables()
    for table, each in rows(now).items():
        await sink.insert(table, [json.dumps(row).encode() for row in each], f"test-{table}")
    found = await boards.answers(sink, now)
    await sink.close()
    return found


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("clickhouse") / "engine"
    command = [sys.executable, "-m", "tests.integration.test_dashboard_sql", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def only(answered: dict[str, Any], title: str) -> list[dict[str, Any]]:
    """The rows of the one panel with this title."""
    (found,) = [each for name, each in answered.items() if name.endswith(f": {title}")]
    assert isinstance(found, list), found
    return found


@pytest.mark.parametrize("name", queries())
def test_the_panel_shows_something(answered: dict[str, Any], name: str) -> None:
    found = answered[name]
    assert isinstance(found, list), f"{name}: {found}"
    assert found, f"{name}: no row"
    assert not boards.silent({name: found}), f"{name} says that there is nothing, beside rows of everything"


def test_flagged_counts_first_decisions_and_leaves_out_what_superseded_them(answered: dict[str, Any]) -> None:
    (counts,) = only(answered, "Messages that a person should see")
    assert counts == {"Danger": 1, "Urgent": 1, "Needs a person": 4, "Can wait": 1}
    series = only(answered, "Flagged by priority")
    assert {(row["series"], row["messages"]) for row in series if row["series"] != "Needs a person"} == {
        ("Danger", 1),
        ("Urgent", 1),
    }
    assert sum(row["messages"] for row in series) == 6


def test_the_wait_is_a_quarter_of_a_second(answered: dict[str, Any]) -> None:
    for row in only(answered, "From message to decision"):
        assert row["half within"] == pytest.approx(0.25, abs=0.01)
        assert row["99 in 100 within"] == pytest.approx(0.25, abs=0.01)


def test_what_rings_is_current_untaken_and_most_urgent_first(answered: dict[str, Any]) -> None:
    ringing = only(answered, "What rings now")
    assert [(row["Message"], row["Priority"]) for row in ringing] == [
        ("m1", "Danger"),
        ("m4", "Urgent"),  # the person's decision, not the model's
        ("m2", "Urgent"),
        ("m6", "Needs a person"),
        ("m5", "Needs a person"),
        ("m3", "Needs a person"),  # m7 was taken
    ]
    assert ringing[0]["Safety rules"] == "threat"
    assert ringing[1]["Decided by"] == "Person"


def test_accuracy_stands_beside_the_majority_class(answered: dict[str, Any]) -> None:
    table = only(answered, "Right so far, tested before learning")
    assert [(row["Question"], row["Language"]) for row in table] == [
        (head, language) for head in ("sentiment", "urgency") for language in ("en", "fr")
    ]
    assert table[0]["Right"] == pytest.approx(0.8)
    assert table[0]["Always the commonest answer"] == pytest.approx(0.6)
    assert table[0]["Better by"] == pytest.approx(0.2)


def test_a_panel_says_so_where_there_is_nothing_instead_of_being_empty(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.boards", str(tmp_path / "engine")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert [name for name, rows in found.items() if isinstance(rows, str)] == []
    assert {name.split(": ")[1] for name in boards.silent(found)} == {
        "Alert budget", "In the shadow", "Answered worse than before", "Alarms", "Last drills"
    }  # fmt: skip


def test_groups_stand_side_by_side_with_intervals_and_few_is_said(answered: dict[str, Any]) -> None:
    groups = {(row["Group by"], row["Group"]): row for row in only(answered, "The same for every group?")}
    chat = groups["Channel", "chat"]
    assert (chat["Messages"], chat["Ring"], chat["Judged"], chat["Right"], chat["Few"]) == (6, 5 / 6, 1, 1.0, "few")
    assert chat["Ring, at least"] < chat["Ring"] < chat["Ring, at most"]
    assert groups["Language", "not known"]["Right"] is None


def test_the_heat_maps_have_every_day_and_hour(answered: dict[str, Any]) -> None:
    for title, count in (("When people write", 7), ("When they are answered", 1)):
        week = only(answered, title)
        assert [row.pop("Day") for row in week] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        assert {len(row) for row in week} == {24}
        assert sum(sum(row.values()) for row in week) == count


def test_a_channel_that_is_silent_stands_with_when_it_last_spoke(answered: dict[str, Any]) -> None:
    channels = {row["Channel"]: row for row in only(answered, "Silent sources")}
    assert channels["chat"]["Detail"] == "so it is"
    assert channels["no channel"]["Alarm"] is None


OURS = re.compile(r"\b(p[0-3]|abstained|unscored|floors?|heads?|superseded|dead_letters)\b")
"""Words that people who look at a board need not know: contract section 1 has theirs."""


def test_boards_speak_the_words_of_the_screen(answered: dict[str, Any]) -> None:
    for path in boards.DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            said = [panel["title"], panel.get("description", "")]
            for target in panel.get("targets", []):
                said += [*re.findall(r'AS "([^"]+)"', target.get("rawSql", "")), target.get("legendFormat", "")]
            for words in said:
                assert not OURS.search(words), f"{path.stem}: {panel['title']}: {words}"
    codes = {
        "p0",
        "p1",
        "p2",
        "p3",
        "abstained",
        "unscored",
        "rule",
        "model",
        "human",
        "history",
        "confirm",
        "override",
    }
    for name, found in answered.items():
        for row in found:
            assert not codes & {value for value in row.values() if isinstance(value, str)}, f"{name}: {row}"


def test_no_panel_reads_what_the_dashboards_user_may_not() -> None:
    granted = (ROOT / "deploy/container/clickhouse/users.xml").read_text("utf-8")
    readable = set(re.findall(r"GRANT SELECT(?:\([^)]*\))? ON tocsin\.(\w+)", granted))
    aliases = {"done"}
    for name, sql in queries().items():
        named = set(re.findall(r"\b(\w+) AS\s*\(", sql))
        tables = set(re.findall(r"(?<!ARRAY )\b(?:FROM|JOIN)\s+(\w+)", sql)) - aliases - named
        assert tables <= readable, f"{name} reads {tables - readable}, which users.xml does not grant"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(answers(sys.argv[1])), default=str))
