"""The console's HTTP server: the pages, their JSON, their live updates, and the doors for what people say and do.

Owns: routes and their answers. Must never: decide, learn, or write anything but feedback and actions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any, Protocol

from aiohttp import web

from agents.console.around import Around
from agents.console.deed import perform
from agents.console.doors import Doors
from agents.console.entry import Entry
from agents.console.guard import MAX_BODY, Guard, answer, refusal
from agents.console.history import History, NoAnswer
from agents.console.live import CLOSED, HEARTBEAT_SECONDS, Client, Hub
from agents.console.queue import LiveQueue
from agents.console.rules import Rules
from agents.console.signin import SignIn, preferred
from agents.console.trends import Trends
from agents.console.view import brief, detail
from agents.console.word import Outdated, compose
from agents.scoring.policy import Policy
from schemas.base import Invalid, timestamp
from schemas.people import Action, Feedback
from schemas.reading import json_object
from streams.errors import TocsinError
from streams.http import listen
from streams.settings import Settings

_PAGES = {"/": "index.html", "/trends": "trends.html", "/rules": "rules.html"}
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
WRITE_SECONDS = 30.0
"""A page that takes no byte for this long is gone."""


class Ways(Protocol):
    """What the server asks of the role: its ways to Kafka, and what it knows."""

    async def say(self, feedback: Feedback) -> None:
        """Sends it, and returns when it is acknowledged; raises TocsinError where it was not in time."""

    async def act(self, action: Action, partition: int) -> None:
        """As `say`, to the partition of the message that it is about."""

    async def asked_before(self, text: str, but: str) -> dict[str, Any]:
        """What was asked before like a text, but for the message of an id; raises TocsinError."""

    def policy(self) -> Policy | None:
        """The one in force."""

    def document(self) -> str | None:
        """Its text."""

    def now(self) -> dict[str, Any]:
        """What `/api/figures` says."""


class Server:
    """Serves one live queue."""

    def __init__(self, settings: Settings, queue: LiveQueue, hub: Hub, history: History, ways: Ways) -> None:
        self._settings = settings
        self._queue = queue
        self._hub = hub
        self._history = history
        self._around = Around(history)
        self._trends = Trends(history)
        self._ways = ways
        self._doors = Doors(settings)
        guard = Guard(settings.console_host, self._doors)
        app = web.Application(client_max_size=MAX_BODY, middlewares=[guard.check])
        app.on_response_prepare.append(guard.on_prepare)
        self._files = _files()
        app.add_routes(
            [
                *(web.get(path, self._page) for path in _PAGES),
                web.get("/{name:[a-z]+\\.[a-z]+}", self._file),
                web.get("/api/alerts", self._alerts),
                web.get("/api/alert", self._alert),
                web.get("/api/asked-before", self._asked_before),
                web.get("/api/counts", self._counts),
                web.get("/api/rows", self._rows),
                web.get("/api/figures", self._say_figures),
                web.get("/api/events", self._events),
                web.get("/api/around", self._say_around),
                web.get("/api/trends", self._say_trends),
                web.post("/api/feedback", self._feedback),
                web.post("/api/action", self._action),
                *Rules(settings, history, self._doors, ways).routes(),
                *SignIn(self._doors, self._files["signin.html"]).routes(),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self.url = ""

    async def start(self) -> None:
        """Listens.

        Raises:
            TocsinError: the address or the port cannot be used.
        """
        host, port = self._settings.console_host, self._settings.console_port
        self.url = await listen(self._runner, host, port, "CONSOLE")

    async def stop(self) -> None:
        """Frees the port."""
        await self._runner.cleanup()

    # --- the page

    async def _page(self, request: web.Request) -> web.Response:
        language = preferred(request.headers.get("Accept-Language", ""))
        body = self._files[_PAGES[request.path]].replace(
            b'<html lang="en">', b'<html lang="%b">' % language.encode(), 1
        )
        return web.Response(body=body, content_type="text/html", charset="utf-8", headers={"Vary": "Accept-Language"})

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        body = self._files.get(name)
        if body is None or name.endswith(".html"):
            raise web.HTTPNotFound
        return web.Response(body=body, content_type=_TYPES[name.rpartition(".")[2]], charset="utf-8")

    # --- what there is

    async def _alerts(self, request: web.Request) -> web.Response:
        entries = [brief(entry) for entry in self._queue.ordered()]
        now = int(time.time() * 1000)
        return answer({"alerts": entries, "totals": self._queue.totals(), "now": now, "ready": self._hub.ready})

    async def _alert(self, request: web.Request) -> web.Response:
        entry = self._queue.get(request.query.get("message_id", ""))
        if entry is None:
            return refusal(404, "this message is not, or no longer, in the live queue")
        return answer(detail(entry, self._ways.policy()))

    async def _asked_before(self, request: web.Request) -> web.Response:
        """Of a message of the live queue (`message_id`), or of any `text`."""
        message_id, text = request.query.get("message_id", ""), request.query.get("text", "")
        entry = self._queue.get(message_id)
        if entry is None and not text:
            return refusal(404, "this message is not, or no longer, in the live queue; give its words as `text`")
        try:
            return answer(await self._ways.asked_before(text if entry is None else entry.message.text, message_id))
        except TocsinError as error:
            return refusal(503, str(error))

    async def _say_around(self, request: web.Request) -> web.Response:
        entry = self._queue.get(request.query.get("message_id", ""))
        if entry is None:
            return refusal(404, "this message is not, or no longer, in the live queue")
        return await self._told(lambda: self._around.of(entry))

    async def _say_trends(self, request: web.Request) -> web.Response:
        try:
            return await self._told(lambda: self._trends.all(request.query.get("zone", "UTC")))
        except Invalid as fault:
            return refusal(422, fault.detail)

    async def _counts(self, request: web.Request) -> web.Response:
        return await self._told(self._history.counts)

    async def _rows(self, request: web.Request) -> web.Response:
        return await self._told(self._history.rows)

    @staticmethod
    async def _told(ask: Callable[[], Awaitable[dict[str, Any]]]) -> web.Response:
        try:
            return answer(await ask())
        except NoAnswer as error:
            return refusal(503, str(error))

    async def _say_figures(self, request: web.Request) -> web.Response:
        return answer(self._ways.now())

    # --- live

    async def _events(self, request: web.Request) -> web.StreamResponse:
        client = self._hub.join()
        if client is None:
            return refusal(503, "too many pages follow the live queue already; close some")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        try:
            await response.prepare(request)
            await self._write(response, b"retry: 1000\n\n")
            await self._follow(request, client, response)
        except (ConnectionResetError, TimeoutError):
            pass  # the page is gone, or asleep; it asks again when it wakes
        finally:
            self._hub.leave(client)
        return response

    async def _follow(self, request: web.Request, client: Client, response: web.StreamResponse) -> None:
        while True:
            if client.behind:
                # No await between the two: what changes from here on comes in batches.
                snapshot = self._hub.snapshot()
                client.behind = False
                await self._write(response, snapshot)
            batch = await client.take(HEARTBEAT_SECONDS)
            # Whoever signed out, or whose session ended, hears nothing more.
            if batch == CLOSED or self._doors.visitor(request) is None:
                return
            await self._write(response, batch or b": still here\n\n")

    @staticmethod
    async def _write(response: web.StreamResponse, data: bytes) -> None:
        await asyncio.wait_for(response.write(data), WRITE_SECONDS)

    # --- what people say and do

    async def _feedback(self, request: web.Request) -> web.Response:
        try:
            body, entry = await self._about(request, "reviewer")
            feedback = compose(body, entry, timestamp(time.time_ns() // 1_000_000))
            await self._ways.say(feedback)
        except Invalid as fault:
            return refusal(_status(fault), fault.detail)
        except Outdated:
            return refusal(409, "this decision was replaced while you were looking at it; look again")
        except TocsinError as error:
            return refusal(503, str(error))
        return answer({"id": feedback.id, "message_id": feedback.message_id, "kind": feedback.kind}, 201)

    async def _action(self, request: web.Request) -> web.Response:
        try:
            body, entry = await self._about(request, "by")
            if entry is None:
                return refusal(404, "this message is not, or no longer, in the live queue")
            action = perform(body, entry, timestamp(time.time_ns() // 1_000_000))
            await self._ways.act(action, entry.decision.source.partition)
        except Invalid as fault:
            return refusal(_status(fault), fault.detail)
        except TocsinError as error:
            return refusal(503, str(error))
        return answer({"id": action.id, "message_id": action.message_id, "kind": action.kind}, 201)

    async def _about(self, request: web.Request, person: str) -> tuple[dict[str, Any], Entry | None]:
        """A request's body and the message it is about; its `person` is whoever a proxy signed in, whatever the page says."""
        body = json_object(await request.read())
        visitor = self._doors.visitor(request)
        if visitor is not None and visitor.name is not None:
            body[person] = visitor.name
        message_id = body.get("message_id")
        return body, self._queue.get(message_id) if isinstance(message_id, str) else None


def _status(fault: Invalid) -> int:
    return 400 if fault.code in ("no_value", "not_utf8", "not_json", "not_an_object") else 422


def _files() -> dict[str, bytes]:
    folder = resources.files("agents.console") / "static"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in _TYPES}
