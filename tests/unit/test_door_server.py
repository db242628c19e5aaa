"""The door's answers: tokens, sizes, one entry for each message, a Kafka that is slow or away, tools that sign."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiokafka.errors import KafkaConnectionError
from pydantic import SecretStr

from agents.door import sending
from agents.door import server as doors
from agents.door.bodies import MAX_BODY, MAX_MESSAGES
from agents.door.sending import Sender
from agents.door.server import Server
from agents.door.tokens import Tokens, secrets_of
from agents.door.window import Window
from streams.errors import TocsinError
from streams.settings import Settings, load, secret_values
from tests.unit.door_world import EXAMPLES, MAP, Fake, said
from tests.unit.test_door_signatures import PUBLIC, SECRET, SIGN

TOKEN = "a-token-of-the-tests-1"
OTHER = "a-token-of-the-tests-2"


class Producer:
    """Confirms at once, or only when it is told to; keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.waiting: list[tuple[asyncio.Future[Any], Any]] = []
        self.stalled = False
        self.error: Exception | None = None
        self._sender = SimpleNamespace(sender_task=None)

    async def send(self, topic: str, value: bytes, **more: Any) -> asyncio.Future[Any]:
        if self.error is not None:
            raise self.error
        self.sent.append({"topic": topic, "value": json.loads(value), **more})
        future = asyncio.get_running_loop().create_future()
        self.waiting.append((future, SimpleNamespace(partition=1, offset=len(self.sent) - 1)))
        if not self.stalled:
            self.confirm()
        return future

    def confirm(self) -> None:
        for future, metadata in self.waiting:
            future.set_result(metadata)
        self.waiting.clear()

    async def stop(self) -> None:
        """Nothing to end."""


class Door:
    """A running server with that producer behind it."""

    def __init__(self, settings: Settings, lookup: Fake) -> None:
        self.producer = Producer()
        self.sender = Sender(settings)
        self.sender._producer = self.producer  # a fault must be forced
        self.server = Server(settings, self.sender, lookup)
        self.server.ready = True
        self.lookup = lookup
        self.client = aiohttp.ClientSession()

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any, Any]:
        """(status, JSON, headers) of an answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.post(self.server.url + path, data=data, headers=sent) as answer:
            read = await answer.read()
            return answer.status, json.loads(read) if read else None, answer.headers


def settings(**more: Any) -> Settings:
    adapters = {f"door_{tool}_secret": SECRET for tool in ("zendesk", "intercom", "discourse", "chatwoot", "slack")}
    base = {"door_port": 0, "door_tokens": f"{TOKEN}, {OTHER}", "door_map": MAP, "door_discord_public_key": PUBLIC}
    every = "zendesk,intercom,discourse,chatwoot,slack,discord"
    return load(**{"door_adapters": every, **base, **adapters, **more})


@pytest.fixture
async def opened(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Any]]:
    doors: list[Door] = []

    async def opening(lookup: Fake | None = None, **more: Any) -> Door:
        door = Door(settings(**more), lookup or Fake([said("m-1", "p2")]))
        doors.append(door)
        await door.server.start()
        return door

    yield opening
    for door in doors:
        await door.client.close()
        await door.server.stop()


def message(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"m{number}", "customer_id": f"c{number}", "text": "my parcel is lost", **more}


# --- who comes in


async def test_without_a_token_nothing_is_taken(opened: Any) -> None:
    door = await opened()
    for given in ("", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer é", f"Bearer {TOKEN[:-1]}"):
        status, answer, headers = await door.post("/v1/messages", message(1), Authorization=given)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer") and "TOCSIN_DOOR_TOKENS" in answer["error"]
    assert door.producer.sent == []
    for token in (TOKEN, OTHER):
        assert (await door.post("/v1/messages", message(1), Authorization=f"bearer {token}"))[0] == 202


async def test_an_open_door_is_for_programs_on_this_machine_not_for_web_pages(opened: Any) -> None:
    door = await opened(door_tokens="")
    assert (await door.post("/v1/messages", message(1)))[0] == 202
    strangers: tuple[dict[str, str], ...] = (
        {"Origin": "http://127.0.0.1:1"}, {"Sec_Fetch_Site": "cross-site"}, {"Host": "evil.example"},
    )  # fmt: skip
    for headers in strangers:
        assert (await door.post("/v1/messages", message(2), **headers))[0] == 401
    assert (await door.post("/v1/messages", message(2), Content_Type="text/plain"))[0] == 415
    assert len(door.producer.sent) == 1


@pytest.mark.parametrize(
    ("more", "said_so"),
    [
        ({"door_host": "0.0.0.0"}, "TOCSIN_DOOR_TOKENS"),
        ({"door_host": "::"}, "TOCSIN_DOOR_HOST"),
        ({"door_tokens": "short"}, "token 1"),
        ({"door_tokens": f"{TOKEN},with a space in the middle"}, "token 2"),
    ],
)
def test_the_door_does_not_open_for_everybody(more: dict[str, Any], said_so: str) -> None:
    with pytest.raises(TocsinError, match=said_so):
        Tokens(load(**more))


@pytest.mark.parametrize(
    ("more", "said_so"),
    [
        ({"door_adapters": "jira"}, "'jira'"),
        ({"door_adapters": "zendesk"}, "TOCSIN_DOOR_ZENDESK_SECRET"),
        ({"door_adapters": "discord", "door_discord_public_key": "abc"}, "64 hexadecimal"),
    ],
)
def test_an_adapter_without_its_secret_is_not_switched_on(more: dict[str, Any], said_so: str) -> None:
    with pytest.raises(TocsinError, match=said_so):
        secrets_of(load(**more))


def test_each_token_is_a_secret() -> None:
    assert {TOKEN, OTHER} <= set(secret_values(load(door_tokens=SecretStr(f"{TOKEN}, {OTHER}"))))


# --- messages


async def test_a_bad_message_stops_no_other(opened: Any) -> None:
    door = await opened()
    batch = [message(1), {"id": "m2", "text": "x"}, message(3, language=5), "m4", message(5, text="")]
    status, answer, _ = await door.post("/v1/messages", batch)
    assert (status, answer["accepted"], answer["refused"]) == (202, 2, 3)
    one, two, three, four, five = answer["messages"]
    assert one == {"id": "m1", "partition": 1, "offset": 0}
    assert (two["error"], two["field"]) == ("missing_field", "customer_id") and "missing" in two["detail"]
    assert three == {"id": "m3", "partition": 1, "offset": 1, "corrected": ["language"]}
    assert four["error"] == "not_an_object" and five["error"] == "no_text"
    assert [(one["key"], one["topic"], one["partition"]) for one in door.producer.sent] == [
        (b"c1", "tocsin.messages", None), (b"c3", "tocsin.messages", None),
    ]  # fmt: skip


async def test_one_object_and_json_lines_are_taken_too(opened: Any) -> None:
    door = await opened()
    assert (await door.post("/v1/messages", message(1)))[1]["accepted"] == 1
    lines = b"\n".join([json.dumps(message(2)).encode(), b"", b"{broken", json.dumps(message(3)).encode() + b"\r"])
    status, answer, _ = await door.post("/v1/messages", lines, Content_Type="application/x-ndjson")
    assert (status, answer["accepted"], answer["messages"][1]["error"]) == (202, 2, "not_json")
    packed = gzip.compress(json.dumps(message(4)).encode())
    assert (await door.post("/v1/messages", packed, Content_Encoding="gzip"))[0] == 202


async def test_a_body_without_a_good_message_is_refused(opened: Any) -> None:
    door = await opened()
    for body in (b"", b"[]", b"{", b"\xff", b"[" * 2_000, b"5", b'{"id": "m", "x": ' + b"[" * 900 + b"]" * 900 + b"}"):
        status, answer, _ = await door.post("/v1/messages", body)
        assert status == 400 and ("error" in answer or answer["refused"] == 1), body
    deep = b'{"id": "m", "customer_id": "c", "text": "t", "attributes": ' + b"[" * 900 + b"]" * 900 + b"}"
    assert (await door.post("/v1/messages", deep))[1]["messages"][0]["error"] == "out_of_bounds"
    assert door.producer.sent == []


async def test_too_large_is_413_and_a_long_text_is_cut(opened: Any) -> None:
    door = await opened()
    assert (await door.post("/v1/messages", b" " * (MAX_BODY + 1)))[0] == 413
    assert (await door.post("/v1/messages", gzip.compress(b" " * (MAX_BODY + 1)), Content_Encoding="gzip"))[0] == 413
    assert (await door.post("/v1/messages", [message(1)] * (MAX_MESSAGES + 1)))[0] == 413
    assert (await door.post("/v1/messages", [message(1, subject="x" * 1_100_000)]))[1]["messages"][0][
        "error"
    ] == "too_large"
    assert (await door.post("/v1/messages", message(2, text="a" * 2_000_000)))[0] == 202
    assert len(door.producer.sent[0]["value"]["text"]) == 100_001


async def test_what_is_sent_twice_is_taken_once(opened: Any) -> None:
    door = await opened()
    first = await door.post("/v1/messages", [message(1), message(1)])
    again = await door.post("/v1/messages", dict(reversed(message(1).items())))
    assert [entry.get("duplicate") for entry in first[1]["messages"]] == [None, True]
    assert again[1]["messages"] == [{"id": "m1", "partition": 1, "offset": 0, "duplicate": True}]
    for other in (message(1, text="another text"), message(1, revision=1), message(2)):
        assert "duplicate" not in (await door.post("/v1/messages", other))[1]["messages"][0]
    assert len(door.producer.sent) == 4


async def test_the_window_forgets_the_oldest_and_what_failed() -> None:
    window = Window(2)
    failed: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
    window.under_way(b"a", failed)
    failed.set_exception(KafkaConnectionError())
    await asyncio.sleep(0)
    assert window.get(b"a") is None
    for number in range(3):
        window.confirmed(bytes([number]), (0, number))
    assert (len(window), window.get(b"\0"), window.get(b"\2")) == (2, None, (0, 2))


# --- a Kafka that is slow or away


async def test_a_kafka_that_does_not_confirm_is_503_and_a_retry_waits_for_the_same_record(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ACK_SECONDS", 0.05)
    door = await opened()
    door.producer.stalled = True
    status, answer, headers = await door.post("/v1/messages", message(1))
    assert (status, answer["messages"]) == (503, [{"id": "m1", "error": "unconfirmed"}]) and int(
        headers["Retry-After"]
    ) > 0
    door.producer.confirm()
    await asyncio.sleep(0)
    assert (await door.post("/v1/messages", message(1)))[1]["messages"][0] == {
        "id": "m1", "partition": 1, "offset": 0, "duplicate": True,
    }  # fmt: skip
    assert len(door.producer.sent) == 1


async def test_a_kafka_that_takes_nothing_is_503_and_nothing_is_remembered(opened: Any) -> None:
    door = await opened()
    door.producer.error = KafkaConnectionError()
    assert (await door.post("/v1/messages", message(1)))[0] == 503
    door.producer.error = None
    assert "duplicate" not in (await door.post("/v1/messages", message(1)))[1]["messages"][0]
    assert door.sender.pending == 0


async def test_a_slow_kafka_is_429_before_anything_is_taken(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ACK_SECONDS", 0.01)
    door = await opened(door_pending=1_000)
    door.producer.stalled = True
    batch = [message(number) for number in range(600)]
    assert (await door.post("/v1/messages", batch))[0] == 503
    status, answer, headers = await door.post("/v1/messages", [message(number) for number in range(1_000, 1_600)])
    assert (status, int(headers["Retry-After"])) == (429, 1) and "600 records wait" in answer["error"]
    monkeypatch.setattr(sending, "SLOW_SECONDS", 0.0)
    status, answer, _ = await door.post("/v1/messages", message(5_000))
    assert status == 429 and "slowly" in answer["error"]
    monkeypatch.undo()
    door.producer.stalled = False
    door.producer.confirm()
    assert (await door.post("/v1/messages", message(5_000)))[0] == 202
    assert len(door.producer.sent) == 601


async def half_sent(door: Door) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request whose body does not come."""
    host, port = door.server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
    )
    writer.write(f"{head}Content-Length: 2\r\n\r\n".encode())
    await writer.drain()
    return reader, writer


async def test_no_more_requests_are_read_at_once_than_memory_has_room_for(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "MOST_REQUESTS", 2)
    door = await opened()
    waiting = [await half_sent(door) for _ in range(2)]
    async with asyncio.timeout(10):
        while door.server._open < 2:
            await asyncio.sleep(0.01)
    status, answer, headers = await door.post("/v1/messages", message(1))
    assert (status, headers["Retry-After"]) == (429, "1") and "under way" in answer["error"]
    for reader, writer in waiting:
        writer.write(b"[]")
        assert b" 400 " in await reader.readline()
        writer.close()
    assert (await door.post("/v1/messages", message(1)))[0] == 202


async def test_a_body_that_does_not_come_is_not_waited_for(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "BODY_SECONDS", 0.05)
    reader, writer = await half_sent(await opened())
    assert b" 408 " in await reader.readline()
    writer.close()


async def test_a_door_that_has_not_reached_kafka_says_so(opened: Any) -> None:
    door = await opened()
    door.server.ready = False
    status, _, headers = await door.post("/v1/messages", message(1))
    assert (status, headers["Retry-After"]) == (503, "5")


# --- tools


def signed(tool: str, body: bytes) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in SIGN[tool](int(time.time()), body).items()}


@pytest.mark.parametrize(
    ("tool", "name", "topic"),
    [
        ("zendesk", "customer_comment", "tocsin.messages"),
        ("zendesk", "agent_sets_priority", "tocsin.feedback"),
        ("intercom", "snoozed", "tocsin.actions"),
        ("discourse", "post_created", "tocsin.messages"),
        ("chatwoot", "labels_changed", "tocsin.feedback"),
        ("slack", "message", "tocsin.messages"),
        ("discord", "lobby_message", "tocsin.messages"),
    ],
)
async def test_a_tools_hook_comes_in_once_where_it_is_signed(opened: Any, tool: str, name: str, topic: str) -> None:
    door = await opened()
    body = (EXAMPLES / tool / f"{name}.json").read_bytes()
    event = {"X_Discourse_Event": "post_created"}
    for _ in range(2):  # tools send again what they are not sure of
        status, answer, _ = await door.post(f"/v1/in/{tool}", body, **signed(tool, body), **event)
        assert (status, answer["accepted"]) == (202, 1)
    assert [one["topic"] for one in door.producer.sent] == [topic]
    status, answer, _ = await door.post(f"/v1/in/{tool}", body + b" ", **signed(tool, body), **event)
    assert status == 401 and len(door.producer.sent) == 1
    assert SECRET not in json.dumps(answer)


async def test_an_unknown_event_is_acknowledged_so_that_the_tool_goes_on(opened: Any) -> None:
    door = await opened()
    for body in (b'{"type": "zen:event-type:user.created"}', b"{}", b'{"type": []}'):
        status, answer, _ = await door.post("/v1/in/zendesk", body, **signed("zendesk", body))
        assert status == 200 and "ignored" in answer["records"][0]
    broken = (
        b'{"type": "zen:event-type:ticket.comment_added", "detail": {"id": "1"}, "event": {"comment": {"body": "x"}}}'
    )
    status, answer, _ = await door.post("/v1/in/zendesk", broken, **signed("zendesk", broken))
    assert (status, answer["field"]) == (400, "event.comment.id")


async def test_tools_are_greeted_as_they_ask(opened: Any) -> None:
    door = await opened()
    body = b'{"type": "url_verification", "challenge": "3eZbrw1a", "token": "x"}'
    assert (await door.post("/v1/in/slack", body, **signed("slack", body)))[:2] == (200, {"challenge": "3eZbrw1a"})
    body = b'{"version": 1, "application_id": "1", "type": 0}'
    assert (await door.post("/v1/in/discord", body, **signed("discord", body)))[0] == 204
    forged = {**signed("discord", body), "X_Signature_Ed25519": "0" * 128}
    assert (await door.post("/v1/in/discord", body, **forged))[0] == 401
    async with door.client.head(door.server.url + "/v1/in/intercom") as answer:
        assert answer.status == 200


async def test_a_bot_on_discords_gateway_bears_our_token(opened: Any) -> None:
    door = await opened()
    body = (EXAMPLES / "discord" / "message_create.json").read_bytes()
    assert (await door.post("/v1/in/discord", body, Authorization="Bearer wrong"))[0] == 401
    assert (await door.post("/v1/in/discord", body))[1]["accepted"] == 1


async def test_without_clickhouse_an_agents_word_comes_later(opened: Any) -> None:
    door = await opened(Fake(away=True))
    body = (EXAMPLES / "zendesk" / "agent_sets_priority.json").read_bytes()
    status, _, headers = await door.post("/v1/in/zendesk", body, **signed("zendesk", body))
    assert (status, headers["Retry-After"]) == (503, "5")
    body = (EXAMPLES / "zendesk" / "customer_comment.json").read_bytes()
    assert (await door.post("/v1/in/zendesk", body, **signed("zendesk", body)))[0] == 202


async def test_a_tool_that_is_not_switched_on_is_not_there(opened: Any) -> None:
    door = await opened(door_adapters="slack")
    status, answer, _ = await door.post("/v1/in/zendesk", b"{}")
    assert status == 404 and "TOCSIN_DOOR_ADAPTERS" in answer["error"]
    assert (await door.post("/v1/in/jira", b"{}"))[0] == 404
    assert (await door.post("/nothing", b"{}"))[0] == 404
