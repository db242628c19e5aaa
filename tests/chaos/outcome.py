"""What a round was, and what came of it.

Owns: the fields that a round is told by. Must never: judge.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.chaos.faults import Done
from tests.chaos.timing import Recovery
from tests.chaos.verifier import Failure
from tests.chaos.worker import Stopped


@dataclass
class Round:
    """What a round was, and what came of it."""

    number: int
    backend: str
    messages: int = 0
    seconds: float = 0.0
    drain_seconds: float = 0.0
    faults: list[Done] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    stops: list[Stopped] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    fresh: dict[str, int] = field(default_factory=dict)
    """Records accounted for in this round, by topic."""
    start_seconds: float | None = None
    load_average: float = 0.0
