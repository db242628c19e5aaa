"""The policy's section `desk`: what it refuses, and what it makes stand beside a message."""

from __future__ import annotations

import pytest

from agents import policies
from agents.scoring.policy import Policy, PolicyError, parse
from agents.scoring.policy_desk import DeskRules, Helpline

DOCUMENT = policies.default_document()
LINES = (
    Helpline("FR", "Urgences", "112"),
    Helpline("FR", "Suicide", "3114", ("self_harm",)),
    Helpline("GB", "Emergency", "999"),
    Helpline("GB", "Gas", "0800 111 999", ("gas",)),
)


def changed(before: str, after: str) -> Policy:
    assert before in DOCUMENT
    return parse(DOCUMENT.replace(before, after, 1))


def refused(before: str, after: str) -> str:
    with pytest.raises(PolicyError) as fault:
        changed(before, after)
    line = DOCUMENT[: DOCUMENT.index(before)].count("\n") + 1
    assert abs(fault.value.line - line) <= 1
    return str(fault.value)


def test_a_country_a_number_and_a_floor_that_are_none_are_named_with_their_line() -> None:
    assert "must be a country of two capital letters" in refused("    FR:\n      - {name", "    france:\n      - {name")
    assert 'must be a number as it is dialled, such as "116 123"' in refused('number: "3114"', 'number: "call us"')
    assert "self_harmm" in refused('"3114", floors: [self_harm]', '"3114", floors: [self_harmm]')


def test_a_protocol_needs_both_languages() -> None:
    start = DOCUMENT.index('      fr:\n        - "Prenez-le')
    end = DOCUMENT.index("  country: country")
    with pytest.raises(PolicyError, match='has no "fr"'):
        parse(DOCUMENT[:start] + DOCUMENT[end:])


def test_a_policy_without_it_says_nothing() -> None:
    start, end = DOCUMENT.index("desk:\n  protocol"), DOCUMENT.index("# One plain sentence for each reason")
    assert parse(DOCUMENT[:start] + DOCUMENT[end:]).desk == DeskRules()


def test_the_default_has_a_protocol_for_danger_and_an_emergency_number_for_every_country() -> None:
    desk = parse(DOCUMENT).desk
    assert desk.protocol["p0"].en and len(desk.protocol["p0"].en) == len(desk.protocol["p0"].fr)
    assert {one.country for one in desk.helplines} == {one.country for one in desk.helplines if not one.floors}


@pytest.mark.parametrize(
    ("floors", "country", "numbers"),
    [
        ({"self_harm"}, "FR", ["112", "3114"]),
        ({"fire"}, "FR", ["112"]),
        ({"gas"}, "GB", ["999", "0800 111 999"]),
        ({"self_harm"}, None, ["112", "3114", "999"]),
        ({"self_harm"}, "JP", ["112", "3114", "999"]),
    ],
)
def test_lines_are_those_of_the_country_and_of_the_rules_that_rang(
    floors: set[str], country: str | None, numbers: list[str]
) -> None:
    assert [one.number for one in DeskRules(helplines=LINES).lines(frozenset(floors), country)] == numbers
