"""What follow keeps and says is the same whoever dies meanwhile: compared with a reference that shares no code with it."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streams.settings import Settings
from tests.harness import Worker, message, produce, read_all, wait_values

pytestmark = pytest.mark.integration

SEED = 20261123
MESSAGES = 900
CUSTOMERS = 25
TEXTS = (
    "where is my parcel please?", "thanks a lot for your help", "I've taken", "all of them", "sorry", "this is awful, broken",
    "I want to talk to a human now", "my account was hacked, somebody changed my password", "I want to kill myself tonight",
    "je n'ai toujours pas reçu mon colis", "merci beaucoup", "lovely, it works again", "how do I change my address?",
)  # fmt: skip
KEPT, DANGERS = 64, 8


def load() -> tuple[list[tuple[str, dict[str, Any]]], list[tuple[str, dict[str, Any]]]]:
    """Messages of all roles within the last hour, edited ones and ones sent twice among them, and actions."""
    rng = random.Random(SEED)
    begun = round(time.time() * 1000) - 3_600_000  # what is older than the policy keeps would be dropped
    messages: list[tuple[str, dict[str, Any]]] = []
    actions: list[tuple[str, dict[str, Any]]] = []
    for number in range(MESSAGES):
        customer = f"c{int(rng.expovariate(0.12)) % CUSTOMERS}"
        role = rng.choices(("customer", "agent", "bot"), (8, 1, 1))[0]
        fields = {"customer_id": customer, "conversation_id": f"{customer}-{rng.randrange(3)}", "author_role": role}
        sent = begun + number * 1000 - rng.choice((0, 0, 0, 40_000))  # some stand out of order
        fields["sent_at"] = f"{datetime.fromtimestamp(sent / 1000, UTC).isoformat(timespec='milliseconds')}"
        key, value = message(number, rng.choice(TEXTS), **fields)
        messages.append((key, value))
        if rng.random() < 0.05:
            messages.append((key, {**value, "text": rng.choice(TEXTS), "event": "edited", "revision": 1}))
        if rng.random() < 0.03:
            messages.append((key, value))
        if rng.random() < 0.1:
            kind = rng.choice(("taken", "resolved", "reopened", "snoozed"))
            at = {"by": "ana", "at": fields["sent_at"]}
            actions.append(
                (
                    customer,
                    {"id": f"a{number}", "customer_id": customer, "message_id": f"m{number}", "kind": kind, **at},
                )
            )
    return messages, actions


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


async def reference(settings: Settings) -> dict[str, Any]:
    """What should be kept of each customer, by the topics as they stand: turns with the decision in force, and actions."""
    turns: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for record in await read_all(settings, "messages"):
        one = json.loads(record.value)
        turn = turns[one["customer_id"]].setdefault(one["id"], {"at": ms(one["sent_at"]), "place": (-1, -1)})
        turn["at"] = min(turn["at"], ms(one["sent_at"]))
        if (one.get("revision", 0), record.offset) >= turn["place"]:
            turn["place"] = (one.get("revision", 0), record.offset)
            turn |= {"conversation": one["conversation_id"], "role": one["author_role"]}
    for record in await read_all(settings, "decisions"):
        one = json.loads(record.value)
        turn = turns[one["customer_id"]][one["message_id"]]
        before = turn.get("decision")
        if before is None or one["revision"] >= before["revision"]:
            rang = [p for p in ((before or {}).get("rang"), one["priority"]) if p is not None and p != "p3"]
            turn["decision"] = {name: one[name] for name in ("id", "priority", "revision")} | {
                "rang": min(rang, default=None)
            }
    done: dict[str, dict[str, int]] = defaultdict(dict)
    for record in await read_all(settings, "actions"):
        one = json.loads(record.value)
        done[one["customer_id"]][one["id"]] = ms(one["at"])
    found = {}
    for customer in {*turns, *done}:
        every = sorted(turns[customer].items(), key=lambda each: (each[1]["at"], each[0]))
        dangers = [each for each in every[:-KEPT] if each[1].get("decision", {}).get("priority") == "p0"]
        latest = dangers[-DANGERS:] + every[-KEPT:]
        acts = sorted(done[customer].items(), key=lambda each: (each[1], each[0]))[-KEPT:]
        found[customer] = (
            [(name, t["at"], t["conversation"], t["role"], t.get("decision")) for name, t in latest],
            [name for name, _ in acts],
        )
    return found


async def kept(settings: Settings) -> dict[str, Any]:
    """What is kept of each customer, by the last record of `customers`."""
    found = {}
    for record in await read_all(settings, "customers"):
        one = json.loads(record.value)
        turns = []
        for turn in one.get("turns", []):
            decision = turn.get("decision")
            if decision is not None:
                decision = {"id": decision["id"], "priority": decision["priority"], "revision": decision.get("revision", 0),
                            "rang": decision.get("rang")}  # fmt: skip
            turns.append((turn["id"], turn["at"], turn["conversation"], turn.get("role", "customer"), decision))
        found[record.key.decode()] = (turns, [each["id"] for each in one.get("done", [])])
    return found


async def test_state_and_outputs_survive_kill_9(prepared: Settings, tmp_path: Path) -> None:
    messages, actions = load()
    rng = random.Random(SEED)
    triage = Worker(prepared, "triage", folder=tmp_path)
    follows = [Worker(prepared, "follow", folder=tmp_path) for _ in range(2)]
    try:
        part = len(messages) // 4
        for number in range(4):
            end = len(messages) if number == 3 else (number + 1) * part
            await produce(prepared, "messages", messages[number * part : end])
            await produce(prepared, "actions", actions[number::4])
            await asyncio.sleep(rng.uniform(0.1, 1.0))  # so that it dies at another place each time, not for safety
            if number < 3:
                victim = rng.randrange(2)
                follows[victim].kill()
                follows[victim] = Worker(prepared, "follow", folder=tmp_path)
        customers = sum(1 for _, one in messages if one["author_role"] == "customer")
        await wait_values(
            prepared,
            "decisions",
            lambda found: sum(one["decided_by"] != "history" for one in found) == customers,
            "all",
        )
        for _ in range(240):
            wanted, found = await reference(prepared), await kept(prepared)
            if wanted == found:
                break
            await asyncio.sleep(0.25)
        else:
            wrong = [name for name in wanted if wanted[name] != found.get(name)]
            raise AssertionError(
                f"{len(wrong)} of {len(wanted)} differ: {wanted[wrong[0]]} kept as {found.get(wrong[0])}"
            )
        # Alerts first: a clock may raise one more while the topics are read.
        rung = [json.loads(r.value) for p in ("p0", "p1", "p2") for r in await read_all(prepared, f"priority.{p}")]
        decisions = [json.loads(record.value) for record in await read_all(prepared, "decisions")]
        handoffs = [json.loads(record.value) for record in await read_all(prepared, "handoffs")]
    finally:
        for worker in (triage, *follows):
            worker.stop()
    raised = [one for one in decisions if one["decided_by"] == "history"]
    assert len(raised) > 20
    assert Counter(one["id"] for one in raised).most_common(1)[0][1] == 1
    by_id = {one["id"]: one for one in decisions}
    for one in raised:
        assert one["priority"] < by_id[one["supersedes"]]["priority"] or one["reasons"][0]["history"] == "breach_near"
    assert len(handoffs) > 10
    assert Counter(one["id"] for one in handoffs).most_common(1)[0][1] == 1
    told = Counter((one["decision"]["id"], one["change"]) for one in rung if one["decision"]["decided_by"] == "history")
    ids = {identity for identity, _ in told}
    assert ids <= {one["id"] for one in raised}
    assert not [one["id"] for one in raised if one["id"] not in ids and one["reasons"][0]["history"] != "breach_near"]
