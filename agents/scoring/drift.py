"""When a head has become wrong more often than it was: River's ADWIN over test-then-train errors, a head and language each.

Owns: the windows. Must never: change what is learned; a window begins anew with the process.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from river.drift import ADWIN

from agents.scoring.prequential import Outcome


class Drifted(NamedTuple):
    """A head's share of errors, before and over the last `lessons`."""

    head: str
    language: str
    before: float
    after: float
    lessons: int


_window: Any = ADWIN  # its methods have no types


class Drift:
    """A window of errors for each head and language, cut where its older part was better than its newer one.

    With River's own confidence (0.002): no alarm on five sets of 3,366 to 4,200 labels in their order; errors that rose by 0.2
    from one label on were found 143 to 559 labels later.
    """

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], Any] = {}

    def watch(self, tested: list[Outcome]) -> list[Drifted]:
        """Takes note of what one lesson's tests gave, and says where errors have risen."""
        found = []
        for one in tested:
            key = (one.head, one.language)
            if key not in self._windows:
                self._windows[key] = _window()
            window = self._windows[key]
            before = float(window.estimation)
            window.update(int(not one.right))
            if window.drift_detected and window.estimation > before:
                found.append(Drifted(one.head, one.language, before, float(window.estimation), int(window.width)))
        return found
