"""Real messages through the real stack, a worker killed on the way, every one accounted for.

`python -m tests.replay_threads FILE.jsonl.gz`: two triage workers and a recorder on real Kafka and the real engine; one
triage worker is killed with -9 after the first decisions and started again. Prints counts as JSON; ends with status 1
where a customer message has not exactly one decision in Kafka and one row in ClickHouse.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from agents.recording.sink import Sink
from streams.local import jars
from streams.local.broker import Broker
from streams.settings import Settings, load
from tests.harness import Worker, at_least, read_all, tocsin, wait_values


async def replay(settings: Settings, file: Path, folder: Path) -> dict[str, Any]:
    """Runs it; the counts."""
    with gzip.open(file) as stream:
        rows = [json.loads(line) for line in stream]
    wanted = [row["id"] for row in rows if row.get("author_role", "customer") == "customer"]
    done = await asyncio.to_thread(tocsin, settings, "init")
    assert done.returncode == 0, done.stderr
    workers = [Worker(settings, "triage", folder=folder, TOCSIN_CHUNK_RECORDS="100") for _ in range(2)]
    workers.append(Worker(settings, "record", folder=folder))
    try:
        began = time.monotonic()
        sending = asyncio.create_task(asyncio.to_thread(tocsin, settings, "replay", str(file), "--rate", "1000"))
        await wait_values(settings, "decisions", at_least(200), "first decisions")
        workers[0].kill()
        killed = time.monotonic()
        workers[0] = Worker(settings, "triage", folder=folder, TOCSIN_CHUNK_RECORDS="100")
        assert (await sending).returncode == 0
        decisions = await wait_values(settings, "decisions", at_least(len(wanted)), "all decisions")
        ended = time.monotonic()
        letters = await read_all(settings, "dead-letters")
        await _recorded(workers[-1], len(rows) + len(decisions))
    finally:
        for worker in workers:
            worker.stop()
    sink = Sink(settings.clickhouse.get_secret_value())
    recorded = await sink.query("SELECT message_id, count() AS n FROM decisions GROUP BY message_id")
    messages = await sink.query("SELECT count() AS n FROM messages")
    rolled = await sink.query("SELECT sum(decisions) AS n FROM decisions_1m")
    await sink.close()
    made = Counter(one["message_id"] for one in decisions)
    return {
        "messages": len(rows),
        "from_customers": len(wanted),
        "decisions": len(decisions),
        "not_exactly_one_decision": sum(made[identity] != 1 for identity in wanted) + len(set(made) - set(wanted)),
        "dead_letters": len(letters),
        "rows_of_decisions": sum(row["n"] for row in recorded),
        "not_exactly_one_row": sum(
            {row["message_id"]: row["n"] for row in recorded}.get(one, 0) != 1 for one in wanted
        ),
        "rows_of_messages": messages[0]["n"],
        "decisions_in_roll_up": rolled[0]["n"],
        "by_status": Counter(one["status"] for one in decisions),
        "by_priority": Counter(one["priority"] for one in decisions),
        "seconds": round(ended - began, 1),
        "seconds_after_the_kill": round(ended - killed, 1),
    }


async def _recorded(worker: Worker, rows: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        text = worker.metric("tocsin_rows_total")
        counts = [
            float(line.split()[-1])
            for line in text.splitlines()
            if line.startswith("tocsin_rows_total{") and ('"messages"' in line or '"decisions"' in line)
        ]
        if sum(counts) >= rows:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"not {rows} rows within 60 s")


async def _main(file: Path, folder: Path) -> dict[str, Any]:
    broker = Broker(folder / "kafka", jars.ensure(load().cache_folder))
    await broker.start()
    try:
        await broker.wait_ready()
        settings = load(kafka=broker.address, data=folder, clickhouse=f"chdb://{folder / 'clickhouse'}", partitions=8)
        return await replay(settings, file, folder)
    finally:
        await broker.stop()


def main() -> None:
    """Entry point."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-replay-"))
    try:
        counts = asyncio.run(_main(Path(sys.argv[1]), folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(counts, indent=2))
    sys.exit(bool(counts["not_exactly_one_decision"] or counts["not_exactly_one_row"]))


if __name__ == "__main__":
    main()
