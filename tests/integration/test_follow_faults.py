"""What follow keeps and says is the same whoever dies meanwhile: compared with a reference that shares no code with it."""

from __future__ import annotations

import asyncio
import json
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.follow import Follow
from agents.history.places import Place
from streams.health import HealthReporter
from streams.settings import Settings
from tests.chaos.followed import Followed
from tests.chaos.verifier import ALERTS
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
TAKEN_AS = {
    "messages": "message",
    "actions": "action",
    "customers": "customer",
    "handoffs": "handoff",
    "decisions": "decision",
}


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


async def accounts(settings: Settings) -> tuple[Followed, list[str]]:
    """Follow's accounts, of the topics as they stand, and what is wrong in them."""
    wrong: list[str] = []
    followed = Followed(lambda check, where, evidence: wrong.append(f"{check} {where}: {evidence}"))
    # Alerts before decisions: a clock may raise one more while the topics are read.
    alerts = [(name, record) for name in ALERTS for record in await read_all(settings, name)]
    for topic in ("messages", "actions", "customers", "handoffs", "decisions"):
        for record in await read_all(settings, topic):
            getattr(followed, TAKEN_AS[topic])(json.loads(record.value) if topic == "decisions" else record)
    for name, record in alerts:
        alert = json.loads(record.value)
        if dict(record.headers)["ce_source"] == b"tocsin/follow":
            followed.alert(name, alert["decision"], alert["change"])
    return followed, wrong


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
        for _ in range(60):
            followed, wrong = await accounts(prepared)
            followed.account()
            if not wrong:
                break
            await asyncio.sleep(0.25)
        assert wrong == [], wrong[0]
    finally:
        for worker in (triage, *follows):
            worker.stop()
    assert followed.raised > 20
    assert followed.handoffs > 10


async def test_the_group_does_not_wait_until_customers_are_read(
    prepared: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the group puts out who reads for longer than a rebalance lasts; and whoever follows puts out the next."""
    may_end = asyncio.Event()

    async def slow(settings: Settings, places: dict[int, Place]) -> None:
        await may_end.wait()

    monkeypatch.setattr("agents.follow.restore", slow)
    health = HealthReporter(prepared, "follow@test")
    await health.start()
    role = Follow(prepared, health)
    try:
        await role.start()
        async with asyncio.timeout(60):
            while not role.app.ready:
                await asyncio.sleep(0.05)
            assert not role.ready
            may_end.set()
            while not role.ready:
                await asyncio.sleep(0.05)
        assert role.failed is None
    finally:
        await role.stop()
        await health.stop()
