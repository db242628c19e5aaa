"""Workers that break one rule each, so that the verifier can show that it notices.

`python -m tests.chaos.broken worker triage` (or `follow`) commits offsets outside the transaction of their outputs, before it
on even partitions (what dies between is lost) and behind it on odd ones (what dies between comes twice).
`python -m tests.chaos.broken worker record` inserts without the range protocol: no range in the group's metadata, and
another token for each try. Owns: these two defects. Must never: be run outside the controls.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition

from agents.cli import main
from agents.follow import Follow
from agents.recording.recorder import Recorder
from agents.recording.sink import Sink
from agents.triage import Triage

WINDOW_SECONDS = 0.3
"""Between the two halves of what must be one: a sound worker has no such moment, this one is found in it."""


def commit_outside(role: type[Triage] | type[Follow]) -> None:
    """A role commits its offsets by itself."""
    whole = role.__init__

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        whole(self, *arguments, **named)
        transaction = self._transactions.transaction

        @asynccontextmanager
        async def torn(tp: TopicPartition, next_offset: int | None) -> AsyncIterator[Any]:
            if next_offset is None:  # follow's clock: nothing to commit
                async with transaction(tp, None) as producer:
                    yield producer
                return
            before = tp.partition % 2 == 0
            if before:
                await self.app.consumer.commit_offset(tp, next_offset)
                await asyncio.sleep(WINDOW_SECONDS)
            async with transaction(tp, None) as producer:
                yield producer
            if not before:
                await asyncio.sleep(WINDOW_SECONDS)
                await self.app.consumer.commit_offset(tp, next_offset)

        self._transactions.transaction = torn

    role.__init__ = init  # type: ignore[method-assign]  # the defect is the point


def insert_unranged() -> None:
    """Record tells nobody which rows it inserts, and ClickHouse never sees a token again."""
    insert, commit = Sink.insert, Recorder._commit

    async def anew(self: Sink, table: str, rows: Sequence[bytes], token: str) -> None:
        await insert(self, table, rows, uuid.uuid4().hex)

    async def silent(self: Recorder, mine: Any, tp: TopicPartition, offset: int, metadata: str) -> None:
        if not metadata:
            await commit(self, mine, tp, offset, metadata)

    Sink.insert = anew  # type: ignore[method-assign]  # the defect is the point
    Recorder._commit = silent  # type: ignore[method-assign]


if __name__ == "__main__":
    {
        "triage": lambda: commit_outside(Triage),
        "follow": lambda: commit_outside(Follow),
        "record": insert_unranged,
    }[sys.argv[2]]()
    main()
