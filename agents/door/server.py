"""The door's HTTP server: `/v1/messages` for anybody with a token, `/v1/in/<tool>` for the tools.

Owns: routes, and what each answer means. Must never: answer "accepted" before Kafka has; let a bad message stop a good one;
answer a wrong type with a 500.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

from agents.door.adapters import TOOLS, Adapter, Known, adapter
from agents.door.answers import answer, entry_of, fault_of, later, prepared, refusal
from agents.door.back import Nothing, Out, records
from agents.door.bodies import LINES, MAX_BODY, messages
from agents.door.lookup import Lookup, NoAnswer
from agents.door.mapping import ToolMap, load_map
from agents.door.sending import Busy, Sender, Sent, Unconnected
from agents.door.signatures import Forged, verify
from agents.door.tokens import Tokens, secrets_of
from schemas.base import Invalid
from schemas.reading import json_object
from streams import metrics
from streams.http import listen
from streams.settings import Settings

log = logging.getLogger("tocsin.door")

AGAIN_SECONDS = 5
"""Retry-After where Kafka or ClickHouse is away."""
MOST_REQUESTS = 128
"""Requests at once, before their bodies are read: with bodies of 8 MB at most, memory stays bounded."""
BODY_SECONDS = 30.0
"""Who takes longer to send a body holds a place that others need."""
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Serves one sender.

    Raises:
        TocsinError: the settings or the map file are wrong, or would leave the door open for everybody.
    """

    def __init__(self, settings: Settings, sender: Sender, lookup: Lookup) -> None:
        self._settings = settings
        self._sender = sender
        self._lookup = lookup
        self._tokens = Tokens(settings)
        self._secrets = secrets_of(settings)
        self._maps = load_map(settings.door_map)
        self._adapters: Mapping[str, Adapter] = {tool: adapter(tool) for tool in self._secrets}
        self.counts: dict[str, int] = {}
        self.ready = False
        self._open = 0
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._answered])
        app.on_response_prepare.append(prepared)
        app.add_routes(
            [
                web.post("/v1/messages", self._messages),
                web.post("/v1/in/{tool}", self._in),
                # Intercom asks so whether there is anybody before it sends.
                web.head("/v1/in/{tool}", self._there),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
        self.url = ""

    async def start(self) -> None:
        """Listens.

        Raises:
            TocsinError: the address or the port cannot be used.
        """
        host, port = self._settings.door_host, self._settings.door_port
        self.url = await listen(self._runner, host, port, "DOOR")

    async def stop(self) -> None:
        """Takes no more requests, and lets those under way end."""
        await self._runner.cleanup()

    # --- every request

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turns every error into one sentence; counts how long it took."""
        begun = time.monotonic()
        self._open += 1
        tool = request.match_info.get("tool", "messages")
        name = tool if tool in self._secrets or tool == "messages" else "unknown"
        try:
            if self._open > MOST_REQUESTS:
                raise Busy(f"{MOST_REQUESTS} requests are under way, and no more at once; nothing was taken", 1)
            return await handler(request)
        except Busy as busy:
            self._count(name, "busy")
            status = 503 if isinstance(busy, Unconnected) else 429
            return later(status, str(busy), busy.retry_after)
        except NoAnswer as fault:
            self._count(name, "busy")
            return later(503, str(fault), AGAIN_SECONDS)
        except Invalid as fault:
            self._count(name, fault.code)
            return answer(fault_of(fault), 413 if fault.code == "too_large" else 400)
        except web.HTTPRequestEntityTooLarge:
            self._count(name, "too_large")
            return refusal(413, f"the body is larger than {MAX_BODY:,} bytes; send several smaller ones")
        except web.HTTPException as error:
            return refusal(error.status, f"{request.method} {request.path[:200]}: {error.reason}")
        except web.RequestPayloadError:
            return refusal(400, "the body is not packed as Content-Encoding says")
        except (ConnectionResetError, TimeoutError):
            raise
        except Exception:
            log.exception("%s %s", request.method, request.path)
            return refusal(500, "the door failed on this request; its log says why")
        finally:
            self._open -= 1
            metrics.DOOR_SECONDS.labels(name).observe(time.monotonic() - begun)

    def _count(self, name: str, outcome: str, number: int = 1) -> None:
        metrics.DOOR_RECORDS.labels(name, outcome).inc(number)
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def _room(self) -> None:
        if not self.ready:
            raise Unconnected("the door has not reached Kafka yet; nothing was taken", AGAIN_SECONDS)
        self._sender.room()

    # --- messages

    async def _messages(self, request: web.Request) -> web.Response:
        if not self._tokens.opens(request):
            return self._stranger("messages")
        content = request.content_type
        if content != "application/json" and content not in LINES:
            return refusal(415, "the body must be JSON, with Content-Type application/json or application/x-ndjson")
        self._room()
        found = messages(await _body(request), content, _now())
        return self._told("messages", found, await self._sent("messages", found, request))

    async def _sent(self, name: str, found: Sequence[Out | Nothing | Invalid], request: web.Request) -> list[Sent]:
        outs = [one for one in found if isinstance(one, Out)]
        trace = request.headers.get("traceparent", "")
        sent = await self._sender.send(outs, trace.encode() if _TRACE.fullmatch(trace) else None) if outs else []
        for outcome in {one.outcome for one in sent}:
            self._count(name, outcome, sum(one.outcome == outcome for one in sent))
        return sent

    def _told(self, name: str, found: Sequence[Out | Nothing | Invalid], sent: Sequence[Sent]) -> web.Response:
        """202: at least one is in Kafka. 400: all are bad. 503: Kafka did not confirm one of them, send all again."""
        became = iter(sent)
        entries = [entry_of(one, next(became) if isinstance(one, Out) else None) for one in found]
        for one in found:
            if isinstance(one, Invalid):
                self._count(name, one.code)
            elif isinstance(one, Nothing):
                self._count(name, one.outcome)
        accepted = sum(one.place is not None for one in sent)
        refused = sum(isinstance(one, Invalid) for one in found)
        body = {"accepted": accepted, "refused": refused, "messages" if name == "messages" else "records": entries}
        if accepted < len(sent):
            body["error"] = (
                "Kafka did not confirm everything in time; it may still arrive. Send all of it again: what arrived is not "
                "taken twice"
            )
            unconfirmed = answer(body, 503)
            unconfirmed.headers["Retry-After"] = str(AGAIN_SECONDS)
            return unconfirmed
        if refused == len(found):
            return answer(body, 400)
        return answer(body, 202 if sent else 200)

    def _stranger(self, name: str) -> web.Response:
        self._count(name, "stranger")
        refused = refusal(401, "send one of TOCSIN_DOOR_TOKENS as a bearer token")
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused

    # --- tools

    async def _there(self, request: web.Request) -> web.Response:
        if request.match_info["tool"] not in self._adapters:
            raise web.HTTPNotFound
        return web.Response()

    async def _in(self, request: web.Request) -> web.Response:
        tool = request.match_info["tool"]
        if tool not in self._adapters:
            known = tool in TOOLS
            return refusal(404, f"add {tool} to TOCSIN_DOOR_ADAPTERS" if known else f"adapters are {', '.join(TOOLS)}")
        body = await _body(request)
        refused = self._forged(tool, request, body)
        if refused is not None:
            return refused
        if request.content_type != "application/json":
            return refusal(415, "the body must be JSON, with Content-Type application/json")
        payload = json_object(body)
        if tool == "slack" and payload.get("type") == "url_verification":
            challenge = payload.get("challenge")
            return answer({"challenge": challenge if isinstance(challenge, str) else ""})
        if tool == "discord" and payload.get("type") == 0 and "event" not in payload:
            return web.Response(status=204, content_type="application/json")
        self._room()
        arrived = _now()
        part = self._maps.get(tool, ToolMap(known=Known()))
        told = self._adapters[tool](payload, _event(request), arrived, part.known)
        found = await records(tool, told, part, self._lookup, arrived)
        return self._told(tool, found, await self._sent(tool, found, request))

    def _forged(self, tool: str, request: web.Request, body: bytes) -> web.Response | None:
        secret = self._secrets[tool]
        if tool == "discord" and ("X-Signature-Ed25519" not in request.headers or not secret):
            return None if self._tokens.opens(request) else self._stranger(tool)  # a bot of yours, with our token
        try:
            verify(tool, request.headers, body, secret, time.time())
        except Forged as fault:
            self._count(tool, "forged")
            return refusal(401, str(fault))
        return None


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(reason=f"the body did not come within {BODY_SECONDS:g} s") from None


def _event(request: web.Request) -> str:
    return request.headers.get("X-Discourse-Event", "")


def _now() -> int:
    return time.time_ns() // 1_000_000
