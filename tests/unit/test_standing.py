"""How things stand with a customer: who is named so, by which events, and what a person's correction changes."""

from __future__ import annotations

from agents.history.conversation import Conversation
from agents.history.satisfaction import satisfaction
from agents.history.standing import standings
from agents.history.state import add_decision, add_message, tell
from agents.history.waiting import dues
from agents.scoring.policy_history import History
from schemas.base import timestamp
from schemas.decision import Decision
from schemas.history import Customer
from tests.unit.history_world import BEGUN, MINUTE, acted, decided, kept, written


def test_a_conversation_that_goes_badly_is_predicted_to_end_badly() -> None:
    def predicted(scores: list[float], roles: str = "") -> float:
        messages = [
            written(n, "customer" if role == "c" else "bot", text="?")
            for n, role in enumerate(roles or "c" * len(scores))
        ]
        own = [n for n, one in enumerate(messages) if one.author_role == "customer"]
        customer = kept(messages, [decided(n, "p3", score) for n, score in zip(own, scores, strict=True)])
        found = satisfaction(Conversation(customer, "t"))
        assert found is not None
        return found

    assert predicted([-0.8, 0.8]) > 0.5 > predicted([0.8, -0.8])
    assert predicted([0.2, 0.2, 0.2], "cbcbc") < predicted([0.2, 0.2, 0.2])  # the bot did not help
    assert satisfaction(Conversation(kept([written(1)], []), "t")) is None


DAY = 24 * 60
"""In minutes."""


def stands(customer: Customer, kind: str) -> list[str] | None:
    """The kinds of events of one standing; None where the customer is not named so."""
    return next(
        ([event.kind for event in one.events] for one in standings(customer, History()) if one.kind == kind), None
    )


def test_sentiment_that_falls_over_weeks_weighs_and_a_bad_day_does_not() -> None:
    scores = (0.5, 0.4, 0.3, -0.1, -0.2, -0.25)
    weeks = kept(
        [written(n, minute=n * 4 * DAY) for n in range(6)],
        [told(n, score, n * 4 * DAY) for n, score in enumerate(scores)],
    )
    day = kept([written(n) for n in range(6)], [decided(n, "p3", score) for n, score in enumerate(scores)])
    heavy = History(at_risk=1.0)
    assert [each.kind for one in standings(weeks, heavy) for each in one.events] == ["declining"]
    assert standings(day, heavy) == []


def told(number: int, score: float, minute: int) -> Decision:
    return decided(number, "p3", score, sent_at=timestamp(BEGUN + minute * MINUTE))


def test_silence_after_trouble_is_noted_and_a_resolved_trouble_is_none() -> None:
    customer = kept([written(1)], [decided(1, "p3", -0.7)])
    (one,) = [each for each in dues(customer, History()) if each.kind == "silence"]
    assert one.at == BEGUN + MINUTE + 7 * DAY * MINUTE
    tell(customer, one.key, one.at)
    assert "silence" in [each.kind for each in standings(customer, History(at_risk=1.0))[0].events]
    resolved = kept([written(1)], [decided(1, "p3", -0.7)], [acted(1, "resolved", 1, 2)])
    assert not [each for each in dues(resolved, History()) if each.kind == "silence"]


def test_a_member_who_used_to_write_drifts_away_and_comes_back() -> None:
    posts = [written(n, minute=n * DAY, visibility="public") for n in range(6)]
    customer = kept(posts, [told(n, 0.1, n * DAY) for n in range(6)])
    (one,) = [each for each in dues(customer, History()) if each.kind == "drifting"]
    assert one.at == BEGUN + (5 + 21) * DAY * MINUTE
    tell(customer, one.key, one.at)
    assert stands(customer, "drifting") == ["absent"]
    add_message(customer, written(9, minute=30 * DAY, visibility="public"), 9, asks=False)
    assert stands(customer, "drifting") is None


def test_a_member_who_writes_more_and_more_is_a_rising_star_and_praise_is_worth_quoting() -> None:
    minutes = [n * DAY for n in (0, 5, 20, 21, 22, 23, 24, 25, 26)]
    public = [written(n, minute=at, visibility="public") for n, at in enumerate(minutes)]
    customer = kept(public, [told(n, 0.9 if n == 8 else 0.1, at) for n, at in enumerate(minutes)])
    assert set(stands(customer, "rising_star") or []) == {"post"}
    assert stands(customer, "quotable") == ["quote"]
    private = kept(
        [written(n, minute=at) for n, at in enumerate(minutes)], [told(n, 0.1, at) for n, at in enumerate(minutes)]
    )
    assert stands(private, "rising_star") is None
    steady = [n * DAY for n in range(0, 56, 2)]
    always = kept(
        [written(n, minute=at, visibility="public") for n, at in enumerate(steady)],
        [told(n, 0.1, at) for n, at in enumerate(steady)],
    )
    assert stands(always, "rising_star") is None


def test_a_persons_correction_corrects_how_a_customer_stands() -> None:
    customer = kept([written(1), written(2)], [decided(1, "p1", -0.9), decided(2, "p1", -0.9)])
    assert [one.kind for one in standings(customer, History())] == ["at_risk"]
    add_decision(customer, decided(2, "p3", 1.0, by="human", id="h"), 9)
    assert stands(customer, "at_risk") is None


def test_praise_makes_an_advocate_and_the_first_public_post_is_welcomed() -> None:
    customer = kept([written(n) for n in range(1, 5)], [decided(n, "p3", 0.9) for n in range(1, 5)])
    assert stands(customer, "advocate") == ["praise"] * 4
    first = kept([written(1, visibility="public")], [decided(1)])
    assert [one.kind for one in standings(first, History())] == ["first_post"]
