"""One contender and one backlog: how fast it is drained, and what came out.

Owns: the measured window, and the check that every contender's outputs are the same. Must never: take a figure from the
contender itself: times are the broker's, CPU and memory the kernel's.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import orjson

from schemas.decision import Source
from schemas.message import read_message
from streams.settings import Settings
from tests.bench.contenders import scorers
from tests.bench.corpus import Feed
from tests.bench.processes import Measured, cpu_seconds
from tests.bench.stage import OUTPUTS, Stage, drained, records, sender

WARM = 3_000
"""Messages before the measured ones: connecting, first use of everything; with recalling, first sight of every text."""
AFTER_SECONDS = 0.3
GROUPS = {"tocsin": "triage", "bare": "bare", "quix": "quix", "faust": "faust"}
_MESSAGE_ID = re.compile(rb'"message_id":"([^"]+)"')


class Contender(NamedTuple):
    """A way to do the work.

    Attributes:
        overhead_us: a guess of its cost a message beside scoring, to choose the length of its backlog.
    """

    name: str
    title: str
    overhead_us: float


CONTENDERS = (
    Contender("tocsin", "Tocsin, one triage worker, exactly once", 60),
    Contender("bare-transactions", "bare aiokafka, the same transactions", 50),
    Contender("bare-plain", "bare aiokafka, without transactions", 45),
    Contender("quix-exactly-once", "Quix Streams, exactly once", 120),
    Contender("quix-at-least-once", "Quix Streams, at least once", 120),
    Contender("faust", "idiomatic Faust, one event at a time, at least once", 700),
)


def command(name: str) -> list[str]:
    """The process of a contender."""
    package = "tests.bench.contenders"
    if name == "tocsin":
        return [sys.executable, "-m", f"{package}.tocsin_worker"]
    if name.startswith("bare-"):
        return [sys.executable, "-m", f"{package}.bare_loop", name.removeprefix("bare-")]
    if name.startswith("quix-"):
        from tests.bench import quix

        return quix.command(name.removeprefix("quix-"))
    return [sys.executable, "-m", f"{package}.idiomatic_faust"]


@dataclass
class Drained:
    """What one drain gave."""

    contender: str
    scorer: str
    messages: int
    began_at: float = 0.0
    cpu_before: float = 0.0
    decisions: int = 0
    alerts: int = 0
    dead_letters: int = 0
    seconds: float = 0.0
    per_second: float = 0.0
    cpu_us: float = 0.0
    cpu_share: float = 0.0
    peak_rss: int = 0
    start_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


Answers = dict[str, tuple[str, ...]]
"""By message id: priority, status, and the floors that were hit."""


def answer(decision: dict[str, Any]) -> tuple[str, ...]:
    """What must be equal whoever decided."""
    floors = sorted(f"{r['floor']}@{r['start']}-{r['end']}" for r in decision["reasons"] if "floor" in r)
    return (decision["priority"], decision["status"], *floors)


def expected(settings: Settings, feed: Feed, count: int) -> Answers:
    """The answers to the first messages of a feed, judged here."""
    judge = scorers.judge(settings)
    found: Answers = {}
    source = Source("messages", 0, 0)
    for sent in feed.range(0, count):
        if sent.id is not None:
            incoming = read_message(sent.value, 0)
            at = incoming.message.sent_at or ""
            decision = judge.decide(incoming, source, at, at).decision
            floors = sorted(f"{r.floor}@{r.start}-{r.end}" for r in decision.reasons if isinstance(r.floor, str))
            found[sent.id] = (decision.priority, decision.status, *floors)
    return found


async def drain(
    stage: Stage, feed: Feed, contender: str, count: int, answers: Answers, *, recalled: bool = False, run: int = 0
) -> Drained:
    """Starts the contender, lets it warm up on a small backlog, then gives it the measured one.

    From an idle process to an idle process: no work on a message falls outside the window, however a contender cuts the
    backlog into pieces.
    """
    result = Drained(contender, "recalled" if recalled else "full", count)
    prefix = f"{contender}-{result.scorer}-{run}"
    with stage.scratch(prefix) as folder:
        async with stage.topics(prefix) as settings:
            process = Measured(contender, command(contender), settings, folder, **{scorers.VARIABLE: result.scorer})
            try:
                await _run(result, settings, process, feed)
                await _read_back(result, settings, process, feed, answers)
            finally:
                process.stop()
    return result


async def _run(result: Drained, settings: Settings, process: Measured, feed: Feed) -> None:
    group = GROUPS[result.contender.partition("-")[0]]
    async with sender(settings, compression=None) as out:
        await out.send(feed.range(0, WARM))
        await drained(settings, process.check, group)
        prepared = list(feed.range(WARM, WARM + result.messages))
        result.began_at, result.cpu_before = time.time(), cpu_seconds(process.process.pid)
        await out.send(prepared)
    await drained(settings, process.check, group)


async def _read_back(result: Drained, settings: Settings, process: Measured, feed: Feed, answers: Answers) -> None:
    first = last = 0
    given: Counter[str] = Counter()
    wrong = 0
    decisions, letters = settings.topic("decisions"), settings.topic("dead-letters")
    async for record in records(settings, OUTPUTS):
        if record.topic == letters:
            result.dead_letters += 1
        elif record.topic == decisions:
            result.decisions += 1
            first, last = min(first or record.timestamp, record.timestamp), max(last, record.timestamp)
            found = _MESSAGE_ID.search(record.value)
            identity = "" if found is None else found[1].decode()
            given[identity] += 1
            if identity in answers:
                wrong += answer(orjson.loads(record.value)) != answers[identity]
        else:
            result.alerts += 1
    result.faults = faults(result, feed, given, answers, wrong)
    ended = last / 1000
    result.seconds = round(ended - result.began_at, 3)
    result.per_second = round(result.messages / max(result.seconds, 1e-9), 1)
    # What follows the last output belongs to it as well: the commit, the counting.
    cpu = process.cpu_at(ended + AFTER_SECONDS) - result.cpu_before
    result.cpu_us = round(cpu / result.messages * 1e6, 2)
    result.cpu_share = round(cpu / max(result.seconds, 1e-9), 3)
    result.peak_rss = process.peak_rss
    result.start_seconds = round(first / 1000 - process.began, 2)


def faults(result: Drained, feed: Feed, given: Counter[str], answers: Answers, wrong: int) -> list[str]:
    """Every difference between what came out and what had to."""
    total = WARM + result.messages
    wanted = feed.readable(total)
    found = []
    if result.decisions != wanted:
        found.append(f"{result.decisions} decisions for {wanted} messages")
    if result.dead_letters != total - wanted:
        found.append(f"{result.dead_letters} dead letters for {total - wanted} broken records")
    twice = sum(count > 1 for count in given.values())
    missing = sum(identity not in given for identity in answers)
    if twice:
        found.append(f"{twice} messages decided twice")
    for number, what in ((missing, "not decided"), (wrong, "decided otherwise")):
        if number:
            found.append(f"{number} of the first {len(answers)} {what}")
    return found
