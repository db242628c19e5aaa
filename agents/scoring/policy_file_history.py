"""Owns the reading of the policy's section `history`: every key, its type, its limits. As `policy_file`, it repairs nothing."""

from __future__ import annotations

import re
from itertools import pairwise
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agents.scoring.policy import PRIORITIES
from agents.scoring.policy_history import History, Hours, Value
from agents.scoring.policy_tree import Node

WEIGHTS = (
    "trouble",
    "urgent",
    "leaving",
    "again",
    "unanswered",
    "declining",
    "silence",
    "repeated",
    "praise",
    "post",
)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_YEAR = 366 * 86_400


def read_history(node: Node, floors: frozenset[str], routes: tuple[str, ...]) -> History:
    """The section; raises `PolicyError` with the line that is wrong."""
    top = node.map(
        required=("keep_days", "switched_off", "join", "answer", "handoff", "again", "standing"),
    )
    join = top["join"].map(required=("turns", "seconds"))
    answer = top["answer"].map(required=("seconds", "near", "community", "hours", "always"))
    community = answer["community"].map(required=("seconds", "newcomer_seconds", "newcomer_posts"))
    handoff = top["handoff"].map(
        required=("bot_tries", "repeats", "slope", "asked", "sensitive", "not_taken_seconds", "contacts"),
        optional=("value",),
    )
    again = top["again"].map(required=("contacts", "days"))
    standing = top["standing"].map(
        required=("half_life_days", "at_risk", "advocate", "rising_star", "silence_days", "drift_days", "weights")
    )
    weights = standing["weights"].map(required=WEIGHTS)
    seconds = answer["seconds"].map(required=PRIORITIES)
    limits = {priority: seconds[priority].whole(1, _YEAR) for priority in PRIORITIES}
    for higher, lower in pairwise(PRIORITIES):
        if limits[higher] > limits[lower]:
            seconds[lower].fail(f"is {limits[lower]}, must not be less than {higher}'s {limits[higher]}")
    near = answer["near"].number(0, 1)
    if near == 0:
        answer["near"].fail("is 0: every answer would be late before it is asked for")
    contacts = tuple(one.choice(routes) for one in handoff["contacts"].list())
    if not contacts:
        handoff["contacts"].fail("has no route")
    return History(
        keep_days=top["keep_days"].whole(1, 3_660),
        switched_off=frozenset(top["switched_off"].texts()),
        join_turns=join["turns"].whole(1, 10),
        join_seconds=join["seconds"].whole(1, 86_400),
        answer=MappingProxyType(limits),
        near=near,
        hours=_hours(answer["hours"]),
        always=frozenset(answer["always"].texts(PRIORITIES)),
        community=community["seconds"].whole(1, _YEAR),
        newcomer=community["newcomer_seconds"].whole(1, _YEAR),
        newcomer_posts=community["newcomer_posts"].whole(0, 1_000),
        bot_tries=handoff["bot_tries"].whole(1, 100),
        repeats=handoff["repeats"].whole(1, 100),
        value=_value(handoff["value"]) if "value" in handoff else None,
        slope=handoff["slope"].number(-2, 0),
        asked=tuple(one.choice(floors) for one in handoff["asked"].list()),
        sensitive=tuple(one.choice(floors) for one in handoff["sensitive"].list()),
        not_taken_seconds=handoff["not_taken_seconds"].whole(10, _YEAR),
        contacts=contacts,
        again_contacts=again["contacts"].whole(2, 100),
        again_days=again["days"].whole(1, 366),
        half_life_days=standing["half_life_days"].number(0.1, 366),
        at_risk=standing["at_risk"].number(0.1, 1_000),
        advocate=standing["advocate"].number(0.1, 1_000),
        rising_star=standing["rising_star"].number(0.1, 1_000),
        silence_days=standing["silence_days"].whole(1, 366),
        drift_days=standing["drift_days"].whole(1, 366),
        weights=MappingProxyType({kind: weights[kind].number(0, 100) for kind in WEIGHTS}),
    )


def _value(node: Node) -> Value:
    entries = node.map(required=("attribute",), optional=("at_least", "one_of"))
    if len(entries) == 1:
        node.fail('needs "at_least" or "one_of": every customer would be one of value')
    return Value(
        entries["attribute"].text(256),
        entries["at_least"].number(-1e15, 1e15) if "at_least" in entries else None,
        frozenset(entries["one_of"].texts()) if "one_of" in entries else frozenset(),
    )


def _hours(node: Node) -> Hours:
    entries = node.map(required=("zone", "days", "from", "to"))
    zone = entries["zone"].text(64)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        entries["zone"].fail(f'is "{zone}", which is no time zone such as Europe/Paris')
    days = frozenset(DAYS.index(one.choice(DAYS)) for one in entries["days"].list())
    if not days:
        entries["days"].fail("has no day")
    opens, closes = _minutes(entries["from"]), _minutes(entries["to"])
    if closes <= opens:
        entries["to"].fail("must be later than from")
    return Hours(zone, days, opens, closes)


def _minutes(node: Node) -> int:
    text = node.text()
    if not _CLOCK.fullmatch(text):
        node.fail(f'is "{text}", must be a time of the day such as "09:00", up to "24:00"')
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
