"""Secrets stay where they are: in `tocsin settings`, in logs, in tracebacks, in the deployment's files."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.recording.target import Target
from streams import logs
from streams.errors import TocsinError
from streams.settings import Settings, load, secret_values, shown
from tests.conftest import missing

ROOT = Path(__file__).parents[2]
URL = "https://me:hush%2Fclickhouse@host:8443/tocsin"
GIVEN: dict[str, Any] = {
    "kafka_password": "hush-kafka",
    "kafka_key_password": "hush-kafka-key",
    "clickhouse": URL,
    "console_token": "hush-console-token",
    "http_token": "hush-metrics-token",
    "door_tokens": "hush-door-token-one,hush-door-token-two",
    "door_zendesk_secret": "hush-zendesk",
    "door_intercom_secret": "hush-intercom",
    "door_discourse_secret": "hush-discourse",
    "door_chatwoot_secret": "hush-chatwoot",
    "door_slack_secret": "hush-slack",
}
FORMS = ("hush-kafka", "hush%2Fclickhouse", "hush/clickhouse", "hush-console", "hush-metrics")


def settings(**given: Any) -> Settings:
    return load(_env_file=None, **{**GIVEN, **given})


@pytest.fixture
def quiet() -> Iterator[None]:
    """Puts the logs back as they were."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in (*logs._QUIET, *logs._NEVER_DEBUG)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook = hook
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def test_every_secret_setting_is_masked_and_known_to_the_logs() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secret == set(GIVEN)
    values = secret_values(settings())
    assert {"hush-kafka", "hush/clickhouse", "hush%2Fclickhouse", "hush-console-token", "hush-door-token-two"} <= set(
        values
    )
    for name, value, meaning in shown(settings()):
        assert "hush" not in value + meaning, name


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (URL, "https://host:8443/tocsin"),
        ("http://[::1]:8123/x", "http://[::1]:8123/x"),
        ("chdb:///folder?database=x", "chdb:///folder?database=x"),
        ("https://host/tocsin?password=hush", "https://host/tocsin"),
        ("http://me:hush/x@host/tocsin", "*****"),  # a slash that was not escaped
        ("http://me:12/hush@host/tocsin", "*****"),
        ("http://me:12#hush@host/tocsin", "*****"),
        ("http://me:hush", "*****"),
        ("hush", "*****"),
        ("http://[hush", "*****"),
    ],
)
def test_a_url_is_shown_as_far_as_it_surely_holds_no_password(url: str, told: str) -> None:
    rows = {name: value for name, value, _ in shown(settings(clickhouse=url))}
    assert rows["TOCSIN_CLICKHOUSE"] == told


@pytest.mark.parametrize(
    "url", ["http://me:hush/x@host/tocsin", "http://me:hush", "hush", "http://[hush", "ftp://me:hush@h"]
)
def test_a_url_that_is_none_is_not_quoted(url: str) -> None:
    with pytest.raises(TocsinError) as caught:
        Target.parse(url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_a_library_says_passes_the_last_door(form: str, capsys: pytest.CaptureFixture[str], quiet: None) -> None:
    logs.configure(settings(log_format=form))
    log = logging.getLogger("some.library")
    log.error("refused %s", URL)
    log.error("with a field", extra={"fields": {"token": "hush-console-token"}})
    try:
        raise ValueError("hush-kafka in an error, and hush/clickhouse")
    except ValueError as error:
        log.exception("failed with %s", "hush-metrics-token")
        sys.excepthook(type(error), error, error.__traceback__)
    said = capsys.readouterr().err
    assert said.count("*****") >= 5
    assert "ValueError" in said
    for secret in FORMS:
        assert secret not in said
    if form == "json":
        assert json.loads(said.splitlines()[0])["message"] == "refused https://me:*****@host:8443/tocsin"


def test_a_debug_log_does_not_hold_kafkas_requests(quiet: None) -> None:
    logs.configure(settings(log_level="debug"))
    assert logging.getLogger("aiokafka").isEnabledFor(logging.DEBUG)
    assert not logging.getLogger("aiokafka.conn").isEnabledFor(logging.DEBUG)


def test_compose_gives_tokens_to_all_who_listen_for_each_other_and_to_prometheus() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    for name, service in services.items():
        environment = service.get("environment", {})
        for kind in ("HTTP", "CONSOLE"):
            if environment.get(f"TOCSIN_{kind}_HOST"):
                default = re.fullmatch(r"\$\{[A-Z_]+:-([^}]+)\}", environment[f"TOCSIN_{kind}_TOKEN"])
                assert default is not None, name
                load(_env_file=None, **{f"{kind.lower()}_token": default[1]})
    assert (
        services["prometheus"]["environment"]["METRICS_TOKEN"] == services["triage"]["environment"]["TOCSIN_HTTP_TOKEN"]
    )
    assert "HOST=" not in (ROOT / "deploy/container/Containerfile").read_text("utf-8")


def test_prometheus_asks_every_worker_with_the_token(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool is not installed: apt-get install prometheus brings it")
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["prometheus"]
    assert service["entrypoint"] == ["/bin/sh", "-ec"]
    (script,) = service["command"]
    script = script.replace("$$", "$").replace("/tmp/", f"{tmp_path}/").replace("exec /bin/prometheus", "exec echo")
    script = script.replace("/etc/prometheus", str(ROOT / "deploy/prometheus"))  # last: a checkout may stand in /tmp
    environment = {**os.environ, "METRICS_TOKEN": "a-token-of-the-test"}
    done = subprocess.run(["/bin/sh", "-ec", script], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert f"--config.file={tmp_path}/prometheus.yml" in done.stdout
    config = yaml.safe_load((tmp_path / "prometheus.yml").read_text("utf-8"))
    asked = {job["job_name"]: job.get("authorization") for job in config["scrape_configs"]}
    assert asked.pop("prometheus") is None
    assert len(asked) == 9
    assert all(told == {"credentials_file": "metrics-token"} for told in asked.values())
    assert (tmp_path / "metrics-token").read_text() == "a-token-of-the-test"
    assert promtool is not None
    done = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
