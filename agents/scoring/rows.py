"""Where fixed feature ids stand in a table: a hash table in arrays, which finds the ids of many messages at once.

A Python dict costs as much an id, but fetches memory for each by itself; arrays wait for many at the same time.
Owns: that table. Must never: change after it was made.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int32]

_BITS_OF_AN_ID = 48
_SPARE = 4
"""Slots for each id: most then have one to themselves."""


class Rows:
    """Finds the place of ids in the array they were given in.

    An id's slot are some of its own bits, for ids are hashes. Those whose slot is taken stand in a second table, by other
    bits, and so on; three or four tables hold them all.

    Args:
        ids: distinct; their places are counted from 0.
    """

    def __init__(self, ids: Ids) -> None:
        self._ids = np.append(ids, np.uint64(1 << 63))  # nobody's, for empty slots
        self._tables: list[tuple[np.uint64, np.uint64, Places]] = []
        left = np.arange(len(ids), dtype=np.int32)
        shift = 0
        while len(left):
            bits = max(4, (len(left) * _SPARE - 1).bit_length())
            mask = np.uint64((1 << bits) - 1)
            # More bits than are left would find the same collisions again: the table then grows until they part.
            shift = shift if shift + bits <= _BITS_OF_AN_ID else 0
            slots = (ids[left] >> np.uint64(shift)) & mask
            table = np.full(1 << bits, -1, dtype=np.int32)
            _, first = np.unique(slots, return_index=True)
            table[slots[first]] = left[first]
            self._tables.append((np.uint64(shift), mask, table))
            left = np.delete(left, first)
            shift += bits

    def find(self, ids: Ids) -> Places:
        """The place of each id; -1 for those that are not there."""
        found: Places = np.full(len(ids), -1, dtype=np.int32)
        for shift, mask, table in self._tables:
            there = table.take((ids >> shift) & mask)
            found = np.where(self._ids.take(there, mode="wrap") == ids, there, found)
        return found
