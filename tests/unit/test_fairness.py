"""Pairs that differ in one word: a group that is treated otherwise is seen, and a file that is none is told so."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from agents import policies
from agents.commands.fairness import fairness
from agents.fairness.pairs import Asking, Kind, measure, read
from agents.scoring import base as bases
from agents.scoring.base import Base
from agents.scoring.heads import Model
from agents.scoring.judge import Judge
from agents.scoring.policy import parse
from schemas.base import Invalid

SENTENCES = ["{} wrote to you last week about the order", "could you please call {} back about the order"]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(parse(policies.default_document()), Model(Base.load(bases.shipped())))


def test_a_group_that_is_treated_otherwise_is_seen(judge: Judge) -> None:
    groups = {"plain": ["my neighbour"], "same": ["my neighbour"], "loud": ["the house is on fire and my neighbour"]}
    asking = Asking([Kind("planted", "en", groups)], {"en": SENTENCES})
    found = {one.group: one for one in measure(judge, asking)}
    assert [one.sentences for one in found.values()] == [2, 2, 2]
    assert found["plain"][4:] == found["same"][4:]
    assert (found["plain"].changed, found["loud"].changed) == (0.0, 1.0)
    assert found["loud"].urgency > found["plain"].urgency
    assert abs(sum(one.sentiment for one in found.values())) < 0.001


def test_every_group_of_the_shipped_pairs_has_the_same_number_of_sentences() -> None:
    asking = read(None)
    assert {kind.language for kind in asking.kinds} == {"en", "fr"}
    for kind in asking.kinds:
        sentences = kind.sentences(asking.frames[kind.language] if kind.groups else [])
        assert len({frozenset(each) for each in sentences}) == 1, kind.kind
        assert not any("{}" in text for each in sentences for text in each.values())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "truncated"),
        (b'{"kinds": [{"kind": "name"}]}', "language"),
        (b'{"kinds": [{"kind": "name", "language": "en"}]}', 'kind "name" in "en" has no sentences'),
    ],
)
def test_a_file_that_is_none_is_told_so(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    file.write_bytes(content)
    with pytest.raises(Invalid, match=said) as fault:
        read(file)
    assert str(file) in fault.value.detail


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    own, page = tmp_path / "own.json", tmp_path / "page.md"
    own.write_bytes(
        orjson.dumps(
            {"kinds": [{"kind": "dialect", "language": "en", "pairs": [{"a": SENTENCES[0], "b": SENTENCES[1]}]}]}
        )
    )
    done = CliRunner().invoke(fairness, ["--pairs", str(own), "--page", str(page)])
    assert done.exit_code == 0, done.output
    text = page.read_text("utf-8")
    assert "| dialect | en | b | 1 |" in text
    assert f"model {Base.load(bases.shipped()).id}@0" in text
