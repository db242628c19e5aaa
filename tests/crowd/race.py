"""One replay through crowd, and through what it is held against: a plain threshold on counts, and river's drift detectors.

Owns: what counts as found. A wave is found by an opened incident most of whose first messages are of it. Must never: let a
contender see more than the messages so far.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from river import drift

from agents.incidents.bursts import LOOK_MS
from agents.incidents.crowd import Crowd
from agents.incidents.meaning import shipped
from agents.incidents.window import Seen
from agents.scoring.policy_crowd import CrowdRules
from schemas.incident import Incident

Told = tuple[int, Seen, list[str], str | None]


@dataclass
class Found:
    """What one contender said.

    Attributes:
        opened: by wave, when it was first said (ms); false: of no wave, when.
        kinds: by wave, the incident's kind.
    """

    opened: dict[str, int] = field(default_factory=dict)
    false: list[int] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    states: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0
    messages: int = 0
    told: list[Incident] = field(default_factory=list)


def crowd(lines: Iterable[Told], rules: CrowdRules, look_ms: int = LOOK_MS) -> tuple[Found, dict[str, list[int]]]:
    """What crowd says; and when the messages of each wave came (ms)."""
    one, found = Crowd(shipped(), {}), Found()
    waves: dict[str, list[int]] = defaultdict(list)
    owner: dict[str, str] = {}
    next_look = 0
    for at, seen, words, wave in lines:
        next_look = next_look or at + look_ms
        while at >= next_look:
            _look(one, next_look, rules, found, waves, owner)
            next_look += look_ms
        if wave is not None:
            waves[wave].append(at)
        one.take([(seen, words)])
        found.messages += 1
    for _ in range(60):
        _look(one, next_look, rules, found, waves, owner)
        next_look += look_ms
    return found, waves


def _look(
    one: Crowd, now: int, rules: CrowdRules, found: Found, waves: dict[str, list[int]], owner: dict[str, str]
) -> None:
    begun = time.process_time()
    told = one.look(now, rules).incidents
    found.seconds += time.process_time() - begun
    for incident in told:
        if incident.kind == "budget":
            continue
        found.told.append(incident)
        if incident.state == "opened":
            # Of the wave that goes on, where it is of that wave's making: its first messages, or those of its like before.
            going = [name for name, times in waves.items() if now - times[-1] < 600_000]
            like = [name for name in going if _of(incident, name, owner)]
            owner[incident.id] = like[0] if like else ""
            if not like:
                found.false.append(now)
            elif like[0] not in found.opened:
                found.opened[like[0]], found.kinds[like[0]] = now, incident.kind
        if owner[incident.id]:
            found.states[owner[incident.id]].append(incident.state)


def _of(incident: Incident, wave: str, owner: dict[str, str]) -> bool:
    before = owner.get(incident.id, "")
    if before:
        return before.split("/")[0] == wave.split("/")[0]
    return 2 * sum(message.startswith(f"{wave}:") for message in incident.examples) > len(incident.examples)


def threshold(lines: Iterable[Told], least: int = 12, times: float = 3.0) -> Found:
    """A plain threshold: messages of a category in a minute, against the mean of the hour before."""
    return _by_category(lines, lambda: _Plain(least, times))


def river_adwin(lines: Iterable[Told]) -> Found:
    """River's ADWIN on each category's messages a minute."""
    return _by_category(lines, lambda: _River(_ADWIN(delta=0.002)))


def river_page_hinkley(lines: Iterable[Told]) -> Found:
    """River's Page-Hinkley on the same."""
    return _by_category(lines, lambda: _River(_PageHinkley(mode="up")))


_ADWIN: Any = drift.ADWIN
_PageHinkley: Any = drift.PageHinkley  # without types


class _Plain:
    def __init__(self, least: int, times: float) -> None:
        self._least, self._times = least, times
        self._minutes: deque[int] = deque(maxlen=60)
        self._on = False

    def rings(self, count: int) -> bool:
        mean = sum(self._minutes) / max(len(self._minutes), 1)
        over = len(self._minutes) >= 5 and count >= self._least and count >= self._times * mean
        self._minutes.append(count)
        rings, self._on = over and not self._on, over
        return rings


class _River:
    def __init__(self, detector: Any) -> None:
        self._detector = detector

    def rings(self, count: int) -> bool:
        self._detector.update(count)
        return bool(self._detector.drift_detected)


def _by_category(lines: Iterable[Told], make: Callable[[], _Plain | _River]) -> Found:
    found = Found()
    detectors: dict[str, _Plain | _River] = {}
    counts: Counter[str] = Counter()
    waves: dict[str, Counter[str]] = defaultdict(Counter)
    minute = 0
    for at, seen, _, wave in lines:
        if at // 60_000 != minute:
            for category in {*detectors, *counts}:
                detector = detectors.setdefault(category, make())
                if detector.rings(counts[category]):
                    if waves[category]:
                        found.opened.setdefault(waves[category].most_common(1)[0][0], at)
                    else:
                        found.false.append(at)
            counts.clear()
            waves.clear()
            minute = at // 60_000
        counts[seen.category] += 1
        if wave is not None:
            waves[seen.category][wave] += 1
    return found
