"""What goes wrong, and when: a schedule that is a pure function of seed and round.

Owns: the kinds of fault, their order, timing and victims. Must never: do any of it.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

WORKERS = ("triage-1", "triage-2", "learn", "record", "follow-1", "follow-2", "crowd")
ANYWHERE = (
    "kill",
    "kill_triage",
    "kill_follow",
    "kill_crowd",
    "kill_several",
    "freeze_short",
    "freeze_long",
    "freeze_several",
    "starve",
    "rolling_restart",
    "join_leave",
    "broker_kill",
    "broker_kill_and_stop",
    "clock_jump",
)
OVER_HTTP = (
    "clickhouse_away",
    "clickhouse_slow",
    "clickhouse_refuse",
    "clickhouse_full",
    "clickhouse_drop_answer",
    "zombie_recorder",
)
IN_PROCESS = ("kill_recorder_inserting",)
LONG = "clickhouse_away_minutes"
AT_BIRTH = "kill_at_birth"
"""Not dealt: at the start of every other session."""
KINDS = (*ANYWHERE, *OVER_HTTP, *IN_PROCESS, LONG, AT_BIRTH)
CLOCK_STEPS = (3600, -3600, 86400, -86400)
LONG_ROUNDS = 3
"""Of a hundred, in how many ClickHouse is away for minutes."""


class Fault(NamedTuple):
    """One fault: when it begins (a share of the load's planned duration), its kind, and what it needs."""

    at: float
    kind: str
    what: dict[str, Any]


def sessions(rounds: int) -> list[tuple[bool, list[int]]]:
    """(over HTTP, its rounds) of each session: ten rounds each, and at least two sessions where there are two rounds."""
    size = 10 if rounds >= 20 else max(1, (rounds + 1) // 2)
    starts = range(0, rounds, size)
    return [(place % 2 == 1, list(range(start, min(start + size, rounds)))) for place, start in enumerate(starts)]


class Nemesis:
    """The schedule of a run: every kind that can occur is dealt before one comes again.

    Args:
        short: fewer and smaller faults.
    """

    def __init__(self, seed: int, rounds: int, *, short: bool = False) -> None:
        self._short = short
        self._random = random.Random(f"{seed}/nemesis")
        self._decks: dict[bool, list[str]] = {True: [], False: []}
        backends = {number: over_http for over_http, numbers in sessions(rounds) for number in numbers}
        over_http = [number for number, http in backends.items() if http]
        many = (1 if short else max(1, round(LONG_ROUNDS * rounds / 100))) if rounds >= 10 else 0
        away = set(self._random.sample(over_http, min(many, len(over_http))))
        self._plans = {number: self._plan(http, number in away) for number, http in sorted(backends.items())}

    def plan(self, number: int) -> list[Fault]:
        """The faults of a round, in the order of their times."""
        return self._plans[number]

    def _plan(self, over_http: bool, away: bool) -> list[Fault]:
        count = self._random.randint(1, 2) if self._short else self._random.randint(3, 6)
        kinds: list[str] = []
        for _ in range(count):
            kinds.append(self._deal(over_http, kinds))
        faults = [self._fault(kind) for kind in kinds]
        if away:
            faults = [fault for fault in faults if not fault.kind.startswith("clickhouse")]
            faults.append(Fault(0.02, LONG, {"seconds": 6.0 if self._short else self._random.uniform(120, 180)}))
        return sorted(faults, key=lambda fault: fault.at)

    def _deal(self, over_http: bool, beside: list[str]) -> str:
        """The next kind of the deck that is not in the round yet; the broker dies once a round at most."""
        deck = self._decks[over_http]
        families = {_family(kind) for kind in beside}
        fresh = [kind for kind in deck if _family(kind) not in families]
        if not fresh:
            more = [*ANYWHERE, *(OVER_HTTP if over_http else IN_PROCESS * 3)]
            self._random.shuffle(more)
            deck += more
            fresh = [kind for kind in deck if _family(kind) not in families]
        deck.remove(fresh[0])
        return fresh[0]

    def _fault(self, kind: str) -> Fault:
        rng = self._random
        long = (7.0, 9.0) if self._short else (8.0, 14.0)
        what: dict[str, Any] = {}
        match kind:
            case "kill":
                what = {"workers": [rng.choice(WORKERS)]}
            case "kill_triage":
                what = {"workers": [rng.choice(WORKERS[:2])]}
            case "kill_follow":
                what = {"workers": [rng.choice(WORKERS[4:6])]}
            case "kill_crowd":
                what = {"workers": ["crowd"]}
            case "kill_several":
                what = {"workers": sorted(rng.sample(WORKERS, rng.randint(2, 4)))}
            case "freeze_short":
                what = {"workers": [rng.choice(WORKERS)], "seconds": 2.0}
            case "freeze_long":
                what = {"workers": [rng.choice(WORKERS)], "seconds": rng.uniform(*long)}
            case "freeze_several":
                what = {"workers": sorted(rng.sample(WORKERS, 2)), "seconds": rng.uniform(*long)}
            case "starve":
                what = {"workers": [rng.choice(WORKERS[:2])], "seconds": rng.uniform(*long), "share": 0.05}
            case "zombie_recorder":
                what = {"workers": ["record"], "seconds": rng.uniform(*long)}
            case "rolling_restart":
                order = rng.sample(WORKERS, len(WORKERS))
                what = {"workers": order[:2] if self._short else order}
            case "broker_kill_and_stop":
                what = {"workers": [rng.choice(WORKERS)]}
            case "clock_jump":
                what = {"step": rng.choice(CLOCK_STEPS), "seconds": rng.uniform(2, 4)}
            case "clickhouse_slow":
                what = {"milliseconds": rng.randint(200, 1500), "seconds": rng.uniform(3, 6)}
            case "clickhouse_away" | "clickhouse_refuse":
                what = {"seconds": rng.uniform(2, 5)}
            case "clickhouse_full" | "clickhouse_drop_answer":
                what = {"requests": rng.randint(2, 8)}
            case "kill_recorder_inserting":
                what = {"times": rng.randint(1, 2), "after": rng.uniform(0.0, 1.0)}
        return Fault(round(rng.uniform(0.05, 0.75), 3), kind, what)


def _family(kind: str) -> str:
    return "broker" if kind.startswith("broker") else kind
