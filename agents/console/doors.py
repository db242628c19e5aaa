"""Who may come in: a token that people sign in with and programs bear, or a reverse proxy that names the person.

Without either the console is for this machine alone, and everybody on it may read and decide.
Owns: sessions, wrong tries, whom a proxy is believed about. Must never: log or show a token; believe a header from an
address that was not named; tell by its time how much of a token was right.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from streams.errors import TocsinError
from streams.http import bears, loopback
from streams.settings import Settings

SESSION_SECONDS = 12 * 3600
"""A working day and its evening."""
FORM_SECONDS = 3600
TRIES, TRIES_SECONDS = 5, 60.0
"""Wrong tokens from one address (IPv6: from one /64) in a minute, before it has to wait."""
ADDRESSES = 10_000
"""Addresses whose wrong tries are remembered."""
COOKIE, FORM_COOKIE = "tocsin_session", "tocsin_form"
MAX_NAME = 100
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks.

    Attributes:
        name: the person, where a proxy said so; else None, and the page asks for a name.
        by: `open` (no door), `session`, `bearer`, `proxy`.
    """

    name: str | None
    by: str


class Doors:
    """Lets in, or does not.

    Args:
        clock: seconds since 1970.

    Raises:
        TocsinError: the settings would leave the console open beyond this machine, or contradict each other.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._token = None if settings.console_token is None else settings.console_token.get_secret_value()
        self._header = settings.console_proxy_header
        self._proxies = _networks(settings.console_proxy_addresses)
        self._clock = clock
        self._public = _public(settings.console_public)
        self._ended: OrderedDict[str, float] = OrderedDict()
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()
        # Cookies are signed with what only holders of the token can know: they outlive this process, not the token.
        self._key = hmac.digest((self._token or secrets.token_hex()).encode(), b"tocsin/console/1", "sha256")
        if self._header is not None:
            if not _HEADER.fullmatch(self._header):
                raise TocsinError("TOCSIN_CONSOLE_PROXY_HEADER must be a header's name, such as X-Forwarded-User")
            if not self._proxies:
                raise TocsinError(
                    "TOCSIN_CONSOLE_PROXY_HEADER is set without TOCSIN_CONSOLE_PROXY_ADDRESSES: name the addresses from "
                    "which it is believed, else everybody could be anybody"
                )
        elif self._token is None and not loopback(settings.console_host):
            raise TocsinError(
                f"the console would listen on {settings.console_host!r} (TOCSIN_CONSOLE_HOST) for everybody: set "
                "TOCSIN_CONSOLE_TOKEN or TOCSIN_CONSOLE_PROXY_HEADER, or listen on 127.0.0.1"
            )

    @property
    def open(self) -> bool:
        """Whether there is no door at all."""
        return self._token is None and self._header is None

    @property
    def signs_in(self) -> bool:
        """Whether people can sign in with a token."""
        return self._token is not None

    @property
    def public_names(self) -> frozenset[str]:
        """Host names that browsers know a console behind a proxy by."""
        return frozenset(public.hostname or "" for public in self._public)

    def is_public(self, origin: str) -> bool:
        """Whether an Origin header is one of the public addresses."""
        return any(origin.lower() == f"{public.scheme}://{public.netloc.lower()}" for public in self._public)

    def secure(self, request: web.Request) -> bool:
        """Whether the browser came over https; where it does not say, whether it has to."""
        origin = request.headers.get("Origin", "")
        if "://" in origin:
            return origin.lower().startswith("https://")
        return any(public.scheme == "https" for public in self._public)

    def visitor(self, request: web.Request) -> Visitor | None:
        """Who asks; None for a stranger."""
        if self.open:
            return Visitor(None, "open")
        if self._header is not None and self._from_proxy(request):
            name = _name(request.headers.getall(self._header, []))
            if name is not None:
                return Visitor(name, "proxy")
        if self._token is None:
            return None
        if bearing(request):
            if self.must_wait(request):
                return None
            if bears(request.headers["Authorization"], self._token):
                return Visitor(None, "bearer")
            self._failed(request)
            return None
        return Visitor(None, "session") if self._session(request) is not None else None

    # --- signing in and out

    def signs(self, request: web.Request, token: str) -> bool:
        """Whether somebody who signs in has the token; a wrong one is remembered."""
        if self._token is not None and hmac.compare_digest(
            token.strip().encode("utf-8", "replace"), self._token.encode()
        ):
            return True
        self._failed(request)
        return False

    def begin(self) -> str:
        """A new session's cookie."""
        return self._signed("session", int(self._clock()) + SESSION_SECONDS)

    def end(self, request: web.Request) -> None:
        """The session's cookie counts no more, in this process."""
        session = self._session(request)
        if session is not None:
            self._ended[session[0]] = session[1]
            while self._ended and next(iter(self._ended.values())) < self._clock():
                self._ended.popitem(last=False)

    def form(self) -> str:
        """What stands in a sign-in form and in a cookie beside it: another site knows neither."""
        return self._signed("form", int(self._clock()) + FORM_SECONDS)

    def is_form(self, cookie: str, field: str) -> bool:
        """Whether both are there, equal, ours and fresh."""
        same = hmac.compare_digest(cookie.encode("utf-8", "replace"), field.encode("utf-8", "replace"))
        return same and self._read("form", cookie) is not None

    def must_wait(self, request: web.Request) -> float:
        """Seconds until this address may try again; 0 where it may now."""
        tries = self._wrong.get(self._address(request))
        if tries is None or len(tries) < TRIES:
            return 0.0
        return max(tries[0] + TRIES_SECONDS - self._clock(), 0.0)

    def _failed(self, request: web.Request) -> None:
        address = self._address(request)
        self._wrong.setdefault(address, deque(maxlen=TRIES)).append(self._clock())
        self._wrong.move_to_end(address)
        if len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)

    # --- cookies: what, when it ends, a number, and a signature over them

    def _signed(self, what: str, until: int) -> str:
        body = f"{until}.{secrets.token_hex(16)}"
        return f"{body}.{self._mac(what, body)}"

    def _mac(self, what: str, body: str) -> str:
        return hmac.new(self._key, f"{what}:{body}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def _read(self, what: str, cookie: str) -> tuple[str, int] | None:
        """(number, end) of a cookie of ours that has not ended."""
        body, _, mac = cookie.rpartition(".")
        if not hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(what, body).encode()):
            return None
        until, _, number = body.partition(".")
        return (number, int(until)) if int(until) > self._clock() else None

    def _session(self, request: web.Request) -> tuple[str, int] | None:
        found = self._read("session", request.cookies.get(COOKIE, ""))
        return None if found is None or found[0] in self._ended else found

    # --- addresses

    def _from_proxy(self, request: web.Request) -> bool:
        return _inside(request.remote, self._proxies)

    def _address(self, request: web.Request) -> str:
        """Whose tries are counted: the peer, or the client that a believed proxy says it speaks for."""
        address = request.remote or ""
        if self._from_proxy(request):
            # The last one was added by that proxy; those before it anybody may have written.
            address = ",".join(request.headers.getall("X-Forwarded-For", [address])).rpartition(",")[2].strip()
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return address[:64]
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
            return str(ipaddress.ip_network((found, 64), strict=False))
        return str(found)


def bearing(request: web.Request) -> bool:
    """Whether a program shows a token, which no other site's page can do in a browser."""
    return request.headers.get("Authorization", "").lower().startswith("bearer ")


def _name(values: list[str]) -> str | None:
    """A person's name out of a header that stands there once; None where it does not, or holds what no name does."""
    if len(values) != 1:
        return None
    name = " ".join(values[0].split())
    return name if 0 < len(name) <= MAX_NAME and name.isprintable() else None


def _networks(text: str) -> list[Network]:
    try:
        return [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise TocsinError(
            f"TOCSIN_CONSOLE_PROXY_ADDRESSES: {error}; give addresses or networks such as 10.1.2.3,10.2.0.0/16"
        ) from None


def _public(text: str) -> list[SplitResult]:
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            url = urlsplit(part)
            fits = (
                url.scheme in ("http", "https") and url.hostname and not url.path.strip("/") and "@" not in url.netloc
            )
        except ValueError:
            fits = False
        if not fits:
            raise TocsinError("TOCSIN_CONSOLE_PUBLIC must be addresses such as https://tocsin.example, without a path")
        found.append(url)
    return found


def _inside(address: str | None, networks: list[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)
