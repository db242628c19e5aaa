"""A crisis that doubles from day to day, over days of real background: when it is told of, and what else is.

Owns: that replay. Must never: say on which day it begins.
"""

from __future__ import annotations

from typing import Any

from agents.scoring.policy_crowd import CrowdRules
from tests.crowd import race
from tests.crowd.replays import Judged, Wave, replay

DAY = 86_400
DAYS = 11
BEGINS = 3
"""The day of its first messages; before, there is background alone."""
FIRST = 2
"""Messages on that day; each day twice as many."""
A_MINUTE = 15.0
"""Of the background: a small desk, for the messages of a crisis are few."""
NAME = "swollen_battery"
LOOK_MS = 60_000
"""So many days are many looks."""


def crisis(languages: tuple[str, ...]) -> list[Wave]:
    """Its days, each a wave of a day's length."""
    return [Wave(NAME, day * DAY, DAY, FIRST * 2 ** (day - BEGINS), languages) for day in range(BEGINS, DAYS)]


def slow(
    judged: Judged, texts: list[tuple[str, str]], rules: CrowdRules, languages: tuple[str, ...], seed: int
) -> dict[str, Any]:
    """One such replay: on which day of the crisis it was told of (from 1; None: never), as what, and how many messages it had by
    then; and how many incidents were of nothing."""
    waves = crisis(languages)
    lines = replay(judged, texts, waves, seconds=DAYS * DAY, a_minute=A_MINUTE, seed=seed)
    found, times = race.crowd(lines, rules, LOOK_MS)
    told = sorted((at, name) for name, at in found.opened.items())
    every = sorted(at for wave in times.values() for at in wave)
    first = told[0] if told else None
    return {
        "languages": "+".join(languages),
        "days": DAYS,
        "told_on_day": None if first is None else 1 + round((first[0] - every[0]) / 1000 / DAY, 1),
        "messages_by_then": None if first is None else sum(at <= first[0] for at in every),
        "kind": None if first is None else found.kinds[first[1]],
        "false": len(found.false),
        "messages": found.messages,
    }
