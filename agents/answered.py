"""How workers come to know the questions that were answered: from the topic `answered`, all of them, then as they come.

Owns: that index. Must never: hold up a start for a record that cannot be read.
"""

from __future__ import annotations

from agents.incidents.meaning import shipped
from agents.likeness.index import Index
from schemas.answered import Answered
from schemas.base import Invalid
from schemas.reading import read
from streams.follow import Follower, Record
from streams.health import HealthReporter
from streams.settings import Settings


class AnsweredHandout:
    """Keeps an index of answered questions up to date.

    Attributes:
        index: what is known of them.
    """

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        self._health = health
        self.index = Index(shipped())
        self._follower = Follower(settings, [settings.topic("answered")], self._on_record)

    async def start(self) -> None:
        """Reads everything there is.

        Raises:
            TocsinError: Kafka is away or the topic is missing.
        """
        await self._follower.start()

    async def stop(self) -> None:
        """Stops following."""
        await self._follower.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why following ended, if it did."""
        return self._follower.failed

    def _on_record(self, record: Record) -> None:
        if record.value is None:
            self.index.remove((record.key or b"").decode("utf-8", "replace"))
            return
        try:
            self.index.put(read(record.value, Answered))
        except Invalid as fault:
            self._health.alarm(
                "answered_unreadable",
                f"{record.topic} offset {record.offset}: {fault.detail}; it will not be found again",
                where=record.topic,
            )
