"""Deliveries on real Kafka: each once with its commit, whatever the receiver answers, whoever dies; and again when asked."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agents.notify.signing import new_secret
from schemas.decision import encode
from streams.settings import Settings
from tests.harness import Worker, at_least, environment, produce, tocsin, wait_for, wait_values
from tests.notify_world import KEY, Receiver, alert

pytestmark = pytest.mark.integration

command: Any = tocsin
worker_of: Any = Worker
"""Any: settings out of a dict would be checked against their other keywords."""
PAGE = Path(__file__).parents[2] / "docs/notify.md"


def destination(name: str, url: str, **more: Any) -> dict[str, Any]:
    quick = {"first_retry_seconds": 0.05, "most_retry_seconds": 0.2, "timeout_seconds": 5}
    return {"name": name, "kind": "webhook", "url": url, "secrets": ["${KEY}"], **quick, **more}


def setting(folder: Path, *destinations: dict[str, Any]) -> dict[str, str]:
    """The settings of a worker with these destinations."""
    file = folder / "notify.yaml"
    file.write_text(json.dumps({"destinations": destinations}))  # YAML, too
    return {"TOCSIN_NOTIFY": str(file), "KEY": KEY, "TOCSIN_CONSOLE_URL": "https://tocsin.example"}


async def ring(settings: Settings, *identities: str, topic: str = "priority.p1", **more: Any) -> None:
    await produce(settings, topic, [(f"c-{one}", encode(alert(one, **more))) for one in identities])


async def committed(settings: Settings, group: str) -> int:
    """How many records of priority.p1 a group has put behind it, by Kafka's own account."""
    from aiokafka.admin import AIOKafkaAdminClient

    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await client.start()
    try:
        offsets = await client.list_consumer_group_offsets(settings.group(group))
        return sum(entry.offset for tp, entry in offsets.items() if tp.topic == settings.topic("priority.p1"))
    finally:
        await client.close()


async def until_committed(settings: Settings, group: str, count: int) -> None:
    async with asyncio.timeout(30):
        while await committed(settings, group) != count:
            await asyncio.sleep(0.05)


async def test_each_alert_is_delivered_once_in_spite_of_refusals_failures_and_others_that_are_away(
    prepared: Settings, tmp_path: Path
) -> None:
    await ring(prepared, "before")
    async with Receiver() as desk, Receiver() as other:
        other.shut = True
        desk.answers["shaky"] = [(500, {}), (503, {})]
        desk.answers["refused"] = [(410, {})]
        desk.answers["poison"] = [(500, {})] * 100
        more = setting(tmp_path, destination("desk", desk.url), destination("other", other.url))
        worker = await asyncio.to_thread(worker_of, prepared, "notify", folder=tmp_path, **more)
        try:
            # Whoever fails at one alert for ever, and takes the others, refuses it.
            await produce(prepared, "priority.p0", [("c", encode(alert(one))) for one in ("poison", "after")])
            await desk.until(lambda: bool(desk.got), "the poison")
            same = {"customer_id": "c"}
            names = ["a", "shaky", "refused", "behind"]
            await produce(prepared, "priority.p1", [("c", encode(alert(one, **same))) for one in names])
            # One that rang on two topics, as what is lowered does, is told once.
            lowered = {"change": "lowered", "decision": {"priority": "p2"}, **same}
            for topic in ("priority.p1", "priority.p2"):
                await produce(prepared, topic, [("c", encode(alert("lowered", **lowered)))])
            await desk.until(lambda: len(desk.taken) == 5, "all but the refused ones, whoever else is away")
            assert sorted(desk.taken) == ["a", "after", "behind", "lowered", "shaky"]
            assert [one for one in desk.taken if one in names] == ["a", "shaky", "behind"]
            letters = await wait_values(prepared, "dead-letters", at_least(2), "dead letters")
            letter, poison = sorted(letters, key=lambda one: len(one["detail"]))
            assert poison["detail"] == 'destination "desk" answered 500, 10 times, and took others meanwhile'
            assert (letter["error"], letter["topic"]) == ("delivery_refused", prepared.topic("priority.p1"))
            assert letter["detail"] == 'destination "desk" answered 410'
            await until_committed(prepared, "notify.desk", 6)
            assert await committed(prepared, "notify.other") == 1  # where it began
            alarms = await wait_values(
                prepared,
                "health",
                lambda found: {"destination_away", "delivery_refused"} <= {one["code"] for one in found},
                "alarms",
            )
            assert "other" in {one["where"] for one in alarms if one["code"] == "destination_away"}
            told = worker.metric("tocsin_notify_deliveries_total")
            assert re.search(r'tocsin_notify_deliveries_total\{destination="desk",outcome="delivered"\} 5\.0', told)
            assert re.search(r'tocsin_notify_away\{destination="other"\} 1\.0', told)
            other.shut = False
            await other.until(lambda: len(other.taken) == 7, "what waited for it")
            assert [one for one in other.taken if one in names] == names
            text = worker.text()
        finally:
            assert await asyncio.to_thread(worker.stop) == 0
        assert KEY not in text
        assert KEY.removeprefix("whsec_") not in text

        # Once more: all that rang since, and what became a dead letter.
        desk.taken.clear()
        desk.answers.clear()
        again = await asyncio.to_thread(
            command, prepared, "notify", "replay", "desk", "--since", "1h", "--dead-letters", **more
        )
        assert (again.returncode, again.stdout) == (0, b"2 delivered\n"), again.stderr
        assert sorted(desk.taken) == ["poison", "refused"]
        ids = Counter(headers["webhook-id"] for headers, _ in desk.got)
        assert ids["d-refused"] == 2
        every = await asyncio.to_thread(command, prepared, "notify", "replay", "desk", "--since", "1h", **more)
        assert every.stdout == b"8 delivered\n", every.stderr
        desk.shut = True
        away = await asyncio.to_thread(
            command, prepared, "notify", "replay", "desk", "--since", "1h", "--wait", "0.1", **more
        )
        assert away.returncode == 1
        assert b"answered 503" in away.stderr


async def test_after_a_kill_it_goes_on_and_what_comes_twice_has_the_same_id(prepared: Settings, tmp_path: Path) -> None:
    async with Receiver() as desk:
        # A second one gives up soon: what rang for it is a dead letter, and not lost.
        hasty = destination("hasty", "http://127.0.0.1:1", give_up_seconds=1)
        more = setting(tmp_path, destination("desk", desk.url), hasty)
        first = await asyncio.to_thread(worker_of, prepared, "notify", folder=tmp_path, **more)
        try:
            await ring(prepared, *(f"m{number}" for number in range(40)))
            await desk.until(lambda: len(desk.taken) >= 10, "the first ones")
        finally:
            first.kill()
        await ring(prepared, "meanwhile", topic="priority.p0", decision={"priority": "p0"})
        second = await asyncio.to_thread(worker_of, prepared, "notify", folder=tmp_path, **more)
        try:
            await desk.until(lambda: len(set(desk.taken)) == 41, "all of them")
            await until_committed(prepared, "notify.desk", 40)
            letters = await wait_values(prepared, "dead-letters", at_least(41), "what was given up")
        finally:
            await asyncio.to_thread(second.stop)
    assert {one["error"] for one in letters} == {"delivery_given_up"}
    by_message = {(json.loads(body)["message"]["id"], headers["webhook-id"]) for headers, body in desk.got}
    assert len(by_message) == 41


async def test_an_incident_is_one_notification_and_a_danger_is_not_held(prepared: Settings, tmp_path: Path) -> None:
    got: list[dict[str, Any]] = []

    class Chat(Receiver):
        async def _take(self, request: Any) -> Any:
            from aiohttp import web

            got.append(await request.json())
            self._changed.set()
            return web.Response(status=200)

    async with Chat() as chat:
        slack = {"name": "chat", "kind": "apprise", "url": "${CHAT}", "gather_seconds": 2}
        more = {**setting(tmp_path, slack), "CHAT": chat.url.replace("http", "json")}
        worker = await asyncio.to_thread(worker_of, prepared, "notify", folder=tmp_path, **more)
        try:
            same: dict[str, Any] = {"customer_id": "c", "group": "talk"}
            await produce(prepared, "priority.p1", [("c", encode(alert(f"m{number}", **same))) for number in range(6)])
            danger = {"priority": "p0", "automation_allowed": False}
            await produce(prepared, "priority.p0", [("c", encode(alert("fire", decision=danger, **same)))])
            await chat.until(lambda: len(got) == 3, "one, one danger, one update")
            await until_committed(prepared, "notify.chat", 6)
        finally:
            await asyncio.to_thread(worker.stop)
    titles = sorted(one["title"] for one in got)
    assert titles == ["+5 more in this conversation", "Danger", "Urgent"] or titles == [
        "+6 more in this conversation",  # the danger rang first
        "Danger",
    ]
    (fire,) = [one for one in got if one["title"] == "Danger"]
    assert "parcel" not in fire["message"]
    assert "https://tocsin.example/?message=fire" in fire["message"]


async def test_the_receiver_on_the_page_believes_us_and_nobody_else(prepared: Settings, tmp_path: Path) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    file, log = tmp_path / "receiver.py", tmp_path / "receiver.log"
    file.write_text(snippet, "utf-8")
    from agents.stack import free_port

    port = free_port()
    with log.open("wb") as out:
        env = environment(prepared, DESK_SECRET=KEY, PORT=str(port), PYTHONUNBUFFERED="1")
        receiver = subprocess.Popen([sys.executable, str(file)], stdout=out, stderr=subprocess.STDOUT, env=env)
    try:
        wait_for(
            lambda: "waiting" in log.read_text(),
            "the receiver",
            lambda: None if receiver.poll() is None else log.read_text(),
        )
        more = setting(tmp_path, destination("desk", f"http://127.0.0.1:{port}/tocsin"))
        done = await asyncio.to_thread(command, prepared, "notify", "test", "desk", "--priority", "p0", **more)
        assert done.returncode == 0, done.stderr
        assert b"took the drill" in done.stdout
        assert "p0 new drill-" in log.read_text()
        done = await asyncio.to_thread(command, prepared, "notify", "test", "desk", **{**more, "KEY": new_secret()})
        assert done.returncode == 1
        assert b"answered 401" in done.stderr
    finally:
        receiver.kill()
        receiver.wait()
