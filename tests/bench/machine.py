"""What the bench ran on, for its report.

Owns: the list. Must never: name the machine or a path on it.
"""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any


def describe() -> dict[str, Any]:
    """Cores, processor, memory, versions, date, and how busy the machine was before anything began."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int((_field("/proc/meminfo", "MemTotal") or "0").split()[0]) / 2**20, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "kafka": _kafka(),
        **{name: version(name) for name in ("aiokafka", "faust-streaming", "uvloop", "msgspec", "orjson", "cramjam")},
        "load_before": round(os.getloadavg()[0], 2),
    }


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _kafka() -> str:
    for line in files("deploy").joinpath("kafka", "jars.txt").read_text("utf-8").splitlines():
        if line.startswith("org.apache.kafka:kafka_2.13:"):
            return line.split()[0].rpartition(":")[2]
    return "unknown"
