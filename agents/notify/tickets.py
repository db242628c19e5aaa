"""What four support tools call a tag, and how it is read, put on and taken off.

Owns: their addresses and shapes. Must never: write anything but tags; no comment, no reply, no status (contract, guarantee 8).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any, Protocol

from agents.notify.client import Client, Failed
from agents.notify.destinations import Tags
from agents.notify.sending import Outcome

_NUMBER = re.compile(r"[0-9]{1,20}")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SHAPE = {"zendesk": _NUMBER, "discourse": _NUMBER, "chatwoot": _NUMBER, "intercom": _WORD}


class Tickets(Protocol):
    """One tool's tickets, conversations or topics, by its own ids."""

    async def tags(self, ticket: str) -> set[str]:
        """The names of all its tags; raises `Failed`."""

    async def change(self, ticket: str, add: set[str], remove: set[str], now: set[str]) -> None:
        """Puts tags on and takes tags off; others stay. `now` are those it has. Raises `Failed`."""


def ticket_of(tool: str, conversation_id: str) -> str | None:
    """The tool's own id of a conversation; None where it is another tool's, or no id that this tool would make."""
    name, _, ticket = conversation_id.partition(":")
    # What stands there came in from outside, and goes into an address.
    return ticket if name == tool and _SHAPE[tool].fullmatch(ticket) else None


def headers_of(target: Tags) -> dict[str, str]:
    """How each tool is told who asks."""
    if target.tool == "zendesk":
        told = base64.b64encode(f"{target.user}/token:{target.token}".encode()).decode()
        return {"authorization": f"Basic {told}"}
    if target.tool == "intercom":
        return {"authorization": f"Bearer {target.token}", "intercom-version": "2.11"}
    if target.tool == "discourse":
        return {"api-key": target.token, "api-username": target.user}
    return {"api_access_token": target.token}


def tickets(target: Tags, client: Client) -> Tickets:
    """Those of the tool."""
    kinds: dict[str, Callable[[Tags, Client], Tickets]] = {
        "zendesk": Zendesk,
        "intercom": Intercom,
        "discourse": Discourse,
        "chatwoot": Chatwoot,
    }
    return kinds[target.tool](target, client)


class _Tool:
    def __init__(self, target: Tags, client: Client) -> None:
        self._target = target
        self._client = client

    async def _ask(self, method: str, path: str, fields: Any = None) -> Any:
        return await self._client.call(method, self._target.url + path, fields)


class Zendesk(_Tool):
    """Tickets. Tags are put on and taken off by name, each at once, so that nobody else's are lost."""

    async def tags(self, ticket: str) -> set[str]:
        """See `Tickets`."""
        return _names(await self._ask("GET", f"/api/v2/tickets/{ticket}/tags.json"), "tags")

    async def change(self, ticket: str, add: set[str], remove: set[str], now: set[str]) -> None:
        """See `Tickets`."""
        path = f"/api/v2/tickets/{ticket}/tags.json"
        if add:
            await self._ask("PUT", path, {"tags": sorted(add)})
        if remove:
            await self._ask("DELETE", path, {"tags": sorted(remove)})


class Intercom(_Tool):
    """Conversations. Tags have ids; making one that is there already gives that one. `user` is the admin who puts them on."""

    def __init__(self, target: Tags, client: Client) -> None:
        super().__init__(target, client)
        self._ids: dict[str, str] = {}

    async def tags(self, ticket: str) -> set[str]:
        """See `Tickets`."""
        answer = await self._ask("GET", f"/conversations/{ticket}")
        listed = answer.get("tags") if isinstance(answer, dict) else None
        found = listed.get("tags") if isinstance(listed, dict) else None
        for one in found if isinstance(found, list) else []:
            if isinstance(one, dict) and isinstance(one.get("name"), str):
                self._ids[one["name"]] = str(one.get("id"))
        return _names(listed, "tags")

    async def change(self, ticket: str, add: set[str], remove: set[str], now: set[str]) -> None:
        """See `Tickets`."""
        who = {"admin_id": self._target.user}
        for name in sorted(add):
            await self._ask("POST", f"/conversations/{ticket}/tags", {"id": await self._id(name), **who})
        for name in sorted(remove):
            await self._ask("DELETE", f"/conversations/{ticket}/tags/{await self._id(name)}", who)

    async def _id(self, name: str) -> str:
        if name not in self._ids:
            answer = await self._ask("POST", "/tags", {"name": name})
            found = str(answer.get("id", "")) if isinstance(answer, dict) else ""
            if not _WORD.fullmatch(found):
                raise Failed(Outcome("away", "made a tag without an id"))
            self._ids[name] = found
        return self._ids[name]


class Discourse(_Tool):
    """Topics. Their tags are written all at once."""

    async def tags(self, ticket: str) -> set[str]:
        """See `Tickets`."""
        return _names(await self._ask("GET", f"/t/{ticket}.json"), "tags")

    async def change(self, ticket: str, add: set[str], remove: set[str], now: set[str]) -> None:
        """See `Tickets`."""
        await self._ask("PUT", f"/t/-/{ticket}.json", {"tags": sorted((now | add) - remove)})


class Chatwoot(_Tool):
    """Conversations. Their labels are written all at once."""

    async def tags(self, ticket: str) -> set[str]:
        """See `Tickets`."""
        return _names(await self._ask("GET", self._path(ticket)), "payload")

    async def change(self, ticket: str, add: set[str], remove: set[str], now: set[str]) -> None:
        """See `Tickets`."""
        await self._ask("POST", self._path(ticket), {"labels": sorted((now | add) - remove)})

    def _path(self, ticket: str) -> str:
        return f"/api/v1/accounts/{self._target.account}/conversations/{ticket}/labels"


def _names(answer: Any, key: str) -> set[str]:
    """Names in a list under a key: as text, or as objects with a name (Discourse since 2026).

    Raises:
        Failed: there is no such list; what is written all at once must not be written from nothing.
    """
    listed = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        raise Failed(Outcome("away", f"answered without a list of {key}"))
    names = [one.get("name") if isinstance(one, dict) else one for one in listed]
    if not all(isinstance(name, str) for name in names):
        raise Failed(Outcome("away", f"answered with {key} that have no names"))
    return {name for name in names if isinstance(name, str)}
