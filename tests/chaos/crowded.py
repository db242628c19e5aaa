"""Crowd's accounts: what it counted is what was decided up to where it read, no more and no less; its incidents are in order.

Owns: those checks, by a count that shares no code with the role but the layout of its bytes. Must never: ask a worker.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from schemas.arrays import unpack

NEXT = {"opened": {"grown", "peaked", "closed"}, "grown": {"grown", "peaked", "closed"},
        "peaked": {"peaked", "grown", "closed"}, "closed": {"opened"}}  # fmt: skip


class Crowded:
    """Reads `decisions`, `incidents` and `crowd`."""

    def __init__(self) -> None:
        self._decided: dict[int, list[int]] = {}
        self._told: dict[str, list[str]] = {}
        self._alerts: Counter[str] = Counter()
        self._state: bytes | None = None

    def decision(self, record: Any, decision: dict[str, Any]) -> None:
        """A decision: crowd counts the first on each first revision."""
        if decision["supersedes"] is None and decision["revision"] == 0 and decision["status"] != "deleted":
            self._decided.setdefault(record.partition, []).append(record.offset)

    def incident(self, record: Any) -> None:
        """What is told of an incident."""
        incident = json.loads(record.value)
        self._told.setdefault(incident["id"], []).append(incident["state"])
        self._alerts.update(alert["decision_id"] for alert in incident["alerts"])

    def state(self, record: Any) -> None:
        """What crowd keeps."""
        if record.key == b"state":
            self._state = record.value

    def account(self, read_to: dict[tuple[str, int], int]) -> list[tuple[str, str, str]]:
        """What does not hold, with crowd at rest; `read_to`: its group's offsets."""
        failures: list[tuple[str, str, str]] = []
        wanted = sum(
            offset < read_to.get(("decisions", partition), 0)
            for partition, offsets in self._decided.items()
            for offset in offsets
        )
        found = 0 if self._state is None else _counted(self._state)
        if found != wanted:
            failures.append(("crowd_counts", "crowd", f"{found} messages counted, {wanted} decided before {read_to}"))
        for name, states in self._told.items():
            for before, after in zip(["closed", *states], states, strict=False):
                if after not in NEXT[before]:
                    failures.append(("incident_order", name, ", ".join(states)))
                    break
        twice = [name for name, count in self._alerts.items() if count > 1]
        if twice:
            failures.append(("gathered_twice", "incidents", ", ".join(twice[:5])))
        return failures


def _counted(data: bytes) -> int:
    """All messages that the state has counted, in all hours."""
    _, arrays = unpack(data)
    week, now, *_ = json.loads(arrays["kept"].tobytes())["week"]["channels"].get("", [[], 0])
    past: int = round(sum(mean * hours for mean, hours in week))
    return past + int(now)
