"""Bytes of model snapshots and base files: a JSON header and plain arrays, compressed, never pickled.

Layout: `TOCSIN1\\n`, header length (4 bytes, little-endian), header (JSON), one Zstandard frame with the arrays one
after the other, and BLAKE2b (16 bytes) of all that stands before. The header's `arrays` gives each array's name, dtype
and length.
Owns: these bytes. Must never: evaluate what it reads.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import cramjam
import numpy as np
import numpy.typing as npt
import orjson

from schemas.base import MAX_NAME, Invalid, quoted
from schemas.learning import MAX_SQUARES, MAX_WEIGHT, Snapshot
from schemas.reading import convert

MAGIC = b"TOCSIN1\n"
_TYPES: dict[str, np.dtype[Any]] = {
    "u8": np.dtype("<u8"),
    "f8": np.dtype("<f8"),
    "f4": np.dtype("<f4"),
    "u4": np.dtype("<u4"),
    "i1": np.dtype("i1"),
}
_MAX_BYTES = 1 << 30
_MOST_GROWTH = 64
"""Bytes of arrays for one compressed byte. What Tocsin writes is at 2 to 4; a header that claims more must not be
believed, for the memory is taken before the claim is tested."""
_ALWAYS = 1 << 20
"""Bytes of arrays that may be claimed whatever their compressed size."""
_DIGEST = 16


def pack(header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]], level: int = 12) -> bytes:
    """Header (without the key `arrays`) and one-dimensional arrays (u8, f8, f4, u4, i1) as bytes; `level` is Zstandard's."""
    names = {dtype: name for name, dtype in _TYPES.items()}
    listing = [[name, names[array.dtype.newbyteorder("<")], len(array)] for name, array in arrays.items()]
    head = orjson.dumps({**header, "arrays": listing}, option=orjson.OPT_SORT_KEYS)
    body = b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays.values())
    data = MAGIC + len(head).to_bytes(4, "little") + head + bytes(cramjam.zstd.compress(body, level))
    return data + _digest(data)


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Header and arrays of what `pack` wrote.

    Raises:
        Invalid: not such bytes, cut short or changed; of a snapshot (`kind` "model"): a header that is none.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise Invalid("wrong_type", "not a Tocsin model: the first bytes are not TOCSIN1")
    data, digest = data[:-_DIGEST], data[-_DIGEST:]
    if _digest(data) != digest:
        raise Invalid("wrong_type", "the model's bytes are cut short or changed: their checksum is another")
    start = len(MAGIC) + 4
    end = start + int.from_bytes(data[len(MAGIC) : start], "little")
    try:
        header = orjson.loads(data[start:end])
        listing = [(str(name), _TYPES[kind], int(length)) for name, kind, length in header.pop("arrays")]
        size = sum(kind.itemsize * length for _, kind, length in listing)
        most = min(_MAX_BYTES, _MOST_GROWTH * (len(data) - end) + _ALWAYS)
        if size > most or any(length < 0 for _, _, length in listing):
            raise Invalid("out_of_bounds", f"the model's arrays are said to be {size:,} bytes, at most {most:,}")
        body = bytearray(size)
        if cramjam.zstd.decompress_into(data[end:], body) != size:
            raise Invalid("wrong_type", "the model's arrays are shorter than its header says")
    except Invalid:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, cramjam.DecompressionError) as error:
        raise Invalid("wrong_type", f"the model cannot be read: {str(error)[:200]}") from None
    arrays, position = {}, 0
    for name, kind, length in listing:
        arrays[name] = np.frombuffer(body, kind, length, position)
        position += kind.itemsize * length
    called = header.get("kind", "")
    if not isinstance(called, str) or len(called) > MAX_NAME:
        raise Invalid(
            "wrong_type", f'field "kind" is {quoted(called)}, must be a string of at most {MAX_NAME} characters'
        )
    if called == "model":
        convert(header, Snapshot)
        for name, array in arrays.items():
            least, most_of_all = (0.0, MAX_SQUARES) if name.endswith("/squares") else (-MAX_WEIGHT, MAX_WEIGHT)
            # Of a number that is none, both comparisons are false.
            if array.dtype.kind == "f" and not ((array >= least) & (array <= most_of_all)).all():
                raise Invalid(
                    "out_of_bounds", f"the model's {quoted(name)} holds a number not from {least:g} to {most_of_all:g}"
                )
    return header, arrays


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST).digest()
