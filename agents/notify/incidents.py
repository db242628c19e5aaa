"""Which groups of alerts belong to one incident, or to what is beyond the alert budget: as `crowd` tells it.

Owns: that look-up, bounded. Must never: hold up a delivery; a group that nothing is told of stands for itself.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from schemas.base import Invalid
from schemas.incident import Incident
from schemas.reading import read
from streams.follow import Follower, Record
from streams.health import HealthReporter
from streams.settings import Settings

MOST_GROUPS = 50_000
SINCE_MS = 6 * 3_600_000
"""An incident that was over for less comes again as the same."""


class Incidents:
    """Follows the topic `incidents`."""

    def __init__(self, settings: Settings, health: HealthReporter) -> None:
        since = time.time_ns() // 1_000_000 - SINCE_MS
        self._health = health
        self._follower = Follower(settings, [settings.topic("incidents")], self.on_record, since_ms=since)
        self._of: OrderedDict[str, str] = OrderedDict()

    async def start(self) -> None:
        """Reads what there is; raises TocsinError where Kafka is away."""
        await self._follower.start()

    async def stop(self) -> None:
        """Ends it."""
        await self._follower.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why it cannot go on, if so."""
        return self._follower.failed

    def group(self, group: str) -> str:
        """What an alert's group is gathered under: its incident where it has one, else itself."""
        incident = self._of.get(group)
        return f"group:{group}" if incident is None else f"incident:{incident}"

    def on_record(self, record: Record) -> None:
        """Notes the groups that an incident gathered."""
        try:
            incident = read(record.value, Incident)
        except Invalid:
            return  # only crowd writes here, and the console tells of what cannot be read
        for gathered in incident.alerts:
            self._of[gathered.group] = incident.id
            self._of.move_to_end(gathered.group)
        while len(self._of) > MOST_GROUPS:
            self._of.popitem(last=False)
