"""Two minutes of `tocsin demo`, and the boards that it fills, checked: run by `.ci/run`, and by hand with
`python -m tests.demo_minute`.

Asserts counts; prints times, which depend on the machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from agents.stack import free_port
from tests import boards, screens

SECONDS = 110
"""A wave of like messages begins at 55."""
NOTHING_IN_A_MINUTE = {
    "models/8/A: In the shadow",  # nothing is tried
    "models/12/A: Answered worse than before",  # a drift takes hundreds of labels
    "platform/9/A: Alarms",  # nothing goes wrong
    "triage/12/A: Alert budget",  # an hour's budget is not spent in a minute
}
"""Panels that truly have nothing to list yet, and say so in a row."""


def main() -> None:
    """Ends with a sentence where a claim does not hold."""
    with tempfile.TemporaryDirectory(prefix="tocsin-minute-") as folder:
        play(Path(folder))


def play(folder: Path) -> None:
    """The demo in this folder, and what it left there."""
    argv = [sys.executable, "-m", "agents.cli", "demo", "--for", str(SECONDS), "--json", "--data", str(folder)]
    port = free_port()
    environment = {**os.environ, "TOCSIN_CONSOLE_PORT": str(port)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment) as run:
        try:
            asyncio.run(watch(f"http://127.0.0.1:{port}"))
            out, _ = run.communicate(timeout=SECONDS + 240)
        finally:
            if run.poll() is None:
                run.send_signal(signal.SIGINT)
    assert run.returncode == 0, f"demo ended with status {run.returncode}"
    lines = out.decode().splitlines()
    assert len(lines) == 1, f"standard output holds {len(lines)} lines, must be the JSON summary alone"
    summary = json.loads(lines[0])
    print(json.dumps(summary, indent=2))
    made = summary["decisions"] - summary["superseding"]
    assert made == summary["messages"] >= 500, f"{summary['messages']} messages, {made} decisions"
    assert summary["dead_letters"] > 0, "the broken records left no dead letters"
    assert summary["corrections"] > 0, "no correction was learned"
    assert all(summary["flagged"].values()), f"a priority never rang: {summary['flagged']}"
    assert summary["handoffs"], "nobody was handed over"
    assert summary["raised"].get("breach_near"), f"no answer was nearly late: {summary['raised']}"
    assert summary["standing"].get("at_risk"), f"no customer is at risk: {summary['standing']}"
    told = {kind: states for kind, *states in summary["incidents"].values()}
    assert told.get("burst", [])[:1] == ["opened"], f"the wave is no incident: {summary['incidents']}"
    assert summary["drill"], "the drill's alert did not arrive"
    rows = summary["rows"]
    assert rows["decisions"] == summary["decisions"], f"{rows['decisions']} rows of {summary['decisions']} decisions"
    assert rows["dead_letters"] == summary["dead_letters"], "a dead letter has no row, or two"
    print(
        f"message to decision: p50 {summary['decision_seconds_p50']:.3f} s, p99 {summary['decision_seconds_p99']:.3f} s; "
        f"correction to effect: p95 {summary['correction_seconds_p95']:.3f} s (expected under 1 s)"
    )
    look(folder)


async def watch(url: str) -> None:
    """The console, as people would look at it meanwhile."""
    await screens.until(url, 120, screens.danger)
    await screens.take(url, ("danger-phone", "trends-fr-dark", "rules"), None)
    await screens.until(url, SECONDS + 60, screens.gathered)
    await screens.take(url, ("incident",), None)


def look(folder: Path) -> None:
    """Every panel of every board shows something of what the demo left in ClickHouse."""
    argv = [sys.executable, "-m", "tests.boards", str(folder / "clickhouse")]
    run = subprocess.run(argv, stdout=subprocess.PIPE, timeout=120, check=False)
    assert run.returncode == 0, "ClickHouse's folder cannot be read"
    found = json.loads(run.stdout)
    assert not boards.empty(found), "empty: " + "; ".join(boards.empty(found))
    assert set(boards.silent(found)) <= NOTHING_IN_A_MINUTE, f"nothing to show: {boards.silent(found)}"
    print(f"{len(found)} panels show something")


if __name__ == "__main__":
    main()
