"""Whose chunk is worked on next, where chunks of several partitions share one thread.

Owns: that choice. The chunk with least left goes first: a short one does not wait behind a long one, and of long ones one
is finished, and committed, while the next is worked on. Waiting counts as well, so that none waits for ever.
Must never: let two work at once, or keep a turn from who was cancelled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

PATIENCE = 5_000.0
"""Records that a second of waiting is worth."""


@dataclass(slots=True)
class _Waiting:
    left: int
    since: float
    turn: asyncio.Future[None]


class Turns:
    """One turn at a time, in one event loop."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: list[_Waiting] = []

    @asynccontextmanager
    async def turn(self, left: int) -> AsyncIterator[None]:
        """Waits for a turn, and gives it back at the end; `left` is how many records are to be done."""
        await self._wait(left)
        try:
            yield
        finally:
            self._pass_on()

    async def give_way(self, left: int) -> None:
        """Within a turn: lets the event loop run, and whoever should go first."""
        await asyncio.sleep(0)
        if self._waiting:
            own = self._enter(left)
            self._pass_on()
            await self._until(own)

    async def _wait(self, left: int) -> None:
        own = self._enter(left)
        if not self._held:
            self._pass_on()
        await self._until(own)

    def _enter(self, left: int) -> _Waiting:
        own = _Waiting(left, time.monotonic(), asyncio.get_running_loop().create_future())
        self._waiting.append(own)
        return own

    async def _until(self, own: _Waiting) -> None:
        try:
            await own.turn
        except asyncio.CancelledError:
            if own in self._waiting:
                self._waiting.remove(own)
                if not self._held:
                    self._pass_on()
            elif not own.turn.cancelled():
                self._pass_on()  # the turn came together with the end
            raise

    def _pass_on(self) -> None:
        now = time.monotonic()
        self._waiting = [one for one in self._waiting if not one.turn.done()]  # cancelled, and not yet gone
        self._held = bool(self._waiting)
        if self._held:
            first = min(self._waiting, key=lambda one: one.left - PATIENCE * (now - one.since))
            self._waiting.remove(first)
            first.turn.set_result(None)
