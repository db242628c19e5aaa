"""Decisions back at the support tool, as tags on the ticket: `tocsin_p1`, `tocsin_billing`.

Owns: which tags a ticket should have, and that only tags that begin with `tocsin_` are ever touched. Must never: write to a
customer (contract, guarantee 8).
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from zlib import crc32

from msgspec import UNSET

from agents.notify.client import Client, Failed
from agents.notify.destinations import Retry, Tags
from agents.notify.sending import DELIVERED, NOTHING, Outcome, Parcel
from agents.notify.tickets import headers_of, ticket_of, tickets
from schemas.base import FLAGGED
from schemas.decision import Alert

PREFIX = "tocsin_"
PRIORITY_TAGS = frozenset(f"{PREFIX}{priority}" for priority in FLAGGED)
_NOT_A_TAG = re.compile(r"[^a-z0-9]+")
MOST_TICKETS = 20_000
STRIPES = 16


class TagSender:
    """The way to one support tool's tickets."""

    def __init__(self, target: Tags, retry: Retry) -> None:
        self._target = target
        self._client = Client(retry.timeout, headers_of(target))
        self._tickets = tickets(target, self._client)
        self._locks = [asyncio.Lock() for _ in range(STRIPES)]
        self._known: OrderedDict[str, dict[str, tuple[str, str]]] = OrderedDict()

    async def start(self) -> None:
        """Makes the client."""
        await self._client.start()

    async def stop(self) -> None:
        """Closes it."""
        await self._client.stop()

    async def send(self, parcel: Parcel) -> Outcome:
        """One attempt: reads the ticket's tags, and changes those of ours that should be others."""
        alert = parcel.alert
        ticket = ticket_of(self._target.tool, alert.decision.conversation_id)
        if ticket is None or alert.drill or not self._newest(ticket, alert):
            return NOTHING
        # Reading and changing the tags of one ticket belong together.
        async with self._locks[crc32(ticket.encode()) % STRIPES]:
            return await self._tag(ticket, alert)

    async def _tag(self, ticket: str, alert: Alert) -> Outcome:
        try:
            now = await self._tickets.tags(ticket)
            wanted = self._wanted(ticket, alert, now)
            ours = {name for name in now if name.startswith(PREFIX)}
            add, remove = wanted - now, ours - wanted
            if add or remove:
                await self._tickets.change(ticket, add, remove, now)
        except Failed as failed:
            return failed.outcome
        return DELIVERED

    def _newest(self, ticket: str, alert: Alert) -> bool:
        """Notes what a message's priority is now; False where something newer is known of it: alerts of one message may come from
        two topics, in any order."""
        messages = self._known.setdefault(ticket, {})
        self._known.move_to_end(ticket)
        while len(self._known) > MOST_TICKETS:
            self._known.popitem(last=False)
        decision = alert.decision
        at, _ = messages.get(decision.message_id, ("", ""))
        if decision.decided_at < at:
            return False
        messages[decision.message_id] = (decision.decided_at, decision.priority)
        return True

    def _wanted(self, ticket: str, alert: Alert, now: set[str]) -> set[str]:
        """The tags of ours that a ticket should have.

        Its priority is the highest of its messages that are known here. What rang before this worker began is known by the
        ticket's own tag alone: a message that is new, or raised, leaves a higher one; one that is lowered takes it off.
        """
        priorities = {priority for _, priority in self._known[ticket].values()}
        if alert.change in ("new", "raised"):
            priorities |= {name.removeprefix(PREFIX) for name in now & PRIORITY_TAGS}
        highest = min(priorities)
        wanted = {f"{PREFIX}{highest}"} if highest in FLAGGED else set()
        category = alert.decision.category
        if (
            category is not UNSET
            and highest in FLAGGED
            and (name := _NOT_A_TAG.sub("_", category.label.lower()).strip("_"))
        ):
            wanted.add(PREFIX + name)
        return wanted
