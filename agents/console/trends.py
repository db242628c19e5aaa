"""What the page of charts shows: sentiment and urgency over time, what changed since yesterday, when people write.

Owns: these questions to ClickHouse. Must never: name a customer, or show what one wrote.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from agents.console.history import History
from schemas.base import Invalid

HOURS = 48

_HOURS = """
SELECT toUnixTimestamp(hour) AS start, sum(decisions) AS messages, sum(negative) AS negative, sum(positive) AS positive,
    sum(angry) AS angry, sumIf(decisions, priority IN ('p0', 'p1')) AS urgent
FROM decisions_1h WHERE hour > now() - INTERVAL {hours:UInt16} HOUR AND NOT superseding GROUP BY hour ORDER BY hour
"""
# Both as shares of all messages of their time; the interval is that of two Poisson counts.
_CHANGED = """
WITH
    counted AS
    (
        SELECT category, sumIf(decisions, hour > now() - INTERVAL 24 HOUR) AS n,
            sumIf(decisions, hour <= now() - INTERVAL 24 HOUR) AS before
        FROM decisions_1h WHERE hour > now() - INTERVAL 192 HOUR AND NOT superseding AND category != '' GROUP BY category
    ),
    (SELECT (sum(n), sum(before)) FROM counted) AS all_
SELECT category, n, before,
    ((n + 0.5) / (all_.1 + 1)) / ((before + 0.5) / (all_.2 + 1)) AS times,
    times * exp(-1.96 * sqrt(1 / (n + 0.5) + 1 / (before + 0.5))) AS least,
    times * exp(1.96 * sqrt(1 / (n + 0.5) + 1 / (before + 0.5))) AS most
FROM counted ORDER BY n DESC
"""
_WHEN = """
SELECT toDayOfWeek(moment, 0, {zone:String}) AS day, toHour(moment, {zone:String}) AS hour, sum(n) AS messages, sum(f) AS flagged,
    sum(a) AS answers
FROM
(
    SELECT hour AS moment, sum(decisions) AS n, sumIf(decisions, priority != 'p3') AS f, 0 AS a
    FROM decisions_1h WHERE hour > now() - INTERVAL 28 DAY AND NOT superseding GROUP BY hour
    UNION ALL
    SELECT toStartOfHour(toDateTime(received_at, 'UTC')) AS moment, 0, 0, count()
    FROM messages WHERE author_role = 'agent' AND received_at > now() - INTERVAL 28 DAY GROUP BY moment
)
GROUP BY day, hour ORDER BY day, hour
"""


class Trends:
    """Answers what the charts show."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def all(self, zone: str) -> dict[str, Any]:
        """`hours` (of the last 48 those in which something came), `changed` (each category's share of the last 24 hours
        against the seven days before, with its 95 % interval), `when` (by day of the week, 1 Monday, and hour, of 28 days).

        Args:
            zone: a time zone's name, for `when`.

        Raises:
            Invalid: there is no such zone.
            NoAnswer
        """
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError):
            raise Invalid("out_of_bounds", "`zone` must be the name of a time zone, such as Europe/Paris") from None
        return await self._history.once(f"trends {zone}", lambda: self._ask(zone))

    async def _ask(self, zone: str) -> dict[str, Any]:
        ask = self._history.rows_of
        return {
            "hours": await ask(_HOURS, {"hours": HOURS}),
            "changed": await ask(_CHANGED, {}),
            "when": await ask(_WHEN, {"zone": zone}),
            "zone": zone,
        }
