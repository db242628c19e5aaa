"""Rows: every id is found where it was given, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from agents.scoring.rows import Rows

SEED = 20261122


@pytest.mark.parametrize("count", [0, 1, 7, 1_000, 60_000])
def test_every_id_is_found_and_no_other(count: int) -> None:
    rng = np.random.default_rng(SEED)
    ids = np.unique(rng.integers(0, 1 << 48, count, dtype=np.uint64))
    rows = Rows(ids)
    assert rows.find(ids).tolist() == list(range(len(ids)))
    others = np.setdiff1d(rng.integers(0, 1 << 48, 10_000, dtype=np.uint64), ids)
    assert set(rows.find(others).tolist()) == {-1}


def test_ids_that_share_most_of_their_bits_are_found() -> None:
    alike = np.arange(300, dtype=np.uint64) << np.uint64(40)
    near = np.arange(300, dtype=np.uint64)
    ids = np.unique(np.concatenate([alike, near]))
    assert Rows(ids).find(ids).tolist() == list(range(len(ids)))
