"""The same question asked before, with the answer that resolved it, as the page shows it.

Which ones are alike is known in memory; their words are read from `messages` by their places, and remembered for a while.
Owns: that answer. Must never: join a group, or wait longer than a page would.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any

from agents.answered import AnsweredHandout
from agents.recall import Recall
from schemas.answered import AskedBefore, Written
from schemas.base import milliseconds
from streams.health import HealthReporter
from streams.settings import Settings

MOST_CHARACTERS = 2_000
"""Of each text."""
MOST_REMEMBERED = 2_000
WAIT_SECONDS = 1.0
"""For the words; what was not read by then is told without them."""


class Asked:
    """Answers whether a question was asked before."""

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        self._answered = AnsweredHandout(settings, health)
        # Each reads one record after the other: questions and answers side by side take half the time.
        self._recalls = Recall(settings), Recall(settings)
        self._texts: OrderedDict[str, str | None] = OrderedDict()

    async def start(self) -> None:
        """Reads what was answered; raises TocsinError where Kafka is away."""
        await self._answered.start()

    async def stop(self) -> None:
        """Lets go of Kafka."""
        await self._answered.stop()
        for recall in self._recalls:
            await recall.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""
        return self._answered.failed

    async def before(self, text: str, but: str = "") -> dict[str, Any]:
        """`found`: up to three questions like a text, the most alike first, each with the answer; `seconds`: how long it took.

        Args:
            but: the id of a message that is not one of them.
        """
        begun = time.perf_counter()
        found = self._answered.index.find(text, but)
        both = [one.question for one in found], [one.answer for one in found]
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await asyncio.gather(*(self._read(*each) for each in zip(self._recalls, both, strict=True)))
        except TimeoutError:
            pass
        return {"found": [self._told(one) for one in found], "seconds": round(time.perf_counter() - begun, 4)}

    async def _read(self, recall: Recall, places: list[Written]) -> None:
        for place in places:
            if place.message_id in self._texts:
                self._texts.move_to_end(place.message_id)
                continue
            message = await recall.message(place.source.partition, place.source.offset, place.message_id)
            self._texts[place.message_id] = None if message is None else message.text[:MOST_CHARACTERS]
            if len(self._texts) > MOST_REMEMBERED:
                self._texts.popitem(last=False)

    def _told(self, one: AskedBefore) -> dict[str, Any]:
        return {
            "likeness": one.likeness,
            "same": one.same,
            "by": one.by,
            "question": self._words(one.question),
            "answer": self._words(one.answer),
        }

    def _words(self, place: Written) -> dict[str, Any]:
        return {
            "message_id": place.message_id,
            "at": milliseconds(place.at),
            "text": self._texts.get(place.message_id),
        }
