"""Every metric by name, kind, unit and meaning, in one list.

Owns: the names that dashboards and alert rules use. Must never: carry an unbounded label.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from threading import Lock

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Durations(Collector):
    """A histogram that takes a chunk's durations at once: one call each would cost a worker a tenth of its time."""

    def __init__(self, name: str, documentation: str, buckets: tuple[float, ...]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0
        self._lock = Lock()
        REGISTRY.register(self)

    def observe(self, seconds: Iterable[float]) -> None:
        """Counts each of `seconds`."""
        each = list(seconds)
        bounds = self._bounds
        with self._lock:
            for value in each:
                self._counts[bisect_left(bounds, value)] += 1
            self._sum += sum(each)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What Prometheus scrapes."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        reached = 0
        buckets = []
        for bound, count in zip([*map(str, self._bounds), "+Inf"], counts, strict=True):
            reached += count
            buckets.append((bound, float(reached)))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=total)


RECORDS_READ = Counter("tocsin_records_read_total", "Records read from Kafka", ["role", "topic"])
CHUNK_RECORDS = Histogram(
    "tocsin_chunk_records", "Records in a chunk", ["role"], buckets=(1, 5, 20, 100, 500, 1000, 2000, 5000, 20000)
)
CHUNK_SECONDS = Histogram("tocsin_chunk_seconds", "From taking a chunk to its commit", ["role"], buckets=_SECONDS)
DECISIONS = Counter("tocsin_decisions_total", "Decisions written", ["priority", "status", "decided_by"])
INCIDENTS = Counter("tocsin_incidents_total", "Records of incidents written", ["kind", "state"])
ALERTS = Counter("tocsin_alerts_total", "Alerts written", ["topic"])
DECISION_SECONDS = Durations(
    "tocsin_decision_seconds", "From a message's arrival at Kafka to its committed decision", _SECONDS
)
SCORING_SECONDS = Counter("tocsin_scoring_seconds_total", "CPU seconds spent judging messages")
SCORING_FAILED = Counter("tocsin_scoring_failed_total", "Messages that scoring failed on, sent out unscored")
DEAD_LETTERS = Counter("tocsin_dead_letters_total", "Records that could not be read", ["topic", "error"])
ALARMS = Counter("tocsin_alarms_total", "Alarms raised on health", ["code"])
REBALANCES = Counter("tocsin_rebalances_total", "Assignments received", ["role"])
ASSIGNED_PARTITIONS = Gauge("tocsin_assigned_partitions", "Partitions this worker owns", ["role"])
LAG_RECORDS = Gauge("tocsin_lag_records", "Records not yet taken, summed over partitions", ["role"])
LAG_SECONDS = Gauge("tocsin_lag_seconds", "Age of the oldest record not yet taken", ["role"])
MODEL_OFFSET = Gauge("tocsin_model_lesson_offset", "Lesson offset of the model in use", ["role"])
MODEL_STALENESS_SECONDS = Gauge("tocsin_model_staleness_seconds", "Delay of the last model update applied", ["role"])
LESSONS = Counter("tocsin_lessons_total", "Lessons learned", ["kind"])
FEEDBACK_SECONDS = Histogram(
    "tocsin_feedback_seconds", "From a feedback's arrival at Kafka to its committed lesson", buckets=_SECONDS
)
ROWS = Counter("tocsin_rows_total", "Rows written to ClickHouse", ["table"])
INSERT_SECONDS = Histogram("tocsin_insert_seconds", "One insert into ClickHouse", ["table"], buckets=_SECONDS)
INSERT_RETRIES = Counter("tocsin_insert_retries_total", "Inserts tried again", ["table"])
CLICKHOUSE_UP = Gauge("tocsin_clickhouse_up", "1 if the last insert or query was answered")
NOTIFY_DELIVERIES = Counter(
    "tocsin_notify_deliveries_total",
    "Alerts by what became of them at a destination: delivered, gathered, failed (an attempt), refused, given_up",
    ["destination", "outcome"],
)
NOTIFY_SECONDS = Histogram(
    "tocsin_notify_seconds", "From an alert's arrival in its topic to its delivery", ["destination"], buckets=_SECONDS
)
NOTIFY_AWAY = Gauge("tocsin_notify_away", "1 while a destination does not take what it is sent", ["destination"])
CONSOLE_CLIENTS = Gauge("tocsin_console_clients", "Browsers that follow the live queue")
DOOR_RECORDS = Counter(
    "tocsin_door_records_total", "What came to the door, by what became of it", ["adapter", "outcome"]
)
DOOR_SECONDS = Histogram(
    "tocsin_door_seconds", "From a request at the door to its answer", ["adapter"], buckets=_SECONDS
)
DOOR_PENDING = Gauge("tocsin_door_pending", "Records from the door that Kafka has not confirmed yet")


def names() -> set[str]:
    """Every sample family name as Prometheus sees it."""
    return {metric.name for metric in REGISTRY.collect() if metric.name.startswith("tocsin_")}
