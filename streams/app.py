"""A role's Faust app: its consumer group, its agent, its end.

Owns: how Faust is configured, and leaving the process on any doubt. Must never: know what a role does.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar, cast

import faust
from aiokafka import TopicPartition
from faust.app.base import BootStrategy
from faust.types import StreamT

from streams import metrics
from streams.chunks import Chunk
from streams.consumer import ChunkConsumer, ChunkTransport, Hooks
from streams.errors import TocsinError
from streams.fetching import Shared
from streams.membership import explained
from streams.settings import Settings

log = logging.getLogger("tocsin.worker")

EXIT_RESTART = 70
"""Exit status (EX_SOFTWARE) of a process that wants to be started again: nothing in it can be trusted any more."""


def leave(reason: str, error: BaseException | None = None) -> None:
    """Ends the process at once: what is unfinished is not committed, and whoever comes next does it."""
    log.error("leaving: %s", reason, exc_info=error if not isinstance(error, TocsinError) else None)
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stderr.flush()
    os._exit(EXIT_RESTART)


class _Boot(BootStrategy):
    """No producer of Faust's, no web server: we have our own."""

    enable_kafka_producer = False
    enable_web = False


class _App(faust.App):
    BootStrategy: ClassVar[type[BootStrategy]] = _Boot

    def _create_directories(self) -> None:
        """None: there are no tables, so nothing is kept on disk."""


class ChunkApp:
    """A consumer group that hands chunks to one coroutine, one at a time for each partition.

    Args:
        role: names the group, `<prefix><role>`.
        topics: full names; they must exist.
        handle: finishes a chunk, its commit included; may return seconds to wait before the partition is read again.
            Any exception ends the process.
        hooks: called around rebalances.
        concurrency: chunks of different partitions in hand at once.
        shared: how the group's members share partitions.
    """

    def __init__(
        self,
        settings: Settings,
        role: str,
        topics: list[str],
        handle: Callable[[Chunk], Awaitable[float | None]],
        hooks: Hooks,
        *,
        max_records: int,
        max_bytes: int,
        concurrency: int = 4,
        topic_ids: dict[str, str] | None = None,
        shared: Shared = "in turn",
    ) -> None:
        self.role = role
        self._stopping = False
        self._settings = settings
        self._handle = handle
        self._hooks = hooks
        app = _App(
            settings.group(role),
            broker=f"kafka://{settings.kafka.split(',')[0]}",  # unused: the consumer has its own options
            value_serializer="raw",
            key_serializer="raw",
            store="memory://",
            topic_disable_leader=True,
            topic_allow_declare=False,
            table_standby_replicas=0,
            web_enabled=False,
            stream_wait_empty=True,
            stream_buffer_maxsize=1024,
            broker_session_timeout=settings.session_timeout,
            broker_rebalance_timeout=settings.rebalance_timeout,
            broker_request_timeout=max(60.0, settings.session_timeout + 5),
        )
        app.transport = ChunkTransport(app.conf.broker_consumer, app)
        self._app = app
        consumer = cast(ChunkConsumer, app.consumer)
        consumer.settings = settings
        consumer.hooks = self
        consumer.max_records = max_records
        consumer.max_bytes = max_bytes
        consumer.drain_seconds = min(settings.stop_timeout, settings.rebalance_timeout) * 0.6
        consumer.topic_ids = topic_ids or {}
        consumer.shared = shared
        self.consumer = consumer
        # Faust would note every chunk finished, and every gap between two, until it commits: which it never does here.
        channel = app.topic(*topics, key_serializer="raw", value_serializer="raw", acks=False)
        # The value is a chunk already; decoding belongs to the agent, which makes dead letters of what fails.
        channel.decode = self._decode(channel)  # type: ignore[assignment]
        app.agent(channel, name=f"tocsin.{role}", concurrency=concurrency)(self._agent)

    @staticmethod
    def _decode(channel: Any) -> Callable[..., Awaitable[Any]]:
        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return channel._create_event(message.key, message.value, (), message)

        return decode

    async def _agent(self, stream: StreamT[Chunk]) -> None:
        async for chunk in cast("AsyncIterator[Chunk]", stream):
            if self._stopping or not self.consumer.take(chunk):
                continue  # not begun, so not committed
            started = time.perf_counter()
            rest: float | None = None
            try:
                if missing := await self.consumer.missing(chunk):
                    leave(
                        f"{self.role} was handed {chunk.tp} from {chunk.first} on, and not {missing} offsets before it"
                    )
                rest = await self._handle(chunk)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                if self._stopping:  # its producer was closed: whoever owns the partition next does it again
                    log.warning("%s: offsets %d to %d are not finished: %r", chunk.tp, chunk.first, chunk.last, error)
                    return
                error = explained(error, self._settings.group(self.role), self._settings.instance)
                leave(f"{self.role} could not finish {chunk.tp} offsets {chunk.first} to {chunk.last}: {error}", error)
            self.consumer.done(chunk, rest or 0.0)
            metrics.RECORDS_READ.labels(self.role, chunk.tp.topic).inc(len(chunk.records))
            metrics.CHUNK_RECORDS.labels(self.role).observe(len(chunk.records))
            metrics.CHUNK_SECONDS.labels(self.role).observe(time.perf_counter() - started)

    # --- hooks: an exception in Faust's callbacks would be logged and forgotten

    async def assigned(self, partitions: set[TopicPartition], generation: int) -> None:
        """Runs the role's own hook; leaves the process where it fails. One that is stopping takes no more."""
        if self._stopping:
            return
        try:
            await self._hooks.assigned(partitions, generation)
            await self.consumer.expect(partitions)
        except Exception as error:
            leave(f"{self.role} cannot take {len(partitions)} partitions: {error}", error)
        metrics.REBALANCES.labels(self.role).inc()
        metrics.ASSIGNED_PARTITIONS.labels(self.role).set(len(partitions))
        log.info("%s owns %s", self.role, sorted(f"{tp.topic}/{tp.partition}" for tp in partitions))

    async def revoked(self, partitions: set[TopicPartition]) -> None:
        """Runs the role's own hook; leaves the process where it fails."""
        try:
            await self._hooks.revoked(partitions)
        except Exception as error:
            if self._stopping:
                log.warning("%s: %s", self.role, error)
                return
            leave(f"{self.role} cannot let go of {len(partitions)} partitions: {error}", error)

    # --- lifecycle

    async def start(self) -> None:
        """Joins the group; chunks come as soon as partitions are assigned."""
        self._app.finalize()
        await self._app.start()

    async def stop(self) -> None:
        """Finishes what is in hand and leaves the group."""
        self._stopping = True
        await self._app.stop()

    @property
    def failed(self) -> BaseException | None:
        """Why Faust gave up, if it did."""
        if not self._app.crashed:
            if not self._stopping and self.consumer.stalled:
                return TocsinError(f"{self.role} was given partitions, and did not begin to read them")
            return self.consumer.refused
        return self._app.crash_reason or RuntimeError("Faust stopped without a reason")

    @property
    def ready(self) -> bool:
        """Whether partitions are assigned (perhaps none, where there are more workers than partitions)."""
        return self.consumer.assigned_at is not None
