"""Every input that fuzzing once broke something with breaks it no more, within the target's time and memory."""

from __future__ import annotations

import time

import pytest

from agents.scoring.policy import PolicyError, parse
from tests.fuzz.registry import targets
from tests.fuzz.target import FOLDER, Target
from tests.unit.test_policy import SMALL

KEPT = [
    pytest.param(target, path, id=f"{name}/{path.name}")
    for name, target in targets().items()
    for path in target.findings()
]


@pytest.mark.parametrize(("target", "path"), KEPT)
def test_what_was_found_stays_mended(target: Target, path: object) -> None:
    target.checked(path.read_bytes())  # type: ignore[attr-defined]  # pytest's parameters have no types


def test_every_kept_finding_and_seed_belongs_to_a_target() -> None:
    for folder in ("findings", "corpus"):
        assert {path.name for path in (FOLDER / folder).glob("*")} <= set(targets())


@pytest.mark.parametrize(
    ("key", "entries"),
    [
        ("        - kill myself\n", [f"        - phrase number {n}\n" for n in range(30_000)]),
        ("emotions: [anger, none]\n", ["emotions: [none", *(f", feeling{n}" for n in range(60_000)), "]\n"]),
    ],
    ids=["phrases", "words"],
)
def test_a_policy_of_many_entries_is_read_in_the_time_that_its_length_takes(key: str, entries: list[str]) -> None:
    document = SMALL.replace(key, "".join(entries))
    begun = time.thread_time()
    try:
        parse(document)
    except PolicyError as fault:
        pytest.fail(str(fault))
    assert time.thread_time() - begun < 5.0, "each entry is compared with every other: 14 s and more"


@pytest.mark.parametrize(
    ("phrases", "says"),
    [
        (["stop " + "x" * 61], "has a word of 61 characters, at most 60"),
        (
            [f"({'|'.join(f'w{n}' for n in range(99))}) {'tail of the phrase ' * 20}{m}" for m in range(200)],
            "letters in all",
        ),
    ],
    ids=["a long word", "much in all"],
)
def test_a_policy_that_would_take_gigabytes_when_compiled_is_refused(phrases: list[str], says: str) -> None:
    document = SMALL.replace("        - kill myself\n", "".join(f"        - {phrase}\n" for phrase in phrases))
    with pytest.raises(PolicyError, match=says):
        parse(document)
