"""The boards' ClickHouse queries, as Grafana would send them.

    python -m tests.boards FOLDER     # every panel's rows, of an engine's folder that nobody else has open, as JSON

Owns: reading the panels, replacing Grafana's macros, asking. Must never: write rows.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
CLICKHOUSE = "tocsin-clickhouse"
INTERVAL = 60
HOUR = 3600
NOTHING = {"none", "nothing is tried", "none in 28 days", "none in 28 days: tocsin drill"}
"""What a panel's one row says where there is nothing to list: an empty panel would look broken."""


def queries() -> dict[str, str]:
    """`dashboard/panel id/query: title` -> SQL as the panel holds it."""
    found = {}
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel.get("targets", []):
                if target["datasource"]["uid"] == CLICKHOUSE:
                    found[f"{path.stem}/{panel['id']}/{target['refId']}: {panel['title']}"] = target["rawSql"]
    return found


def expanded(sql: str, start: int, end: int) -> str:
    """The query with Grafana's macros replaced as grafana-clickhouse-datasource does (its pkg/macros/macros.go)."""
    bounds = {"fromTime": f"toDateTime({start})", "toTime": f"toDateTime({end})"}
    rules: list[tuple[str, str]] = [
        (r"\$__timeFilter\(([^()]+)\)", rf"\1 >= {bounds['fromTime']} AND \1 <= {bounds['toTime']}"),
        (
            r"\$__timeFilter_ms\(([^()]+)\)",
            rf"\1 >= fromUnixTimestamp64Milli({start}000) AND \1 <= fromUnixTimestamp64Milli({end}000)",
        ),
        (r"\$__timeInterval\(([^()]+)\)", rf"toStartOfInterval(toDateTime(\1), INTERVAL {INTERVAL} second)"),
        (r"\$__fromTime\b", bounds["fromTime"]),
        (r"\$__toTime\b", bounds["toTime"]),
        (r"\$__interval_s\b", str(INTERVAL)),
        (r"\$__interval\b", f"{INTERVAL}s"),
    ]
    for pattern, replacement in rules:
        sql = re.sub(pattern, replacement, sql)
    left = re.findall(r"\$\w+|\$\{\w+", sql)
    if left:
        raise ValueError(f"{left[0]} is no macro that this test knows")
    return sql


async def answers(sink: Any, now: float) -> dict[str, Any]:
    """Every query's rows over the hour before `now`, or the engine's complaint as text; `sink` is the recorder's."""
    found: dict[str, Any] = {}
    for name, sql in queries().items():
        try:
            found[name] = await sink.query(expanded(sql, int(now) - HOUR, int(now) + 1))
        except Exception as error:
            found[name] = str(error)
    return found


def empty(found: dict[str, Any]) -> list[str]:
    """Panels without a row, and those whose query the engine refused, each with what is wrong."""
    wrong = [f"{name}: {rows}" for name, rows in found.items() if isinstance(rows, str)]
    return wrong + [f"{name}: no row" for name, rows in found.items() if not rows]


def silent(found: dict[str, Any]) -> list[str]:
    """Panels that say there is nothing."""
    return [name for name, rows in found.items() if any(NOTHING & {*map(str, row.values())} for row in rows)]


async def _main(folder: str) -> None:
    from agents.recording.sink import Sink

    sink = Sink(f"chdb://{folder}")
    await sink.ensure_tables()
    print(json.dumps(await answers(sink, time.time()), default=str))
    await sink.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
