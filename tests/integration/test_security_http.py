"""The console and the worker's port for those who may, and for those who may not: over HTTP, on real Kafka."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from agents.console.doors import COOKIE, FORM_COOKIE, TRIES
from schemas.people import read_feedback
from streams.http import HealthServer
from streams.settings import Settings
from tests.browser.kit import Desk, alert, running, until
from tests.harness import Worker, read_all, tocsin

pytestmark = pytest.mark.integration

TOKEN = "token-of-the-console-7c1f"
HTTP_TOKEN = "token-of-the-metrics-91ab"
MARK = {"X-Tocsin-Console": "1"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
API = ("/api/alerts", "/api/alert?message_id=m1", "/api/counts", "/api/rows", "/api/figures", "/api/events", "/api/me")
WORD = {"kind": "correct", "message_id": "m", "customer_id": "c", "text": "some words", "labels": {"spam": True}}
command: Any = tocsin
worker_of: Any = Worker
"""Any: settings out of a dict would be checked against their other keywords."""


def guarded(settings: Settings, **more: Any) -> Settings:
    return settings.model_copy(update={"console_token": SecretStr(TOKEN), **more})


@pytest.fixture
async def desk(made: Settings) -> AsyncIterator[Desk]:
    async with running(guarded(made)) as desk:
        yield desk


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    """Keeps cookies for an address without a name, as browsers do."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


@pytest.fixture
async def program() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def form_of(browser: aiohttp.ClientSession, desk: Desk) -> str:
    async with browser.get(desk.url + "/sign-in") as answer:
        found = re.search(r'name="form" value="([^"]+)"', await answer.text())
    assert found is not None
    return found[1]


async def sign_in(
    browser: aiohttp.ClientSession, desk: Desk, token: str = TOKEN, form: str | None = None, **headers: str
) -> tuple[int, str, Any]:
    """(status, page, headers) of the filled-in form."""
    data = {"token": token, "form": await form_of(browser, desk) if form is None else form}
    async with browser.post(desk.url + "/sign-in", data=data, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text(), answer.headers


async def status(session: aiohttp.ClientSession, url: str, **headers: str) -> int:
    async with session.get(url, headers=headers, allow_redirects=False) as answer:
        return answer.status


# --- what listens for everybody


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"TOCSIN_CONSOLE_HOST": "0.0.0.0"}, "TOCSIN_CONSOLE_TOKEN or TOCSIN_CONSOLE_PROXY_HEADER"),
        ({"TOCSIN_HTTP_HOST": "0.0.0.0"}, "set TOCSIN_HTTP_TOKEN"),
        ({"TOCSIN_CONSOLE_HOST": "0.0.0.0", "TOCSIN_CONSOLE_PROXY_HEADER": "X-User"}, "TOCSIN_CONSOLE_PROXY_ADDRESSES"),
        ({"TOCSIN_CONSOLE_TOKEN": "too-short"}, "setting TOCSIN_CONSOLE_TOKEN: a token needs at least 16 characters"),
    ],
)
async def test_a_worker_that_would_be_open_to_everybody_does_not_start(
    made: Settings, given: dict[str, str], named: str
) -> None:
    done = await asyncio.to_thread(command, made, "worker", "console", TOCSIN_HTTP_PORT="0", **given)
    assert done.returncode == 1
    last = done.stderr.decode().strip().splitlines()[-1]
    assert last.startswith("tocsin: ")
    assert named in last
    assert b"Traceback" not in done.stderr
    assert b"too-short" not in done.stderr


# --- tokens and sessions


async def test_strangers_get_nothing_but_the_way_in(desk: Desk, program: aiohttp.ClientSession) -> None:
    for path in API:
        async with program.get(desk.url + path) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert list(await answer.json()) == ["error"]
    async with program.post(desk.url + "/api/feedback", json=WORD, headers=MARK) as answer:
        assert answer.status == 401
    async with program.get(desk.url + "/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/sign-in")
        assert answer.headers["X-Frame-Options"] == "DENY"
    # A link from another site brings no cookie along: the empty page comes, and asks again by itself.
    assert await status(program, desk.url + "/", **{"Sec-Fetch-Site": "cross-site"}) == 200
    assert await read_all(desk.settings, "feedback") == []


async def test_a_program_bears_the_token(desk: Desk, program: aiohttp.ClientSession) -> None:
    for path in ("/api/alerts", "/api/figures", "/api/me", "/"):
        assert await status(program, desk.url + path, **BEARER) == 200
        assert await status(program, desk.url + path, Authorization="Bearer wrong") in (401, 303)
    async with program.post(desk.url + "/api/feedback", json={**WORD, "reviewer": "crm"}, headers=BEARER) as answer:
        assert answer.status == 201, await answer.text()


async def test_people_sign_in_with_a_form_and_out_again(desk: Desk, browser: aiohttp.ClientSession) -> None:
    code, _, headers = await sign_in(browser, desk, Origin=desk.url)
    assert (code, headers["Location"]) == (303, "/")
    (cookie,) = [one for one in headers.getall("Set-Cookie") if one.startswith(COOKIE)]
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"):
        assert attribute in cookie
    assert "Secure" not in cookie  # http on loopback
    assert TOKEN not in cookie
    assert await status(browser, desk.url + "/") == 200
    assert await status(browser, desk.url + "/sign-in") == 303
    async with browser.get(desk.url + "/api/me") as answer:
        assert await answer.json() == {"name": None, "signs_out": True}
    # A session is no pass for other sites' pages.
    async with browser.post(desk.url + "/api/feedback", json={**WORD, "reviewer": "Ana"}) as answer:
        assert answer.status == 403
    async with browser.post(desk.url + "/api/feedback", json={**WORD, "reviewer": "Ana"}, headers=MARK) as answer:
        assert answer.status == 201
    async with browser.post(desk.url + "/api/sign-out", json={}) as answer:
        assert answer.status == 403
    stolen = {one.key: one.value for one in browser.cookie_jar}
    async with browser.get(desk.url + "/api/events") as stream:
        await stream.content.readline()
        async with browser.post(desk.url + "/api/sign-out", json={}, headers=MARK) as answer:
            assert answer.status == 200
        await desk.ring(alert(1, "Help", "p1"))
        async with asyncio.timeout(20):
            heard = b"".join([line async for line in stream.content])  # to its end
    assert b'"m1"' not in heard
    assert await status(browser, desk.url + "/api/alerts") == 401
    async with aiohttp.ClientSession(cookies=stolen) as thief:
        assert await status(thief, desk.url + "/api/alerts") == 401


async def test_a_form_that_another_site_could_send_does_not_sign_in(
    desk: Desk, browser: aiohttp.ClientSession, program: aiohttp.ClientSession
) -> None:
    form = await form_of(browser, desk)
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
    ):
        assert (await sign_in(browser, desk, form=form, **headers))[0] == 403
    assert (await sign_in(browser, desk, form=await form_of(program, desk)))[0] == 403  # not that of the cookie
    assert (await sign_in(program, desk, form=form))[0] == 403  # no cookie
    assert (await sign_in(browser, desk, form=""))[0] == 403
    async with browser.post(desk.url + "/sign-in", json={"token": TOKEN}) as answer:
        assert answer.status == 415
    async with browser.post(desk.url + "/sign-in", data={"token": TOKEN, "form": "x" * 5000}) as answer:
        assert answer.status == 413
    assert COOKIE not in {one.key for one in browser.cookie_jar}


async def test_wrong_tries_have_to_wait_and_are_not_echoed(
    desk: Desk, browser: aiohttp.ClientSession, program: aiohttp.ClientSession
) -> None:
    for number in range(TRIES):
        code, page, _ = await sign_in(browser, desk, f"wrong-{number}-<b>")
        assert code == (429 if number == TRIES - 1 else 401)
        assert "wrong-" not in page
    code, page, headers = await sign_in(browser, desk, **{"Accept-Language": "fr"})
    assert code == 429
    assert 0 < int(headers["Retry-After"]) <= 60
    assert "Veuillez attendre" in page
    async with program.get(desk.url + "/api/alerts", headers=BEARER) as answer:
        assert answer.status == 429
        assert "wait" in (await answer.json())["error"]


async def test_the_sign_in_page_speaks_both_languages_and_holds_no_script(
    desk: Desk, program: aiohttp.ClientSession
) -> None:
    for query, accept, language, word in (
        ("", "fr-CA,en;q=0.5", "fr", "Se connecter"),
        ("", "en-GB", "en", "Sign in"),
        ("?lang=fr", "en", "fr", "Jeton"),
        ("?lang=xx", "en", "en", "Token"),
    ):
        async with program.get(desk.url + "/sign-in" + query, headers={"Accept-Language": accept}) as answer:
            page = await answer.text()
            policy = answer.headers["Content-Security-Policy"]
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Referrer-Policy"] == "same-origin"
        assert f'<html lang="{language}">' in page
        assert word in page
        assert "$" not in page
        assert "form-action 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script|<style|\son\w+=|\sstyle=", page)
    assert await status(program, desk.url + "/signin.html") == 404


# --- a proxy that names the person


async def test_the_proxys_person_is_the_reviewer_whatever_the_page_says(
    made: Settings, program: aiohttp.ClientSession
) -> None:
    behind = {"console_proxy_header": "X-Forwarded-User", "console_proxy_addresses": "127.0.0.1"}
    async with running(made.model_copy(update=behind)) as desk:
        ana = {**MARK, "X-Forwarded-User": "Ana"}
        async with program.get(desk.url + "/api/me", headers=ana) as answer:
            assert await answer.json() == {"name": "Ana", "signs_out": False}
        async with program.post(desk.url + "/api/feedback", json={**WORD, "reviewer": "Root"}, headers=ana) as answer:
            assert answer.status == 201, await answer.text()
        (record,) = await read_all(desk.settings, "feedback")
        assert read_feedback(record.value).reviewer == "Ana"
        async with program.get(desk.url + "/") as answer:
            assert answer.status == 401
            assert "reverse proxy" in (await answer.json())["error"]
        assert await status(program, desk.url + "/api/alerts", **{"X-User": "Ana"}) == 401
        assert await status(program, desk.url + "/sign-in") == 404


async def test_the_header_from_anybody_else_is_not_believed(made: Settings, program: aiohttp.ClientSession) -> None:
    behind = {"console_proxy_header": "X-Forwarded-User", "console_proxy_addresses": "10.0.0.0/8"}
    async with running(made.model_copy(update=behind)) as desk:
        spoofed = {**MARK, "X-Forwarded-User": "Ana", "X-Forwarded-For": "10.0.0.1"}
        assert await status(program, desk.url + "/api/alerts", **spoofed) == 401
        async with program.post(
            desk.url + "/api/feedback", json={**WORD, "reviewer": "Ana"}, headers=spoofed
        ) as answer:
            assert answer.status == 401
        assert await read_all(desk.settings, "feedback") == []


async def test_behind_a_proxy_its_public_name_is_answered_and_cookies_are_secure(
    made: Settings, browser: aiohttp.ClientSession, program: aiohttp.ClientSession
) -> None:
    public = guarded(made, console_public="https://tocsin.example")
    async with running(public) as desk:
        own = {"Host": "tocsin.example", "Origin": "https://tocsin.example", "Sec-Fetch-Site": "same-origin"}
        assert await status(program, desk.url + "/sign-in", Host="tocsin.example") == 200
        assert await status(program, desk.url + "/sign-in", Host="other.example") == 403
        async with program.get(desk.url + "/sign-in", headers={"Host": "tocsin.example"}) as answer:
            page, cookie = await answer.text(), answer.cookies[FORM_COOKIE].value
            assert answer.cookies[FORM_COOKIE]["secure"]
        found = re.search(r'name="form" value="([^"]+)"', page)
        assert found is not None
        for headers in (own, {**own, "Host": desk.url.partition("//")[2]}):  # proxies pass the name on, or do not
            data = {"token": TOKEN, "form": found[1]}
            headers = {**headers, "Cookie": f"{FORM_COOKIE}={cookie}"}
            async with program.post(desk.url + "/sign-in", data=data, headers=headers, allow_redirects=False) as answer:
                assert answer.status == 303
                assert answer.cookies[COOKIE]["secure"]
        headers = {**headers, "Origin": "http://tocsin.example"}
        async with program.post(desk.url + "/sign-in", data=data, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 403


# --- the worker's own port


@contextmanager
def health(settings: Settings) -> Iterator[int]:
    server = HealthServer(settings, lambda: {"ok": True, "roles": ["x"]}, lambda: {"ok": False, "roles": {"x": False}})
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def asked(port: int, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def test_metrics_and_details_need_the_token_and_probes_do_not(settings: Settings) -> None:
    with health(settings.model_copy(update={"http_token": SecretStr(HTTP_TOKEN)})) as port:
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": HTTP_TOKEN}):
            code, body, headers = asked(port, "/metrics", **header)
            assert code == 401
            assert b"tocsin_" not in body
            assert headers["WWW-Authenticate"] == "Bearer"
            assert asked(port, "/healthz", **header)[:2] == (200, b'{"ok":true}\n')
            assert asked(port, "/readyz", **header)[:2] == (503, b'{"ok":false}\n')
        bearer = {"Authorization": f"Bearer {HTTP_TOKEN}"}
        assert b"tocsin_" in asked(port, "/metrics", **bearer)[1]
        assert json.loads(asked(port, "/readyz", **bearer)[1])["roles"] == {"x": False}
        for path in ("/metrics", "/healthz", "/nothing"):
            headers = asked(port, path)[2]
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Cache-Control"] == "no-store"


def test_on_loopback_without_a_token_all_is_told(settings: Settings) -> None:
    with health(settings) as port:
        assert asked(port, "/metrics")[0] == 200
        assert json.loads(asked(port, "/healthz")[1])["roles"] == ["x"]


# --- secrets


@pytest.mark.timeout(400)
async def test_no_secret_is_in_a_log_a_metric_an_answer_or_a_health_record(made: Settings, tmp_path: Any) -> None:
    hush = {
        "TOCSIN_KAFKA_PASSWORD": "hush-kafka-password",
        "TOCSIN_KAFKA_KEY_PASSWORD": "hush-kafka-key",
        "TOCSIN_CLICKHOUSE": "https://hush-user:hush-clickhouse%2Fpassword@127.0.0.1:1/tocsin",
        "TOCSIN_CONSOLE_TOKEN": "hush-console-token-0001",
        "TOCSIN_HTTP_TOKEN": "hush-http-token-0001",
        "TOCSIN_LOG_LEVEL": "debug",
    }
    init = await asyncio.to_thread(tocsin, made, "init")
    assert init.returncode == 0, init.stderr
    secrets = ("hush-kafka", "hush-clickhouse", "hush-console", "hush-http")
    worker = await asyncio.to_thread(worker_of, made, "triage", "record", "console", folder=tmp_path, **hush)
    try:
        address = re.search(r"console on (http://[0-9.:]+)", worker.text())
        assert address is not None
        told = []
        async with aiohttp.ClientSession() as session:
            for url in (
                *(f"http://127.0.0.1:{worker.port}{path}" for path in ("/metrics", "/readyz", "/healthz", "/x")),
                *(address[1] + path for path in (*API[:-2], "/", "/sign-in", "/nothing", "/api/nothing")),
            ):
                for headers in (
                    {},
                    {"Authorization": f"Bearer {hush['TOCSIN_HTTP_TOKEN']}"},
                    {"Authorization": f"Bearer {hush['TOCSIN_CONSOLE_TOKEN']}"},
                ):
                    async with session.get(url, headers=headers) as answer:
                        told.append(f"{answer.status} {answer.headers} {await answer.text()}")
        assert any("tocsin_" in each for each in told)

        async def alarmed() -> bool:  # ClickHouse is away, and the recorder says so
            return any(b"clickhouse_away" in record.value for record in await read_all(made, "health"))

        await until(alarmed, "an alarm of ClickHouse")
        told += [record.value.decode() for record in await read_all(made, "health")]
    finally:
        await asyncio.to_thread(worker.stop)
    told.append(worker.text())
    for arguments, more in (
        (("settings",), {}),
        (("settings", "--plain"), {}),
        (("init",), {}),
        (("init",), {"TOCSIN_CLICKHOUSE": "http://user:hush-clickhouse/x@127.0.0.1:1/tocsin"}),
        (("settings",), {"TOCSIN_CLICKHOUSE": "http://user:hush-clickhouse/x@127.0.0.1:1/tocsin"}),
        (("init",), {"TOCSIN_CLICKHOUSE": "hush-clickhouse"}),
        (("settings",), {"TOCSIN_CLICKHOUSE": "http://user:hush-clickhouse"}),
        (("init",), {"TOCSIN_KAFKA_SECURITY": "SASL_PLAINTEXT"}),
        (("settings",), {"TOCSIN_HTTP_TOKEN": "hush-http"}),
        (("worker", "triage"), {"TOCSIN_HTTP_HOST": "no.such.host.invalid", "TOCSIN_HTTP_PORT": "0"}),
    ):
        done = await asyncio.to_thread(command, made, *arguments, **{**hush, **more})
        told.append(f"{arguments} {more}"[:20] + (done.stdout + done.stderr).decode())
        assert done.returncode in (0, 1)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
    for each in told:
        for secret in secrets:
            assert secret not in each, each
