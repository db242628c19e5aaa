"""How a backlog is drained: by one triage worker and a recorder that find it waiting.

Half of it was written two days ago, half just now; so alerts of the first half are late, those of the second are not yet.
Owns: the backlog, the figures (rate, memory, late alerts, when urgent ones rang), `backlog.json`, `.md`, `.svg`.
Must never: count what the verifier has not accounted for.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.chaos import report
from tests.chaos.load import Load
from tests.chaos.picture import Point, scatter
from tests.chaos.reading import Reader, committed
from tests.chaos.rows import compare
from tests.chaos.script import Planned, Script, dumped, texts
from tests.chaos.session import PARTITIONS
from tests.chaos.stack import Kafka, Stack
from tests.chaos.verifier import Accounts, Failure

OLD = timedelta(days=2)
STALL_SECONDS = 120.0
SAMPLE_SECONDS = 1.0


class Aged(Script):
    """Messages of which the first half was written two days ago."""

    def __init__(self, count: int, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._half = count // 2
        self._now = datetime.now(UTC)

    def message(self, number: int) -> Planned:
        """The n-th message, with its time."""
        planned = super().message(number)
        if planned.fields is None:
            return planned
        written = self._now - OLD if number < self._half else self._now
        fields = {**planned.fields, "sent_at": written.isoformat(timespec="milliseconds")}
        return planned._replace(fields=fields, value=dumped(fields))


class Backlog:
    """One drain."""

    def __init__(self, count: int, seed: int, kafka: Kafka, folder: Path) -> None:
        self.count = count
        found, self.source = texts()
        self.prefix = f"backlog{seed}."
        self._kafka = kafka
        self._script = Aged(count, seed, 0, PARTITIONS, found)
        self._load = Load(kafka.address, self.prefix, self._script, lambda: None, 0.0)
        self._stack = Stack(kafka, folder, self.prefix, PARTITIONS, False, {})
        self._accounts = Accounts(self.prefix, self._load.ledger)
        self.samples: list[dict[str, float]] = []
        self.wrong_late: list[str] = []
        self._limits: dict[str, float] = {}
        self._rang: dict[str, list[float]] = {}
        self._late: Counter[str] = Counter()

    async def run(self) -> dict[str, Any]:
        """The figures; failures among them."""
        await self._stack.prepare()
        self._limits = yaml.safe_load((await self._stack.command("policy", "show")).decode())["late"]
        begun = time.monotonic()
        for _ in range(self.count):
            await self._load.one()
        await self._load.answered()
        await self._load.stop()
        filled = time.monotonic() - begun
        started = time.time()
        triage = self._stack.worker("triage-1", "triage")
        record = self._stack.worker("record", "record")
        for worker in (triage, record):
            await worker.start()
        drained = await self._watch(started, "triage", ("messages",))
        recorded = await self._watch(started, "record", ("messages", "decisions"))
        stops = [await self._stack.stop(worker.name) for worker in (triage, record)]
        failures = await self._account()
        first = min(times[0] for times in self._accounts.moments.values())
        last = max(times[-1] for times in self._accounts.moments.values())
        return {
            "messages": self.count,
            "filled_seconds": round(filled, 1),
            "first_decision_seconds": round(first - started, 2),
            "drained_seconds": drained,
            "recorded_seconds": recorded,
            "messages_a_second": round(self.count / (last - first)),
            "memory_mb": {name: round(max(sample[name] for sample in self.samples)) for name in ("triage-1", "record")},
            "late_alerts": dict(sorted(self._late.items())),
            "late_wrongly": len(self.wrong_late),
            "rang_seconds": {
                topic: {"n": len(times), "p50": round(statistics.median(times) - started, 1)}
                for topic, times in sorted(self._rang.items())
            },
            "stops": [stop._asdict() for stop in stops],
            "failures": [failure._asdict() for failure in failures[:50]],
        }

    async def _watch(self, started: float, role: str, topics: tuple[str, ...]) -> float:
        """Seconds from the start until a group has no more to read of some topics."""
        ends = await self._stack.end_offsets(topics)
        since, least = time.monotonic(), 1 << 60
        while True:
            reached = await committed(self._kafka.address, self.prefix + role, self.prefix)
            left = sum(max(end - reached.get(place, 0), 0) for place, end in ends.items())
            if role == "triage":
                memory = {name: worker.memory() / 1e6 for name, worker in self._stack.workers.items()}
                self.samples.append({"at": round(time.time() - started, 2), "left": left, **memory})
            if not left:
                return round(time.time() - started, 1)
            if left < least:
                least, since = left, time.monotonic()
            if time.monotonic() - since > STALL_SECONDS:
                raise RuntimeError(f"{role} stands still with {left} records to take")
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _account(self) -> list[Failure]:
        reader = Reader(self._kafka.address, self.prefix, PARTITIONS, self._take)
        await reader.start()
        try:
            await reader.to_end(600)
        finally:
            await reader.stop()
        failures = self._accounts.account()
        limits = await committed(self._kafka.address, self.prefix + "record", self.prefix)
        return failures + compare(await self._stack.clickhouse.held(), self._accounts.rows, limits, self.prefix)

    def _take(self, name: str, record: Any) -> None:
        self._accounts.take(name, record)
        if not name.startswith("priority."):
            return
        alert = json.loads(record.value)
        decision = alert["decision"]
        age = (_moment(decision["decided_at"]) - _moment(decision["sent_at"])).total_seconds()
        self._rang.setdefault(name, []).append(record.timestamp / 1000)
        self._late[f"{decision['priority']} {'late' if alert['late'] else 'in time'}"] += 1
        if alert["late"] != (age > self._limits[decision["priority"]]):
            self.wrong_late.append(decision["id"])

    async def close(self) -> None:
        """Ends everything."""
        await self._load.stop()
        await self._stack.close()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


async def backlog(count: int, seed: int, out: Path | None) -> int:
    """Drains a backlog and writes its report; the exit status."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-backlog-"))
    kafka = Kafka(folder)
    try:
        await kafka.start()
        one = Backlog(count, seed, kafka, folder / "stack")
        try:
            found = await one.run()
        finally:
            await one.close()
    finally:
        await kafka.stop()
        shutil.rmtree(folder, ignore_errors=True)
    whole = {
        "command": report.command(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": report.machine(),
        "kafka": kafka.version,
        "texts": one.source,
        **found,
        "samples": one.samples,
    }
    if out is not None:
        _write(out, whole)
    print(json.dumps({name: value for name, value in whole.items() if name != "samples"}, indent=1))
    return 1 if found["failures"] or found["late_wrongly"] else 0


def _write(out: Path, found: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "backlog.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    where = found["machine"]
    rows = [
        ("messages waiting", f"{found['messages']:,}"),
        ("start to first decision", f"{found['first_decision_seconds']} s"),
        (
            "drained by one triage worker",
            f"{found['drained_seconds']} s, {found['messages_a_second']:,} messages a second",
        ),
        ("all rows in ClickHouse", f"{found['recorded_seconds']} s after the start"),
        ("memory at most (MB)", ", ".join(f"{name} {most}" for name, most in found["memory_mb"].items())),
        ("alerts", ", ".join(f"{count:,} {name}" for name, count in found["late_alerts"].items())),
        ("alerts marked late wrongly, or not", found["late_wrongly"]),
        (
            "half of the alerts had rung after",
            ", ".join(f"{topic} {rang['p50']} s" for topic, rang in found["rang_seconds"].items()),
        ),
        ("failures of the verifier", len(found["failures"])),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    (out / "backlog.md").write_text(
        f"# A backlog\n\n`{found['command']}`, {found['date']}, {where['cores']} cores, {where['memory_gb']} GB, "
        f"{where['system']}, Python {where['python']}, {found['kafka']}, {PARTITIONS} partitions. Texts: {found['texts']}.\n\n"
        f"| what | found |\n|---|---|\n{table}\n\n![Memory while it drains](backlog.svg)\n",
        "utf-8",
    )
    points = [
        Point(sample["at"], sample[name], name)
        for sample in found["samples"]
        for name in ("triage-1", "record")
        if sample.get(name)
    ]
    title = "Resident memory while the backlog drains"
    (out / "backlog.svg").write_text(scatter(points, [], title, "seconds", "MB"), "utf-8")
