"""Every fuzzing target on its seeds and on a few dozen inputs near them: the quick form of `python -m tests.fuzz`."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.dice import Dice, pumped
from tests.fuzz.mutate import mutated
from tests.fuzz.registry import targets
from tests.fuzz.target import Target

SLOW = {"text": 8, "lines": 8, "console-raw": 15, "feedback": 25, "message": 25, "policy": 25, "model-update": 20}
"""Examples of targets that take ten milliseconds and more each; of the others, 60."""
TARGETS = list(targets().values())


def names(target: Target) -> str:
    return target.name


@pytest.mark.parametrize("target", TARGETS, ids=names)
def test_a_target_holds_on_its_seeds_and_near_them(target: Target) -> None:
    seeds = target.seeds()
    assert seeds, "a target without seeds is not reached by chance"

    @settings(
        derandomize=True, deadline=None, max_examples=SLOW.get(target.name, 60), database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.sampled_from(seeds), st.integers(0, 2**32), st.booleans())
    @example(seeds[0], 0, False)
    def holds(seed: bytes, number: int, changed: bool) -> None:
        data = mutated(seed, target.kind, Random(number)) if changed else seed
        target.checked(data)

    holds()


@pytest.mark.parametrize("target", TARGETS, ids=names)
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 40, b"{}", b"[" * 2_000, b"\x1f\x8b", b"TOCSIN1\n", b"a: b\n"])
def test_a_target_holds_on_what_is_nothing(target: Target, data: bytes) -> None:
    target.checked(data)


@settings(derandomize=True, deadline=None, max_examples=100, database=None)
@given(st.binary(max_size=80), st.integers(0, 2_000))
def test_a_text_made_of_bytes_is_never_longer_than_asked_for(data: bytes, limit: int) -> None:
    assert len(pumped(Dice(data), ("aa", "b "), limit)) <= limit


@settings(derandomize=True, deadline=None, max_examples=100, database=None)
@given(st.binary(max_size=200), st.integers(0, 2**32), st.sampled_from(["json", "lines", "packed", "bytes"]))
def test_a_mutation_is_the_same_for_the_same_number(data: bytes, number: int, kind: str) -> None:
    assert mutated(data, kind, Random(number)) == mutated(data, kind, Random(number))
