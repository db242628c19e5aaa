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
from aiokafka.errors import KafkaError
from aiokafka.helpers import create_ssl_context

from streams.errors import TocsinError
from streams.settings import Settings

MAX_REQUEST_BYTES = 16_777_216
"""Largest record or batch that a client of ours sends; topics set their own limits below it."""
BATCH_BYTES = 1_000_000
"""Bytes of one produced batch: below the limit of every topic, large enough that batches are few."""
RETRY_MS = 5
"""Wait before a retry: brokers since 3.6 answer a transaction's first produce with a retriable error while they verify
it, so aiokafka's 100 ms would be the tail of every transaction (KIP-890)."""


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
        return context
    except (OSError, ssl.SSLError) as error:
        raise TocsinError(f"TOCSIN_KAFKA_CA: {settings.kafka_ca} cannot be read as PEM: {error}") from None


@asynccontextmanager
async def admin(settings: Settings, timeout: float = 30.0) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; waits for Kafka up to `timeout` seconds.

    Raises:
        TocsinError: Kafka did not answer in time.
    """
    options = client_options(settings)
    deadline = time.monotonic() + timeout
    while True:
        client = AIOKafkaAdminClient(**options, request_timeout_ms=10_000)
        try:
            await client.start()
            break
        except (KafkaError, OSError) as error:
            await _closed(client)
            if time.monotonic() > deadline:
                raise away(settings, error) from None
            await asyncio.sleep(0.25)
    try:
        yield client
    finally:
        await _closed(client)


async def _closed(client: AIOKafkaAdminClient) -> None:
    try:
        await client.close()
    except Exception:  # a client that never connected cannot always be closed; it holds nothing then
        return


def away(settings: Settings, error: BaseException) -> TocsinError:
    """The sentence for a Kafka that does not answer."""
    name = type(error).__name__
    return TocsinError(
        f"Kafka at {settings.kafka} (TOCSIN_KAFKA) does not answer ({name}): start it, e.g. with `tocsin broker`, "
        "or set the address"
    )


def reader(settings: Settings, **options: Any) -> AIOKafkaConsumer:
    """A consumer without a group, for topics that are read whole; not started."""
    return AIOKafkaConsumer(
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
    return AIOKafkaProducer(
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
        TocsinError: Kafka did not answer in time.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            await client.start()
            return client
        except (KafkaError, OSError) as error:
            if time.monotonic() > deadline:
                await client.stop()
                raise away(settings, error) from None
            await asyncio.sleep(0.25)


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
