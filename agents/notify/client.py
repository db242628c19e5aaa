"""HTTP to a destination: one client, bounded in time and size, that follows no redirect.

Owns: that client, and what a failure to connect is called. Must never: show an address's secret, or read an answer without end.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from agents.notify.sending import Outcome, of_status

MOST_ANSWER_BYTES = 4_000_000
"""Of an answer that is read; a topic with all its posts may be large."""


class Failed(Exception):
    """A call that did not succeed; `outcome` says what it means."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.said)
        self.outcome = outcome


class Client:
    """Calls one destination.

    Args:
        timeout: seconds for one call, from connecting to the last byte.
        headers: on each call.
    """

    def __init__(self, timeout: float, headers: Mapping[str, str] | None = None) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._headers = {"user-agent": "tocsin", **(headers or {})}
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Makes the client."""
        # Cookies are nobody's business here, and a proxy of the environment would see what is sent.
        self._session = aiohttp.ClientSession(
            timeout=self._timeout, headers=self._headers, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )

    async def stop(self) -> None:
        """Closes its connections."""
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Sends bytes; the answer's status is all that counts."""
        try:
            async with self._client.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return of_status(answer.status, _after(answer.headers))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _unreachable(error)

    async def call(self, method: str, url: str, fields: Any = None) -> Any:
        """Asks with JSON, and gives the answer's JSON (None where it has none).

        Raises:
            Failed: it did not answer, or not with what was asked.
        """
        body = None if fields is None else orjson.dumps(fields)
        headers = {"accept": "application/json"} | ({"content-type": "application/json"} if body else {})
        try:
            async with self._client.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                outcome = of_status(answer.status, _after(answer.headers))
                if outcome.kind != "delivered":
                    # Calls are about one thing by its id: one that is not there never will be.
                    kind = "refused" if answer.status == 404 else outcome.kind
                    raise Failed(Outcome(kind, f"{method} {outcome.said}", outcome.after))
                data = bytearray()
                async for piece in answer.content.iter_chunked(65_536):
                    data += piece
                    if len(data) > MOST_ANSWER_BYTES:
                        raise Failed(Outcome("refused", f"{method} answered more than {MOST_ANSWER_BYTES:,} bytes"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Failed(_unreachable(error)) from None
        try:
            return orjson.loads(data) if data.strip() else None
        except orjson.JSONDecodeError:
            raise Failed(Outcome("away", f"{method} answered with something that is not JSON")) from None

    @property
    def _client(self) -> aiohttp.ClientSession:
        assert self._session is not None  # started before anything is sent
        return self._session


def _unreachable(error: BaseException) -> Outcome:
    # The library's own text may hold the address, and the address a secret.
    if isinstance(error, asyncio.TimeoutError):
        return Outcome("away", "did not answer in time")
    return Outcome("away", f"cannot be reached ({type(error).__name__})")


def _after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After, which is a number or a date."""
    told = headers.get("Retry-After", "").strip()
    if told.isdigit() and len(told) < 10:
        return float(told)
    try:
        return max(email.utils.parsedate_to_datetime(told).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None
