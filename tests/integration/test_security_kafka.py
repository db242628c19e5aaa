"""A closed Kafka, by settings alone: TLS, SCRAM, client certificates, and users with the documented rights and no more."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from agents.notify.signing import new_secret
from streams import rights
from streams.errors import TocsinError
from streams.local import jars
from streams.settings import Settings, load
from tests.closed_kafka import ClosedKafka, Right, locked
from tests.conftest import missing
from tests.harness import Worker, tocsin, wait_for

pytestmark = pytest.mark.integration

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
ROLES = (
    "init",
    "triage",
    "learn",
    "follow",
    "crowd",
    "shadow",
    "notify",
    "record",
    "console",
    "door",
    "replay",
)
PREFIX = "tocsin."
command: Any = tocsin
worker_of: Any = Worker
"""Any: settings out of a dict would be checked against their other keywords."""


def documented() -> dict[str, list[Right]]:
    """(kind, name, operation) of every right by role, as docs/security.md has it."""
    lines = PAGE.read_text("utf-8").splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("| role |"))
    columns = [column.strip() for column in lines[head].strip("|").split("|")]
    found: dict[str, list[Right]] = {}
    for line in lines[head + 2 :]:
        if not line.startswith("|"):
            break
        role, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found[role] = []
        for column, cell in zip(columns[1:], cells, strict=True):
            operation, _, kind = column.partition(" on ")
            found[role] += [
                (kind.removesuffix("s"), PREFIX + name, operation) for name in re.findall(r"`([^`]+)`", cell)
            ]
    return found


RIGHTS = documented()


@pytest.fixture(scope="module")
def closed(folder: Path) -> Iterator[ClosedKafka]:
    try:
        classpath = jars.ensure(load().cache_folder)
    except TocsinError as error:
        missing(f"Apache Kafka cannot be had: {error}")
    loop = asyncio.new_event_loop()
    broker = ClosedKafka(folder / "closed", classpath, [*ROLES, "nobody"])
    try:
        loop.run_until_complete(broker.start())
        for role, granted in RIGHTS.items():
            broker.grant(role, granted)
        yield broker
    finally:
        loop.run_until_complete(broker.stop())
        loop.close()


@pytest.fixture
def here(closed: ClosedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings without a log-in: each command and worker is given one."""
    for name in ("TOCSIN_KAFKA", "TOCSIN_CLICKHOUSE"):
        monkeypatch.delenv(name, raising=False)
    return load(kafka=closed.address, data=tmp_path, clickhouse=f"chdb://{tmp_path / 'ch'}", partitions=2)


@contextmanager
def clickhouse(closed: ClosedKafka, folder: Path) -> Iterator[dict[str, str]]:
    """The engine behind TLS and a password; the settings that reach it."""
    password = secrets.token_urlsafe(18)
    file = folder / "password"
    file.write_text(password)
    certificate, key = closed.authority.sign("clickhouse")
    argv = [
        sys.executable,
        "-m",
        "tests.clickhouse_front",
        "--path",
        str(folder / "engine"),
        "--cert",
        str(certificate),
    ]
    argv += ["--key", str(key), "--user", "tocsin", "--password-file", str(file)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as front:
        try:
            assert front.stdout is not None
            port = front.stdout.readline().split()[0]
            yield {
                "TOCSIN_CLICKHOUSE": f"https://tocsin:{password}@127.0.0.1:{port}/tocsin",
                "TOCSIN_CLICKHOUSE_CA": str(closed.authority.ca),
            }
        finally:
            front.terminate()


def records(closed: ClosedKafka, topic: str) -> list[Any]:
    """Every committed value of a topic now, read by another library as administrator."""
    options = {"group.id": "unused", "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer({**closed.client(), **options})
    try:
        values = []
        for number in consumer.list_topics(PREFIX + topic, timeout=10).topics[PREFIX + topic].partitions:
            consumer.assign([TopicPartition(PREFIX + topic, number, OFFSET_BEGINNING)])
            while True:
                message = consumer.poll(10)
                assert message is not None, f"no answer about {topic}"
                if (error := message.error()) is None:
                    values.append(json.loads(message.value() or b"null"))
                elif error.code() == KafkaError._PARTITION_EOF:
                    break
        return values
    finally:
        consumer.close()


def test_the_page_lists_the_rights_that_are_checked_at_start() -> None:
    assert set(RIGHTS) == set(ROLES)
    for role, one in rights.RIGHTS.items():
        told = set(RIGHTS[role]) - {("topic", f"{PREFIX}*", "Describe")}
        wanted = {("topic", PREFIX + name, "Read") for name in one.read}
        wanted |= {("topic", PREFIX + name, "Write") for name in one.write}
        wanted |= {("group", PREFIX + role + ".*" * one.groups, "Read")} if one.group else set()
        wanted |= {("transactional id", f"{PREFIX}{role}.*", "Write")} if one.transactions else set()
        assert told == wanted


@pytest.mark.timeout(400)
def test_each_role_needs_no_more_than_the_documented_rights(
    closed: ClosedKafka, here: Settings, tmp_path: Path
) -> None:
    token = "a-token-of-the-test"
    with ExitStack() as stack:
        store = stack.enter_context(clickhouse(closed, tmp_path))
        done = command(here, "init", **store, **closed.login("init"))
        assert done.returncode == 0, done.stderr.decode()
        workers = {}
        file = tmp_path / "notify.yaml"
        file.write_text('destinations: [{name: desk, kind: webhook, url: "http://127.0.0.1:1", secrets: ["${HOOK}"]}]')
        others = {
            "TOCSIN_SHADOW_POLICY": "default",
            "TOCSIN_NOTIFY": str(file),
            "HOOK": new_secret(),
            "TOCSIN_DOOR_PORT": "0",
        }
        for role in ("triage", "learn", "follow", "crowd", "shadow", "notify", "record", "console", "door"):
            more = {**store, **closed.login(role), "TOCSIN_CONSOLE_TOKEN": token, **others}
            workers[role] = worker_of(here, role, folder=tmp_path, **more)
            stack.callback(workers[role].stop)
        message = tmp_path / "message.jsonl"
        message.write_text(json.dumps({"id": "m1", "customer_id": "c1", "text": "I can smell gas in the hallway"}))
        done = command(here, "replay", str(message), **closed.login("replay"))
        assert done.returncode == 0, done.stderr.decode()
        wait_for(lambda: len(records(closed, "decisions")) == 1, "a decision", workers["triage"]._dead)
        (decision,) = records(closed, "decisions")
        assert (decision["message_id"], decision["priority"]) == ("m1", "p0")

        address = re.search(r"console on (http://[0-9.:]+)", workers["console"].text())
        assert address is not None

        def asked(path: str, body: dict[str, Any] | None = None) -> Any:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(address[1] + path, data, headers)
            with urllib.request.urlopen(request, timeout=15) as answer:
                return json.load(answer)

        wait_for(lambda: [one["id"] for one in asked("/api/alerts")["alerts"]] == ["m1"], "the alert on the page")
        word = {"kind": "override", "message_id": "m1", "labels": {"priority": "p3"}, "reviewer": "Ana"}
        asked("/api/feedback", word)
        wait_for(lambda: len(records(closed, "decisions")) == 2, "the human's decision", workers["learn"]._dead)
        assert len(records(closed, "lessons")) == 1
        producer = Producer(closed.client())
        producer.produce(f"{PREFIX}messages", b"not json", partition=0)
        producer.flush(10)

        def recorded() -> bool:
            rows = asked("/api/rows")
            return (rows["messages"], rows["decisions"], rows["feedback"], rows["dead_letters"]) == (1, 2, 1, 1)

        wait_for(recorded, "every row", workers["record"]._dead)
        wait_for(lambda: bool(records(closed, "customers")), "what is kept of a customer", workers["follow"]._dead)
        wait_for(lambda: asked("/api/figures")["corrections_learned"] == 1, "the model update on the page")
        for role, worker in workers.items():
            assert worker.stop() == 0
            log = worker.text()
            assert "lacks the right" not in log, role
            assert not re.search(r"Authoriz\w*Failed", log), role
            for secret in (*closed.passwords.values(), token, store["TOCSIN_CLICKHOUSE"].split(":")[2].split("@")[0]):
                assert secret not in log, role


def _changes(closed: ClosedKafka, folder: Path) -> dict[str, tuple[dict[str, str], str]]:
    """What is wrong: settings, and what the sentence must name."""
    mutual = {"TOCSIN_KAFKA": closed.mutual_address, "TOCSIN_KAFKA_SECURITY": "SSL"}
    certificate, key = closed.authority.sign("locked")
    strange, strange_key = closed.stranger.sign("strange")
    lock = locked(key, "the-right-password")
    empty = folder / "empty.pem"
    empty.write_text("")
    with_key = {**mutual, "TOCSIN_KAFKA_CERTIFICATE": str(certificate), "TOCSIN_KAFKA_KEY": str(lock)}
    return {
        "password": ({"TOCSIN_KAFKA_PASSWORD": "hush-wrong"}, "TOCSIN_KAFKA_PASSWORD"),
        "user": ({"TOCSIN_KAFKA_USER": "stranger"}, "TOCSIN_KAFKA_USER"),
        "no password": ({"TOCSIN_KAFKA_PASSWORD": ""}, "set TOCSIN_KAFKA_USER and TOCSIN_KAFKA_PASSWORD"),
        "mechanism": ({"TOCSIN_KAFKA_SASL_MECHANISM": "PLAIN"}, "TOCSIN_KAFKA_SASL_MECHANISM"),
        "authority": ({"TOCSIN_KAFKA_CA": str(closed.stranger.ca)}, "TOCSIN_KAFKA_CA"),
        "no authority": ({"TOCSIN_KAFKA_CA": ""}, "TOCSIN_KAFKA_CA"),
        "no such file": ({"TOCSIN_KAFKA_CA": str(folder / "nowhere.pem")}, "nowhere.pem cannot be read as PEM"),
        "nothing in it": ({"TOCSIN_KAFKA_CA": str(empty)}, "TOCSIN_KAFKA_CA"),
        "no certificate": (mutual, "TOCSIN_KAFKA_CERTIFICATE"),
        "strange certificate": (
            {**mutual, "TOCSIN_KAFKA_CERTIFICATE": str(strange), "TOCSIN_KAFKA_KEY": str(strange_key)},
            "TOCSIN_KAFKA_CERTIFICATE",
        ),
        "key alone": ({**mutual, "TOCSIN_KAFKA_KEY": str(key)}, "TOCSIN_KAFKA_KEY is set without"),
        "key of another": ({**with_key, "TOCSIN_KAFKA_KEY": str(strange_key)}, "TOCSIN_KAFKA_KEY"),
        "key's password": ({**with_key, "TOCSIN_KAFKA_KEY_PASSWORD": "hush-wrong"}, "TOCSIN_KAFKA_KEY_PASSWORD"),
        "no key's password": (with_key, "TOCSIN_KAFKA_KEY_PASSWORD"),
        "no rights": ({"TOCSIN_KAFKA_USER": "nobody"}, "lacks the right"),
    }


WRONG = (
    "password", "user", "no password", "mechanism", "authority", "no authority", "no such file", "nothing in it",
    "no certificate", "strange certificate", "key alone", "key of another", "key's password", "no key's password",
    "no rights",
)  # fmt: skip


@pytest.fixture(scope="module")
def wrong(closed: ClosedKafka, folder: Path) -> dict[str, tuple[dict[str, str], str]]:
    return _changes(closed, folder)


@pytest.mark.parametrize("what", WRONG)
def test_a_kafka_that_refuses_us_is_said_in_one_sentence(
    closed: ClosedKafka, here: Settings, wrong: dict[str, tuple[dict[str, str], str]], what: str
) -> None:
    changes, named = wrong[what]
    login = closed.login("nobody" if what == "no rights" else "init")
    for arguments in (("init",), ("worker", "record")):
        done = command(here, *arguments, TOCSIN_HTTP_PORT="0", **{**login, **changes})
        said = done.stderr.decode()
        assert done.returncode == 1, said
        assert len(said.splitlines()) == 1 or what == "no rights", said
        assert said.splitlines()[-1].startswith("tocsin: "), said
        assert named in said.splitlines()[-1]
        assert "Traceback" not in said
        for secret in (login["TOCSIN_KAFKA_PASSWORD"], "hush-wrong", "the-right-password"):
            assert secret not in said
    assert set(WRONG) == set(wrong)


def test_the_wrong_kind_of_listener_is_guessed_at(closed: ClosedKafka, here: Settings) -> None:
    async def told(**changes: Any) -> str:
        from streams.kafka import client_options
        from streams.refusals import fault

        settings = here.model_copy(update={"kafka_ca": closed.authority.ca, **changes})
        found = await fault(settings, client_options(settings))
        return str(found.sentence or found.hint)

    assert "is TOCSIN_KAFKA_SECURITY (PLAINTEXT) what the listener" in asyncio.run(told())
    assert "is TOCSIN_KAFKA_SECURITY (SSL) what the listener" in asyncio.run(told(kafka_security="SSL"))


def test_a_client_certificate_whose_key_has_a_password_signs_in(closed: ClosedKafka, here: Settings) -> None:
    certificate, key = closed.authority.sign("by-certificate")
    granted = [(kind, name.replace(PREFIX, "mutual."), operation) for kind, name, operation in RIGHTS["init"]]
    closed.grant("CN=by-certificate", granted)
    login = {
        "TOCSIN_KAFKA": closed.mutual_address,
        "TOCSIN_KAFKA_SECURITY": "SSL",
        "TOCSIN_KAFKA_CA": str(closed.authority.ca),
        "TOCSIN_KAFKA_CERTIFICATE": str(certificate),
        "TOCSIN_KAFKA_KEY": str(locked(key, "its-own-password")),
        "TOCSIN_KAFKA_KEY_PASSWORD": "its-own-password",
        "TOCSIN_TOPIC_PREFIX": "mutual.",
    }

    def made() -> bool:  # rights reach the broker behind its controller
        done = command(here, "init", **login)
        assert done.returncode == 0 or b"lacks the right" in done.stderr, done.stderr.decode()
        return bool(done.returncode == 0)

    wait_for(made, "topics made")


@pytest.mark.parametrize("role", ["triage", "learn", "record", "console"])
def test_a_right_that_is_missing_is_named_with_its_topic(closed: ClosedKafka, here: Settings, role: str) -> None:
    login = {name.removeprefix("TOCSIN_").lower(): value for name, value in closed.login(role).items()}
    settings = load(**login)

    def made() -> bool:  # rights reach the broker behind its controller
        return bool(command(here, "init", **closed.login("init")).returncode == 0)

    wait_for(made, "topics made")

    def said() -> str:
        try:
            asyncio.run(rights.check(settings, [role]))
        except TocsinError as error:
            return str(error)
        return ""

    def says(what: str) -> Callable[[], bool]:
        return lambda: what in said() if what else not said()

    wait_for(says(""), "nothing is missing")
    lost = [right for right in RIGHTS[role] if right[2] != "Describe"]
    closed.take_back(role, lost)
    try:
        for _, name, operation in lost:
            wait_for(says(name), f"{operation} on {name} is missed")
        sentence = said()
        assert f"user '{role}' (TOCSIN_KAFKA_USER) lacks the right Read on topic " in sentence
        assert closed.passwords[role] not in sentence
        assert "\n" not in sentence
    finally:
        closed.grant(role, lost)
    wait_for(says(""), "nothing is missing again")
    # One at a time, of those that only the work itself would meet.
    for right in (lost[0], lost[-1]):
        closed.take_back(role, [right])
        try:
            wait_for(says(right[1]), f"{right} is missed")
            assert said().count(PREFIX) == 1
        finally:
            closed.grant(role, [right])
