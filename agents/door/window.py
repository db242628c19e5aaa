"""What the door has sent lately, so that a client that tries again does not send it twice.

Owns: how long that is remembered. Must never: remember what Kafka did not confirm as if it had.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from hashlib import blake2b

Place = tuple[int, int]
"""(partition, offset)."""


def mark(topic: str, identity: bytes) -> bytes:
    """16 bytes that stand for a record of a topic (its name without the prefix)."""
    return blake2b(topic.encode() + b"\0" + identity, digest_size=16).digest()


class Window:
    """The newest records by their mark, whether confirmed (a place) or under way (a future).

    Args:
        most: records that are remembered; the oldest are forgotten first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[bytes, Place | asyncio.Future[Place]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: bytes) -> Place | asyncio.Future[Place] | None:
        """Where it is, or what will tell; None where it is not known."""
        return self._known.get(key)

    def confirmed(self, key: bytes, place: Place) -> None:
        """It is in Kafka."""
        self._known[key] = place
        self._trim()

    def under_way(self, key: bytes, future: asyncio.Future[Place]) -> None:
        """It was given to the producer; forgotten again where that fails."""
        self._known[key] = future
        future.add_done_callback(lambda done: self._settle(key, done))
        self._trim()

    def _settle(self, key: bytes, done: asyncio.Future[Place]) -> None:
        if self._known.get(key) is not done:
            return
        if done.cancelled() or done.exception() is not None:
            del self._known[key]
        else:
            self._known[key] = done.result()

    def _trim(self) -> None:
        while len(self._known) > self._most:
            self._known.popitem(last=False)
