"""Taking and resolving at the console: what stands after what people did, whatever the order in which it is read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agents.console.deed import perform
from agents.console.entry import Entry
from agents.console.queue import LiveQueue
from schemas.base import Invalid
from schemas.decision import Alert
from schemas.people import Action
from tests.browser.kit import alert

AT = "2026-11-20T09:00:00Z"


def queue(*actions: Action, ring: bool = True) -> LiveQueue:
    made = LiveQueue()
    for one in actions:
        made.act(one)
    if ring:
        made.ring(msgspec.convert(alert(1, "It smokes", "p0"), Alert))
    return made


def entry(made: LiveQueue) -> Entry:
    found = made.get("m1")
    assert found is not None
    return found


def action(identity: str, kind: Any, by: str = "Ana", **more: Any) -> Action:
    return Action(id=identity, customer_id="c1", message_id="m1", kind=kind, by=by, at=AT, **more)


@pytest.mark.parametrize(
    ("kinds", "taken", "resolved"),
    [
        (["taken"], "Ana", None),
        (["taken", "released"], None, None),
        (["taken", "resolved"], None, "Ana"),
        (["resolved", "reopened"], None, None),
        (["resolved", "taken"], "Ana", None),
        (["snoozed"], None, None),
    ],
)
def test_the_last_of_what_was_done_stands(kinds: list[str], taken: str | None, resolved: str | None) -> None:
    # Topics are read side by side: what was done may come before what rang.
    found = entry(queue(*(action(f"a{at}", kind) for at, kind in enumerate(kinds))))
    assert (found.taken_by, found.resolved_by) == (taken, resolved)


def test_what_is_undone_counts_no_more_and_the_same_record_counts_once() -> None:
    made = queue(action("a1", "taken"), action("a2", "taken", "Bob"), action("a2", "taken", "Bob"))
    assert entry(made).taken_by == "Bob"
    made.act(action("a3", "released", "Bob", undoes="a2"))
    assert entry(made).taken_by == "Ana"
    assert len(entry(made).actions) == 3


def test_what_is_resolved_no_longer_waits_and_stands_behind_what_does() -> None:
    made = queue(action("a1", "resolved"))
    made.ring(msgspec.convert(alert(2, "Late again", "p2"), Alert))
    assert made.totals() == {"p0": 0, "p1": 0, "p2": 1, "p3": 0}
    assert [one.id for one in made.ordered()] == ["m2", "m1"]


def test_an_edited_message_keeps_who_has_it() -> None:
    made = queue(action("a1", "taken"))
    made.ring(msgspec.convert(alert(1, "It smokes a lot", "p0", revision=1), Alert))
    assert entry(made).taken_by == "Ana"


def test_a_click_becomes_an_action_or_says_what_is_wrong_with_it() -> None:
    found = entry(queue())
    made = perform({"kind": "taken", "by": "  Ana   Maria "}, found, AT)
    assert (made.kind, made.by, made.customer_id, made.decision_id) == ("taken", "Ana Maria", "c1", "d1")
    for body, word in (
        ({"kind": "rated", "by": "Ana"}, '"kind"'),
        ({"kind": "taken"}, '"by"'),
        ({"kind": "taken", "by": 7}, '"by"'),
        ({"undoes": "nothing", "by": "Ana"}, '"undoes"'),
    ):
        with pytest.raises(Invalid) as fault:
            perform(body, found, AT)
        assert word in fault.value.detail


def test_undo_says_the_opposite_and_what_it_undoes() -> None:
    found = entry(queue(action("a1", "resolved")))
    made = perform({"undoes": "a1", "by": "Ana"}, found, AT)
    assert (made.kind, made.undoes) == ("reopened", "a1")
