"""The door before a real Kafka: where messages land, that a retry does not, and what a Kafka that stands still does."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agents.door import sending
from agents.door.remembering import remember
from agents.door.role import Door
from agents.door.sending import Sender
from agents.door.server import Server
from streams.health import HealthReporter
from streams.settings import Settings
from tests.harness import Worker, at_least, message, produce, read_all, tocsin, values, wait_for, wait_values
from tests.unit.door_world import Fake

pytestmark = pytest.mark.integration

TOKEN = "a-token-of-the-tests-1"
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def door(made: Settings) -> AsyncIterator[Door]:
    """A door in this process, with topics there."""
    settings = made.model_copy(update={"door_port": 0})
    one = Door(settings, HealthReporter(settings, "door@test"))
    await one.start()
    yield one
    await one.stop()


async def post(url: str, body: Any, **headers: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as client, client.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_what_comes_in_is_decided_and_lies_where_other_clients_put_it(prepared: Settings, tmp_path: Path) -> None:
    worker = Worker(prepared, "triage", "door", folder=tmp_path, TOCSIN_DOOR_PORT="0", TOCSIN_DOOR_TOKENS=TOKEN)
    try:
        found = re.search(r"door on (http://[0-9.:]+)", worker.text())
        assert found is not None
        url = found[1] + "/v1/messages"
        assert (await post(url, {}))[0] == 401
        batch = [
            message(number, "there is smoke coming out of it", customer_id=f"c{number}")[1] for number in range(20)
        ]
        status, answer = await post(url, [*batch, {"id": "bad"}], Authorization=f"Bearer {TOKEN}")
        assert (status, answer["accepted"], answer["refused"]) == (202, 20, 1)
        decided = await wait_values(prepared, "decisions", at_least(20), "what came in is decided")
        assert {one["message_id"] for one in decided} == {one["id"] for one in batch}
        places = {one["message_id"]: (one["source"]["partition"], one["source"]["offset"]) for one in decided}
        said = {entry["id"]: (entry["partition"], entry["offset"]) for entry in answer["messages"][:20]}
        assert places == said
        assert 'tocsin_door_records_total{adapter="messages",outcome="accepted"} 20.0' in worker.metric(
            "tocsin_door_seconds"
        )
    finally:
        assert worker.stop() == 0
    await produce(prepared, "messages", [(f"c{number}", {"id": f"other{number}"}) for number in range(20)])
    records = await read_all(prepared, "messages")
    by_key: dict[bytes, set[int]] = {}
    for record in records:
        by_key.setdefault(record.key, set()).add(record.partition)
    assert len(records) == 40 and all(len(partitions) == 1 for partitions in by_key.values())
    assert len({partition for partitions in by_key.values() for partition in partitions}) > 1
    headers = dict(next(record for record in records if record.key == b"c0" and b"smoke" in record.value).headers)
    assert headers["ce_source"] == b"tocsin/door" and headers["ce_id"] == b"m0"


async def test_a_door_that_was_restarted_knows_what_the_other_sent(door: Door, made: Settings) -> None:
    one, other = (message(number, "where is my parcel")[1] for number in range(2))
    assert (await post(door.url + "/v1/messages", one))[1]["accepted"] == 1
    next_one = Sender(made)
    await next_one.start()
    await remember(made, next_one.window)
    server = Server(made.model_copy(update={"door_port": 0}), next_one, Fake())
    await server.start()
    server.ready = True
    try:
        _, answer = await post(server.url + "/v1/messages", [dict(reversed(one.items())), other])
        assert [entry.get("duplicate", False) for entry in answer["messages"]] == [True, False]
    finally:
        await server.stop()
        await next_one.stop()
    assert sorted(value["id"] for value in await values(made, "messages")) == ["m0", "m1"]


async def test_while_kafka_stands_still_a_retry_is_not_a_second_message(
    door: Door, made: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ACK_SECONDS", 0.3)
    monkeypatch.setattr(sending, "SLOW_SECONDS", 0.2)
    url, one = door.url + "/v1/messages", message(1, "where is my parcel")[1]
    assert (await post(url, message(0, "before")[1]))[0] == 202
    java = broker_pid(folder)
    os.kill(java, signal.SIGSTOP)
    try:
        wait_for(lambda: stopped(java), "every thread of the broker stands still")
        status, answer = await post(url, one)
        assert (status, answer["messages"][0]["error"]) == (503, "unconfirmed")
        assert (await post(url, message(2, "and mine")[1]))[0] == 429
    finally:
        os.kill(java, signal.SIGCONT)
    async with asyncio.timeout(20):
        while door._sender.pending:
            await asyncio.sleep(0.02)
    status, answer = await post(url, one)
    assert (status, answer["messages"][0].get("duplicate")) == (202, True)
    assert [value["id"] for value in await values(made, "messages") if value["id"] != "m0"] == ["m1"]


def stopped(pid: int) -> bool:
    """Whether each thread of a process has come to a stop: on a busy machine some run on for a moment after the signal."""
    states = [each.read_text().rpartition(")")[2].split()[0] for each in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(state in "Tt" for state in states)


def broker_pid(folder: Path) -> int:
    """The session's own broker: the Java whose data lie in the session's folder."""
    mark = str(folder / "kafka").encode()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        if mark in line and b"kafka.Kafka" in line:
            return int(entry.parent.name)
    pytest.skip("no /proc to find the broker in")


async def test_a_door_for_everybody_without_a_token_does_not_start(prepared: Settings) -> None:
    done = await asyncio.to_thread(tocsin, prepared, "worker", "door", TOCSIN_DOOR_HOST="0.0.0.0", TOCSIN_HTTP_PORT="0")
    assert done.returncode != 0
    assert b"TOCSIN_DOOR_TOKENS" in done.stderr and b"Traceback" not in done.stderr


async def test_the_pages_examples_work_as_they_are_written(door: Door) -> None:
    """Every curl of docs/door.md that goes to /v1/messages."""
    blocks = re.findall(r"```sh\n(curl .*?)```", (ROOT / "docs" / "door.md").read_text("utf-8"), re.DOTALL)
    shown = [block for block in blocks if "/v1/messages" in block]
    assert len(shown) >= 2
    for block in shown:
        script = block.replace("http://127.0.0.1:8766", door.url)
        process = await asyncio.create_subprocess_exec(
            "sh", "-ec", script, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={**os.environ, "TOKEN": TOKEN}
        )
        out, _ = await process.communicate()
        assert process.returncode == 0 and b'"offset":' in out, (script, out)
