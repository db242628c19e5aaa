"""When an answer is due: seconds that count round the clock, or within office hours only.

Owns: office hours, across changes to and from summer time. Must never: read a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from agents.scoring.policy_history import Hours

DAY_MS = 86_400_000
_MOST_DAYS = 400
"""Beyond, office hours do not come again."""


def windows(hours: Hours, first: date) -> Iterator[tuple[int, int]]:
    """(opens, closes) in milliseconds since the epoch, of each office day from `first` on."""
    for number in range(_MOST_DAYS):
        day = first + timedelta(days=number)
        if day.weekday() in hours.days:
            yield _moment(day, hours.opens, hours.zone), _moment(day, hours.closes, hours.zone)


@lru_cache(maxsize=4_096)  # asked for each message, of the same few days
def _moment(day: date, minutes: int, zone: str) -> int:
    # 24:00 is the next day's midnight: a wall clock's hours, not seconds from the day's begin, which may be 23 or 25 hours long.
    day, minutes = (day + timedelta(days=1), 0) if minutes == 24 * 60 else (day, minutes)
    local = datetime.combine(day, time(minutes // 60, minutes % 60), ZoneInfo(zone))
    return round(local.astimezone(UTC).timestamp() * 1000)


def due(at: int, seconds: int, hours: Hours | None) -> int:
    """When `seconds` have passed since `at`, in milliseconds since the epoch.

    Args:
        hours: only what lies within counts; None: every second does.
    """
    left = seconds * 1000
    if hours is None:
        return at + left
    first = datetime.fromtimestamp(at / 1000, ZoneInfo(hours.zone)).date()
    for opens, closes in windows(hours, first):
        begin = max(at, opens)
        if begin >= closes:
            continue
        if begin + left <= closes:
            return begin + left
        left -= closes - begin
    return at + left
