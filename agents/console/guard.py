"""What a request must look like before anything is done for it, and the headers that every answer carries.

`doors` says who may come in. These checks keep other web sites, open in the same browser, from acting in its user's place
(cross-site requests, DNS rebinding, framing).
Owns: those checks. Must never: let an error out that is not one JSON sentence.
"""

from __future__ import annotations

import ipaddress
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from agents.console.doors import Doors, bearing
from agents.console.signin import MAX_FIELDS, PATH
from streams.http import loopback

log = logging.getLogger("tocsin.console")

MAX_BODY = 2 << 20
"""Bytes of a request's body: a text of 100,000 characters, each escaped in JSON, and what stands around it."""
MARK = "X-Tocsin-Console"
"""A header of our own: no other site's page can send it without asking first, and the answer to that is no."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SIGN_IN_HEADERS = {
    # A form may be sent from there, and only home; with no-referrer a browser would send it from nowhere.
    "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'"),
    "Referrer-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusal(status: int, sentence: str) -> web.Response:
    """An error as every client gets it."""
    return web.Response(body=orjson.dumps({"error": sentence}), status=status, content_type="application/json")


def answer(value: Any, status: int = 200) -> web.Response:
    """A value as JSON."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


class Guard:
    """Checks every request.

    Args:
        host: the address that the console listens on.
    """

    def __init__(self, host: str, doors: Doors) -> None:
        self._host = host.lower()
        self._local = loopback(host)
        self._doors = doors

    async def on_prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        """Adds the headers; also to errors and streams."""
        response.headers.update(HEADERS)
        if request.path == PATH:
            response.headers.update(SIGN_IN_HEADERS)
        if request.path.startswith("/api/"):
            response.headers["Cache-Control"] = "no-store"
        else:
            response.headers.setdefault("Cache-Control", "no-cache")

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuses, or hands on; turns every error into one sentence."""
        try:
            refused = self._refused(request) or self._stranger(request)
            return refused if refused is not None else await handler(request)
        except web.HTTPRequestEntityTooLarge:
            return refusal(413, f"the body is larger than {MAX_BODY:,} bytes; texts are kept to 100,000 characters")
        except web.HTTPRedirection:
            raise
        except web.HTTPException as error:
            return refusal(error.status, f"{request.method} {request.path[:200]}: {error.reason}")
        except web.RequestPayloadError:
            return refusal(400, "the body is not packed as Content-Encoding says")
        except (ConnectionResetError, TimeoutError):
            raise
        except Exception:
            log.exception("%s %s", request.method, request.path)
            return refusal(500, "the console failed on this request; its log says why")

    def _refused(self, request: web.Request) -> web.Response | None:
        host = request.headers.get("Host", "")
        if not self._own(host):
            return refusal(403, f"the console does not answer to the host name {host[:100]!r}; use its address")
        form = request.path == PATH and request.method == "POST"
        if not form and not request.path.startswith("/api/"):
            return None
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return refusal(403, "requests from other sites are refused")
        if request.method in ("GET", "HEAD"):
            return None
        origin = request.headers.get("Origin")
        if origin is not None and _place(origin) != host.lower() and not self._doors.is_public(origin):
            return refusal(
                403,
                "requests from other sites are refused: Origin is not this console's; behind a proxy, set "
                "TOCSIN_CONSOLE_PUBLIC",
            )
        if form:
            if request.content_type != "application/x-www-form-urlencoded":
                return refusal(415, "the body must be a form")
            return self._too_large(request, MAX_FIELDS)
        if request.headers.get(MARK) != "1" and not bearing(request):
            return refusal(403, f"requests from other sites are refused: the header {MARK}: 1 is missing")
        if request.content_type != "application/json":
            return refusal(415, "the body must be JSON, with Content-Type: application/json")
        return self._too_large(request, MAX_BODY)

    @staticmethod
    def _too_large(request: web.Request, most: int) -> None:
        if (request.content_length or 0) > most:
            raise web.HTTPRequestEntityTooLarge(most, request.content_length or 0)

    def _stranger(self, request: web.Request) -> web.Response | None:
        """The answer to a stranger; the page's files and the sign-in page are for all."""
        page = request.path == "/"
        if not page and not request.path.startswith("/api/"):
            return None
        if self._doors.visitor(request) is not None:
            return None
        if not self._doors.signs_in:
            return refusal(401, "the console is reached through its reverse proxy, which signs you in")
        if page:
            # A link from another site brings no cookie along: the page itself asks again, and is sent on if need be.
            if request.headers.get("Sec-Fetch-Site") == "cross-site":
                return None
            raise web.HTTPSeeOther(PATH)
        wait = self._doors.must_wait(request) if bearing(request) else 0.0
        if wait:
            refused = refusal(429, f"too many wrong tokens from this address; wait {math.ceil(wait)} s")
            refused.headers["Retry-After"] = str(math.ceil(wait))
            return refused
        refused = refusal(401, "sign in first, or send the token as a bearer token")
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused

    def _own(self, header: str) -> bool:
        """A name that another site made point here (DNS rebinding) is not ours; a bare address cannot be such a name."""
        try:
            name = (urlsplit(f"//{header}").hostname or "").lower()
        except ValueError:
            return False
        if name in ("localhost", self._host) or name in self._doors.public_names:
            return True
        return _address(name, "is_loopback") or (not self._local and _address(name))


def _place(origin: str) -> str | None:
    """Host and port of an Origin header; None where it is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _address(name: str, kind: str | None = None) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return kind is None or bool(getattr(address, kind))
