"""Where a worker keeps its customers: RocksDB on its own disk, one folder a partition, filled anew from `customers` each time.

Nothing in it is worth keeping when the process ends: the topic has it all. So there is no write-ahead log, and a folder whose
process is gone is removed by the next. Owns: those folders. Must never: know what is in a value.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch, WriteOptions

_CACHE_BYTES = 64 << 20
"""Of blocks, for all partitions together."""
_BUFFER_BYTES = 4 << 20
"""Of what is not yet written, for each partition; two of them at most."""
_cache: Cache | None = None


class Store:
    """Customers of one partition, by key, as bytes; not safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self._rows = Rdict(str(folder), _options())
        unlogged = WriteOptions()
        unlogged.disable_wal = True  # type: ignore[method-assign,assignment]  # an attribute, whatever the stub says
        self._rows.set_write_options(unlogged)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        value: bytes | None = self._rows.get(key)
        return value

    def put(self, rows: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Puts, or (None) removes, some."""
        batch = WriteBatch(raw_mode=True)
        for key, value in rows:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        self._rows.write(batch)

    def close(self) -> None:
        """Closes it, and removes its folder."""
        self._rows.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _options() -> Options:
    global _cache
    if _cache is None:
        _cache = Cache(_CACHE_BYTES)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_max_background_jobs(1)
    options.set_keep_log_file_num(1)
    blocks = BlockBasedOptions()
    blocks.set_block_cache(_cache)
    blocks.set_bloom_filter(10, False)
    options.set_block_based_table_factory(blocks)
    return options


def own_folder(data: Path) -> Path:
    """This process's folder under `data`; those of processes that are gone are removed."""
    every = data / "follow"
    every.mkdir(parents=True, exist_ok=True)
    for folder in every.iterdir():
        if folder.name.isdigit() and not _alive(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)
    return every / str(os.getpid())


def _alive(process: int) -> bool:
    if process == os.getpid():
        return False  # of an earlier process with our number
    with suppress(ProcessLookupError):
        try:
            os.kill(process, 0)
        except PermissionError:
            return True
        return True
    return False
