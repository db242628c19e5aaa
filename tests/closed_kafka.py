"""A closed Apache Kafka for tests: TLS everywhere, SCRAM users or client certificates, an authorizer that grants nothing.

Owns: certificates and passwords made for one session, in a folder that is removed; a broker without any open listener;
its users and rights. Must never: keep a key or a password beyond that folder.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException

from streams.local.broker import Broker
from streams.local.claims import free_port
from tests.conftest import missing

library: Any = import_module("confluent_kafka.admin")  # Any: it exports names that its types do not

TEMPLATE = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller_port
controller.listener.names=CONTROLLER
listeners=SASL_SSL://127.0.0.1:$port,SSL://127.0.0.1:@mutual@,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=SASL_SSL://127.0.0.1:$port,SSL://127.0.0.1:@mutual@
listener.security.protocol.map=SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:SSL
inter.broker.listener.name=SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=@folder@/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=@folder@/ca.pem
listener.name.ssl.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:CN=broker;User:admin
log.dirs=$log_dir
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=8
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
message.max.bytes=8388608
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""
"""server.properties: `$` names are the broker's own, `@` names this file's."""


Right = tuple[str, str, str]
"""(kind, name, operation), such as ("topic", "tocsin.messages", "Read")."""


class Authority:
    """A certificate authority of the test's own, with certificates for loopback."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        if shutil.which("openssl") is None:
            missing("openssl is missing, so no certificates can be made: install the package openssl")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        _openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", self._key, "-out", self.ca,
        )  # fmt: skip

    def sign(self, name: str, alternatives: str = "IP:127.0.0.1,DNS:localhost") -> tuple[Path, Path]:
        """(certificate, private key) with CN=name."""
        certificate, key, request = (self.folder / f"{name}.{end}" for end in ("crt", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n")
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", "2",
            "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
        return certificate, key


def locked(key: Path, password: str) -> Path:
    """A copy of a private key that needs a password."""
    out = key.with_suffix(".locked")
    _openssl("pkcs8", "-topk8", "-in", key, "-out", out, "-passout", f"pass:{password}")
    return out


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


class ClosedKafka:
    """The broker; `passwords` holds a password for each user it was made with, and for `admin`.

    Start and stop it from the main thread.
    """

    def __init__(self, folder: Path, classpath: Sequence[Path], users: Iterable[str]) -> None:
        self.authority = Authority(folder / "tls")
        self.stranger = Authority(folder / "tls", "stranger")
        certificate, key = self.authority.sign("broker")
        (folder / "tls" / "broker.pem").write_text(key.read_text() + certificate.read_text())
        self.passwords = {name: secrets.token_urlsafe(18) for name in ("admin", *users)}
        self.mutual_port = free_port()
        text = TEMPLATE.replace("@mutual@", str(self.mutual_port)).replace("@folder@", str(folder / "tls"))
        made = [f"--add-scram=SCRAM-SHA-512=[name={name},password={word}]" for name, word in self.passwords.items()]
        self._broker = Broker(folder / "kafka", classpath, template=text, format_with=made)

    @property
    def address(self) -> str:
        """The listener for SCRAM over TLS."""
        return self._broker.address

    @property
    def mutual_address(self) -> str:
        """The listener for client certificates."""
        return f"127.0.0.1:{self.mutual_port}"

    async def start(self) -> None:
        """Serves its administrator when this returns."""
        await self._broker.start()
        ended = asyncio.create_task(self._broker.wait())
        try:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and not ended.done():
                try:
                    await asyncio.to_thread(self.admin().list_topics, timeout=5)
                    return
                except KafkaException:
                    await asyncio.sleep(0.1)
            raise self._broker.ended()
        finally:
            ended.cancel()

    async def stop(self) -> None:
        """Ends it."""
        await self._broker.stop()

    def login(self, user: str) -> dict[str, str]:
        """The settings of a user, as environment variables."""
        return {
            "TOCSIN_KAFKA": self.address,
            "TOCSIN_KAFKA_SECURITY": "SASL_SSL",
            "TOCSIN_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "TOCSIN_KAFKA_USER": user,
            "TOCSIN_KAFKA_PASSWORD": self.passwords[user],
            "TOCSIN_KAFKA_CA": str(self.authority.ca),
        }

    def client(self, user: str = "admin") -> dict[str, Any]:
        """The same for librdkafka."""
        return {
            "bootstrap.servers": self.address,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": self.passwords[user],
            "ssl.ca.location": str(self.authority.ca),
            "log_level": 0,
        }

    def admin(self) -> Any:
        """Another library's client of ours, as administrator."""
        return library.AdminClient(self.client())

    def grant(self, user: str, rights: Iterable[Right]) -> None:
        """Allows these things; a name that ends in * is a prefix."""
        admin = self.admin()  # kept: its answers die with it
        for future in admin.create_acls([_binding(user, *right) for right in rights]).values():
            future.result(10)

    def take_back(self, user: str, rights: Iterable[Right]) -> None:
        """Undoes `grant`; the user must have been granted exactly these."""
        admin = self.admin()
        filters = []
        for right in rights:
            one = _binding(user, *right)
            pattern, principal = one.resource_pattern_type, one.principal
            what = (one.restype, one.name, pattern, principal, one.host, one.operation, one.permission_type)
            filters.append(library.AclBindingFilter(*what))
        for wanted, future in admin.delete_acls(filters).items():
            assert future.result(10), f"{user} had no {wanted}"


def _binding(user: str, kind: str, name: str, operation: str) -> Any:
    kinds = {"topic": "TOPIC", "group": "GROUP", "transactional id": "TRANSACTIONAL_ID"}
    prefixed = name.endswith("*")
    return library.AclBinding(
        library.ResourceType[kinds[kind]],
        name.removesuffix("*"),
        library.ResourcePatternType.PREFIXED if prefixed else library.ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        library.AclOperation[operation.upper()],
        library.AclPermissionType.ALLOW,
    )
