"""How much is usually written at an hour of the week, in all and on each channel; and a channel that is silent although it should
not be.

Owns: those counts. Must never: look at what a message says.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

HOUR_MS = 3_600_000
HOURS = 168
FORGETTING = 0.25
"""Weight of the newest week in an hour's mean, from the fourth on."""
MOST_CHANNELS = 100
_EPOCH_HOUR = 72
"""1970 began on a Thursday, three days into a week that begins on Monday."""


class Hour(Struct, array_like=True):
    """An hour of the week: messages in it, on average, and how many such hours that is taken from."""

    mean: float = 0.0
    hours: int = 0


class Channel(Struct, array_like=True):
    """Messages by hour of the week; of the hour that goes on; and when the last came. `told`: its silence was said."""

    week: list[Hour] = msgspec.field(default_factory=lambda: [Hour() for _ in range(HOURS)])
    now: int = 0
    last_at: int = 0
    told: bool = False


class Silent(Struct, frozen=True):
    """A channel on which nothing came since `since` (ms), where `expected` messages are usual."""

    channel: str
    since: int
    expected: float


class Week(Struct):
    """All channels; `""` stands for all together."""

    channels: dict[str, Channel] = msgspec.field(default_factory=dict)
    hour: int = 0

    def take(self, channel: str, at: int) -> None:
        """One more message."""
        for name in ("", channel):
            one = self.channels.get(name)
            if one is None:
                if len(self.channels) >= MOST_CHANNELS:
                    continue
                one = self.channels[name] = Channel()
            one.now += 1
            one.last_at = max(one.last_at, at)
            one.told = False

    def move(self, now: int) -> None:
        """Closes the hours that are over; those in which nothing at all came count as well, up to a week."""
        hour = now // HOUR_MS
        if self.hour == 0:
            self.hour = hour
        for over in range(max(self.hour, hour - HOURS), hour):
            for one in self.channels.values():
                known = one.week[_of_week(over)]
                known.hours += 1
                known.mean += (one.now - known.mean) * max(1 / known.hours, FORGETTING)
                one.now = 0
        self.hour = max(self.hour, hour)

    def rate(self, at: int, channel: str = "") -> tuple[float, int]:
        """Messages a minute that are usual at that time, and from how many hours that is known.

        In the first week, of an hour of the week that was not yet: the least of that hour on other days.
        """
        one = self.channels.get(channel)
        if one is None:
            return 0.0, 0
        place = _of_week(at // HOUR_MS)
        if one.week[place].hours:
            return one.week[place].mean / 60, one.week[place].hours
        others = [hour.mean for hour in one.week[place % 24 :: 24] if hour.hours]
        return min(others, default=0.0) / 60, 0

    def silent(self, now: int, least: float) -> list[Silent]:
        """Channels that should have brought at least so many messages since their last, and brought none; each told once.

        Half of what is usual counts as expected: no week is like the last.
        """
        found = []
        for name, one in self.channels.items():
            if not name or one.told or not one.last_at:
                continue
            expected, at = 0.0, one.last_at
            while at < now and expected < 100 * least:
                until = min((at // HOUR_MS + 1) * HOUR_MS, now)
                expected += self.rate(at, name)[0] * (until - at) / 60_000 / 2
                at = until
            if expected >= least:
                one.told = True
                found.append(Silent(name, one.last_at, expected))
        return found


def _of_week(hour: int) -> int:
    return (hour + _EPOCH_HOUR) % HOURS
