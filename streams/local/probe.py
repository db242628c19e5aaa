"""Whether a local Kafka serves groups and transactions: it is asked, in its own protocol, over one connection.

Owns: the requests of the question. Must never: leave anything behind on the broker (no group, no transaction,
no topic but Kafka's internal ones), or be used against anything but a broker on this machine.

Written out instead of asked through a client, because a client's answer is a wait, a log full of retries, and a
transactional id that stays. Request layouts: https://kafka.apache.org/protocol
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final

METADATA: Final = 3
FIND_COORDINATOR: Final = 10
DESCRIBE_GROUPS: Final = 15
INIT_PRODUCER_ID: Final = 22
DESCRIBE_TRANSACTIONS: Final = 65
GROUP, TRANSACTION = 0, 1

TRANSACTIONAL_ID_NOT_FOUND: Final = 105

NAMES: Final = tuple(f"tocsin-probe-{number}" for number in range(8))
"""A coordinator for each of the 8 partitions of the internal topics (server.properties): Kafka takes the name's Java
hash modulo 8, and names that differ by one in their last character have hashes that differ by one."""


class NotReadyError(Exception):
    """The broker answered that it is not ready yet, or did not answer."""


async def serving(host: str, port: int, cluster_id: str) -> None:
    """Returns when it is this cluster, every group and transaction coordinator answers, and producer ids are given out.

    Asks once; takes milliseconds. Raises:
        NotReadyError: naming what is missing.
    """
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        raise NotReadyError(f"nothing listens on {host}:{port}") from error
    try:
        connection = _Connection(reader, writer)
        if not await connection.is_cluster(cluster_id):
            raise NotReadyError(f"another Kafka than ours listens on {host}:{port}")
        for kind in (GROUP, TRANSACTION):
            for name in NAMES:
                _refuse(await connection.find_coordinator(name, kind), f"coordinator {kind} of {name}")
        for name in NAMES:
            _refuse(await connection.describe_group(name), f"group {name}")
            _refuse(await connection.describe_transaction(name), f"transaction {name}", TRANSACTIONAL_ID_NOT_FOUND)
        _refuse(await connection.init_producer_id(), "producer ids")
    except (OSError, EOFError, struct.error) as error:
        raise NotReadyError(f"{host}:{port} hung up ({type(error).__name__})") from error
    finally:
        writer.close()


def _refuse(code: int, what: str, good: int = 0) -> None:
    if code not in (0, good):
        raise NotReadyError(f"{what}: Kafka error code {code}")


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


class _Connection:
    """One request at a time, answered by its error code."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def _ask(self, api: int, version: int, body: bytes) -> bytes:
        """The answer behind its length and correlation id."""
        message = struct.pack(">hhi", api, version, 1) + _string("tocsin") + body
        self._writer.write(struct.pack(">i", len(message)) + message)
        (length,) = struct.unpack(">i", await self._reader.readexactly(4))
        return (await self._reader.readexactly(length))[4:]

    async def is_cluster(self, cluster_id: str) -> bool:
        """Version 2, asked about no topic: the answer holds the brokers and the cluster's id, which no host name is."""
        return _string(cluster_id) in await self._ask(METADATA, 2, struct.pack(">i", 0))

    async def find_coordinator(self, name: str, kind: int) -> int:
        """Version 1: throttle int32, error int16. Asking makes Kafka create the internal topic."""
        answer = await self._ask(FIND_COORDINATOR, 1, _string(name) + struct.pack(">b", kind))
        return int(struct.unpack_from(">h", answer, 4)[0])

    async def describe_group(self, name: str) -> int:
        """Version 0: array length int32, error int16. An unknown group is "dead", without an error."""
        answer = await self._ask(DESCRIBE_GROUPS, 0, struct.pack(">i", 1) + _string(name))
        return int(struct.unpack_from(">h", answer, 4)[0])

    async def describe_transaction(self, name: str) -> int:
        """Version 0, compact: tags, throttle int32, array length varint, error int16."""
        body = b"\x00" + bytes((2, len(name) + 1)) + name.encode() + b"\x00"
        answer = await self._ask(DESCRIBE_TRANSACTIONS, 0, body)
        return int(struct.unpack_from(">h", answer, 6)[0])

    async def init_producer_id(self) -> int:
        """Version 0, without a transactional id: throttle int32, error int16."""
        answer = await self._ask(INIT_PRODUCER_ID, 0, struct.pack(">hi", -1, 60_000))
        return int(struct.unpack_from(">h", answer, 4)[0])
