"""Crowd's state as bytes, and back: what a new owner begins with. Arrays and JSON, never pickled.

In two records: `days`, what is over of the last eight days and changes four times a day; `state`, all the rest.
Owns: these bytes. Must never: hold what somebody wrote, but for the words that incidents are told by.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from agents.incidents.budget import Purses
from agents.incidents.crowd import Crowd
from agents.incidents.live import Live
from agents.incidents.slow import CELLS
from agents.incidents.usual import Week
from agents.incidents.window import Seen
from schemas.arrays import pack, unpack
from schemas.base import Invalid

LEVEL = 3
"""Of compression: written every few seconds."""
_SCALE = 127.0


class _Kept(Struct, kw_only=True):
    seen: list[Seen]
    share: float
    week: Week
    purses: Purses
    live: list[Live]
    looked_at: int
    looked_slow_at: int
    quarter: int
    total: int
    watched: dict[int, int]


def packed(crowd: Crowd) -> bytes:
    """The record `state`."""
    window, days = crowd.window, crowd.days
    kept = _Kept(
        seen=window.seen,
        share=window.share,
        week=crowd.week,
        purses=crowd.purses,
        live=crowd.live,
        looked_at=crowd.looked_at,
        looked_slow_at=crowd.looked_slow_at,
        quarter=days.quarter,
        total=days.total,
        watched=days.watched,
    )
    body = np.frombuffer(msgspec.json.encode(kept), np.int8)
    arrays = {
        "kept": body,
        "vectors": _small(window.vectors),
        "earlier": _small(window.earlier),
        "taken": window.taken.astype(np.int8),
        "now": days.now,
    }
    return pack({"kind": "crowd", "size": window.vectors.shape[1]}, arrays, LEVEL)


def packed_days(crowd: Crowd) -> bytes:
    """The record `days`."""
    days = crowd.days
    arrays = {str(quarter): counts for quarter, counts in sorted(days.before.items())}
    return pack({"kind": "days", "totals": {str(one): count for one, count in days.totals.items()}}, arrays, LEVEL)


def restore(crowd: Crowd, data: bytes) -> None:
    """Puts a record `state` into a new crowd.

    Raises:
        Invalid: it is none, or of another table of words.
    """
    header, arrays = _read(data, "crowd")
    size = crowd.window.vectors.shape[1]
    if header.get("size") != size:
        raise Invalid("wrong_type", f"crowd's state has vectors of {header.get('size')}, must be {size}")
    try:
        kept = msgspec.json.decode(arrays["kept"].tobytes(), type=_Kept)
        window, days = crowd.window, crowd.days
        window.vectors, window.earlier = _large(arrays["vectors"], size), _large(arrays["earlier"], size)
        window.taken = arrays["taken"].astype(np.bool_)
        window.at = np.array([one.at for one in kept.seen], np.int64)
        days.now = arrays["now"].astype(np.uint32)
    except (msgspec.MsgspecError, ValueError, KeyError, OverflowError) as error:
        raise Invalid("wrong_type", f"crowd's state cannot be read: {str(error)[:200]}") from None
    if not len(kept.seen) == len(window.vectors) == len(window.taken) or len(days.now) != CELLS:
        raise Invalid("wrong_type", f"crowd's state has {len(window.vectors)} vectors of {len(kept.seen)} messages")
    window.seen, window.share = kept.seen, kept.share
    window.words = [[] for _ in kept.seen]
    crowd.week, crowd.purses, crowd.live = kept.week, kept.purses, kept.live
    crowd.looked_at, crowd.looked_slow_at = kept.looked_at, kept.looked_slow_at
    days.quarter, days.total, days.watched = kept.quarter, kept.total, kept.watched


def restore_days(crowd: Crowd, data: bytes) -> None:
    """Puts a record `days` into a new crowd; raises Invalid."""
    header, arrays = _read(data, "days")
    try:
        crowd.days.totals = {int(one): int(count) for one, count in header["totals"].items()}
        crowd.days.before = {int(one): counts.astype(np.uint32) for one, counts in arrays.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Invalid("wrong_type", f"crowd's days cannot be read: {str(error)[:200]}") from None


def _read(data: bytes, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, arrays = unpack(data)
    if header.get("kind") != kind:
        raise Invalid("wrong_type", f'crowd\'s state is of kind "{header.get("kind")}", must be "{kind}"')
    return header, arrays


def _small(vectors: Any) -> Any:
    return np.round(vectors * _SCALE).astype(np.int8).reshape(-1)


def _large(array: Any, size: int) -> Any:
    return (array.reshape(-1, size) / _SCALE).astype(np.float32)
