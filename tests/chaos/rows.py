"""The verifier's look into ClickHouse: one row a record, the right one, and roll-ups that add up to them.

`python -m tests.chaos.rows FOLDER` prints what an engine in FOLDER holds, for one that its worker has left.
Owns: its own SQL. Must never: import the workers' code, or write.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import clickhouse_connect

from tests.chaos.verifier import Failure

TABLES = {
    "messages": ("messages", "id"),
    "decisions": ("decisions", "id"),
    "feedback": ("feedback", "id"),
    "actions": ("actions", "id"),
    "handoffs": ("handoffs", "id"),
    "incidents": ("incidents", "id"),
    "dead-letters": ("dead_letters", "sha256"),
    "health": ("health", "code"),
}
"""Table of each topic, and the column that says which record a row is of."""
ROLLED = "priority, status, decided_by, channel, language"


def collect(client: Any, database: str = "tocsin") -> dict[str, Any]:
    """What the verifier compares, as JSON would carry it."""

    def ask(sql: str) -> list[list[Any]]:
        return [list(row) for row in client.query(sql).result_rows]

    held: dict[str, Any] = {}
    for topic, (table, column) in TABLES.items():
        rows = ask(
            f"SELECT _topic, _partition, groupArray((_offset, CRC32({column}))) FROM {database}.{table} "
            "GROUP BY _topic, _partition"
        )
        held[topic] = [[name, partition, [list(pair) for pair in pairs]] for name, partition, pairs in rows]
    sums = "count(), sum(automation_allowed), countIf(tupleElement(sentiment, 'label') = 'negative')"
    rolled = "sum(decisions), sum(automation_allowed), sum(negative)"
    for table, column, start in (("1m", "minute", "toStartOfMinute"), ("1h", "hour", "toStartOfHour")):
        raw = f"{start}(toDateTime(received_at, 'UTC'))"
        held[f"raw_{table}"] = ask(
            f"SELECT toUnixTimestamp({raw}), {ROLLED}, {sums} FROM {database}.decisions GROUP BY ALL"
        )
        held[f"rolled_{table}"] = ask(
            f"SELECT toUnixTimestamp({column}), {ROLLED}, {rolled} FROM {database}.decisions_{table} GROUP BY ALL"
        )
    for table in ("worker_metrics", "model_quality"):
        held[table] = [row[0] for row in ask(f"SELECT _offset FROM {database}.{table}")]
        held[f"raw_{table}"] = [row[0] for row in ask(f"SELECT _offset FROM {database}.health WHERE code = '{table}'")]
    held["current"] = ask(f"SELECT count(), uniqExact(message_id) FROM {database}.current_decisions")[0]
    held["decided_messages"] = ask(f"SELECT uniqExact(message_id) FROM {database}.decisions")[0][0]
    return held


def compare(
    held: dict[str, Any],
    expected: dict[str, dict[tuple[int, int], int]],
    limits: dict[tuple[str, int], int],
    prefix: str,
) -> list[Failure]:
    """What of the rows is missing, double, extra or another's.

    Args:
        held: from `collect`.
        expected: by short topic name: checksum of the identity by partition and offset.
        limits: where the recorder says it stands, by topic and partition: records below must have their row.
    """
    failures = []
    for topic, (table, _) in TABLES.items():
        wanted = expected.get(topic, {})
        counts: Counter[tuple[int, int]] = Counter()
        checksums = {}
        for name, partition, pairs in held[topic]:
            if name != prefix + topic:
                failures.append(Failure("row_extra", f"{table}", f"of topic {name}"))
                continue
            counts.update((partition, offset) for offset, _ in pairs)
            checksums.update({(partition, offset): checksum for offset, checksum in pairs})
        for (partition, offset), checksum in wanted.items():
            if offset < limits.get((topic, partition), 0) and (partition, offset) not in counts:
                failures.append(Failure("row_missing", f"{table} {topic}/{partition} offset {offset}", ""))
            elif checksums.get((partition, offset), checksum) != checksum:
                failures.append(Failure("row_of_another", f"{table} {topic}/{partition} offset {offset}", ""))
        for (partition, offset), count in counts.items():
            where = f"{table} {topic}/{partition} offset {offset}"
            if count > 1:
                failures.append(Failure("row_twice", where, f"{count} rows"))
            if (partition, offset) not in wanted:
                failures.append(Failure("row_extra", where, "no such readable record"))
    return failures + _roll_ups(held)


def _roll_ups(held: dict[str, Any]) -> list[Failure]:
    failures = []
    for table in ("1m", "1h"):
        raw = {tuple(row[:-3]): row[-3:] for row in held[f"raw_{table}"]}
        rolled = {tuple(row[:-3]): row[-3:] for row in held[f"rolled_{table}"]}
        for key in raw.keys() | rolled.keys():
            if raw.get(key) != rolled.get(key):
                said = f"{rolled.get(key)}, the rows say {raw.get(key)}"
                failures.append(Failure("roll_up", f"decisions_{table} {key}", said))
    for table in ("worker_metrics", "model_quality"):
        # Health goes on while this is read; a double or a row of nothing is wrong at any time.
        fed = held[table]
        if len(set(fed)) != len(fed) or set(fed) - set(held[f"raw_{table}"]):
            failures.append(Failure("roll_up", table, f"{len(fed)} rows of {len(set(fed))} records"))
    rows, messages = held["current"]
    if rows != messages or rows != held["decided_messages"]:
        said = f"{rows} rows, {messages} messages, {held['decided_messages']} decided"
        failures.append(Failure("current_decisions", "view", said))
    return failures


def main() -> None:
    """Prints what the engine in a folder holds, as JSON."""
    client = clickhouse_connect.get_client(interface="chdb", path=sys.argv[1])
    try:
        json.dump(collect(client), sys.stdout)
    finally:
        client.close()


if __name__ == "__main__":
    main()
