"""How long it took: from a worker's death to the first decision on its partitions, from start to first decision.

Owns: those figures, by the broker's time of each decision. Must never: trust a worker's clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

RECOVERY_SECONDS = 15.0
"""Contract, section 5.7."""
SETTLE_SECONDS = 3.0
"""How long another fault still counts once it is healed: its rebalance may be under way."""


class Recovery(NamedTuple):
    """One kill -9 of a triage worker.

    Attributes:
        seconds: until every partition that it owned had a decision again; None where it owned none, or one had no record.
        beside: what else was down meanwhile; then `seconds` is told, not judged.
    """

    worker: str
    kind: str
    at: float
    partitions: tuple[int, ...]
    seconds: float | None
    beside: str


def recovery(
    worker: str,
    kind: str,
    at: float,
    partitions: Sequence[int],
    moments: Mapping[int, Sequence[float]],
    disturbed: Sequence[tuple[float, float, str]],
) -> Recovery:
    """The recovery from one kill.

    Args:
        at: when it was killed, seconds since 1970.
        moments: the times of decisions, in order, by partition.
        disturbed: (from, until, what) of everything else that was down.
    """
    firsts = []
    for partition in partitions:
        times = moments.get(partition, ())
        place = bisect_right(times, at)
        firsts.append(times[place] - at if place < len(times) else None)
    known = [first for first in firsts if first is not None]
    seconds = round(max(known), 3) if known and len(known) == len(firsts) else None
    until = at + (seconds or RECOVERY_SECONDS)
    beside = sorted(
        {name for begun, ended, name in disturbed if name != worker and begun < until and ended + SETTLE_SECONDS > at}
    )
    return Recovery(worker, kind, at, tuple(sorted(partitions)), seconds, ", ".join(beside))
