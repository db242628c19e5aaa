"""The deployment files: each is well formed, and all the names in them exist.

`docker compose config` is asked where there is one; the Compose specification's own JSON Schema (tests/data,
Apache-2.0, © The Compose Specification Authors) and what we ask beyond it are checked everywhere.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from prometheus_client import REGISTRY

from agents.commands.worker import ROLES
from streams import metrics
from streams.settings import Settings
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = ROOT / "docker-compose.yml"
CONTAINERFILE = DEPLOY / "container/Containerfile"
RULES = DEPLOY / "prometheus/rules.yml"
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))
ONE_SHOT = {"init"}
FORBIDDEN_HOST = re.compile(r"https?://|index-url|--find-links|--trusted-host|PIP_INDEX", re.IGNORECASE)
LOCKS = [ROOT / "requirements/run.txt", ROOT / "requirements/build.txt"]


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return loaded


SERVICES: dict[str, dict[str, Any]] = compose()["services"]


def image_of(name: str) -> tuple[str, str]:
    repository, _, tag = SERVICES[name]["image"].rpartition(":")
    return repository, tag


def samples() -> set[str]:
    """Every sample name that /metrics shows for what `streams.metrics` lists."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    found = {
        metric.name + suffix
        for metric in REGISTRY.collect()
        if metric.name in metrics.names()
        for suffix in suffixes[metric.type]
    }
    assert found
    return found


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            yield path.stem, panel


def expressions() -> list[tuple[str, str]]:
    """(where, PromQL) of every alert rule and panel; Grafana's interval is made a duration."""
    found = [
        (f"rule {rule['alert']}", rule["expr"])
        for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]
    found += [
        (f"{dashboard}/{panel['title']}", re.sub(r"\$__(rate_interval|interval)\b", "1m", target["expr"]))
        for dashboard, panel in panels()
        for target in panel.get("targets", [])
        if "expr" in target
    ]
    return found


# --- docker-compose.yml


def compose_command() -> list[str] | None:
    """What can check a compose file here: Docker's plugin or its program of its own; neither needs a daemon for it."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, timeout=30)
        if done.returncode == 0 and re.match(r"v?([2-9]|\d\d)\.", done.stdout):
            return command
    return None


def test_docker_compose_accepts_the_file() -> None:
    command = compose_command()
    if command is None:
        pytest.skip("no docker compose here; the specification's schema is checked all the same")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "TOCSIN_"))}
    done = subprocess.run(
        [*command, "--env-file", ".env.example", "--file", str(COMPOSE), "config", "--format", "json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), done.stderr  # warnings, such as a variable without a value
    assert set(json.loads(done.stdout)["services"]) == set(SERVICES)


def test_the_file_follows_the_compose_specification() -> None:
    schema = json.loads((ROOT / "tests/data/compose-spec.json").read_text("utf-8"))
    validator = jsonschema.Draft201909Validator(schema)
    document = compose()
    assert document.pop("name") == "tocsin"  # younger than the newest edition of the schema that a registry has (2021)
    validator.validate(document)
    document["services"]["kafka"]["helthcheck"] = {}
    with pytest.raises(jsonschema.ValidationError, match="helthcheck"):
        validator.validate(document)


def test_every_role_and_every_part_has_its_service() -> None:
    assert set(SERVICES) == {"kafka", "clickhouse", "init", "prometheus", "grafana", *ROLES}
    for role in ROLES:
        assert SERVICES[role]["command"] == ["worker", role]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_to_one_version(name: str) -> None:
    assert re.fullmatch(r"v?\d+\.\d+\.\d+(\.\d+)?", image_of(name)[1]), f"{SERVICES[name]['image']} may change under us"


def test_the_versions_are_those_that_are_tested_here() -> None:
    jars = (DEPLOY / "kafka/jars.txt").read_text("utf-8")
    assert f"Apache Kafka {image_of('kafka')[1]} " in jars
    major, minor = map(int, image_of("clickhouse")[1].split(".")[:2])
    assert (major, minor) >= (24, 8)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert image_of("triage") == (project["name"], project["version"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_started_again_and_kept_small(name: str) -> None:
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert service["restart"] == "no"
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped"
        check = service["healthcheck"]
        assert check["test"][0] in ("CMD", "CMD-SHELL")
        assert {"interval", "timeout", "retries", "start_period"} <= set(check)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["stop_grace_period"].removesuffix("s")) >= 15
    assert not {"privileged", "network_mode", "pid", "container_name", "cap_add"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-\d+\}:\d+", port), f"{name} publishes {port}"


def test_triage_can_be_scaled() -> None:
    assert not {"ports", "container_name", "hostname", "volumes"} & set(SERVICES["triage"])


def test_data_is_kept_in_named_volumes_and_files_are_there_and_read_only() -> None:
    named = set(compose()["volumes"])
    used = set()
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            if volume == "/var/lib/tocsin":
                assert name == "follow", "only follow keeps what is worth nothing when its container is gone"
                continue
            source, target, *mode = volume.split(":")
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {source}"
                assert mode == ["ro"], f"{name} could write {source}"
            else:
                assert source in named, f"{name}: {source}"
                used.add(source)
                assert target.startswith("/")
    assert used == named


def test_every_setting_exists_and_only_who_needs_clickhouse_has_its_password() -> None:
    known = {f"TOCSIN_{name.upper()}" for name in Settings.model_fields}
    for name, service in SERVICES.items():
        settings = {key for key in service.get("environment", {}) if key.startswith("TOCSIN_")}
        assert settings <= known, f"{name}: {settings - known}"
        if name in ROLES or name in ONE_SHOT:
            assert ("TOCSIN_CLICKHOUSE" in settings) == (name in ("init", "record", "console", "door"))
    assert set(re.findall(r"^(?:ENV)?\s*(TOCSIN_\w+)=", CONTAINERFILE.read_text("utf-8"), re.MULTILINE)) <= known


def test_the_environment_file_lists_every_variable_with_its_default() -> None:
    asked = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", COMPOSE.read_text("utf-8")))
    assert "${" not in re.sub(r"\$\{[A-Z_]+:-[^}]+\}", "", COMPOSE.read_text("utf-8")), "a variable without a default"
    example = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert asked == example
    for name, value in example.items():
        if name.endswith("PASSWORD"):
            assert re.fullmatch(r"[A-Za-z0-9_-]{8,}", value), f"{name} would have to be escaped in a URL"


def test_kafka_is_set_up_as_the_local_broker_is() -> None:
    local = dict(
        line.split("=", 1)
        for line in (DEPLOY / "kafka/server.properties").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )
    here = {
        name.removeprefix("KAFKA_").replace("_", ".").lower(): value
        for name, value in SERVICES["kafka"]["environment"].items()
        if name.startswith("KAFKA_")
    }
    same = [
        "auto.create.topics.enable", "offsets.retention.minutes", "message.max.bytes", "default.replication.factor",
        "offsets.topic.replication.factor", "transaction.state.log.replication.factor", "process.roles",
        "transaction.state.log.min.isr", "group.initial.rebalance.delay.ms",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
    ]  # fmt: skip
    assert {name: here[name] for name in same} == {name: local[name] for name in same}


def test_clickhouse_has_no_user_without_password_and_none_who_may_do_everything() -> None:
    users = ET.parse(DEPLOY / "container/clickhouse/users.xml").getroot().find("users")
    assert users is not None
    assert {user.tag: user.get("remove") for user in users} == {"default": "remove", "tocsin": None, "reader": None}
    for name in ("tocsin", "reader"):
        password = users.find(f"{name}/password")
        assert password is not None
        assert password.get("from_env") in SERVICES["clickhouse"]["environment"]
        grants = [query.text or "" for query in users.findall(f"{name}/grants/query")]
        assert grants
        assert all(re.search(r" ON tocsin\.(\*|\w+)$", grant) for grant in grants)
        assert not any("WITH GRANT OPTION" in grant or "GRANT ALL" in grant for grant in grants)
    reader = " ".join(query.text or "" for query in users.findall("reader/grants/query"))
    assert not re.search(r"\b(text|subject|author_name)\b", reader), "no customer's words on a board"
    assert not re.search(r"INSERT|CREATE|ALTER|DROP|SELECT ON tocsin\.(\*|messages|dead_letters)", reader)


# --- the image


def test_the_image_is_built_from_the_lock_and_runs_as_nobody_special() -> None:
    text = CONTAINERFILE.read_text("utf-8")
    last = text[text.rindex("\nFROM ") :]
    users = re.findall(r"^USER (\S+)", last, re.MULTILINE)
    assert users
    assert all(int(part) > 0 for part in users[-1].split(":"))
    assert "/readyz" in last
    assert not re.search(r"RUN pip|apt-get", last)
    for lock in ("run", "build"):
        assert f"--require-hashes --requirement requirements/{lock}.txt" in text
    for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert re.fullmatch(r"python:3\.1[1-9]\.\d+-slim\S*", base), f"{base} is not pinned"


@pytest.mark.parametrize("path", [CONTAINERFILE, *LOCKS], ids=lambda path: str(path.name))
def test_no_registry_is_named(path: Path) -> None:
    assert not FORBIDDEN_HOST.search(path.read_text("utf-8").replace("http://127.0.0.1:", ""))


def test_what_the_image_copies_is_let_through_and_there() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", CONTAINERFILE.read_text("utf-8"), re.MULTILINE)
        for source in line.split()[:-1]
    ]
    ignored = (DEPLOY / "container/Containerfile.dockerignore").read_text("utf-8").split("\n")
    assert "*" in ignored
    assert {f"!{source}" for source in copied} == {line for line in ignored if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {project["readme"], *project["license-files"], "pyproject.toml"} <= set(copied)


def test_the_lock_is_the_workers_alone_with_hashes_and_as_tested() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / f"requirements/{name}.txt").read_text("utf-8")
        found = re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
        assert len(found) == len(re.findall(r"^[a-z0-9._-]+==[^\\]*\\\n +--hash=sha256:", text, re.MULTILINE))
        return dict(found)

    run, dev = pins("run"), pins("dev")
    assert {name: dev.get(name) for name in run} == run
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {re.split(r"[<>=;~ ]", each)[0] for each in project["dependencies"]} <= set(run)
    assert not {re.split(r"[<>=;~ ]", each)[0] for each in project["optional-dependencies"]["local"]} & set(run)
    assert dev["hatchling"] == pins("build")["hatchling"]


# --- Prometheus


def test_prometheus_asks_every_role_on_the_port_it_answers() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))
    asked = {}
    for job in config["scrape_configs"]:
        for dns in job.get("dns_sd_configs", []):
            asked[job["job_name"]] = [(name, dns["port"]) for name in dns["names"]]
        for static in job.get("static_configs", []):
            hosts = [target.rsplit(":", 1) for target in static["targets"]]
            asked[job["job_name"]] = [(host, int(port)) for host, port in hosts]
    del asked["prometheus"]
    port = int(SERVICES["triage"]["environment"]["TOCSIN_HTTP_PORT"])
    assert asked == {role: [(role, port)] for role in ROLES}
    assert "dns_sd_configs" in next(job for job in config["scrape_configs"] if job["job_name"] == "triage")
    assert all((DEPLOY / "prometheus" / name).exists() for name in config["rule_files"])


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert len(rule["annotations"]["runbook"]) > 60


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_every_metric_named_exists(where: str, expression: str) -> None:
    named = set(re.findall(r"\btocsin_\w+", expression))
    assert named or re.search(r"\bup\b", expression), where
    assert named <= samples(), f"{where}: {named - samples()}"


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        missing("promtool is not installed: apt-get install prometheus brings it")
    assert found is not None
    return found


def promtool_says(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_configuration_rules_and_panels(promtool: str, tmp_path: Path) -> None:
    promtool_says([promtool, "check", "config", str(DEPLOY / "prometheus/prometheus.yml")])
    promtool_says([promtool, "check", "rules", str(RULES)])
    rules = [{"record": f"panel:{number}", "expr": each} for number, (_, each) in enumerate(expressions())]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool_says([promtool, "check", "rules", str(tmp_path / "panels.yml")])


def alerting(*series: tuple[str, str], at: str, alert: str) -> dict[str, Any]:
    """A case for `promtool test rules`: does this alert ring at that moment?"""
    return {
        "interval": "10s",
        "input_series": [{"series": name, "values": values} for name, values in series],
        "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": []}],
    }


CLICKHOUSE_UP = 'tocsin_clickhouse_up{job="%s", instance="a"}'
DEAD = 'tocsin_dead_letters_total{topic="tocsin.messages", error="not_json", job="triage"}'
ALARM = 'tocsin_alarms_total{code="%s", job="crowd"}'
OFFSET = 'tocsin_model_lesson_offset{job="triage", role="triage", instance="%s"}'
CASES = {
    "a worker that does not answer": (True, alerting(
        ('up{job="learn", instance="learn:9108"}', "1x5 0x30"), at="3m", alert="TocsinWorkerDown")),
    "a worker that was away for one scrape": (False, alerting(
        ('up{job="learn", instance="learn:9108"}', "1x5 0 1x30"), at="1m10s", alert="TocsinWorkerDown")),
    "all roles there": (False, alerting(
        *((f'up{{job="{role}"}}', "1x60") for role in ROLES), at="5m", alert="TocsinRoleMissing")),
    "no recorder": (True, alerting(
        *((f'up{{job="{role}"}}', "1x60") for role in ROLES if role != "record"), at="5m", alert="TocsinRoleMissing")),
    "ClickHouse away": (True, alerting((CLICKHOUSE_UP % "record", "1x5 0x60"), at="5m", alert="TocsinClickHouseAway")),
    "a worker that never asks ClickHouse": (False, alerting(
        (CLICKHOUSE_UP % "triage", "0x60"), at="5m", alert="TocsinClickHouseAway")),
    "the first dead letter of its kind": (True, alerting((DEAD, "_x60 1x30"), at="11m", alert="TocsinDeadLetters")),
    "dead letters of yesterday": (False, alerting((DEAD, "7x200"), at="30m", alert="TocsinDeadLetters")),
    "scoring failed": (True, alerting(
        ("tocsin_scoring_failed_total", "0x5 2x30"), at="2m", alert="TocsinScoringFailed")),
    "the first danger that nobody hears": (True, alerting(
        (ALARM % "nobody_listening", "_x60 1x30"), at="11m", alert="TocsinNobodyListening")),
    "a danger that nobody heard yesterday": (False, alerting(
        (ALARM % "nobody_listening", "3x200"), at="30m", alert="TocsinNobodyListening")),
    "another alarm": (False, alerting((ALARM % "model_gap", "0x5 2x30"), at="2m", alert="TocsinDangerNotTaken")),
    "a danger that nobody takes": (True, alerting(
        (ALARM % "p0_not_taken", "0x5 2x30"), at="2m", alert="TocsinDangerNotTaken")),
    "an alarm without a rule of its own": (True, alerting(
        (ALARM % "internal_error", "_x60 1x30"), at="11m", alert="TocsinAlarm")),
    "an alarm with a rule of its own": (False, alerting(
        (ALARM % "p0_not_taken", "0x5 2x30"), at="2m", alert="TocsinAlarm")),
    "a destination that is away": (True, alerting(
        ('tocsin_notify_away{job="notify", destination="desk"}', "1x60"), at="7m", alert="TocsinDestinationAway")),
    "a destination that was away for a minute": (False, alerting(
        ('tocsin_notify_away{job="notify", destination="desk"}', "1x6 0x60"), at="7m", alert="TocsinDestinationAway")),
    "lag": (True, alerting(('tocsin_lag_seconds{job="record", role="record"}', "90x60"), at="5m", alert="TocsinLag")),
    "one worker with an older model": (True, alerting(
        (OFFSET % "a", "10x60"), (OFFSET % "b", "12x60"), at="5m", alert="TocsinModelStale")),
    "lessons that nobody applies": (True, alerting(
        ('tocsin_lessons_total{job="learn", kind="learn"}', "0+1x90"), (OFFSET % "a", "10x90"), at="10m",
        alert="TocsinModelStale")),
    "lessons that everybody applies": (False, alerting(
        ('tocsin_lessons_total{job="learn", kind="learn"}', "0+1x90"), (OFFSET % "a", "0+1x90"), at="10m",
        alert="TocsinModelStale")),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_alert_rings_when_it_should_and_only_then(promtool: str, tmp_path: Path, case: str) -> None:
    rings, test = CASES[case]
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [test]}))
    command = [promtool, "test", "rules", str(tmp_path / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    # The case expects silence: promtool passes when it is silent, and names the alert that rang when it is not.
    assert ("SUCCESS" in done.stdout) != rings, done.stdout + done.stderr
    assert rings == (f'alertname="{test["alert_rule_test"][0]["alertname"]}"' in done.stdout + done.stderr)


# --- Grafana


def test_panels_have_their_own_ids_and_places_and_say_what_they_show() -> None:
    assert DASHBOARDS
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text("utf-8"))
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(ids)) == len(ids)
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert place["x"] + place["w"] <= 24
            assert not cells & taken, f"{panel['title']} lies over another panel"
            taken |= cells
            assert panel["type"] == "row" or (panel["description"] and panel["targets"])


def test_datasources_named_are_provisioned_and_their_plugin_is_pinned() -> None:
    loaded = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/tocsin.yaml").read_text("utf-8"))
    provisioned = {each["uid"]: each["type"] for each in loaded["datasources"]}
    used = {}
    for _, panel in panels():
        for target in panel.get("targets", []):
            for source in (panel["datasource"], target["datasource"]):
                used[source["uid"]] = source["type"]
    assert used == provisioned
    environment = SERVICES["grafana"]["environment"]
    plugin, _, version = environment["GF_PLUGINS_PREINSTALL_SYNC"].partition("@")
    assert plugin in provisioned.values()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    for each in loaded["datasources"]:
        for variable in re.findall(r"\$(\w+)", json.dumps(each)):
            assert variable in environment, f"{variable} is not given to Grafana"
        host = each["jsonData"].get("host") or each["url"].split("://")[1].split(":")[0]
        assert host in SERVICES


def test_dashboards_are_where_grafana_looks() -> None:
    loaded = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/tocsin.yaml").read_text("utf-8"))
    (provider,) = loaded["providers"]
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    assert mounted["./deploy/grafana/dashboards"] == provider["options"]["path"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (DEPLOY / "grafana/dashboards" / Path(home).name).exists()
    assert home.startswith(provider["options"]["path"])


@pytest.mark.skipif(sys.platform == "win32", reason="asks for file modes")
def test_files_that_containers_mount_can_be_read_by_other_users() -> None:
    for path in [*DEPLOY.rglob("*.xml"), *DEPLOY.rglob("*.yml"), *DEPLOY.rglob("*.yaml"), *DASHBOARDS]:
        assert path.stat().st_mode & 0o004, f"{path} is closed to the containers' users"
