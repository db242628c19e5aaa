"""What the learner says of its model on `health`: figures of test-then-train every ten seconds, and drift at once.

Owns: the codes `model_quality` and `model_drift`. Must never: hold up a lesson.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agents.scoring.drift import Drift
from agents.scoring.learner import Learner
from agents.scoring.prequential import Outcome
from streams.health import HealthReporter

SECONDS = 10.0
_TOLD = ("n", "right", "majority_right", "log_loss")


class ModelHealth:
    """Of one learner.

    Args:
        learner: asked for each time, for the role may restore another.
    """

    def __init__(self, health: HealthReporter, learner: Callable[[], Learner]) -> None:
        self._health = health
        self._learner = learner
        self._drift = Drift()
        self._sent: dict[tuple[str, str], int] = {}

    def tested(self, tested: list[Outcome], *, past: bool = False) -> None:
        """What one lesson's tests gave.

        Args:
            past: learned before this process began: what drifted then was said then.
        """
        for one in self._drift.watch(tested):
            if past:
                continue
            detail = (
                f"{one.head} ({one.language}) was wrong on {one.before:.0%} of what people labelled, and on {one.after:.0%} "
                f"of the last {one.lessons}: what is written about has changed, or who labels it. It goes on learning; look "
                "at the latest corrections"
            )
            figures = {**one._asdict(), "version": self._learner().version}
            self._health.alarm("model_drift", detail, where=f"{one.head}/{one.language}", figures=figures)

    async def report(self) -> None:
        """Figures of what has changed, every ten seconds, for ever."""
        while True:
            await asyncio.sleep(SECONDS)
            learner = self._learner()
            for head, languages in learner.quality().items():
                for language, figures in languages.items():
                    if self._sent.get((head, language)) == figures["n"]:
                        continue
                    self._sent[head, language] = figures["n"]
                    told = {name: figures[name] for name in _TOLD}
                    self._health.report(
                        "model_quality",
                        figures={"head": head, "language": language, **told, "version": learner.version},
                    )
