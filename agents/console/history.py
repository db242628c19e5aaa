"""Counts out of ClickHouse: decisions a minute, rows a table.

Owns: those questions, the way to ask others, and that many pages ask them once. Must never: make anything else wait; without
ClickHouse there is a sentence, and the live queue goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from agents.recording import Away, Refused
from agents.recording.sink import Sink
from agents.recording.tables import TABLES
from schemas.base import PRIORITIES
from streams import metrics

log = logging.getLogger("tocsin.console")

MINUTES = 60
ANSWER_SECONDS = 5.0
FRESH_SECONDS = 2.0
"""An answer this young is given again."""

FEW = 4
"""Questions about single messages that are asked at a time."""
_AWAY = "ClickHouse (TOCSIN_CLICKHOUSE) does not answer; the live queue goes on without it"

_COUNTS = (
    "SELECT toUnixTimestamp(minute) AS start, priority, sum(decisions) AS made FROM decisions_1m "
    "WHERE minute > now() - INTERVAL {minutes:UInt16} MINUTE AND NOT superseding GROUP BY start, priority"
)
_ROWS = " UNION ALL ".join(f"SELECT '{table}' AS name, count() AS rows FROM {table}" for table in TABLES.values())  # noqa: S608  # our own names


class NoAnswer(Exception):
    """ClickHouse is away; the text is one sentence."""


class History:
    """Asks ClickHouse; each question once at a time."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._running: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self._answers: dict[str, tuple[float, dict[str, Any]]] = {}
        self._few = asyncio.Semaphore(FEW)
        self.up: bool | None = None

    async def close(self) -> None:
        """Lets go of the client; what is still asked is not waited for."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self._sink.close()

    async def counts(self) -> dict[str, Any]:
        """`start` (seconds since 1970 of the first of 60 minutes) and each priority's decisions in each minute, by the
        time the messages came; raises NoAnswer."""
        return await self.once("counts", self._ask_counts)

    async def rows(self) -> dict[str, Any]:
        """The number of rows of each raw table; raises NoAnswer."""
        return await self.once("rows", self._ask_rows)

    async def ask(self, question: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of a SELECT that is about one message, and not remembered; raises NoAnswer."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._few:
                found = await self._sink.query(question, parameters)
        except (Away, Refused, TimeoutError) as error:
            self._is(False, error)
            raise NoAnswer(_AWAY) from None
        self._is(True)
        return found

    async def _ask_counts(self) -> dict[str, Any]:
        found = await self._sink.query(_COUNTS, {"minutes": MINUTES})
        start = (int(time.time()) // 60 - MINUTES + 1) * 60
        counts = {priority: [0] * MINUTES for priority in PRIORITIES}
        for row in found:
            place = (int(row["start"]) - start) // 60
            if row["priority"] in counts and 0 <= place < MINUTES:
                counts[row["priority"]][place] = int(row["made"])
        return {"start": start, "counts": counts}

    async def _ask_rows(self) -> dict[str, Any]:
        return {str(row["name"]): int(row["rows"]) for row in await self._sink.query(_ROWS)}

    async def rows_of(self, question: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of a SELECT, for an answer that `once` gives."""
        return await self._sink.query(question, parameters)

    async def once(self, name: str, ask: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """An answer that many pages want: asked for once at a time, and remembered for a moment; raises NoAnswer."""
        at, answer = self._answers.get(name, (float("-inf"), {}))
        if time.monotonic() - at < FRESH_SECONDS:
            return answer
        task = self._running.get(name)
        if task is None or task.done():
            # The question goes on when nobody waits any more: a slow server must not be asked again and again.
            task = self._running[name] = asyncio.create_task(self._asked(name, ask))
            task.add_done_callback(_heard)
        try:
            return await asyncio.wait_for(asyncio.shield(task), ANSWER_SECONDS)
        except (Away, Refused, TimeoutError) as error:
            self._is(False, error)
            raise NoAnswer(_AWAY) from None

    async def _asked(self, name: str, ask: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        answer = await ask()
        self._answers[name] = time.monotonic(), answer
        self._is(True)
        return answer

    def _is(self, up: bool, error: BaseException | None = None) -> None:
        if up is not self.up:
            self.up = up
            metrics.CLICKHOUSE_UP.set(up)
            if error is not None:
                log.warning("ClickHouse does not answer: %s", error or type(error).__name__)


def _heard(task: asyncio.Task[dict[str, Any]]) -> None:
    if not task.cancelled():
        task.exception()  # whoever asked may have gone: then nobody else looks
