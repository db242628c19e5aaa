"""Follow on real Kafka: a danger told in pieces rings, a p0 stays one, people's actions are honoured, state survives kill -9."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from agents import policies
from schemas.base import timestamp
from schemas.history import decode_customer
from streams.settings import Settings
from tests.harness import Worker, at_least, message, produce, read_all, tocsin, values, wait_values

pytestmark = pytest.mark.integration


@pytest_asyncio.fixture
async def workers(prepared: Settings, tmp_path: Path) -> AsyncIterator[dict[str, Worker]]:
    running = {role: Worker(prepared, role, folder=tmp_path) for role in ("triage", "follow")}
    yield running
    for worker in running.values():
        worker.stop()


def said(number: int, text: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return message(number, text, customer_id="c", **more)


def turn(number: int, text: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return said(number, text, conversation_id="talk", **more)


def by(found: list[dict[str, Any]], decided_by: str) -> list[dict[str, Any]]:
    return [one for one in found if one["decided_by"] == decided_by]


def action(number: int, kind: str, message_id: str, **more: Any) -> tuple[str, dict[str, Any]]:
    fields = {"id": f"a{number}", "customer_id": "c", "message_id": message_id, "kind": kind, "by": "ana"}
    return "c", {**fields, "at": timestamp(time.time_ns() // 1_000_000), **more}


async def test_a_danger_told_in_pieces_rings_and_stays_until_a_person_resolves_it(
    prepared: Settings, workers: dict[str, Worker], tmp_path: Path
) -> None:
    for number, text in enumerate(("I've taken", "all of them", "sorry"), start=1):
        await produce(prepared, "messages", [turn(number, text)])
    decisions = await wait_values(prepared, "decisions", at_least(4), "three decisions and a raised one")
    (raised,) = by(decisions, "history")
    assert (raised["message_id"], raised["priority"], raised["route"]) == ("m3", "p0", "care")
    first = next(one for one in decisions if one["message_id"] == "m3" and one["decided_by"] != "history")
    assert raised["supersedes"] == first["id"]
    assert raised["reasons"][0] == {"history": "joined", "messages": ["m1", "m2", "m3"]}
    assert raised["reasons"][1]["floor"] == "self_harm"
    (alert,) = await wait_values(prepared, "priority.p0", at_least(1), "the alert")
    assert (alert["change"], alert["message"]["text"]) == ("raised", "sorry")
    assert "Several short messages" in alert["why"]["en"]
    # What comes next in that conversation is p0, too; after a kill -9 as well.
    workers["follow"].kill()
    workers["follow"] = Worker(prepared, "follow", folder=tmp_path)
    await produce(prepared, "messages", [turn(4, "is anybody there? please answer me")])
    decisions = await wait_values(
        prepared, "decisions", lambda found: len(by(found, "history")) >= 2, "the next turn, raised"
    )
    assert by(decisions, "history")[1]["reasons"][0] == {"history": "danger_open", "messages": ["m3"]}
    # A person resolves it: then it is over.
    await produce(prepared, "actions", [action(1, "resolved", "m4")])
    await wait_values(prepared, "customers", lambda found: bool(found[-1].get("done")), "the action, kept")
    await produce(prepared, "messages", [turn(5, "thank you so much for your help")])
    await wait_values(prepared, "decisions", lambda found: found[-1]["message_id"] == "m5", "the last decision")
    await wait_values(prepared, "customers", lambda found: found[-1]["turns"][-1].get("decision"), "all kept")
    assert len(by(await values(prepared, "decisions"), "history")) == 2
    kept = (await read_all(prepared, "customers"))[-1].value
    for text in ("taken", "sorry", "anybody", "thank"):
        assert text.encode() not in kept


async def test_what_comes_right_behind_a_raise_is_raised_too(prepared: Settings, workers: dict[str, Worker]) -> None:
    texts = ("I've taken", "all of them", "sorry", "the weather is nice today")
    await produce(prepared, "messages", [turn(number, text) for number, text in enumerate(texts, start=1)])
    decisions = await wait_values(prepared, "decisions", at_least(6), "four decisions and two raised ones")
    raised = {one["message_id"]: one["reasons"][0]["history"] for one in by(decisions, "history")}
    assert raised == {"m3": "joined", "m4": "danger_open"}


async def test_an_edited_or_deleted_message_takes_its_alert_with_it(
    prepared: Settings, workers: dict[str, Worker]
) -> None:
    await produce(
        prepared,
        "messages",
        [
            said(1, "I will sue you and your company over this"),
            said(1, "the parcel came today, all is well", event="edited", revision=1),
            said(2, "my account was hacked, somebody changed my password"),
            said(2, "", event="deleted", revision=1),
            said(3, "I want to kill myself tonight"),
            said(3, "just a joke, sorry about that one", event="edited", revision=1),
        ],
    )
    rung = await wait_values(prepared, "priority.p1", at_least(4), "both alerts and their withdrawals")
    changes = [(one["message"]["id"], one["change"]) for one in rung]
    assert sorted(changes) == [("m1", "new"), ("m1", "withdrawn"), ("m2", "new"), ("m2", "withdrawn")]
    (_, stays) = await wait_values(prepared, "priority.p0", at_least(2), "a p0 that its author may not lower")
    assert (stays["decision"]["decided_by"], stays["change"]) == ("history", "raised")
    assert stays["decision"]["reasons"][0]["history"] == "edited"


async def test_handoffs_say_why_with_transcript_and_journey(prepared: Settings, workers: dict[str, Worker]) -> None:
    turns = [
        turn(1, "hello, where is my order please?"),
        turn(2, "It is on its way.", author_role="bot"),
        turn(3, "no it is not, where is it?"),
        turn(4, "It is on its way.", author_role="bot"),
        turn(5, "this is useless, where is my order??"),
        turn(6, "I want to talk to a human now"),
    ]
    for one in turns:
        await produce(prepared, "messages", [one])
    handoffs = await wait_values(prepared, "handoffs", at_least(2), "the handoffs")
    found = {one["trigger"]: one for one in handoffs}
    assert {"bot_tries", "asked"} <= found.keys()
    assert found["bot_tries"]["message_id"] == "m5"
    assert found["asked"]["transcript"] == ["m1", "m2", "m3", "m4", "m5", "m6"]
    assert found["asked"]["journey"]["turns"] >= 2
    assert found["asked"]["why"]["fr"] == "On demande à parler à une personne."
    assert len(handoffs) == len(found), "a trigger was told twice"


async def test_whose_history_is_switched_off_is_forgotten_at_once(
    prepared: Settings, workers: dict[str, Worker], tmp_path: Path
) -> None:
    async def last(customer: str) -> tuple[bool, bytes | None]:
        records = [one for one in await read_all(prepared, "customers") if one.key == customer.encode()]
        return bool(records), records[-1].value if records else None

    async def until(customer: str, *, kept: bool) -> None:
        async with asyncio.timeout(30):
            while True:
                known, value = await last(customer)
                if known and (value is not None) == kept:
                    return
                await asyncio.sleep(0.1)

    await produce(prepared, "messages", [turn(1, "I've taken"), message(9, "hello there you", customer_id="d")])
    await until("c", kept=True)
    await until("d", kept=True)
    document = yaml.safe_load(policies.default_document())
    document["history"]["switched_off"] = ["c", "never-heard-of"]
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(document, allow_unicode=True))
    pushed = await asyncio.to_thread(tocsin, prepared, "policy", "push", str(file), "--reason", "they asked for it")
    assert pushed.returncode == 0, pushed.stderr
    await until("c", kept=False)
    await produce(
        prepared, "messages", [turn(2, "all of them"), turn(3, "sorry"), said(4, "a person please, a human agent")]
    )
    # Others on every partition, behind it: when they are handed over, it was read.
    others = [message(10 + n, "I want to talk to a human", customer_id=f"d{n}") for n in range(12)]
    await produce(prepared, "messages", others)
    handoffs = await wait_values(prepared, "handoffs", lambda found: len(found) >= len(others), "the other customers'")
    assert "c" not in {one["customer_id"] for one in handoffs}
    assert (await last("c")) == (True, None)
    assert (await last("d"))[1] is not None
    assert not by(await values(prepared, "decisions"), "history")


async def test_clocks_ring_before_a_breach_and_ask_the_next_contact(
    prepared: Settings, workers: dict[str, Worker], tmp_path: Path
) -> None:
    document = yaml.safe_load(policies.default_document())
    document["history"]["answer"] |= {"seconds": {"p0": 2, "p1": 2, "p2": 3, "p3": 4}, "near": 0.5}
    document["history"]["answer"]["always"] = ["p0", "p1", "p2", "p3"]
    document["history"]["handoff"]["not_taken_seconds"] = 10
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(document, allow_unicode=True))
    pushed = tocsin(prepared, "policy", "push", str(file), "--reason", "short clocks")
    assert pushed.returncode == 0, pushed.stderr
    await produce(
        prepared,
        "messages",
        [
            said(1, "when will my parcel arrive this week?", conversation_id="asked"),
            said(2, "thank you so much, all good now", conversation_id="thanked"),
            said(3, "how do I change my address please?", conversation_id="answered"),
            said(4, "On the page of your account.", conversation_id="answered", author_role="agent"),
            said(5, "I want to kill myself tonight", conversation_id="danger"),
        ],
    )
    decisions = await wait_values(prepared, "decisions", lambda found: len(by(found, "history")) >= 2, "two breaches")
    near = {one["message_id"]: one for one in by(decisions, "history")}
    assert near.keys() == {"m1", "m5"}
    assert (near["m1"]["priority"], near["m1"]["reasons"][0]["history"]) == ("p2", "breach_near")
    assert near["m5"]["priority"] == "p0"
    handoffs = await wait_values(
        prepared, "handoffs", lambda found: any(one["trigger"] == "not_taken" for one in found), "the next contact"
    )
    asked = next(one for one in handoffs if one["trigger"] == "not_taken")
    assert (asked["message_id"], asked["route"]) == ("m5", "care")
    told = await wait_values(
        prepared, "health", lambda found: any(one["code"] == "p0_not_taken" for one in found), "the alarm"
    )
    alarm = next(one for one in told if one["code"] == "p0_not_taken")
    assert (alarm["severity"], alarm["where"]) == ("critical", "m5")


async def test_records_that_make_no_sense_stop_nothing(prepared: Settings, workers: dict[str, Worker]) -> None:
    await produce(
        prepared,
        "actions",
        [
            ("c", {"id": "a1"}),
            action(2, "resolved", "never-heard-of"),
            action(3, "taken", "m1", at="1969-01-01T00:00:00Z"),
            action(4, "snoozed", "m1", until="9999-12-31T23:59:59Z"),
        ],
    )
    await produce(
        prepared,
        "messages",
        [
            ("c", {"no": "message"}),
            said(1, "where is my parcel please?", sent_at="2031-01-01T00:00:00Z"),
            said(1, "where is my parcel please?"),
            said(2, "and the other one, too?", sent_at="1971-01-01T00:00:00Z"),
        ],
    )
    kept = await wait_values(
        prepared,
        "customers",
        lambda found: [one.get("decision") is not None for one in found[-1].get("turns", [])] == [True, True],
        "both messages, decided",
    )
    assert [one["id"] for one in kept[-1]["turns"]] == ["m2", "m1"]
    assert {one["id"] for one in kept[-1]["done"]} == {"a2", "a3", "a4"}
    assert decode_customer(json.dumps(kept[-1]).encode()).turns[0].id == "m2"
    assert workers["follow"].process.poll() is None
