"""The page of rules: the policy in force, how often each phrase rang and was right, and a change: tried on the past, then saved.

Owns: that page's questions, and that nothing is saved which was not tried. Must never: let two tries run at once, or a try hold
up the queue.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from importlib.resources import files
from typing import Any, Protocol

from aiohttp import web

from agents import policies, rerun
from agents.console.doors import Doors
from agents.console.guard import answer, refusal
from agents.console.history import History, NoAnswer
from agents.handout import learned_model
from agents.scoring.policy import MAX_BYTES, Policy, PolicyError, parse
from schemas.base import Invalid
from schemas.reading import json_object
from streams.errors import TocsinError
from streams.settings import Settings

DAYS = (1, 7)
TRY_SECONDS = 120.0
"""For one try; then what was read by then is told, and that it is not all."""
_BREATH = 20
"""Messages judged between two looks at what else the console has to do."""
_Z = 1.96
MOST_TRIED = 50
PHRASES = (files("deploy") / "clickhouse" / "queries" / "phrases.sql").read_text("utf-8")
"""How often each phrase rang, as customers wrote it."""


class Ways(Protocol):
    """What it asks of the role."""

    def policy(self) -> Policy | None:
        """The one in force."""

    def document(self) -> str | None:
        """Its text."""


class Rules:
    """The handlers."""

    def __init__(self, settings: Settings, history: History, doors: Doors, ways: Ways) -> None:
        self._settings = settings
        self._history = history
        self._doors = doors
        self._ways = ways
        self._tried: dict[str, None] = {}
        self._trying = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """What the console serves of it."""
        return [
            web.get("/api/policy", self._show),
            web.get("/api/phrases", self._rang),
            web.post("/api/policy/try", self._try),
            web.post("/api/policy", self._save),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        policy, document = self._ways.policy(), self._ways.document()
        if policy is None or document is None:
            return refusal(404, "no policy is published under the name that TOCSIN_POLICY gives; run `tocsin init`")
        floors = [
            {"name": floor.name, "priority": floor.priority, "route": floor.route, "phrases": len(floor.phrases),
             "why": {"en": floor.why.en, "fr": floor.why.fr}}
            for floor in policy.floors
        ]  # fmt: skip
        told = {"name": policy.name, "version": policy.version, "owner": policy.owner, "document": document}
        return answer({**told, "floors": floors, "may_save": self._settings.console_policy})

    async def _rang(self, request: web.Request) -> web.Response:
        """By phrase, as customers wrote it: rings of 28 days, how many of those somebody judged, how many of these were right."""
        try:
            return answer(await self._history.once("phrases", self._ask))
        except NoAnswer as error:
            return refusal(503, str(error))

    async def _ask(self) -> dict[str, Any]:
        found = await self._history.rows_of(PHRASES, {})
        return {"phrases": [{**row, "between": between(int(row["right"]), int(row["judged"]))} for row in found]}

    # --- a change

    async def _try(self, request: web.Request) -> web.Response:
        """`document`, `days` (1 or 7): what would have rung otherwise; 422 with the line where it is broken."""
        try:
            body = json_object(await request.read())
            document, days = _document(body), body.get("days", DAYS[-1])
            if days not in DAYS:
                raise Invalid("out_of_bounds", f'field "days" must be one of {", ".join(map(str, DAYS))}')
            if self._trying.locked():
                return refusal(409, "somebody is trying a change already; wait until that is through")
            async with self._trying:
                found = await self._differences(document, days)
        except (Invalid, PolicyError, TocsinError) as fault:
            return _refused(fault)
        self._tried[_digest(document)] = None
        for old in list(self._tried)[:-MOST_TRIED]:
            del self._tried[old]
        return answer(found)

    async def _differences(self, document: str, days: int) -> dict[str, Any]:
        after = await asyncio.to_thread(parse, document)
        before = self._ways.policy()
        if before is None:
            raise TocsinError("no policy is in force to compare with; run `tocsin init`")
        model = await learned_model(self._settings)
        people = await rerun.peoples_word(self._settings, days)
        one = await asyncio.to_thread(rerun.Rerun, before, after, model, people)
        until, whole, last = time.monotonic() + TRY_SECONDS, True, None
        async for incoming, at in rerun.of_kafka(self._settings, days):
            one.take(incoming, at)
            last = at
            if one.found.messages % _BREATH == 0:
                await asyncio.sleep(0)
                if time.monotonic() > until:
                    whole = False
                    break
        return {**one.found.as_json(), "version": after.version, "whole": whole, "until": last}

    async def _save(self, request: web.Request) -> web.Response:
        """`document`, `reason`, `by`, `base` (the version that it was made from)."""
        if not self._settings.console_policy:
            return refusal(403, "policies are not saved here (TOCSIN_CONSOLE_POLICY); use `tocsin policy push`")
        try:
            body = json_object(await request.read())
            document = _document(body)
            visitor = self._doors.visitor(request)
            by = visitor.name if visitor is not None and visitor.name is not None else body.get("by")
            for name, value in (("by", by), ("reason", body.get("reason"))):
                if not isinstance(value, str) or not 0 < len(value.strip()) <= 300:
                    raise Invalid("missing_field", f'field "{name}" must say something, in at most 300 characters')
            now, after = self._ways.policy(), await asyncio.to_thread(parse, document)
            if now is None or body.get("base") != now.version:
                return refusal(409, "somebody saved another policy meanwhile; look at it, and make your change there")
            if after.name != now.name:
                raise Invalid(
                    "out_of_bounds", f'the policy is named "{after.name}", must stay "{now.name}", the one in force'
                )
            if _digest(document) not in self._tried:
                raise Invalid("out_of_bounds", "try the change first: it was not run over the past as it stands now")
            await policies.push(self._settings, document, " ".join(str(by).split()), str(body["reason"]).strip())
        except (Invalid, PolicyError, TocsinError) as fault:
            return _refused(fault)
        return answer({"version": after.version}, 201)


def between(right: int, judged: int) -> list[float] | None:
    """The 95 % interval (Wilson) of a share; None where nothing was judged."""
    if judged == 0:
        return None
    share, square = right / judged, _Z * _Z
    middle, wide = (
        share + square / (2 * judged),
        _Z * math.sqrt(share * (1 - share) / judged + square / (4 * judged**2)),
    )
    return [max((middle - wide) / (1 + square / judged), 0.0), min((middle + wide) / (1 + square / judged), 1.0)]


def _document(body: dict[str, Any]) -> str:
    document = body.get("document")
    if not isinstance(document, str) or not document.strip():
        raise Invalid("missing_field", 'field "document" must be the policy\'s text')
    if len(document.encode()) > MAX_BYTES:
        raise Invalid("too_large", f"the policy is larger than {MAX_BYTES:,} bytes")
    return document


def _digest(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


def _refused(fault: Invalid | PolicyError | TocsinError) -> web.Response:
    if isinstance(fault, PolicyError):
        return answer({"error": str(fault), "line": fault.line}, 422)
    return refusal(503, str(fault)) if isinstance(fault, TocsinError) else refusal(422, fault.detail)
