"""All contenders in turn, several times over, so that whatever else the machine does meets all of them.

Owns: the order, the lengths of the backlogs, medians and ratios. Must never: compare figures of two runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from streams.settings import Settings
from tests.bench import steps
from tests.bench.corpus import Corpus, Feed
from tests.bench.drain import CONTENDERS, WARM, Drained, drain, expected
from tests.bench.figures import median
from tests.bench.stage import PARTITIONS, Stage

LEAST = 4_000
CHECKED = 10_000
"""Messages whose decisions are compared one by one, for every contender."""


async def run(
    stage: Stage,
    settings: Settings,
    corpus: Corpus,
    *,
    seconds: float,
    messages: int | None,
    rounds: int,
    recalled: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The table of contenders.

    Args:
        seconds: how long each backlog shall last, by a guess from the scorer's cost.
        messages: the same length for all instead.
        recalled: in the first round each also with the scorer that remembers.
    """
    now = time.time_ns() // 1_000_000
    full, few = Feed(corpus, PARTITIONS, at_ms=now), Feed(corpus.few(), PARTITIONS, at_ms=now)
    table = await steps.measure(settings, full)
    scoring = sum(step.us for step in table if step.group == "scoring")
    recall = steps.recall_us(settings, few)
    checked = min(CHECKED, messages or CHECKED)
    answers = {"full": expected(settings, full, checked), "recalled": expected(settings, few, checked)}
    say(f"scoring costs {scoring:.0f} us a message, everything else by its pure steps {_rest(table):.1f} us")
    found: list[Drained] = []
    for number in range(rounds):
        for contender in CONTENDERS:
            for scorer in ("full", "recalled") if recalled and number == 0 else ("full",):
                cost = (scoring if scorer == "full" else recall) + contender.overhead_us
                count = messages or max(int(seconds * 1e6 / cost), LEAST)
                # Only messages that this backlog holds can be asked for.
                asked = dict(list(answers[scorer].items())[: full.readable(min(WARM + count, checked))])
                feed = full if scorer == "full" else few
                one = await drain(stage, feed, contender.name, count, asked, recalled=scorer == "recalled", run=number)
                found.append(one)
                say(
                    f"  {contender.name:20} {scorer:9} {one.per_second:9,.0f}/s {one.cpu_us:8.1f} us CPU "
                    f"{one.peak_rss / 2**20:6.0f} MiB" + (f"   WRONG: {'; '.join(one.faults)}" if one.faults else "")
                )
    return {
        "runs": [one.plain() for one in found],
        "steps": [step._asdict() for step in table],
        "scoring_us": round(scoring, 2),
        "recall_us": round(recall, 2),
        "scoring_us_by_source": steps.by_source(settings, corpus.rows),
        **summary(found, recall),
    }


def _rest(table: list[steps.Step]) -> float:
    return sum(step.us for step in table if step.group != "scoring")


def summary(found: list[Drained], recall_us: float) -> dict[str, Any]:
    """Medians, and Tocsin's ratio to each other contender: by messages a second, and by CPU a message.

    On a machine that others use too the second is the steadier one.
    """
    medians: dict[str, Any] = {}
    for contender in CONTENDERS:
        full = [one for one in found if one.contender == contender.name and one.scorer == "full"]
        recalled = [one for one in found if one.contender == contender.name and one.scorer == "recalled"]
        medians[contender.name] = {
            "title": contender.title,
            "per_second": round(median([one.per_second for one in full]), 1),
            "cpu_us": round(median([one.cpu_us for one in full]), 2),
            "peak_rss": int(median([one.peak_rss for one in full])),
            "beside_scoring_us": round(median([one.cpu_us for one in recalled]) - recall_us, 2) if recalled else None,
            "recalled_per_second": round(median([one.per_second for one in recalled]), 1) if recalled else None,
        }
    ours = medians["tocsin"]
    ratios = {
        name: {
            "per_second": round(ours["per_second"] / max(one["per_second"], 1e-9), 3),
            "cpu": round(one["cpu_us"] / max(ours["cpu_us"], 1e-9), 3),
        }
        for name, one in medians.items()
        if name != "tocsin"
    }
    return {
        "medians": medians,
        "ratios": ratios,
        "faults": [f"{one.contender} ({one.scorer}): {fault}" for one in found for fault in one.faults],
    }
