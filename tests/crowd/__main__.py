"""`python -m tests.crowd --out docs/incidents`: waves over real background, and quiet hours; crowd beside ordinary detectors.

Owns: which replays there are, and the page. Must never: tune anything to what it finds.
"""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import click

from agents.incidents import state
from agents.incidents.crowd import Crowd
from agents.incidents.meaning import shipped
from tests.crowd import race
from tests.crowd.race import Found, Told
from tests.crowd.replays import BEGIN_MS, WAVES, Judged, Wave, background, replay
from tests.crowd.slowly import A_MINUTE, slow

LANGUAGES = (("en",), ("fr",), ("en", "fr"))
GAP_SECONDS = 1_250
FEW = 6
"""Customers who write a hostile wave."""
WITHIN_MS = 60_000
SEED = 20261123


def waves() -> list[Wave]:
    """Each wave twice, in another language each time; twenty messages in a minute."""
    found, at = [], 900.0
    names = [name for name, wave in WAVES.items() if wave["kind"] != "slow"]
    for number, name in enumerate(names * 2):
        customers = None if WAVES[name]["kind"] == "burst" else FEW
        languages = LANGUAGES[(number + number // len(names)) % 3]
        found.append(Wave(name, at, 60, 20, languages, customers))
        at += GAP_SECONDS
    return found


def figures(name: str, found: Found, times: dict[str, list[int]], hours: float) -> dict[str, Any]:
    """What one contender found of the waves, and made up."""
    late = {wave: at - sorted(times[wave])[19] for wave, at in found.opened.items() if len(times[wave]) >= 20}
    seconds = sorted(one / 1000 for one in late.values())
    return {
        "name": name,
        "waves": len(times),
        "found": len(found.opened),
        "within_60_seconds": sum(one <= WITHIN_MS for one in late.values()),
        "median_seconds_after_the_twentieth": seconds[len(seconds) // 2] if seconds else None,
        "false": len(found.false),
        "false_a_day": round(len(found.false) / hours * 24, 1),
        "precision": round(len(found.opened) / max(len(found.opened) + len(found.false), 1), 2),
        "missed": sorted(set(times) - set(found.opened)),
    }


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the page and its figures.")
@click.option("--a-minute", type=float, default=1000.0, show_default=True, help="Messages of the background.")
@click.option("--quiet-hours", type=float, default=4.0, show_default=True, help="Of background alone.")
@click.option("--slow/--no-slow", "slowly", default=True, help="Whether crises that grow over days are replayed, too.")
@click.option("--seed", type=int, default=SEED, show_default=True)
def main(out: Path | None, a_minute: float, quiet_hours: float, slowly: bool, seed: int) -> None:
    """Replays, and what each contender made of them."""
    judged, texts, told = Judged(), background(os.environ.get("TOCSIN_CORPUS")), waves()
    length = told[-1].at + GAP_SECONDS
    lines: list[Told] = list(replay(judged, texts, told, seconds=length, a_minute=a_minute, seed=seed))
    rules, hours = judged.policy.crowd, length / 3600
    found, times = race.crowd(lines, rules)
    rows = [
        figures("crowd", found, times, hours),
        figures("threshold on a category's messages a minute", race.threshold(lines), times, hours),
        figures("river ADWIN on the same", race.river_adwin(lines), times, hours),
        figures("river Page-Hinkley on the same", race.river_page_hinkley(lines), times, hours),
    ]
    del lines
    click.echo(json.dumps(rows, indent=1))
    quiet: list[Told] = list(replay(judged, texts, [], seconds=quiet_hours * 3600, a_minute=a_minute, seed=seed + 1))
    still, _ = race.crowd(quiet, rules)
    plain = race.threshold(quiet)
    kept = _state_bytes(quiet)
    del quiet
    days = [slow(judged, texts, rules, languages, seed) for languages in LANGUAGES] if slowly else []
    click.echo(json.dumps(days))
    result = {
        "seed": seed,
        "background": {"texts": len(texts), "corpus": bool(os.environ.get("TOCSIN_CORPUS")), "a_minute": a_minute},
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "hours": round(hours, 2),
        "contenders": rows,
        "waves": {
            name: {
                "seconds_after_the_twentieth": None
                if name not in found.opened
                else round((found.opened[name] - sorted(times[name])[19]) / 1000, 1),
                "kind": found.kinds.get(name),
                "states": found.states.get(name, []),
            }
            for name in times
        },
        "false_at": [round((at - BEGIN_MS) / 1000) for at in found.false],
        "quiet": {
            "hours": quiet_hours,
            "crowd_false": len(still.false),
            "threshold_false": len(plain.false),
        },
        "microseconds_a_message": round(found.seconds / found.messages * 1e6),
        "state_bytes": kept,
        "slow": days,
    }
    click.echo(json.dumps({name: result[name] for name in ("quiet", "microseconds_a_message", "state_bytes")}))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "incidents.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
        (out / "replays.md").write_text(page(result), "utf-8")


def _state_bytes(lines: list[Told]) -> int:
    """What is written of a crowd whose window is full."""
    crowd = Crowd(shipped(), {})
    last = lines[-1][0]
    crowd.take([(seen, words) for at, seen, words, _ in lines if at > last - 1_200_000])
    crowd.look(last, Judged().policy.crowd)
    return len(state.packed(crowd))


def _slow(days: list[dict[str, Any]]) -> str:
    """The table of the crises that grow over days."""
    if not days:
        return ""
    table = f"""A swollen battery among {A_MINUTE:g} messages a minute over {days[0]["days"]} days: two messages on its first
day, the fourth, and each day twice as many.

| in | told of on its day | of its messages so far | as | false in {days[0]["days"]} days |
|---|---|---|---|---|
"""
    for one in days:
        day, by_then = one["told_on_day"], one["messages_by_then"]
        told = ("missed", "") if day is None else (f"{day:g}", by_then)
        table += f"| {one['languages']} | {told[0]} | {told[1]} | {one['kind'] or ''} | {one['false']} |\n"
    return table + "\n"


def page(result: dict[str, Any]) -> str:
    """The page of the figures."""
    told = result["background"]
    sets = "labelled sets and our own" if told["corpus"] else "our own"
    head = f"""# Waves over real background

Written by `python -m tests.crowd`; seed {result["seed"]}, {told["texts"]:,} texts ({sets}) in a random order at
{told["a_minute"]:g} messages a minute, {result["hours"]:g} hours. Into it, every {GAP_SECONDS // 60} minutes, twenty messages of
one wave (tests/crowd/waves.json) within a minute: in English, in French, or half each; hostile ones by {FEW} accounts. A wave
counts as found by an incident whose first messages are mostly of it. The others see the same messages, as counts a minute by
category.

| | waves | found | within 60 s of the twentieth | median s after it | false | a day | precision |
|---|---|---|---|---|---|---|---|
"""
    for row in result["contenders"]:
        median = row["median_seconds_after_the_twentieth"]
        cells = (
            row["name"],
            row["waves"],
            row["found"],
            row["within_60_seconds"],
            "-" if median is None else f"{median:.0f}",
        )
        head += f"| {' | '.join(map(str, cells))} | {row['false']} | {row['false_a_day']:g} | {row['precision']:g} |\n"
    quiet = result["quiet"]
    head += f"""
Quiet: {quiet["hours"]:g} hours of background alone, {quiet["crowd_false"]} false incidents; the plain threshold has
{quiet["threshold_false"]}.
Cost: {result["microseconds_a_message"]} us of CPU a message, looks included. State written: {result["state_bytes"]:,} bytes.

{_slow(result["slow"])}| wave | s after the twentieth | kind | told as |
|---|---|---|---|
"""
    for name, one in result["waves"].items():
        seconds = one["seconds_after_the_twentieth"]
        states = ", ".join(one["states"][:6])
        head += f"| {name} | {'missed' if seconds is None else seconds} | {one['kind'] or ''} | {states} |\n"
    return head


if __name__ == "__main__":
    main()
