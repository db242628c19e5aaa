"""What the tests of notify share: alerts, a receiver on loopback that answers as it is told, and tools that behave as theirs do.

Owns: those. Must never: use `agents.notify` to judge `agents.notify`.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Self

import msgspec
from aiohttp import web

from schemas.decision import Alert

AT = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def alert(identity: str = "m1", **more: Any) -> Alert:
    """An alert with every field that must be there; `message`, `decision` and others are put over it."""
    customer = more.pop("customer_id", "c1")
    decision = {
        "id": more.pop("decision_id", f"d-{identity}"),
        "message_id": identity,
        "revision": 0,
        "customer_id": customer,
        "conversation_id": "talk",
        "channel": "chat",
        "language": "en",
        "status": "scored",
        "priority": "p1",
        "decided_by": "model",
        "reasons": [],
        "route": "support",
        "automation_allowed": True,
        "model_version": "b@1",
        "policy_version": "default@1",
        "corrected": [],
        "sent_at": "2026-01-01T00:00:00.000Z",
        "received_at": "2026-01-01T00:00:00.000Z",
        "decided_at": "2026-01-01T00:00:00.000Z",
        "source": {"topic": "tocsin.messages", "partition": 0, "offset": 0},
        **more.pop("decision", {}),
    }
    message = {
        "id": identity,
        "customer_id": customer,
        "text": "where is my parcel",
        "author_name": "Ines Kowal",
        **more.pop("message", {}),
    }
    whole = {
        "decision": decision,
        "message": message,
        "why": {"en": "This cannot wait.", "fr": "Cela ne peut pas attendre."},
        "change": "new",
        "group": "g1",
        "late": False,
        **more,
    }
    return msgspec.convert(whole, Alert)


class Served:
    """A server on a free port of loopback, for as long as a test lasts."""

    def __init__(self, handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        app = web.Application(client_max_size=8_000_000)
        app.router.add_route("*", "/{path:.*}", handle)
        self._runner = web.AppRunner(app)
        self.url = ""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


class Receiver(Served):
    """Keeps what it gets. `answers` gives the status for a message's id, one after the other; then 204."""

    def __init__(self) -> None:
        super().__init__(self._take)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: defaultdict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
        self.taken: list[str] = []
        self.shut = False
        self._changed = asyncio.Event()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((headers, body))
        identity = json.loads(body)["message"]["id"]
        queue = self.answers[identity]
        status, told = (503, {}) if self.shut else queue.pop(0) if queue else (204, {})
        if status < 300:
            self.taken.append(identity)
        self._changed.set()
        return web.Response(status=status, headers=told)

    async def until(self, done: Callable[[], bool], what: str) -> None:
        """Waits until something is so; fails after half a minute."""
        async with asyncio.timeout(30):
            while not done():
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), 1.0)
                except TimeoutError:
                    assert len(self.got) < 10_000, what


class Tool(Served):
    """Tickets of all four tools, as each one's interface has them; `calls` are what was asked."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.tags: defaultdict[str, set[str]] = defaultdict(set)
        self.known: dict[str, str] = {}
        self.calls: list[tuple[str, str]] = []
        self.headers: dict[str, str] = {}
        self.objects = False
        self.status = 200

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path, method = request.path, request.method
        self.calls.append((method, path))
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        fields = await request.json() if request.can_read_body else {}
        if self.status != 200:
            return web.json_response({"error": "no"}, status=self.status)
        parts = path.strip("/").split("/")
        if parts[:3] == ["api", "v2", "tickets"]:
            return self._zendesk(method, parts[3], fields)
        if parts[:2] == ["api", "v1"]:
            if method == "POST":
                self.tags[parts[5]] = set(fields["labels"])
            return web.json_response({"payload": sorted(self.tags[parts[5]])})
        if parts[0] == "t":
            return self._discourse(method, parts, fields)
        return self._intercom(method, parts, fields)

    def _zendesk(self, method: str, ticket: str, fields: Any) -> web.StreamResponse:
        if method == "PUT":
            self.tags[ticket] |= set(fields["tags"])
        if method == "DELETE":
            self.tags[ticket] -= set(fields["tags"])
        return web.json_response({"tags": sorted(self.tags[ticket])})

    def _discourse(self, method: str, parts: list[str], fields: Any) -> web.StreamResponse:
        if method == "PUT":
            assert parts[1] == "-"
            self.tags[parts[2].removesuffix(".json")] = set(fields["tags"])
            return web.json_response({"basic_topic": {}})
        names = sorted(self.tags[parts[1].removesuffix(".json")])
        told = [{"id": number, "name": name} for number, name in enumerate(names)] if self.objects else names
        return web.json_response({"id": 1, "tags": told, "post_stream": {"posts": []}})

    def _intercom(self, method: str, parts: list[str], fields: Any) -> web.StreamResponse:
        if parts == ["tags"]:
            identity = self.known.setdefault(fields["name"], str(len(self.known) + 100))
            return web.json_response({"type": "tag", "id": identity, "name": fields["name"]})
        names = {identity: name for name, identity in self.known.items()}
        ticket = parts[1]
        if method == "POST":
            assert fields["admin_id"]
            self.tags[ticket].add(names[fields["id"]])
        if method == "DELETE":
            self.tags[ticket].discard(names[parts[3]])
        if method == "GET":
            for name in self.tags[ticket]:
                self.known.setdefault(name, str(len(self.known) + 100))
            listed = [{"type": "tag", "id": self.known[name], "name": name} for name in sorted(self.tags[ticket])]
            return web.json_response({"type": "conversation", "tags": {"type": "tag.list", "tags": listed}})
        return web.json_response({"type": "tag"})
