"""What is kept of a customer does not depend on which topic is read first; conversations, clocks and triggers are as told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.history.asking import expects_answer
from agents.history.clock import due
from agents.history.conversation import Conversation
from agents.history.likeness import says_again
from agents.history.places import Place
from agents.history.rules import rise, takeovers
from agents.history.standing import standings
from agents.history.state import MOST_DANGERS, MOST_TURNS, add_action, add_decision, add_message, hear, tell
from agents.history.store import Store
from agents.history.waiting import Due, dues, expected_by, expires, next_due
from agents.scoring.policy_history import History, Hours, Value
from schemas.base import Invalid, milliseconds, timestamp
from schemas.decision import Decision, Labelled, Reason, Source
from schemas.history import Customer, decode_customer, encode_customer
from schemas.message import Message
from schemas.people import Action
from tests.unit.history_world import BEGUN, MINUTE, acted, decided, kept, written

Event = tuple[str, int, int, str, str]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["customer", "customer", "agent", "bot"]),
        st.integers(0, 200),  # minute
        st.integers(0, 2),  # revision
        st.sampled_from(["p0", "p2", "p3"]),
        st.sampled_from(["t", "u"]),
    ),
    min_size=1,
    max_size=90,
)


@settings(max_examples=300, deadline=None)
@given(EVENTS, st.randoms(use_true_random=False))
def test_what_is_kept_does_not_depend_on_which_topic_is_read_first(events: list[Event], rng: Random) -> None:
    messages, decisions, actions = [], [], []
    for offset, (role, minute, revision, priority, conversation) in enumerate(events):
        number = minute % 80
        place: dict[str, Any] = {"revision": revision, "conversation_id": conversation + str(number)}
        messages.append((offset, written(number, role, minute=number, **place)))
        if role == "customer":
            source = Source("messages", 0, offset)
            decisions.append((offset, decided(number, priority, id=f"d{offset}", source=source, **place)))
        if minute % 7 == 0:
            actions.append((offset, acted(offset, "taken", number, minute)))
    first = None
    for _ in range(4):
        streams: list[list[tuple[int, Message | Decision | Action]]] = [[*messages], [*decisions], [*actions]]
        customer = Customer()
        while any(streams):
            stream = rng.choice([one for one in streams if one])
            offset, record = stream.pop(0)
            if isinstance(record, Message):
                add_message(customer, record, offset, asks=offset % 2 == 0)
            elif isinstance(record, Decision):
                add_decision(customer, record, offset)
            else:
                add_action(customer, record, BEGUN)
        first = first or encode_customer(customer)
        assert encode_customer(customer) == first
    assert len(decode_customer(first).turns) <= MOST_TURNS + MOST_DANGERS


def test_the_same_record_twice_counts_once() -> None:
    once = kept([written(1)], [decided(1)], [acted(1, "taken", 1, 2)])
    twice = kept([written(1)], [decided(1)], [acted(1, "taken", 1, 2)])
    add_message(twice, written(1), 0, asks=False)
    add_decision(twice, decided(1), 0)
    add_action(twice, acted(1, "taken", 1, 2), BEGUN)
    assert encode_customer(twice) == encode_customer(once)


def test_a_persons_word_stays_in_force_until_it_is_taken_back() -> None:
    human = decided(1, "p3", by="human", id="h")
    customer = kept([written(1)], [decided(1, "p0"), human, decided(1, "p1", id="again")])
    assert customer.turns[0].decision.id == "h"  # type: ignore[union-attr]
    assert customer.turns[0].decision.rang == "p0"  # type: ignore[union-attr]
    add_decision(customer, decided(1, "p0", id="anew", supersedes="h"), 9)
    assert customer.turns[0].decision.id == "anew"  # type: ignore[union-attr]


def test_a_conversation_is_in_danger_until_a_person_resolves_it() -> None:
    messages, decisions = [written(1), written(2)], [decided(1, "p0"), decided(2)]
    customer = kept(messages, decisions)
    higher = rise(Conversation(customer, "t"), customer, decisions[1], None, [], [], History())
    assert higher is not None
    assert (higher.priority, higher.history, higher.messages) == ("p0", "danger_open", ["m1"])
    resolved = kept(messages, decisions, [acted(1, "resolved", 1, 2)])
    assert Conversation(resolved, "t").danger is None
    undone = kept(messages, decisions, [acted(1, "resolved", 1, 2), acted(2, "resolved", 1, 3, undoes="a1")])
    assert Conversation(undone, "t").danger is not None
    reopened = kept(messages, decisions, [acted(1, "resolved", 1, 2), acted(2, "reopened", 1, 3)])
    assert Conversation(reopened, "t").danger is not None


def test_no_persons_decision_is_raised() -> None:
    human = decided(2, by="human")
    customer = kept([written(1), written(2)], [decided(1, "p0"), human])
    assert rise(Conversation(customer, "t"), customer, human, None, [], [], History()) is None


def test_the_third_contact_on_one_category_needs_a_person() -> None:
    messages = [written(n, conversation_id=f"t{n}", text="where?") for n in (1, 2, 3)]
    labelled = []
    for n in (1, 2, 3):
        labelled.append(decided(n, sentiment=-0.5, conversation_id=f"t{n}"))
        labelled[-1].category = Labelled("delivery", {"delivery": 1.0})
    customer = kept(messages, labelled)
    higher = rise(Conversation(customer, "t3"), customer, labelled[2], None, [], [], History())
    assert higher is not None
    assert (higher.priority, higher.history, higher.messages) == ("p2", "again", ["m1", "m2", "m3"])
    assert rise(Conversation(customer, "t2"), customer, labelled[1], None, [], [], History(again_contacts=4)) is None


def test_a_bots_answer_is_none_and_a_persons_is() -> None:
    asked = [written(1, text="where?"), written(2, "bot")]
    customer = kept(asked, [decided(1)])
    assert Conversation(customer, "t").waiting.id == "m1"  # type: ignore[union-attr]
    answered = kept([*asked, written(3, "agent")], [decided(1)])
    assert Conversation(answered, "t").waiting is None
    again = kept([*asked, written(3, "agent"), written(4, text="and now?")], [decided(1), decided(4)])
    assert Conversation(again, "t").waiting.id == "m4"  # type: ignore[union-attr]


def breaches(customer: Customer, rules: History | None = None) -> list[Due]:
    return [one for one in dues(customer, rules or History()) if one.kind == "breach_near"]


def test_what_is_due_is_told_once_and_put_off_by_a_snooze() -> None:
    rules = History(always=frozenset(("p0", "p1", "p2", "p3")))
    customer = kept([written(1, text="where?")], [decided(1, "p2")])
    (one,) = breaches(customer, rules)
    assert one.at == BEGUN + MINUTE + round(28_800_000 * 0.8)
    assert next_due(customer, rules) == one.at
    until = timestamp(one.at + 5 * MINUTE)
    snoozed = kept([written(1, text="where?")], [decided(1, "p2")], [acted(1, "snoozed", 1, 2, until=until)])
    assert [each.at for each in breaches(snoozed, rules)] == [one.at + 5 * MINUTE]
    assert tell(customer, one.key, one.at)
    assert not tell(customer, one.key, one.at)
    assert not breaches(customer, rules)


def test_a_customer_is_dropped_so_long_after_the_last_record_arrived_however_old_the_messages_are() -> None:
    customer = kept([written(1, sent_at="2017-10-31T22:10:47.000Z")], [])
    hear(customer, BEGUN + MINUTE)
    hear(customer, BEGUN)
    assert expires(customer, History(keep_days=30)) == BEGUN + MINUTE + 30 * 24 * 60 * MINUTE


def test_a_danger_that_nobody_takes_asks_one_contact_after_the_other() -> None:
    rules = History()
    customer = kept([written(1)], [decided(1, "p0")])
    moments = []
    for _ in range(3):
        found = [one for one in dues(customer, rules) if one.kind == "not_taken"]
        moments += [(one.round, one.at - BEGUN - MINUTE) for one in found]
        for one in found:
            tell(customer, one.key, one.at)
    assert moments == [(0, 600_000), (1, 1_200_000)]
    taken = kept([written(1)], [decided(1, "p0")], [acted(1, "taken", 1, 2)])
    assert not [one for one in dues(taken, rules) if one.kind == "not_taken"]


def test_a_journey_that_falls_hands_over() -> None:
    scores = (0.6, -0.2, -0.9)
    customer = kept([written(n) for n in (1, 2, 3)], [decided(n, "p3", score) for n, score in enumerate(scores, 1)])
    journey = Conversation(customer, "t").journey
    assert journey is not None
    assert (journey.start, journey.low, journey.end, journey.slope, journey.turns) == (0.6, -0.9, -0.9, -0.75, 3)
    assert triggers(customer, decided(3, "p3", -0.9)) == ["slope"]
    sensitive = decided(3, "p2", reasons=[Reason(floor="illness", phrase="cancer", start=0, end=6)])
    assert "sensitive" in triggers(customer, sensitive)


@pytest.mark.parametrize(
    ("attributes", "sentiment", "value", "found"),
    [
        ({"customer_value": 5_000}, -0.6, Value("customer_value", 1_000.0), ["value"]),
        ({"customer_value": 5_000}, 0.6, Value("customer_value", 1_000.0), []),  # nothing is wrong
        ({"customer_value": 900}, -0.6, Value("customer_value", 1_000.0), []),
        ({"customer_value": "much"}, -0.6, Value("customer_value", 1_000.0), []),
        ({"plan": "enterprise"}, -0.6, Value("plan", one_of=frozenset(["enterprise"])), ["value"]),
        ({}, -0.6, Value("plan", one_of=frozenset(["enterprise"])), []),
        ({"customer_value": 5_000}, -0.6, None, []),
    ],
)
def test_a_customer_of_value_in_trouble_is_handed_over(
    attributes: dict[str, object], sentiment: float, value: Value | None, found: list[str]
) -> None:
    one = decided(1, "p3", sentiment)
    customer = kept([written(1)], [one])
    assert triggers(customer, one, History(value=value), attributes) == found


def test_who_says_the_same_again_and_again_is_handed_over() -> None:
    customer = kept([written(n) for n in (1, 2, 3)], [decided(n) for n in (1, 2, 3)])
    customer.turns[1].repeats = "m1"
    assert triggers(customer, decided(3)) == []
    customer.turns[2].repeats = "m2"
    assert triggers(customer, decided(3)) == ["repeats"]
    assert [turn.id for turn in Conversation(customer, "t").repeated] == ["m2", "m3"]
    add_action(customer, acted(1, "resolved", 3, 4), BEGUN)
    assert triggers(customer, decided(3)) == []


@pytest.mark.parametrize(
    ("text", "earlier"),
    [
        ("My parcel has NOT arrived yet!", "a"),
        ("@shop my order is late https://x.io/1", None),  # names and links are no words
        ("is it", None),  # too few to be like anything
        ("Mon colis n'est toujours pas arrivé", "c"),
    ],
)
def test_the_same_said_again_is_known_by_its_words(text: str, earlier: str | None) -> None:
    before = {
        "a": "my parcel has not arrived yet",
        "b": "my parcel has still not arrived yet",
        "c": "mon colis n’est toujours pas arrivé !",
        "d": "@shop https://x.io/1 hello there",
        "e": "is it",
    }
    assert says_again(text, before) == earlier


def triggers(
    customer: Customer, decision: Decision, rules: History | None = None, attributes: Mapping[str, object] | None = None
) -> list[str]:
    return [
        one.trigger for one in takeovers(Conversation(customer, "t"), decision, attributes or {}, rules or History())
    ]


@pytest.mark.parametrize(("earlier", "hours"), [(0, 4), (2, 4), (3, 24)])
def test_a_public_question_is_late_sooner_for_a_newcomer(earlier: int, hours: int) -> None:
    posts = [written(n, visibility="public") for n in range(earlier)]
    asked = written(50, visibility="public", text="how do I change it?")
    customer = kept([*posts, asked], [decided(n) for n in range(earlier)] + [decided(50)])
    (one,) = breaches(customer)
    assert one.at == BEGUN + 50 * MINUTE + round(hours * 3_600_000 * 0.8)
    add_action(customer, acted(1, "answered", 50, 51), BEGUN)
    assert not breaches(customer)


def test_feedback_that_does_not_know_when_a_message_was_written_moves_no_turn() -> None:
    late = timestamp(BEGUN + 500 * MINUTE)
    customer = kept([written(1)], [decided(1)])
    unknowing = decided(1, "p1", by="human", id="h", feedback_id="f", sent_at=late, decided_at=late)
    assert add_decision(customer, unknowing, 5) is not None
    assert (customer.turns[0].at, customer.turns[0].decision.id) == (BEGUN + MINUTE, "h")  # type: ignore[union-attr]
    assert add_decision(customer, decided(9, by="human", feedback_id="f", sent_at=late, decided_at=late), 6) is None
    assert len(customer.turns) == 1
    known = decided(9, "p0", by="human", feedback_id="f", decided_at=late)
    assert add_decision(customer, known, 7) is not None


OFFICE = Hours("Europe/Paris", frozenset(range(5)), 9 * 60, 18 * 60)


@pytest.mark.parametrize(
    ("sent", "hours", "expected"),
    [
        (
            "2026-03-06T16:30:00Z",
            1,
            "2026-03-09T08:30:00Z",
        ),  # Friday 17:30 in Paris: half an hour, and Monday's first half
        ("2026-03-27T16:30:00Z", 1, "2026-03-30T07:30:00Z"),  # the same over the change to summer time
        ("2026-10-23T15:30:00Z", 1, "2026-10-26T08:30:00Z"),  # and over the change back
        ("2026-03-07T12:00:00Z", 2, "2026-03-09T10:00:00Z"),  # Saturday
        ("2026-03-09T05:00:00Z", 9, "2026-03-09T17:00:00Z"),  # a whole office day
    ],
)
def test_office_hours_are_those_of_the_clock_on_the_wall(sent: str, hours: int, expected: str) -> None:
    assert due(milliseconds(sent), hours * 3600, OFFICE) == milliseconds(expected)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4_000_000_000_000), st.integers(1, 40 * 3600))
def test_an_answer_is_due_within_office_hours_and_never_too_soon(at: int, seconds: int) -> None:
    moment = due(at, seconds, OFFICE)
    assert moment >= at + seconds * 1000
    local = datetime.fromtimestamp(moment / 1000, UTC).astimezone(ZoneInfo("Europe/Paris"))
    assert local.weekday() < 5
    assert 9 * 60 <= local.hour * 60 + local.minute + local.second / 60 <= 18 * 60


def test_danger_is_due_round_the_clock() -> None:
    assert expected_by(BEGUN, "p0", History(hours=OFFICE)) == BEGUN + 300_000


def test_an_action_from_the_future_was_done_when_it_came() -> None:
    customer = kept([written(1)], [decided(1, "p0")], [acted(1, "resolved", 1, 10_000_000)])
    assert customer.done[0].at == BEGUN
    assert Conversation(customer, "t").danger is not None


def test_a_time_on_no_calendar_is_refused() -> None:
    with pytest.raises(Invalid, match="no calendar"):
        add_action(
            Customer(),
            Action(id="a", customer_id="c", message_id="m", kind="taken", by="x", at="2026-02-31T00:00:00Z"),
            BEGUN,
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("where is my parcel", True),
        ("Bonjour, pouvez-vous me renvoyer la facture", True),
        ("my card was charged twice", True),
        ("l'appli ne marche plus depuis ce matin", True),
        ("please call me back", True),
        ("quand est-ce que ça arrive ?", True),
        ("thanks!", False),
        ("thank you so much for your help", False),
        ("merci beaucoup, bonne journée", False),
        ("ok", False),
        ("that's lovely, I will tell my friends about you", False),
        ("", False),
    ],
)
def test_what_expects_an_answer(text: str, expected: bool) -> None:
    assert expects_answer(text) is expected


def test_a_customer_at_risk_is_named_with_the_events_that_made_it_and_they_fade() -> None:
    rules = History()
    reasons = [Reason(floor="leaving", phrase="closing my account", start=0, end=18)]
    customer = kept([written(1), written(2)], [decided(1, "p1", -0.8), decided(2, "p2", -0.4, reasons=reasons)])
    (found,) = standings(customer, rules)
    assert (found.kind, round(found.score, 1)) == ("at_risk", 7.2)  # 0.8 and 2 for p1, 0.4 and 4 for leaving
    assert [(event.kind, event.message_id) for event in found.events] == [
        ("trouble", "m1"), ("urgent", "m1"), ("leaving", "m2"), ("trouble", "m2"),
    ]  # fmt: skip
    later = kept([written(1), written(2), written(3, minute=28 * 24 * 60)], [])
    for offset, one in enumerate((decided(1, "p1", -0.8), decided(2, "p2", -0.4, reasons=reasons))):
        add_decision(later, one, offset)
    assert not standings(later, rules), "after two half-lives a quarter is left"


def test_a_conversation_of_ten_thousand_turns_stays_small_and_a_danger_in_it_stays_one() -> None:
    customer = Customer()
    for number in range(10_000):
        add_message(customer, written(number), number, asks=True)
        add_decision(customer, decided(number, "p0" if number == 5_000 else "p3", -0.5), number)
    assert len(customer.turns) == MOST_TURNS + 1
    assert len(encode_customer(customer)) < 30_000
    assert Conversation(customer, "t").danger.id == "m5000"  # type: ignore[union-attr]


def test_moments_that_are_moved_again_and_again_do_not_pile_up(tmp_path: Path) -> None:
    place = Place(0, Store(tmp_path / "store"))
    for round_ in range(2_000):
        for customer in ("ana", "ben"):
            place.schedule(customer, BEGUN + round_)
    assert len(place._due) < 2_000
    assert place.due(BEGUN + 1_998, 10) == []
    assert sorted(place.due(BEGUN + 1_999, 10)) == ["ana", "ben"]
    assert place.due(BEGUN + 9_999, 10) == []
    place.store.close()


def test_what_history_decided_of_a_turn_that_is_gone_makes_none() -> None:
    customer = kept([written(1)], [decided(1)])
    raised = decided(2, "p0", by="history", id="r", supersedes="d2")
    assert add_decision(customer, raised, 5) is None
    assert [turn.id for turn in customer.turns] == ["m1"]
