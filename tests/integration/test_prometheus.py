"""A real Prometheus scrapes workers as deploy/prometheus says: every target is up, every rule is evaluated, no panel is empty."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.commands.worker import ROLES
from agents.stack import free_port
from streams.settings import Settings
from tests.conftest import missing
from tests.harness import DEADLINE, Worker, message, produce, wait_for
from tests.unit.test_deploy import RULES, expressions

pytestmark = pytest.mark.integration

CONFIG = RULES.with_name("prometheus.yml")
ROOMS = (("triage", "learn", "follow", "crowd"), ("shadow", "record", "console", "door", "notify"))
"""Roles that share a worker here: two start sooner than one each."""


class Prometheus:
    """The server, asked over its HTTP API."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}/api/v1/"

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer; what is refused or failed is an error."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self._base}{path}?{query}", timeout=10) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]

    def values(self, expression: str) -> list[float]:
        """What an expression is now, one number a series; none that is not a number."""
        found = [float(series["value"][1]) for series in self.get("query", query=expression)["result"]]
        return [value for value in found if math.isfinite(value)]

    def targets(self) -> dict[str, str]:
        """Health of each job's one target; `unknown` before the first scrape."""
        try:
            return {one["labels"]["job"]: one["health"] for one in self.get("targets")["activeTargets"]}
        except OSError:
            return {}


@contextmanager
def prometheus(folder: Path, ports: dict[str, int]) -> Iterator[Prometheus]:
    """Our configuration with the port of each role's worker on this machine, asked every second."""
    binary = shutil.which("prometheus")
    if binary is None:
        missing("prometheus is not installed: apt-get install prometheus brings it")
    assert binary is not None
    port = free_port()
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    config["global"] = dict.fromkeys(config["global"], "1s")
    config["rule_files"] = [str(CONFIG.parent / name) for name in config["rule_files"]]
    for job in config["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports.get(job['job_name'], port)}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    argv = [
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out) as process:
        try:
            server = Prometheus(port)
            wait_for(
                lambda: set(server.targets().values()) == {"up"},
                "every target up",
                lambda: None if process.poll() is None else log.read_text("utf-8")[-2000:],
            )
            yield server
        finally:
            process.terminate()


async def some(settings: Settings, first: int) -> None:
    """A few messages of each kind, a broken one, and a word on one of them."""
    texts = [
        "I can smell gas in the hallway",
        "I will sue you",
        "I want to talk to a human",
        "where is my parcel, please?",
    ]
    await produce(
        settings, "messages", [message(first + n, texts[n % 4]) for n in range(8)] + [("c", b"{"), ("c", b"[")]
    )
    word = {"id": f"f{first}", "message_id": f"m{first}", "customer_id": "c1", "kind": "correct", "reviewer": "ana"}
    await produce(settings, "feedback", [("c1", {**word, "labels": {"category": "billing"}, "text": "charged twice"})])


async def test_prometheus_scrapes_every_role_and_no_panel_or_rule_is_without_data(
    prepared: Settings, tmp_path: Path
) -> None:
    workers: list[Worker] = []
    destinations = tmp_path / "notify.yaml"
    destinations.write_text(
        'destinations: [{name: desk, kind: webhook, url: "http://127.0.0.1:1", secrets: ["${HOOK}"]}]'
    )
    try:
        for roles in ROOMS:
            more: dict[str, Any] = {
                "TOCSIN_SHADOW_POLICY": "default",
                "TOCSIN_DEAD_LETTERS_PER_MINUTE": "1",
                "TOCSIN_DOOR_PORT": "0",
                "TOCSIN_NOTIFY": str(destinations),
                "HOOK": "whsec_" + "A" * 32,
            }
            workers.append(Worker(prepared, *roles, folder=tmp_path, ready=False, **more))
        for worker in workers:
            worker.wait_ready()
        ports = {role: worker.port for worker, roles in zip(workers, ROOMS, strict=True) for role in roles}
        assert set(ports) == set(ROLES)
        with prometheus(tmp_path, ports) as server:
            assert set(server.targets()) == {*ROLES, "prometheus"}
            panels = [one for one in expressions() if not one[0].startswith("rule ")]
            rules = [expression for where, expression in expressions() if where.startswith("rule ")]
            assert len(panels) > 10
            deadline, rounds = time.monotonic() + DEADLINE, 0
            while without := [where for where, expression in panels if not server.values(expression)]:
                assert time.monotonic() < deadline, f"no data: {without}"
                # Again and again: what has just appeared has no rate yet.
                await some(prepared, 8 * rounds)
                rounds += 1
                await asyncio.sleep(0.5)
            for expression in rules:
                server.get("query", query=expression)
            read = (
                f'sum(tocsin_records_read_total{{job="triage", role="triage", topic="{prepared.topic("messages")}"}})'
            )
            wait_for(lambda: server.values(read) == [10 * rounds], "every message counted once")

            def firing() -> set[str]:
                return {
                    one["labels"]["alertname"] for one in server.get("alerts")["alerts"] if one["state"] == "firing"
                }

            wait_for(lambda: "TocsinDeadLetters" in firing(), "dead letters ring")
            assert not firing() & {"TocsinWorkerDown", "TocsinRoleMissing", "TocsinClickHouseAway", "TocsinLag"}
            (group,) = server.get("rules")["groups"]
            assert {rule["health"] for rule in group["rules"]} == {"ok"}
    finally:
        for worker in workers:
            worker.stop()
