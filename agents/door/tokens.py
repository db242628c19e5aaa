"""Who may bring messages in: tokens, and the tools' own secrets.

Owns: what the settings must hold before the door opens. Must never: open beyond this machine without a token.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import SecretStr

from agents.door.adapters import TOOLS
from streams.errors import TocsinError
from streams.http import bears, loopback
from streams.settings import TOKEN_CHARACTERS, Settings


class Tokens:
    """Bearer tokens, any of which opens the door.

    Raises:
        TocsinError: a token is too short or cannot travel in a header; or the door would be open for everybody.
    """

    def __init__(self, settings: Settings) -> None:
        self._tokens = _tokens(settings.door_tokens)
        if not self._tokens and not loopback(settings.door_host):
            raise TocsinError(
                f"the door would listen on {settings.door_host!r} (TOCSIN_DOOR_HOST) for everybody: set TOCSIN_DOOR_TOKENS, "
                "or listen on 127.0.0.1"
            )

    def opens(self, request: web.Request) -> bool:
        """Whether a request may come in. Without tokens, programs on this machine may, and web pages open on it may not."""
        if self._tokens:
            given = request.headers.get("Authorization", "")
            # All of them are looked at: the time tells nothing of which it was.
            return sum(bears(given, token) for token in self._tokens) > 0
        if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
            return False
        return _local(request.headers.get("Host", ""))


def _tokens(value: SecretStr | None) -> list[str]:
    tokens = [] if value is None else [one.strip() for one in value.get_secret_value().split(",") if one.strip()]
    for number, token in enumerate(tokens, 1):
        if len(token) < TOKEN_CHARACTERS or not token.isascii() or not token.isprintable() or " " in token:
            raise TocsinError(
                f"TOCSIN_DOOR_TOKENS: token {number} needs at least {TOKEN_CHARACTERS} ASCII characters without spaces; "
                "`openssl rand -hex 32` makes one"
            )
    return tokens


def _local(host: str) -> bool:
    """A name that another site made point here (DNS rebinding) is not ours."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def secrets_of(settings: Settings) -> dict[str, str]:
    """The adapters that are on, each with its secret; Discord may have an empty one, and then takes our token only.

    Raises:
        TocsinError: an adapter has no such name, or no secret.
    """
    found: dict[str, str] = {}
    for tool in (name.strip().lower() for name in settings.door_adapters.split(",")):
        if not tool:
            continue
        if tool not in TOOLS:
            raise TocsinError(f"TOCSIN_DOOR_ADAPTERS names {tool!r}, must be some of {', '.join(TOOLS)}")
        name = "door_discord_public_key" if tool == "discord" else f"door_{tool}_secret"
        value: SecretStr | str | None = getattr(settings, name)
        secret = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
        if tool == "discord" and secret and (len(secret) != 64 or not _hex(secret)):
            raise TocsinError("TOCSIN_DOOR_DISCORD_PUBLIC_KEY must be the app's public key, 64 hexadecimal digits")
        if tool != "discord" and not secret:
            raise TocsinError(
                f"the adapter {tool} is on (TOCSIN_DOOR_ADAPTERS) without TOCSIN_{name.upper()}: set the secret that {tool} "
                "signs with, else anybody could write in its name"
            )
        found[tool] = secret
    return found


def _hex(value: str) -> bool:
    try:
        bytes.fromhex(value)
    except ValueError:
        return False
    return True
