"""The chaos harness notices what it is for: each loss, each double, each disorder; and workers that break a rule."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.incidents.crowd import Crowd
from agents.incidents.meaning import shipped
from agents.incidents.state import packed
from tests.chaos.crowded import Crowded
from tests.chaos.load import Entry, Ledger
from tests.chaos.nemesis import ANYWHERE, IN_PROCESS, LONG, OVER_HTTP, Nemesis, sessions
from tests.chaos.picture import Limit, Point, scatter
from tests.chaos.rows import compare
from tests.chaos.script import Script
from tests.chaos.timing import recovery
from tests.chaos.verifier import Accounts

PREFIX = "p."
ARRIVED = 1_772_442_000_000
SENT = "2026-03-02T09:00:00.000Z"


@dataclass
class Record:
    """As aiokafka gives one."""

    offset: int
    value: bytes | None
    partition: int = 0
    key: bytes | None = b"c"
    timestamp: int = 1000
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def decision(offset: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"d{offset}",
        "message_id": f"m{offset}",
        "customer_id": "c",
        "status": "scored",
        "priority": "p3",
        "decided_by": "model",
        "source": {"topic": PREFIX + "messages", "partition": 0, "offset": offset},
        "feedback_id": None,
        "conversation_id": "t",
        "revision": 0,
        "sent_at": SENT,
        "supersedes": None,
        "automation_allowed": False,
        "reasons": [],
        **changes,
    }


class World:
    """Three messages and a poisoned one, and what became of them."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.accounts = Accounts(PREFIX, self.ledger)
        for number, expect in enumerate(("decided", "decided", "dead:not_json", "passed")):
            fields = {"id": f"m{number}", "customer_id": "c", "conversation_id": "t", "sent_at": SENT}
            self.sent("messages", number, expect, b"{" if expect.startswith("dead") else json.dumps(fields).encode())

    def sent(self, topic: str, number: int, expect: str, value: bytes) -> None:
        entry = Entry(topic, number, 0, expect, f"m{number}", 0.0, offset=number)
        self.ledger.entries[topic, number] = entry
        self.accounts.take(topic, Record(number, value, timestamp=ARRIVED, headers=[("n", str(number).encode())]))

    def take(self, topic: str, offset: int, value: Any) -> None:
        source = b"tocsin/follow" if value.get("change", "new") != "new" else b"tocsin/triage"
        self.accounts.take(
            topic, Record(offset, json.dumps(value).encode(), timestamp=ARRIVED, headers=[("ce_source", source)])
        )

    def decide(self, *decisions: dict[str, Any]) -> World:
        for offset, one in enumerate(decisions):
            self.take("decisions", offset, one)
        return self

    def letter(self, offset: int = 2, at: int = 0, error: str = "not_json") -> World:
        digest = hashlib.sha256(b"{").hexdigest()
        place = {"topic": PREFIX + "messages", "partition": 0, "offset": offset}
        self.take("dead-letters", at, {**place, "error": error, "sha256": digest})
        return self

    def ring(self, one: dict[str, Any], *topics: str) -> World:
        for offset, topic in enumerate(topics):
            self.take(topic, offset, {"decision": one, "change": "new", "late": False})
        return self

    def keep(self, *names: str, **decisions: dict[str, Any]) -> World:
        """Follow keeps these messages of the customer, each with a decision."""
        turns = [{"id": name, "at": ARRIVED, "conversation": "t"} for name in names]
        for turn in turns:
            if (one := decisions.get(str(turn["id"]))) is not None:
                rang = {} if one["priority"] == "p3" else {"rang": one["priority"]}
                turn["decision"] = {"id": one["id"], "priority": one["priority"], **rang}
        self.take("customers", len(names), {"turns": turns})
        return self

    def change(self, one: dict[str, Any], *topics: str) -> World:
        """Follow rings of a decision that it raised."""
        for offset, topic in enumerate(topics):
            self.take(topic, 10 + offset, {"decision": one, "change": "raised", "late": False})
        return self

    def found(self, *, followed: bool = False) -> set[str]:
        """The checks that fail; those of what is kept of customers only where they are asked for."""
        return {failure.check for failure in self.accounts.account()} - (set() if followed else {"customer_differs"})


ZERO, ONE = decision(0), decision(1)
URGENT = decision(1, priority="p1", status="abstained")
STORIES: dict[str, tuple[Callable[[World], World], set[str]]] = {
    "nothing wrong": (lambda w: w.decide(ZERO, ONE).letter(), set()),
    "a decision is missing": (lambda w: w.decide(ZERO).letter(), {"undecided"}),
    "a dead letter is missing": (lambda w: w.decide(ZERO, ONE), {"no_dead_letter"}),
    "a decision comes twice": (lambda w: w.decide(ZERO, ONE, ONE).letter(), {"decided_twice"}),
    "a dead letter comes twice": (lambda w: w.decide(ZERO, ONE).letter().letter(at=1), {"letter_twice"}),
    "the wrong reason": (lambda w: w.decide(ZERO, ONE).letter(error="no_text"), {"letter_wrong"}),
    "out of order": (lambda w: w.decide(ONE, ZERO).letter(), {"out_of_order"}),
    "somebody else's": (lambda w: w.decide(decision(0, message_id="m9"), ONE).letter(), {"decision_of_another"}),
    "poison is decided": (lambda w: w.decide(ZERO, ONE, decision(2)).letter(), {"decided_wrongly"}),
    "an alert is missing": (lambda w: w.decide(ZERO, URGENT).letter().ring(URGENT, "review"), {"no_alert"}),
    "an alert comes twice": (
        lambda w: w.decide(ZERO, URGENT).letter().ring(URGENT, "review", "priority.p1", "priority.p1"),
        {"alert_twice"},
    ),
    "an alert without a decision": (
        lambda w: w.decide(ZERO, ONE).letter().ring(decision(8), "priority.p0"),
        {"alert_without_decision"},
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_the_verifier_says_what_is_wrong_with_messages(story: str) -> None:
    world = World()
    tell, checks = STORIES[story]
    tell(world)
    assert world.found() == checks


DANGER = decision(0, priority="p0")
RAISED = decision(
    1,
    id="r1",
    priority="p0",
    decided_by="history",
    supersedes="d1",
    reasons=[{"history": "danger_open"}, {"floor": None}],
)
BOTH = {"m0": DANGER, "m1": RAISED}


def following(world: World, *raised: dict[str, Any]) -> World:
    """A danger, a second message, and what follow makes of it; all rings, the agent's turn is kept too."""
    return world.decide(DANGER, ONE, *raised).letter().ring(DANGER, "priority.p0")


FOLLOWING: dict[str, tuple[Callable[[World], World], set[str]]] = {
    "nothing wrong": (
        lambda w: following(w, RAISED).keep("m0", "m1", "m3", **BOTH).change(RAISED, "priority.p0"),
        set(),
    ),
    "a turn is missing": (
        lambda w: following(w, RAISED).keep("m0", "m1", **BOTH).change(RAISED, "priority.p0"),
        {"customer_differs"},
    ),
    "another decision is in force": (
        lambda w: following(w, RAISED).keep("m0", "m1", "m3", m0=DANGER, m1=ONE).change(RAISED, "priority.p0"),
        {"customer_differs"},
    ),
    "nobody raised it": (lambda w: following(w).keep("m0", "m1", "m3", m0=DANGER, m1=ONE), {"not_raised"}),
    "it rose twice": (
        lambda w: (
            following(w, RAISED, RAISED).keep("m0", "m1", "m3", **BOTH).change(RAISED, "priority.p0", "priority.p0")
        ),
        {"raised_twice", "change_twice"},
    ),
    "it fell": (
        lambda w: following(w, {**RAISED, "priority": "p3"}).keep("m0", "m1", "m3", m0=DANGER, m1={**ONE, "id": "r1"}),
        {"raised_wrongly"},
    ),
    "it rang nowhere": (lambda w: following(w, RAISED).keep("m0", "m1", "m3", **BOTH), {"raised_alerts"}),
}


@pytest.mark.parametrize("story", FOLLOWING)
def test_the_verifier_says_what_is_wrong_with_what_follow_does(story: str) -> None:
    world = World()
    tell, checks = FOLLOWING[story]
    tell(world)
    assert world.found(followed=True) == checks


def test_what_kafka_acknowledged_and_nobody_can_read_is_missing() -> None:
    world = World()
    world.decide(decision(0), decision(1))
    world.letter()
    world.ledger.entries["messages", 9] = Entry("messages", 9, 0, "decided", "m9", 0.0, offset=9)
    assert world.found() == {"acknowledged_and_gone"}


@pytest.mark.parametrize(
    ("lessons", "updates", "checks"),
    [
        ([0], [(0, 1)], set()),
        ([], [], {"not_learned"}),
        ([0, 1], [(0, 1), (1, 2)], {"learned_twice"}),
        ([0], [], {"lesson_without_update"}),
        ([0], [(3, 1)], {"update_chain"}),
    ],
)
def test_the_verifier_says_what_is_wrong_with_lessons(
    lessons: list[int], updates: list[tuple[int, int]], checks: set[str]
) -> None:
    world = World()
    world.decide(decision(0), decision(1))
    world.letter()
    world.sent("feedback", 0, "lesson", json.dumps({"id": "f0", "labels": {"spam": True}}).encode())
    for offset in lessons:
        world.take("lessons", offset, {"feedback_id": "f0"})
    for offset, (begin, end) in enumerate(updates):
        world.take("model-updates", offset, {"from": begin, "to": end})
    assert world.found() == checks


def _held(offsets: list[int], rolled: int) -> dict[str, Any]:
    pairs = [[offset, zlib.crc32(f"d{offset}".encode())] for offset in offsets]
    nothing: dict[str, Any] = {
        topic: [] for topic in ("messages", "feedback", "actions", "handoffs", "incidents", "dead-letters", "health")
    }
    tables: dict[str, Any] = {
        name: [] for name in ("worker_metrics", "model_quality", "raw_worker_metrics", "raw_model_quality")
    }
    count = len(set(offsets))
    return {
        **nothing,
        **tables,
        "decisions": [[PREFIX + "decisions", 0, pairs]],
        "raw_1m": [[0, "p3", len(offsets), 0, 0]],
        "rolled_1m": [[0, "p3", rolled, 0, 0]],
        "raw_1h": [[0, "p3", len(offsets), 0, 0]],
        "rolled_1h": [[0, "p3", len(offsets), 0, 0]],
        "current": [count, count],
        "decided_messages": count,
    }


@pytest.mark.parametrize(
    ("offsets", "rolled", "checks"),
    [
        ([0, 1], 2, set()),
        ([0], 1, {"row_missing"}),
        ([0, 1, 1], 3, {"row_twice"}),
        ([0, 1, 5], 3, {"row_extra"}),
        ([0, 1], 3, {"roll_up"}),
    ],
)
def test_the_verifier_says_what_is_wrong_with_rows(offsets: list[int], rolled: int, checks: set[str]) -> None:
    expected = {"decisions": {(0, offset): zlib.crc32(f"d{offset}".encode()) for offset in range(2)}}
    found = compare(_held(offsets, rolled), expected, {("decisions", 0): 2}, PREFIX)
    assert {failure.check for failure in found} == checks


def test_load_and_nemesis_are_pure_functions_of_their_seed() -> None:
    texts: list[tuple[str, str | None]] = [("hello there, is anybody in today", "en"), ("bonjour", "fr")]
    first, again, other = (Script(seed, 0, 4, texts) for seed in (1, 1, 2))
    assert [first.message(n) for n in range(300)] == [again.message(n) for n in range(300)]
    assert [first.message(n) for n in range(300)] != [other.message(n) for n in range(300)]
    poison = sum(first.message(n).expect.startswith("dead:") for n in range(4000))
    assert 0.03 < poison / 4000 < 0.07
    plans = [[Nemesis(seed, 100).plan(number) for number in range(100)] for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


def test_a_hundred_rounds_hold_every_fault_in_both_backends() -> None:
    nemesis = Nemesis(3, 100)
    for over_http in (False, True):
        rounds = [number for http, numbers in sessions(100) if http == over_http for number in numbers]
        kinds = {fault.kind for number in rounds for fault in nemesis.plan(number)}
        assert kinds >= {*ANYWHERE, *(OVER_HTTP if over_http else IN_PROCESS)}
        assert len(rounds) == 50
    away = [fault for number in range(100) for fault in nemesis.plan(number) if fault.kind == LONG]
    assert len(away) == 3
    assert all(120 <= fault.what["seconds"] <= 180 for fault in away)


def test_recovery_is_the_slowest_partition_and_says_what_else_was_down() -> None:
    moments = {0: [1.0, 12.0], 1: [9.0, 17.5], 2: [10.5]}
    alone = recovery("triage-1", "kill", 10.0, [0, 1], moments, [(10.0, 12.0, "triage-1")])
    assert (alone.seconds, alone.beside) == (7.5, "")
    beside = recovery("triage-1", "kill", 10.0, [0], moments, [(11.0, 20.0, "triage-2"), (3.0, 8.0, "broker")])
    assert (beside.seconds, beside.beside) == (2.0, "broker, triage-2")  # the broker's return was a moment ago
    assert recovery("triage-1", "kill", 11.0, [2], moments, []).seconds is None


def test_the_picture_is_xml_and_shows_every_point() -> None:
    from xml.etree import ElementTree

    picture = scatter([Point(1, 2.0, "kill"), Point(2, 30.0, "a<b", True)], [Limit(15, "limit")], "t", "x", "y")
    circles = [tag for tag in ElementTree.fromstring(picture).iter() if tag.tag.endswith("circle")]
    assert len(circles) == 2 + 2  # points, and the legend's


@pytest.mark.integration
@pytest.mark.timeout(420)
@pytest.mark.parametrize("control", ["outside", "unranged"])
def test_a_worker_that_breaks_the_rule_is_caught(control: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.chaos", "--control", control, "--out", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"control {control}: caught" in done.stdout


@pytest.mark.parametrize(
    ("count", "states", "alerts", "checks"),
    [
        (3, ["opened", "grown", "closed", "opened"], ["d1", "d2"], set()),
        (2, ["opened"], [], {"crowd_counts"}),
        (3, ["opened", "opened"], [], {"incident_order"}),
        (3, ["grown"], [], {"incident_order"}),
        (3, ["opened"], ["d1", "d1"], {"gathered_twice"}),
    ],
)
def test_the_verifier_says_what_is_wrong_with_what_crowd_does(
    count: int, states: list[str], alerts: list[str], checks: set[str]
) -> None:
    crowd = Crowd(shipped(), {})
    for number in range(count):
        crowd.week.take("chat", number)
    crowded = Crowded()
    crowded.state(SimpleNamespace(key=b"state", value=packed(crowd)))
    for offset, supersedes in ((0, None), (1, None), (2, "x"), (3, None), (4, None)):
        decision = {"supersedes": supersedes, "revision": 0, "status": "scored"}
        crowded.decision(SimpleNamespace(partition=0, offset=offset), decision)
    for number, state in enumerate(states):
        told = {"id": "i1", "state": state, "alerts": [{"decision_id": one} for one in alerts if number == 0]}
        crowded.incident(SimpleNamespace(value=json.dumps(told).encode()))
    assert {check for check, _, _ in crowded.account({("decisions", 0): 4})} == checks
