"""The console over HTTP, on real Kafka: what rings is served, a person's word becomes feedback, strangers are refused."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from agents.console.role import Console
from agents.recording.sink import Sink
from agents.recording.tables import TABLES
from schemas.people import read_feedback
from streams.errors import TocsinError
from streams.health import HealthReporter
from streams.settings import Settings
from tests.browser.kit import Desk, alert, by_a_person, running, until, update
from tests.harness import read_all

pytestmark = pytest.mark.integration

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> \u202e ${7*7} \x00 {{7*7}}"
MARK = {"X-Tocsin-Console": "1"}


@pytest.fixture
async def desk(made: Settings) -> AsyncIterator[Desk]:
    async with running(made) as desk:
        yield desk


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def get(http: aiohttp.ClientSession, desk: Desk, path: str) -> Any:
    async with http.get(desk.url + path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def listed(http: aiohttp.ClientSession, desk: Desk, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The alerts by id, once `true` of them."""

    async def look() -> dict[str, Any] | None:
        found = {entry["id"]: entry for entry in (await get(http, desk, "/api/alerts"))["alerts"]}
        return found if true(found) else None

    found: dict[str, Any] = await until(look, "the queue shows it")
    return found


async def say(http: aiohttp.ClientSession, desk: Desk, status: int = 201, **body: Any) -> Any:
    body = {"reviewer": "Ana", **body}
    async with http.post(desk.url + "/api/feedback", json=body, headers=MARK) as answer:
        told = await answer.json()
        assert answer.status == status, told
        return told


async def said(settings: Settings) -> list[Any]:
    return [record for record in await read_all(settings, "feedback") if record.value]


async def test_the_queue_holds_each_message_once_ordered_by_priority_then_age(
    desk: Desk, http: aiohttp.ClientSession
) -> None:
    unsure = alert(3, "What is this?", "p2", status="abstained", status_reason="urgency")
    await desk.ring(alert(1, "Call me", "p2"), alert(2, "It burns", "p0"), unsure, alert(4, "Now please", "p1"))
    found = await listed(http, desk, lambda found: len(found) == 4)
    assert list(found) == ["m2", "m4", "m3", "m1"]
    assert found["m3"]["status"] == "abstained"
    assert found["m2"]["why"] == {"en": "It may be on fire (2).", "fr": "Cela brûle peut-être (2)."}


async def test_a_later_alert_of_the_same_message_replaces_the_earlier_whatever_their_order(
    desk: Desk, http: aiohttp.ClientSession
) -> None:
    first = alert(1, "Old words", "p2")
    second = alert(1, "New words", "p1", id="d1b", revision=1)
    await desk.ring(second)
    await listed(http, desk, lambda found: len(found) == 1)
    await desk.ring(first, alert(2, "The end", "p0"))
    found = await listed(http, desk, lambda found: "m2" in found)
    assert found["m1"]["priority"] == "p1"
    assert found["m1"]["parts"] == [["New words", None]]


async def test_phrases_are_cut_out_by_characters_not_by_utf_16_units(desk: Desk, http: aiohttp.ClientSession) -> None:
    text = "👩‍👩‍👧 Ma 🔥🔥 maison brûle, le chargeur a pris feu hier"
    await desk.ring(alert(1, text, "p0", phrase="a pris feu"))
    await listed(http, desk, lambda found: len(found) == 1)
    told = await get(http, desk, "/api/alert?message_id=m1")
    before = "👩‍👩‍👧 Ma 🔥🔥 maison brûle, le chargeur "
    assert told["parts"] == [[before, None], ["a pris feu", "fire"], [" hier", None]]
    assert told["accounts"][0]["words"] == [["smoke", 1.25], ["not good", -0.5]]


async def test_a_word_becomes_feedback_that_learning_accepts(desk: Desk, http: aiohttp.ClientSession) -> None:
    ring = alert(1, "Smoke 🔥 everywhere", "p1")
    await desk.ring(ring)
    await listed(http, desk, lambda found: len(found) == 1)
    confirm = await say(http, desk, kind="confirm", message_id="m1", decision_id="d1")
    correct = await say(http, desk, kind="correct", message_id="m1", labels={"category": "technical", "spam": True})
    raise_it = await say(http, desk, kind="override", message_id="m1", labels={"priority": "p0"})
    lower_it = await say(http, desk, kind="override", message_id="m1", labels={"priority": "p3"})
    undo = await say(http, desk, kind="retract", message_id="m1", retracts=lower_it["id"])
    records = await said(desk.settings)
    assert [json.loads(record.value)["id"] for record in records] == [
        one["id"] for one in (confirm, correct, raise_it, lower_it, undo)
    ]
    words = [read_feedback(record.value) for record in records]
    assert [word.kind for word in words] == ["confirm", "correct", "override", "override", "retract"]
    assert [word.reason for word in words] == [None, "wrong_label", "missed", "false_alarm", None]
    assert {record.key for record in records} == {b"c1"}
    assert dict(records[0].headers)["ce_type"] == b"tocsin.feedback.v1"
    assert words[0].labels.heads() == {"sentiment": "negative", "category": "safety", "emotion": "fear"}
    assert words[0].labels.priority == "p1"
    assert words[1].labels.heads() == {"category": "technical", "spam": "yes"}
    assert (words[4].retracts, words[4].text, words[4].channel) == (lower_it["id"], "Smoke 🔥 everywhere", "chat")
    for word in words[:4]:
        judged = word.predicted
        assert judged is not None
        assert (word.text, word.reviewer, word.decision_id) == ("Smoke 🔥 everywhere", "Ana", "d1")
        assert judged.labels["category"] == "safety"
        assert judged.labels["urgency"] is True
        assert judged.source is not None
        assert (judged.source.partition, judged.source.offset) == (1, 1)
        assert (judged.priority, judged.status, judged.decided_by) == ("p1", "scored", "model")
        assert (judged.route, judged.model_version, judged.policy_version) == ("care", "b-test@0", "default@sha256:0")
        assert judged.received_at == ring["decision"]["received_at"]


async def test_an_alert_by_a_person_moves_the_message_and_undo_brings_it_back(
    desk: Desk, http: aiohttp.ClientSession
) -> None:
    ring = alert(1, "Where is my parcel? 📦", "p1", subject="Parcel", phrase="parcel")
    await desk.ring(ring)
    await listed(http, desk, lambda found: len(found) == 1)
    word = await say(http, desk, kind="override", message_id="m1", labels={"priority": "p3"})
    withdrawn = by_a_person(ring, word, "p3", "withdrawn")
    await desk.send("priority.p1", withdrawn)
    found = await listed(http, desk, lambda found: found["m1"]["kind"] == "withdrawn")
    assert found["m1"]["subject"] == "Parcel"  # of the first alert: learning does not know it
    told = await get(http, desk, "/api/alert?message_id=m1")
    assert [part for part, floor in told["parts"] if floor] == ["parcel"]
    undo = await say(http, desk, kind="retract", message_id="m1", retracts=word["id"])
    restored = {
        **alert(1, "Where is my parcel? 📦", "p1", id="d1r", reasons=[], supersedes=f"h-{word['id']}"),
        "change": "raised",
    }
    restored["decision"]["feedback_id"] = undo["id"]
    await desk.send("priority.p1", restored)
    found = await listed(http, desk, lambda found: found["m1"]["kind"] == "p1")
    assert found["m1"]["reviewed"] is False
    # The person's alert once more, as a console that starts now may read it last.
    await desk.send("priority.p1", withdrawn)
    await desk.ring(alert(2, "The end", "p0"))
    found = await listed(http, desk, lambda found: "m2" in found)
    assert found["m1"]["decision_id"] == "d1r"


async def test_a_decision_that_was_replaced_meanwhile_is_not_judged(desk: Desk, http: aiohttp.ClientSession) -> None:
    await desk.ring(alert(1, "Help", "p1"))
    await listed(http, desk, lambda found: len(found) == 1)
    told = await say(http, desk, 409, kind="confirm", message_id="m1", decision_id="an-older-one")
    assert "look again" in told["error"]
    assert await said(desk.settings) == []


async def test_learned_is_told_to_the_page_with_its_seconds(desk: Desk, http: aiohttp.ClientSession) -> None:
    await desk.ring(alert(1, "Help", "p1"))
    await listed(http, desk, lambda found: len(found) == 1)
    async with http.get(desk.url + "/api/events") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        word = await say(http, desk, kind="confirm", message_id="m1")
        await desk.send("model-updates", update("somebody-else", word["id"]))
        learned: list[Any] = []
        async with asyncio.timeout(20):
            async for line in stream.content:
                if line.startswith(b"data: "):
                    data = json.loads(line[6:])
                    learned += data.get("learned", [])
                    if learned and any(entry["word"] and entry["word"]["learned"] for entry in data["entries"]):
                        break
    assert [(one["id"], one["message_id"]) for one in learned] == [(word["id"], "m1")]
    assert 0 <= learned[0]["seconds"] < 20
    figures = await get(http, desk, "/api/figures")
    assert (figures["corrections_learned"], figures["feedback_sent"], figures["ready"]) == (1, 1, True)
    assert figures["correction_seconds_p95"] == pytest.approx(learned[0]["seconds"], abs=0.001)


async def test_a_console_that_starts_again_knows_what_rang_and_what_was_said(
    made: Settings, http: aiohttp.ClientSession
) -> None:
    async with running(made) as desk:
        await desk.ring(alert(1, "Help", "p1"))
        await listed(http, desk, lambda found: len(found) == 1)
        word = await say(http, desk, kind="confirm", message_id="m1")
    async with running(made) as desk:
        found = await listed(http, desk, lambda found: len(found) == 1)
        assert found["m1"]["word"]["id"] == word["id"]
        assert found["m1"]["word"]["by"] == "Ana"


async def test_a_message_that_left_the_queue_can_be_labelled_by_its_own_text(
    desk: Desk, http: aiohttp.ClientSession
) -> None:
    own: dict[str, Any] = {"message_id": "gone", "customer_id": "c9", "kind": "correct"}
    await say(http, desk, **own, text="é" * 120_000, labels={"spam": True})
    (record,) = await said(desk.settings)
    assert read_feedback(record.value).text == "é" * 100_000
    told = await say(http, desk, 422, **own, text="words", labels={"priority": "p0"})
    assert "predicted.priority" in told["error"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"kind": "correct", "labels": {}}, "must label a head or the priority"),
        ({"kind": "correct", "labels": {"sentiment": "furious"}}, '"labels.sentiment"'),
        ({"kind": "correct", "labels": "spam"}, '"labels"'),
        ({"kind": "override", "labels": {"priority": "p9"}}, '"labels.priority"'),
        ({"kind": "override", "labels": [1]}, '"labels.priority"'),
        ({"kind": "shout"}, '"kind"'),
        ({"kind": "confirm", "reviewer": " "}, '"reviewer"'),
        ({"kind": "confirm", "reviewer": 7}, '"reviewer"'),
        ({"kind": "confirm", "message_id": 7}, "left the live queue"),
        ({"kind": "retract"}, '"retracts"'),
        ({"kind": "retract", "retracts": "unknown"}, '"retracts"'),
        ({"kind": "confirm", "note": "n" * 10_001}, '"note"'),
    ],
)
async def test_a_word_that_makes_no_sense_is_refused_with_one_sentence(
    desk: Desk, http: aiohttp.ClientSession, body: dict[str, Any], sentence: str
) -> None:
    await desk.ring(alert(1, "Help", "p1"))
    await listed(http, desk, lambda found: len(found) == 1)
    told = await say(http, desk, 422, **{"message_id": "m1", **body})
    assert sentence in told["error"]
    assert await said(desk.settings) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({**MARK, "Origin": "http://evil.example"}, 403),
        ({**MARK, "Origin": "null"}, 403),
        ({**MARK, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**MARK, "Host": "evil.example"}, 403),
        ({**MARK, "Host": "127.0.0.1.evil.example"}, 403),
        ({**MARK, "Host": "10.1.2.3"}, 403),
        ({**MARK, "Host": ""}, 403),
        ({**MARK, "Content-Type": "text/plain"}, 415),
        ({**MARK, "Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
async def test_what_another_site_could_send_is_refused(
    desk: Desk, http: aiohttp.ClientSession, headers: dict[str, str], status: int
) -> None:
    body = b'{"kind":"correct","message_id":"m","customer_id":"c","text":"t","labels":{"spam":true},"reviewer":"r"}'
    headers = {"Content-Type": "application/json", **headers}
    async with http.post(desk.url + "/api/feedback", data=body, headers=headers) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]
    assert await said(desk.settings) == []


async def test_its_own_page_is_not_refused(desk: Desk, http: aiohttp.ClientSession) -> None:
    body = b'{"kind":"correct","message_id":"m","customer_id":"c","text":"t","labels":{"spam":true},"reviewer":"r"}'
    port = desk.url.rpartition(":")[2]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        own = {**MARK, "Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
        headers = {**own, "Content-Type": "application/json; charset=utf-8"}
        async with http.post(desk.url + "/api/feedback", data=body, headers=headers) as answer:
            assert answer.status == 201, await answer.text()


async def test_every_answer_carries_the_headers_that_contain_hostile_text(
    desk: Desk, http: aiohttp.ClientSession
) -> None:
    for path in (
        "/",
        "/console.js",
        "/icon.svg",
        "/api/alerts",
        "/api/events",
        "/nothing",
        "/api/nothing",
        "/index.html",
    ):
        async with http.get(desk.url + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'; script-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            if path.startswith("/api"):
                assert answer.headers["Cache-Control"] == "no-store"
            if "nothing" in path or path == "/index.html":
                assert answer.status == 404
                assert "Not Found" in (await answer.json())["error"]


async def test_hostile_text_comes_back_as_data_byte_for_byte(desk: Desk, http: aiohttp.ClientSession) -> None:
    await desk.ring(alert(1, HOSTILE, "p1", subject=HOSTILE, author_name=HOSTILE))
    await listed(http, desk, lambda found: len(found) == 1)
    async with http.get(desk.url + "/api/alert?message_id=m1") as answer:
        assert answer.content_type == "application/json"
        assert "".join(piece for piece, _ in (await answer.json())["parts"]) == HOSTILE


async def test_a_body_of_10_mb_is_refused_with_one_sentence(desk: Desk, http: aiohttp.ClientSession) -> None:
    async def chunked() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 1_000_000

    headers = {**MARK, "Content-Type": "application/json"}
    for body in (b'{"text":"' + b"x" * 10_000_000 + b'"}', chunked()):
        async with http.post(desk.url + "/api/feedback", data=body, headers=headers) as answer:
            assert answer.status == 413
            assert "larger than 2,097,152 bytes" in (await answer.json())["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b"null"])
async def test_a_body_that_is_no_json_object_is_refused(desk: Desk, http: aiohttp.ClientSession, body: bytes) -> None:
    headers = {**MARK, "Content-Type": "application/json"}
    async with http.post(desk.url + "/api/feedback", data=body, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]


async def test_an_unreadable_alert_is_passed_over_and_reported(desk: Desk, http: aiohttp.ClientSession) -> None:
    for value in (b"{", b'{"decision":{}}', b"\xff"):
        await desk.send("priority.p0", value)
    await desk.send("feedback", b"not json")
    await desk.send("model-updates", b"not json")
    await desk.ring(alert(1, "Help", "p1"))
    await listed(http, desk, lambda found: len(found) == 1)
    assert desk.role.failed is None

    async def alarmed() -> bool:
        records = await read_all(desk.settings, "health")
        return any(json.loads(record.value)["code"] == "alert_unreadable" for record in records)

    await until(alarmed, "an alarm")


async def test_without_clickhouse_counts_say_so_and_the_queue_works(desk: Desk, http: aiohttp.ClientSession) -> None:
    for path in ("/api/counts", "/api/rows"):
        async with http.get(desk.url + path) as answer:
            assert answer.status == 503
            assert "ClickHouse (TOCSIN_CLICKHOUSE) does not answer" in (await answer.json())["error"]
    await desk.ring(alert(1, "Help", "p1"))
    await listed(http, desk, lambda found: len(found) == 1)
    assert desk.role.ready


async def test_counts_and_rows_come_from_clickhouse(
    made: Settings, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.clickhouse_front", "--path", str(tmp_path / "engine")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as front:
        try:
            assert front.stdout is not None
            url = f"http://127.0.0.1:{front.stdout.readline().split()[0]}/tocsin"
            async with running(made, url) as desk:
                async with http.get(desk.url + "/api/rows") as answer:
                    assert answer.status == 503  # no tables yet
                sink = Sink(url)
                await sink.ensure_tables()
                now = float(
                    orjson.loads((await sink.query("SELECT toUnixTimestamp(now()) AS now"))[0]["now"].__str__())
                )
                rows = [
                    orjson.dumps({"id": f"d{n}", "priority": priority, "supersedes": supersedes, "received_at": now})
                    for n, (priority, supersedes) in enumerate([("p0", ""), ("p3", ""), ("p3", ""), ("p3", "d1")])
                ]
                await sink.insert("decisions", rows, "a-token")
                counts = await get(http, desk, "/api/counts")
                assert {priority: sum(each) for priority, each in counts["counts"].items()} == {
                    "p0": 1,
                    "p1": 0,
                    "p2": 0,
                    "p3": 2,  # the one that supersedes was counted when it was first decided
                }
                assert all(len(each) == 60 for each in counts["counts"].values())

                async def counted() -> bool:
                    found: dict[str, int] = await get(http, desk, "/api/rows")
                    assert set(found) == set(TABLES.values())
                    return found["decisions"] == 4

                await until(counted, "four rows")
                await sink.close()
        finally:
            front.terminate()


async def test_a_port_in_use_is_named(made: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = made.model_copy(update={"console_port": taken.getsockname()[1]})
        role = Console(settings, HealthReporter(settings, "console@test"))
        with pytest.raises(TocsinError, match="TOCSIN_CONSOLE_PORT"):
            await role.start()
        await role.stop()


async def test_missing_topics_are_named(settings: Settings) -> None:
    health = HealthReporter(settings, "console@test")
    role = Console(settings, health)
    with pytest.raises(TocsinError, match="run `tocsin init`"):
        await role.start()
    await role.stop()


async def test_a_flood_keeps_the_newest_thousand_and_a_slow_page_costs_nothing(
    desk: Desk, http: aiohttp.ClientSession
) -> None:
    async with http.get(desk.url + "/api/events") as slow:  # opened, and not read
        await desk.ring(alert(5000, "The only danger", "p0"))
        rings = [alert(number, f"Message {number}", "p2") for number in range(1, 3001)]
        await desk.burst(rings)
        await until(lambda: desk.role.now()["alerts_read"] == 3001, "all are read")
        found = await listed(http, desk, lambda found: True)
        assert 1000 <= len(found) <= 1100
        assert next(iter(found)) == "m5000"
        assert {"m1", "m2", "m3", "m500"} <= set(found)  # higher numbers are older
        assert slow.status == 200


@pytest.mark.parametrize(
    ("accept", "language"),
    [("fr-CA,fr;q=0.9,en;q=0.8", "fr"), ("en-GB,fr;q=0.9", "en"), ("de", "en"), ("de,fr;q=0.1", "fr"), (";;q=,", "en")],
)
async def test_the_page_speaks_the_browsers_language(
    desk: Desk, http: aiohttp.ClientSession, accept: str, language: str
) -> None:
    async with http.get(desk.url + "/", headers={"Accept-Language": accept}) as answer:
        assert f'<html lang="{language}">' in await answer.text()
