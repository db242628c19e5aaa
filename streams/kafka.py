"""How every client of ours reaches Kafka: addresses, security, and the errors of a Kafka that is away.

Owns: client options. Must never: differ between the roles; whoever reads, reads `read_committed`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.helpers import create_ssl_context

from streams.errors import TocsinError
from streams.refusals import denied, fault
from streams.settings import Settings

MAX_REQUEST_BYTES = 16_777_216
"""Largest record or batch that a client of ours sends; topics set their own limits below it."""
BATCH_BYTES = 1_000_000
"""Bytes of one produced batch: below the limit of every topic, large enough that batches are few."""
RETRY_MS = 5
"""Wait before a retry: brokers since 3.6 answer a transaction's first produce with a retriable error while they verify
it, so aiokafka's 100 ms would be the tail of every transaction (KIP-890)."""

_DENIED = 29
"""Kafka's error code for a topic that we may not use so."""


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments shared by every aiokafka client."""
    options: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in settings.kafka.split(",") if server.strip()],
        "client_id": "tocsin",
        "security_protocol": settings.kafka_security,
    }
    if settings.kafka_security.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.kafka_security.startswith("SASL"):
        if settings.kafka_user is None or settings.kafka_password is None:
            raise TocsinError("TOCSIN_KAFKA_SECURITY asks for SASL: set TOCSIN_KAFKA_USER and TOCSIN_KAFKA_PASSWORD")
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    try:
        context: ssl.SSLContext = create_ssl_context(
            cafile=None if settings.kafka_ca is None else str(settings.kafka_ca)
        )
    except (OSError, ssl.SSLError) as error:
        raise TocsinError(f"TOCSIN_KAFKA_CA: {settings.kafka_ca} cannot be read as PEM: {_reason(error)}") from None
    if settings.kafka_certificate is not None:
        # Never None: OpenSSL would ask for a password on the terminal.
        password = "" if settings.kafka_key_password is None else settings.kafka_key_password.get_secret_value()
        try:
            context.load_cert_chain(settings.kafka_certificate, settings.kafka_key, password)
        except (OSError, ssl.SSLError) as error:
            files = " and ".join(str(file) for file in (settings.kafka_certificate, settings.kafka_key) if file)
            raise TocsinError(
                f"TOCSIN_KAFKA_CERTIFICATE, TOCSIN_KAFKA_KEY, TOCSIN_KAFKA_KEY_PASSWORD: {files} cannot be read as a PEM "
                f"certificate with its private key: {_reason(error)}"
            ) from None
    elif settings.kafka_key is not None:
        raise TocsinError("TOCSIN_KAFKA_KEY is set without TOCSIN_KAFKA_CERTIFICATE: set both, or neither")
    return context


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it holds none").replace("_", " ").lower()
    return error.strerror or type(error).__name__


@asynccontextmanager
async def admin(settings: Settings, timeout: float = 30.0) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; waits for Kafka up to `timeout` seconds.

    Raises:
        TocsinError: Kafka did not answer in time, or refuses us.
    """
    options = client_options(settings)
    deadline = time.monotonic() + timeout
    while True:
        client = _Admin(settings, **options, request_timeout_ms=10_000)
        try:
            await client.start()
            break
        except (KafkaError, OSError) as error:
            await _closed(client)
            await _wait(settings, error, deadline)
    try:
        yield client
    finally:
        await _closed(client)


async def _closed(client: AIOKafkaAdminClient) -> None:
    try:
        await client.close()
    except Exception:  # a client that never connected cannot always be closed; it holds nothing then
        return


async def _wait(settings: Settings, error: BaseException, deadline: float) -> None:
    """Before the next attempt; raises where none will help, or time is up."""
    # aiokafka swallows why it could not connect: one connection of our own is asked.
    found = await fault(settings, client_options(settings))
    if found.sentence is not None:
        raise found.sentence from None
    if time.monotonic() > deadline:
        raise away(settings, error, found.hint) from None
    await asyncio.sleep(0.25)


def away(settings: Settings, error: BaseException, hint: str = "") -> TocsinError:
    """The sentence for a Kafka that does not answer."""
    mend = hint or "start it, e.g. with `tocsin broker`, or set the address"
    return TocsinError(f"Kafka at {settings.kafka} (TOCSIN_KAFKA) does not answer ({type(error).__name__}): {mend}")


class _Admin(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka has no types
    """An admin client that says which right is missing."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings

    async def describe_topics(self, topics: list[str] | None = None) -> list[Any]:
        entries: list[Any] = await super().describe_topics(topics)
        for entry in entries:
            if entry["error_code"] == _DENIED:
                raise denied(self._settings, "Describe", "topic", entry["topic"])
        return entries

    async def create_topics(self, new_topics: Any, *args: Any, **options: Any) -> Any:
        response = await super().create_topics(new_topics, *args, **options)
        for name, code, _ in response.topic_errors:
            if code == _DENIED:
                raise denied(self._settings, "Create", "topic", name)
        return response


class _Reader(AIOKafkaConsumer):  # type: ignore[misc]
    """A consumer that says which right is missing."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings

    async def getmany(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().getmany(*args, **options)
        except TopicAuthorizationFailedError as error:
            raise denied(self._settings, "Read", "topic", *error.args) from None

    def partitions_for_topic(self, topic: str) -> Any:
        if topic in self._client.cluster.unauthorized_topics:
            raise denied(self._settings, "Describe", "topic", topic)
        return super().partitions_for_topic(topic)


class _Producer(AIOKafkaProducer):  # type: ignore[misc]
    """A producer that says which right is missing."""

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings

    async def start(self) -> None:
        try:
            await super().start()
        except TransactionalIdAuthorizationFailed:
            raise denied(self._settings, "Write", "transactional id", self._txn_manager.transactional_id) from None
        except ClusterAuthorizationFailedError:
            # Whoever may write to any topic may be idempotent.
            raise denied(self._settings, "Write", "topic", f"{self._settings.topic_prefix}*, any of them") from None

    async def send_and_wait(self, topic: str, *args: Any, **options: Any) -> Any:
        try:
            return await super().send_and_wait(topic, *args, **options)
        except TopicAuthorizationFailedError:
            raise denied(self._settings, "Write", "topic", topic) from None


def reader(settings: Settings, **options: Any) -> AIOKafkaConsumer:
    """A consumer without a group, for topics that are read whole; not started."""
    return _Reader(
        settings,
        **client_options(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=64 << 20,
        max_partition_fetch_bytes=16 << 20,
        **options,
    )


def producer(settings: Settings, *, transactional_id: str | None = None) -> AIOKafkaProducer:
    """An idempotent producer of whole batches, transactional where it has an id; not started."""
    options: dict[str, Any] = {}
    if transactional_id is not None:
        options = {
            "transactional_id": transactional_id,
            "transaction_timeout_ms": int(settings.transaction_timeout * 1000),
        }
    return _Producer(
        settings,
        **client_options(settings),
        enable_idempotence=True,
        acks="all",
        compression_type="zstd",
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_REQUEST_BYTES,
        retry_backoff_ms=RETRY_MS,
        request_timeout_ms=10_000,
        **options,
    )


async def started(client: Any, settings: Settings, timeout: float = 30.0) -> Any:
    """Starts a consumer or producer; a Kafka that is away is waited for up to `timeout` seconds.

    Raises:
        TocsinError: Kafka did not answer in time, or refuses us.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            await client.start()
            return client
        except (KafkaError, OSError) as error:
            try:
                await _wait(settings, error, deadline)
            except TocsinError:
                await client.stop()
                raise
        except TocsinError:
            await client.stop()
            raise


async def end_offsets(client: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Where each partition's committed records end; transactions still open are not counted."""
    ends: dict[TopicPartition, int] = await client.end_offsets(list(partitions))
    return ends


async def filled(client: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
    """Those partitions that hold a committed record; what an aborted transaction left behind is none."""
    every = list(partitions)
    first = await client.beginning_offsets(every)
    ends = await end_offsets(client, every)
    client.assign([tp for tp in every if ends[tp] > first[tp]])
    for tp in client.assignment():
        client.seek(tp, first[tp])
    found: set[TopicPartition] = set()
    while left := [tp for tp in client.assignment() - found if await client.position(tp) < ends[tp]]:
        found.update(tp for tp, records in (await client.getmany(*left, timeout_ms=200)).items() if records)
    return sorted(found)
