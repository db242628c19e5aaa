"""The role `door`: takes messages over HTTP, from anybody with a token and from the tools that agents work in.

Owns: the door's ways to Kafka and ClickHouse. Must never: join a group, decide, or keep anything that Kafka does not have.
"""

from __future__ import annotations

import logging
from typing import Any

from agents.door.lookup import ClickHouse
from agents.door.remembering import remember
from agents.door.sending import Sender
from agents.door.server import Server
from agents.recording.sink import Sink
from streams.health import HealthReporter
from streams.settings import Settings

log = logging.getLogger("tocsin.door")


class Door:
    """The role `door`.

    Raises:
        TocsinError: the settings or the map file are wrong, or would leave the door open for everybody.
    """

    name = "door"

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        self._settings = settings
        self._sender = Sender(settings)
        self._lookup = ClickHouse(Sink(settings.clickhouse.get_secret_value()))
        self._server = Server(settings, self._sender, self._lookup)

    async def start(self) -> None:
        """Listens, and answers 503 until Kafka is reached and the newest messages are remembered.

        Raises:
            TocsinError: the port cannot be used, Kafka is away, topics are missing.
        """
        await self._server.start()
        await self._sender.start()
        await remember(self._settings, self._sender.window)
        self._server.ready = True
        log.info("door on %s", self.url)

    async def stop(self) -> None:
        """Takes no more; what is under way is confirmed or reported as not."""
        self._server.ready = False
        await self._server.stop()
        await self._sender.stop()
        await self._lookup.close()

    @property
    def url(self) -> str:
        """Where it listens; empty before."""
        return self._server.url

    @property
    def ready(self) -> bool:
        """Whether messages are taken."""
        return self._server.ready and self.failed is None

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""
        return self._sender.failed

    async def figures(self) -> dict[str, Any]:
        """Since the start, records by what became of them; records under way and remembered."""
        return {**self._server.counts, "pending": self._sender.pending, "remembered": len(self._sender.window)}
