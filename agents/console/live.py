"""Live updates to every open page: what changed since the last tick, at most five times a second.

Owns: batching, and what happens to a page that reads too slowly. Must never: let one page hold up another, or keep for a
page more than a few batches.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

import orjson

from agents.console.queue import LiveQueue
from agents.console.view import brief
from streams import metrics

TICK_SECONDS = 0.2
BATCH_ENTRIES = 100
"""Changed entries in one batch; the others wait for the next tick, by then perhaps changed again."""
BACKLOG_BATCHES = 25
"""Batches that wait for one page; a page that is further behind gets the whole queue instead."""
MOST_CLIENTS = 200
HEARTBEAT_SECONDS = 10.0
CLOSED = b""


class Client:
    """One open page: batches that wait to be written to it."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._some = asyncio.Event()
        self.behind = True

    def put(self, batch: bytes) -> None:
        """Adds a batch; where too many wait, all are dropped and the page starts anew."""
        if self.behind and batch != CLOSED:
            return
        if len(self._waiting) >= BACKLOG_BATCHES:
            self._waiting.clear()
            self.behind = True
        else:
            self._waiting.append(batch)
        self._some.set()

    async def take(self, timeout: float) -> bytes | None:
        """What to write next: a batch, `CLOSED` at the end, None where there is nothing new or `behind` is set."""
        try:
            await asyncio.wait_for(self._some.wait(), timeout)
        except TimeoutError:
            return None
        if self.behind:
            self._some.clear()
            return CLOSED if CLOSED in self._waiting else None
        batch = self._waiting.popleft()
        if not self._waiting:
            self._some.clear()
        return batch


class Hub:
    """Tells all pages what changes in a queue."""

    def __init__(self, queue: LiveQueue) -> None:
        self._queue = queue
        self._clients: set[Client] = set()
        self._learned: list[dict[str, Any]] = []
        self._task: asyncio.Task[None] | None = None
        self.ready = False

    def start(self) -> None:
        """Begins to tick."""
        self._task = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Ends every page's stream."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for client in self._clients:
            client.put(CLOSED)

    @property
    def failed(self) -> BaseException | None:
        """Why it stopped ticking, if it did."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    def __len__(self) -> int:
        return len(self._clients)

    def join(self) -> Client | None:
        """A new page; None where there are too many."""
        if len(self._clients) >= MOST_CLIENTS:
            return None
        client = Client()
        self._clients.add(client)
        metrics.CONSOLE_CLIENTS.set(len(self._clients))
        return client

    def leave(self, client: Client) -> None:
        """A page is closed."""
        self._clients.discard(client)
        metrics.CONSOLE_CLIENTS.set(len(self._clients))

    def learned(self, feedback_id: str, message_id: str | None, seconds: float | None) -> None:
        """A correction has reached the models."""
        self._learned.append({"id": feedback_id, "message_id": message_id, "seconds": seconds})
        # Thousands at once are a learner catching up: nobody reads these one by one.
        del self._learned[:-BATCH_ENTRIES]

    def snapshot(self) -> bytes:
        """The whole queue, for a page that starts; all that changes later comes in batches."""
        entries = self._queue.ordered()
        for entry in entries:
            entry.announced = True
        return self._event("snapshot", {"entries": [brief(entry) for entry in entries]})

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            batch = self._batch()
            if batch is not None:
                for client in self._clients:
                    client.put(batch)

    def _batch(self) -> bytes | None:
        queue = self._queue
        removed, queue.removed = queue.removed, []
        learned, self._learned = self._learned, []
        changed = list(queue.dirty)[:BATCH_ENTRIES]
        entries = []
        for message_id in changed:
            del queue.dirty[message_id]
            entry = queue.get(message_id)
            if entry is not None and self._clients:
                entry.announced = True
                entries.append(brief(entry))
        if not self._clients or not (entries or removed or learned):
            return None
        return self._event("changes", {"entries": entries, "removed": removed, "learned": learned})

    def _event(self, name: str, data: dict[str, Any]) -> bytes:
        data |= {"totals": self._queue.totals(), "now": int(time.time() * 1000), "ready": self.ready}
        return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))
