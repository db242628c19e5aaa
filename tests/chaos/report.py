"""What a run leaves: a line a round on the screen, and a folder with JSON, a table and a picture.

Owns: `chaos.json`, `chaos.md`, `chaos.svg`. Must never: leave a failure out, or name this machine's folders.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.chaos.outcome import Round
from tests.chaos.picture import Limit, Point, scatter
from tests.chaos.session import PARTITIONS, START_SECONDS
from tests.chaos.timing import RECOVERY_SECONDS
from tests.chaos.worker import STOP_SECONDS

MISSING = (
    "undecided",
    "no_dead_letter",
    "acknowledged_and_gone",
    "no_alert",
    "not_learned",
    "not_raised",
    "row_missing",
)
TWICE = (
    "decided_twice",
    "letter_twice",
    "alert_twice",
    "learned_twice",
    "raised_twice",
    "handoff_twice",
    "change_twice",
    "row_twice",
    "human_decisions",
)
KEPT_FAILURES = 50
"""Failures of one round that the JSON lists; the counts are of all."""


def line(one: Round) -> str:
    """A round on one line."""
    kinds = ", ".join(done.kind for done in one.faults) or "no faults"
    alone = [found.seconds for found in one.recoveries if found.seconds is not None and not found.beside]
    recovered = f", recovered in {max(alone):.1f} s" if alone else ""
    stopped = f", stopped in {max(stop.seconds for stop in one.stops):.1f} s" if one.stops else ""
    verdict = "ok" if not one.failures else f"{len(one.failures)} FAILURES"
    return (
        f"round {one.number + 1:3} {one.backend:10} {one.messages:6,} messages, {one.seconds:5.1f} s "
        f"(drain {one.drain_seconds:.1f} s, load {one.load_average:.0f}){recovered}{stopped}: {kinds}: {verdict}"
    )


def machine() -> dict[str, Any]:
    """Where the run was made."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(memory, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[2], 1),
    }


def command() -> str:
    """How the run was called."""
    return " ".join(["python -m tests.chaos", *sys.argv[1:]])


def figures(rounds: Sequence[Round], seconds: float, seed: int, source: str, kafka: str) -> dict[str, Any]:
    """The whole report as JSON."""
    failures = Counter(failure.check for one in rounds for failure in one.failures)
    alone = [
        found.seconds for one in rounds for found in one.recoveries if found.seconds is not None and not found.beside
    ]
    beside = [found.seconds for one in rounds for found in one.recoveries if found.seconds is not None and found.beside]
    asked = [stop.seconds for one in rounds for stop in one.stops]
    started = [one.start_seconds for one in rounds if one.start_seconds is not None]
    return {
        "command": command(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "kafka": kafka,
        "seed": seed,
        "texts": source,
        "partitions": PARTITIONS,
        "seconds": round(seconds),
        "rounds": len(rounds),
        "records": dict(sum((Counter(one.fresh) for one in rounds), Counter())),
        "faults": dict(Counter(done.kind for one in rounds for done in one.faults).most_common()),
        "missing": sum(failures[check] for check in MISSING),
        "twice": sum(failures[check] for check in TWICE),
        "failures": dict(failures),
        "recovery_seconds": spread(alone),
        "recovery_beside_other_faults_seconds": spread(beside),
        "stop_seconds": spread(asked),
        "start_seconds": spread(started),
        "ends_by_status": dict(sum((Counter(one.statuses) for one in rounds), Counter())),
        "each": [_round(one) for one in rounds],
    }


def spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """n, median, largest."""
    return {
        "n": len(values),
        "p50": round(statistics.median(values), 2) if values else None,
        "max": round(max(values), 2) if values else None,
    }


def _round(one: Round) -> dict[str, Any]:
    return {
        **asdict(one),
        "number": one.number + 1,
        "faults": [
            {**asdict(done), "ended": round(done.ended, 3), "began": round(done.began, 3)} for done in one.faults
        ],
        "recoveries": [found._asdict() for found in one.recoveries],
        "stops": [stop._asdict() for stop in one.stops],
        "failures": [failure._asdict() for failure in one.failures[:KEPT_FAILURES]],
    }


def write(out: Path, found: dict[str, Any]) -> None:
    """Writes the folder."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "chaos.json").write_text(json.dumps(found, indent=1, default=str) + "\n", "utf-8")
    (out / "chaos.md").write_text(_table(found), "utf-8")
    points = [
        Point(one["number"], recovery["seconds"], recovery["kind"], bool(recovery["beside"]), recovery["beside"])
        for one in found["each"]
        for recovery in one["recoveries"]
        if recovery["seconds"] is not None
    ]
    title = "From kill -9 of a triage worker to the first decision on its partitions (hollow: beside another fault)"
    limits = [Limit(RECOVERY_SECONDS, f"{RECOVERY_SECONDS:g} s, the contract")]
    (out / "chaos.svg").write_text(scatter(points, limits, title, "round", "seconds"), "utf-8")


def _table(found: dict[str, Any]) -> str:
    where = found["machine"]

    def told(name: str, limit: float | None) -> str:
        figure = found[name]
        if not figure["n"]:
            return "none"
        bound = f"; at most {limit:g} s allowed" if limit else ""
        return f"p50 {figure['p50']} s, max {figure['max']} s, n {figure['n']}{bound}"

    records = ", ".join(f"{count:,} {name}" for name, count in found["records"].items())
    faults = ", ".join(f"{kind} {count}" for kind, count in found["faults"].items()) or "none"
    failures = ", ".join(f"{check} {count}" for check, count in found["failures"].items()) or "none"
    rows = [
        ("rounds", f"{found['rounds']}, in {found['seconds'] / 60:.0f} minutes, seed {found['seed']}"),
        ("records accounted for", records),
        ("faults", faults),
        ("missing", found["missing"]),
        ("twice", found["twice"]),
        ("all failures", failures),
        ("kill -9 to first decision on its partitions", told("recovery_seconds", RECOVERY_SECONDS)),
        ("the same beside another fault", told("recovery_beside_other_faults_seconds", None)),
        ("SIGTERM to gone", told("stop_seconds", STOP_SECONDS)),
        ("start to first decision", told("start_seconds", START_SECONDS)),
        ("processes that ended, by status", found["ends_by_status"]),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return (
        f"# Nothing lost, nothing twice\n\n"
        f"`{found['command']}`, {found['date']}, {where['cores']} cores, {where['memory_gb']} GB, {where['system']}, Python "
        f"{where['python']}, {found['kafka']}, {found['partitions']} partitions, load average {where['load_average']}. "
        f"Texts: {found['texts']}.\n\n| what | found |\n|---|---|\n{table}\n\n"
        "![Recovery by round](chaos.svg)\n\nEach round with its faults, their times and figures: [chaos.json](chaos.json).\n"
    )
