"""Targets: the console's server, with a producer that keeps what it is sent.

Promises: every request is answered, never by a 500, always with the headers that forbid framing and inline script; what
is not HTTP is refused; afterwards the next request is answered as ever; what reached the producer is feedback that
learning accepts.
Owns: these checks, and the server, on loopback. Must never: know how a request is handled.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import msgspec
import orjson

from agents.console.history import History, NoAnswer
from agents.console.live import Hub
from agents.console.queue import LiveQueue
from agents.console.server import Server
from agents.scoring.policy import Policy
from schemas.decision import Alert, encode
from schemas.people import Action, Feedback, read_feedback
from streams.errors import TocsinError
from streams.settings import load
from tests.browser.kit import alert
from tests.fuzz.dice import Dice
from tests.fuzz.judging import default_policy
from tests.fuzz.mutate import ODD, RAW
from tests.fuzz.target import Target

SECONDS = 5.0
"""Until an answer to a whole request counts as none."""
IDLE_SECONDS = 0.03
"""Silence after which bytes that are no whole request are given up."""
REQUIRED = (b"content-security-policy", b"x-content-type-options", b"x-frame-options", b"referrer-policy")
METHODS = (
    b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"get", b"G\0T", b"M-SEARCH",
)  # fmt: skip
PATHS = (
    b"/api/feedback", b"/api/alerts", b"/api/alert?message_id=m1", b"/api/alert?message_id=", b"/api/counts", b"/api/rows",
    b"/api/figures", b"/api/events", b"/", b"/app.js", b"/index.html", b"/../settings.py", b"/%2e%2e/x.js", b"//evil.example/",
    b"http://evil.example/api/alerts", b"*", b"/api/", b"/api/alert?message_id=m1&message_id=%00", b"/%ff%fe.js",
    b"/api/alert?%zz", b"/api/action", b"/api/around?message_id=m1", b"/api/trends?zone=../../etc", b"/api/trends", b"/trends",
    b"/rules", b"/api/policy", b"/api/policy/try",
    b"/api/phrases",
)  # fmt: skip
HEADERS = (
    b"Origin: null", b"Origin: http://127.0.0.1:1", b"Sec-Fetch-Site: cross-site",
    b"Accept-Language: fr;q=nan,en;q=1_0", b"Accept-Language: fr-CA;q=1e999", b"Accept-Language: ,;q=;,-", b"Cookie: a=b; c",
    b"Content-Encoding: identity", b"Transfer-Encoding: chunked", b"Expect: 100-continue",
    b"Expect: x", b"Upgrade: websocket", b"Connection: Upgrade", b"Range: bytes=0-", b"If-Modified-Since: x", b"X: \xff\xfe",
    b"Authorization: Bearer x", b"Authorization: Basic ====", b"Authorization: \xff", b"X-Forwarded-User: a\xffb", b"Host: x",
    b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-Host: evil", b"Content-Length: 99", b"Content-Length: -1", b"Content-Type: \xff",
    b"Content-Type: application/json; charset=\xff", b"Content-Type: application/json; charset=utf-7", b"Content-Type: /",
)  # fmt: skip
HOSTS = (
    b"localhost", b"[::1]", b"[::1", b"evil.example", b"127.0.0.1:99999999", b"", b"\xff", b"127.0.0.1.", b"a" * 300, b"@",
    b"[v1.x]",
)  # fmt: skip
KINDS = ("confirm", "correct", "override", "retract", "shout", None)
LABELS: tuple[Any, ...] = (
    {"priority": "p0"}, {"urgency": True}, {"category": "billing", "priority": "p3"}, {}, [], "p0", {"priority": ["p0"]}, None,
)  # fmt: skip
TEXTS = (
    "Smoke comes out of it",
    "<script>alert(1)</script> \U0001f469\u200d\U0001f469\u200d\U0001f467 a pris feu",
    "x" * 100_000,
)


class _Answers:
    """What history answers, and that it may not."""

    def __init__(self) -> None:
        self.away = False

    async def counts(self) -> dict[str, Any]:
        if self.away:
            raise NoAnswer("ClickHouse does not answer")
        return {"counts": []}

    rows = counts

    async def ask(self, question: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        if self.away:
            raise NoAnswer("ClickHouse does not answer")
        assert parameters
        return []

    async def once(self, name: str, ask: Any) -> dict[str, Any]:
        return await self.counts()


class Console:
    """A running console on a loop of its own, with a few alerts, and nobody behind it; `settings` beside the usual."""

    def __init__(self, **settings: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.queue = LiveQueue()
        self.sent: list[Feedback] = []
        self.history = _Answers()
        for number, text in enumerate(TEXTS, 1):
            self.queue.ring(msgspec.convert(alert(number, text, f"p{number - 1}"), Alert))
        hub = Hub(self.queue)
        hub.ready = True
        own = load(console_port=0, console_host="127.0.0.1", kafka="127.0.0.1:1", **settings)
        history = cast(History, self.history)
        self.server = Server(own, self.queue, hub, history, self)
        self.loop.run_until_complete(self.server.start())
        self.port = int(self.server.url.rpartition(":")[2])

    async def asked_before(self, text: str, but: str) -> dict[str, Any]:
        """Nothing like it."""
        return {"found": [], "seconds": len(text + but) * 0.0}

    async def say(self, feedback: Feedback) -> None:
        """As if Kafka took it."""
        if feedback.note == "away":
            raise TocsinError("Kafka did not confirm it in time")
        self.sent.append(feedback)
        self.queue.say(feedback)

    async def act(self, action: Action, partition: int) -> None:
        """As if Kafka took it."""
        assert partition >= 0
        if action.by == "away":
            raise TocsinError("Kafka did not confirm it in time")
        self.queue.act(action)

    def policy(self) -> Policy | None:
        """The default one."""
        return default_policy()

    def document(self) -> str | None:
        """None is published."""
        return None

    def now(self) -> dict[str, Any]:
        """Nothing to count."""
        return {"ready": True}

    def ask(self, raw: bytes, whole: bool) -> bytes:
        """What is answered to these bytes; `whole` ones must be answered in time."""
        return self.loop.run_until_complete(self._ask(raw, whole))

    async def _ask(self, raw: bytes, whole: bool) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        found = b""
        try:
            writer.write(raw)
            while True:
                try:
                    more = await asyncio.wait_for(reader.read(1 << 20), SECONDS if whole else IDLE_SECONDS)
                except TimeoutError:
                    assert not whole, f"no answer within {SECONDS} s to {raw[:300]!r}"
                    break
                except ConnectionResetError:
                    break
                found += more
                if not more or b"text/event-stream" in found[:2_000].lower():
                    break
        finally:
            writer.close()
        return found


@cache
def _console() -> Console:
    return Console()


def checked(answer: bytes, asked: bytes) -> None:
    """Every answer in these bytes has a status that is no failure, and the headers."""
    heads = re.findall(rb"HTTP/(1\.[01]) (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)", answer)
    for version, status, headers in heads:
        # What is not HTTP is refused by aiohttp's parser, in HTTP/1.0 and plain text, before there is a request.
        if status == b"100" or (version, status, b"text/plain" in headers) == (b"1.0", b"400", True):
            continue
        assert status not in (b"500", b"501", b"502"), f"{status.decode()} for {asked[:400]!r}"
        names = {line.partition(b":")[0].lower() for line in headers.split(b"\r\n")}
        missing = [name.decode() for name in REQUIRED if name not in names]
        assert not missing, f"{status.decode()} without {', '.join(missing)} for {asked[:400]!r}"


def request(dice: Dice, port: int, more: Sequence[bytes] = HEADERS) -> bytes:
    """A request that is nearly right; `more` headers may stand in it."""
    method, path = dice.pick(METHODS[:2] * 4 + METHODS), dice.pick(PATHS[:1] * 8 + PATHS)
    if dice.byte() > 200:
        path += dice.chunk(40).translate(None, b"\r\n ")
    host = b"127.0.0.1:%d" % port if dice.byte() < 230 else dice.pick(HOSTS)
    lines = [b"Host: " + host, b"Connection: close"]
    if dice.byte() < 230:
        lines += [b"X-Tocsin-Console: 1", b"Content-Type: application/json"]
    for _ in range(dice.byte() % 3 if dice.byte() > 120 else 0):
        lines.append(dice.pick(more) if dice.byte() < 200 else dice.chunk(40).translate(None, b"\r\n"))
    body = _body(dice) if method == b"POST" or dice.byte() > 240 else b""
    if not any(line.lower().startswith((b"content-length", b"transfer-encoding")) for line in lines):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join((method + b" " + path + b" HTTP/1.1", *lines, b"", body))


def _body(dice: Dice) -> bytes:
    if dice.byte() > 200:
        return dice.pick((b"", b"{}", b"[]", b"null", *RAW, b'{"a":' * 300 + b"1" + b"}" * 300)) + dice.chunk()
    fields: dict[str, Any] = {
        "message_id": dice.pick(("m1", "m2", "m3", "m9")),
        "kind": dice.pick(KINDS),
        "reviewer": "Ana",
    }
    for name in ("labels", "retracts", "decision_id", "note", "customer_id", "text", "language", "reviewer", "channel"):
        if dice.byte() > 110:
            fields[name] = dice.pick(LABELS) if name == "labels" and dice.flag() else _value(dice)
    return orjson.dumps(fields)


def _value(dice: Dice) -> Any:
    return dice.pick((*ODD, "away", "m1", "d1")) if dice.flag() else dice.text(40)


def console(data: bytes) -> None:
    desk, dice = _console(), Dice(data)
    desk.history.away = dice.flag()
    raw = request(dice, desk.port)
    checked(desk.ask(raw, whole(raw)), raw)
    _after(desk)


def whole(raw: bytes) -> bool:
    """Whether a request is all there: a body that was announced and does not come is waited for."""
    waited = re.search(rb"\r\n(content-length: (99|-)|transfer-encoding|expect|upgrade)", raw, re.IGNORECASE)
    return waited is None and raw.count(b"\r\n\r\n") == 1


def console_raw(data: bytes) -> None:
    desk = _console()
    checked(desk.ask(data.replace(b"PORT", b"%d" % desk.port), whole=False), data)
    _after(desk)


def _after(desk: Console) -> None:
    for feedback in desk.sent:
        assert read_feedback(encode(feedback)) == feedback
    desk.sent.clear()
    good = b"GET /api/alerts HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % desk.port
    assert desk.ask(good, whole=True).startswith(b"HTTP/1.1 200 "), "the console does not answer any more"


def choices() -> list[bytes]:
    """Seeds of targets that read bytes as choices."""
    return [bytes([n, *range(n, n + 60)]) for n in range(0, 190, 12)]


def _requests() -> list[bytes]:
    good = b"GET /api/alerts HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n"
    post = b"POST /api/feedback HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX-Tocsin-Console: 1\r\nContent-Type: application/json\r\n"
    body = b'{"message_id": "m1", "kind": "confirm", "reviewer": "Ana"}'
    return [
        good + b"\r\n",
        good + b"Connection: close\r\n\r\n" + good + b"\r\n",
        good + b"X: " + b"a" * 9_000 + b"\r\n\r\n",
        good + b"X: 1\r\n" * 200 + b"\r\n",
        post + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        post + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\r\n\r\n",
    ]


TARGETS = [
    Target("console", console, made=choices, largest=800),
    Target("console-raw", console_raw, made=_requests, largest=20_000),
]
