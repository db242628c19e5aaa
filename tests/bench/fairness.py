"""One customer who writes ten times what all others write: what that does to the others' urgent messages.

Owns: the two loads, with and without that customer. Must never: let the loads differ in anything else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson

from schemas.base import timestamp
from schemas.decision import Source
from schemas.message import read_message
from streams.settings import Settings
from tests.bench.contenders import scorers
from tests.bench.corpus import Corpus, Feed, Sent, partition_of
from tests.bench.figures import spread
from tests.bench.latency import BURN_IN_SECONDS, maximum, offered
from tests.bench.load import Stream, latencies
from tests.bench.processes import worker
from tests.bench.stage import PARTITIONS, Stage

TIMES = 10
"""The noisy customer's traffic, in multiples of everybody else's together."""
OF_ONE_PARTITION = 0.25
"""All traffic together, as a share of what one partition can take."""
NOISY = "the-noisy-one"


async def compare(
    stage: Stage, corpus: Corpus, seconds: float, backlog: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """p0 latency of the others without, then with the noisy customer."""
    with stage.scratch("fairness") as folder:
        async with stage.topics("fairness") as settings:
            process = worker(settings, folder, "triage")
            try:
                await asyncio.to_thread(process.wait_ready)
                one = _OnePartition(corpus)
                most = await maximum(settings, one, backlog, process.check)
                say(f"one partition takes {most:,.0f} messages/s")
                total = most * OF_ONE_PARTITION
                others = Stream(total / (TIMES + 1), _Others(settings, corpus).__getitem__)
                noisy = Stream(total - others.rate, _Noisy(corpus).__getitem__)
                await offered(
                    settings, [others, noisy], seconds, process.check
                )  # a broker just started compiles itself
                found: dict[str, Any] = {"one_partition": round(most, 1), "total": round(total, 1)}
                for name, streams in (("alone", [others]), ("noisy", [others, noisy])):
                    begun, seen, _ = await offered(settings, streams, seconds, process.check)
                    urgent = [one for one in seen if one.ids == "o" and one.topic == "priority.p0"]
                    found[name] = spread(latencies(urgent, begun, others.rate, BURN_IN_SECONDS))
                    say(f"  {name:6} p0 of the others: p50 {found[name]['p50_ms']} p99 {found[name]['p99_ms']} ms")
            finally:
                process.stop()
    found["ratio_p99"] = round(found["noisy"]["p99_ms"] / max(found["alone"]["p99_ms"], 1e-9), 3)
    return found


class _OnePartition(Feed):
    """All messages on one partition."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(corpus, PARTITIONS, at_ms=time.time_ns() // 1_000_000, ids="m", broken=False)

    def __getitem__(self, number: int) -> Sent:
        return super().__getitem__(number)._replace(partition=0)


class _Noisy(Feed):
    """One customer's messages."""

    def __init__(self, corpus: Corpus) -> None:
        super().__init__(corpus, PARTITIONS, at_ms=time.time_ns() // 1_000_000, ids="n", broken=False)
        self._key = NOISY.encode()
        self._place = partition_of(self._key, PARTITIONS)

    def __getitem__(self, number: int) -> Sent:
        fields = {**self.fields(number), "customer_id": NOISY}
        return Sent(self._place, self._key, orjson.dumps(fields), fields["id"])


class _Others:
    """Many customers; every second message of theirs is one that floors make p0."""

    def __init__(self, settings: Settings, corpus: Corpus) -> None:
        judge = scorers.judge(settings)
        self._rows: list[dict[str, Any]] = []
        self._sent_at = timestamp(time.time_ns() // 1_000_000)
        for number, row in enumerate(corpus.rows):
            fields = {"id": f"o{number}", **{name: value for name, value in row.items() if name != "source"}}
            incoming = read_message(orjson.dumps(fields), 0)
            if judge.decide(incoming, Source("t", 0, 0), "", "").decision.priority == "p0":
                self._rows.append(fields)
        assert self._rows, "no message of the corpus is p0"
        self._calm = corpus.rows

    def __getitem__(self, number: int) -> Sent:
        urgent = self._rows[number // 2 % len(self._rows)] if number % 2 else self._calm[number % len(self._calm)]
        customer = f"customer-{number % 1_000}"
        fields = {name: value for name, value in urgent.items() if name != "source"}
        fields |= {"id": f"o{number}", "customer_id": customer, "sent_at": self._sent_at}
        key = customer.encode()
        return Sent(partition_of(key, PARTITIONS), key, orjson.dumps(fields), fields["id"])
