"""How the door puts its answers: JSON, one entry for each record, one sentence for each error.

Owns: their shape. Must never: show a secret.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
from aiohttp import web

from agents.door.back import Nothing, Out
from agents.door.sending import Sent
from schemas.base import Invalid, quoted

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
_FIELD = re.compile(r'field "([^"]{1,200})"')


def entry_of(one: Out | Nothing | Invalid, sent: Sent | None) -> dict[str, Any]:
    """What became of one record."""
    if isinstance(one, Invalid):
        return fault_of(one)
    if isinstance(one, Nothing):
        return {one.outcome: one.reason}
    entry: dict[str, Any] = {"id": one.id}
    if one.topic != "messages":
        entry["topic"] = one.topic
    if sent is None or sent.place is None:
        return {**entry, "error": "unconfirmed"}
    entry |= {"partition": sent.place[0], "offset": sent.place[1]}
    if sent.outcome == "duplicate":
        entry["duplicate"] = True
    if one.corrected:
        entry["corrected"] = list(one.corrected)
    return entry


def fault_of(fault: Invalid) -> dict[str, Any]:
    """The code, the sentence with the mend, and the field where it names one."""
    field = _FIELD.search(fault.detail)
    return {"error": fault.code, "detail": fault.detail} | ({} if field is None else {"field": field[1]})


def answer(value: Any, status: int = 200) -> web.Response:
    """A value as JSON."""
    try:
        body = orjson.dumps(value)
    except orjson.JSONEncodeError:  # a lone surrogate, out of a path
        body = orjson.dumps({"error": quoted(str(value), 500)})
    return web.Response(body=body, status=status, content_type="application/json")


def refusal(status: int, sentence: str) -> web.Response:
    """An error as every client gets it."""
    return answer({"error": sentence}, status)


def later(status: int, sentence: str, seconds: int) -> web.Response:
    """The same, with when to come back."""
    answer = refusal(status, sentence)
    answer.headers["Retry-After"] = str(seconds)
    return answer


async def prepared(request: web.Request, response: web.StreamResponse) -> None:
    """Adds the headers; also to errors."""
    response.headers.update(HEADERS)
