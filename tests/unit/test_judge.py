"""From message to decision, without a broker: floors, statuses, reasons, abstention, determinism."""

from __future__ import annotations

import random
from importlib.resources import files
from typing import Any

import msgspec
import pytest

from agents import alerts
from agents.scoring.base import Base, shipped
from agents.scoring.heads import Model
from agents.scoring.judge import Judge
from agents.scoring.policy import Policy, parse
from agents.scoring.priority import Likely, weigh
from schemas.base import PRIORITIES, milliseconds, timestamp
from schemas.decision import Decision, Source
from schemas.message import message_of

NOW = 1_790_000_000_000
AT = timestamp(NOW)


@pytest.fixture(scope="module")
def policy() -> Policy:
    return parse(files("deploy").joinpath("policy", "default.yaml").read_bytes())


@pytest.fixture(scope="module")
def judge(policy: Policy) -> Judge:
    return Judge(policy, Model(Base.load(shipped())))


def decide(judge: Judge, text: str, **more: Any) -> Decision:
    fields = {"id": "m", "customer_id": "c", "text": text, **more}
    return judge.decide(message_of(fields, NOW), Source("messages", 0, 0), AT, AT).decision


def test_danger_is_p0_by_rule_with_the_phrase_and_its_place(judge: Judge) -> None:
    text = "Hello 😀 there is a strong smell of gas in our kitchen"
    decision = decide(judge, text)
    hit = decision.reasons[0]
    assert (decision.priority, decision.decided_by, decision.automation_allowed) == ("p0", "rule", False)
    assert isinstance(hit.start, int)
    assert isinstance(hit.end, int)
    assert text[hit.start : hit.end] == "smell of gas"


def test_what_a_floor_catches_stays_there_whatever_the_model_says(policy: Policy) -> None:
    for likely in (Likely(), Likely(0.0, 0.0, 0.0, 1.0), Likely(1.0, 1.0, 1.0, 1.0)):
        for floor in ("p0", "p1", "p2"):
            assert weigh(likely, floor, True, policy, "private", None).priority <= floor


def test_models_raise_to_p1_at_most(policy: Policy) -> None:
    assert weigh(Likely(urgency=1.0, anger=1.0, abuse=1.0), "p3", False, policy, "public", 10**9).priority == "p1"


def test_spam_without_a_floor_is_p3_for_moderation(policy: Policy) -> None:
    verdict = weigh(Likely(urgency=1.0, spam=0.99), "p3", False, policy, "private", None)
    assert (verdict.priority, verdict.spam) == ("p3", True)


def test_being_public_raises_and_never_lowers(policy: Policy) -> None:
    likely = Likely(urgency=(policy.thresholds.urgency_p1 + policy.thresholds.urgency_p2) / 2)
    private = weigh(likely, "p3", False, policy, "private", 10**6)
    public = weigh(likely, "p3", False, policy, "public", 10**6)
    assert (private.priority, public.priority) == ("p2", "p1")


def test_a_decision_abstains_only_where_its_priority_could_be_another(policy: Policy) -> None:
    edge = policy.thresholds.urgency_p2
    near = weigh(Likely(urgency=edge + policy.thresholds.margin / 2), "p3", False, policy, "private", None)
    assert near.unsure == ("urgency",)
    assert weigh(Likely(urgency=edge / 2), "p3", False, policy, "private", None).unsure == ()
    floored = weigh(Likely(urgency=edge + policy.thresholds.margin / 2), "p0", True, policy, "private", None)
    assert floored.unsure == ()


@pytest.mark.parametrize(
    ("text", "more", "status", "reason", "priority"),
    [
        ("ok", {}, "unscored", "too_short", "p3"),
        ("", {"attachments": [{"kind": "image"}]}, "unscored", "no_text", "p2"),
        ("   \n ", {}, "unscored", "no_text", "p2"),
        ("Wo bleibt meine Bestellung, ich warte schon seit zwei Wochen", {}, "unscored", "language", "p2"),
        ("ご注文の商品がまだ届いていません。どうなっていますか。", {}, "unscored", "language", "p2"),
        ("", {"event": "deleted"}, "deleted", None, "p3"),
    ],
)
def test_what_models_do_not_read_says_why(
    judge: Judge, text: str, more: dict[str, Any], status: str, reason: str | None, priority: str
) -> None:
    decision = decide(judge, text, **more)
    assert (decision.status, decision.status_reason, decision.priority) == (status, reason, priority)
    assert decision.sentiment is msgspec.UNSET


def test_a_floor_rings_in_a_language_that_is_not_read(judge: Judge) -> None:
    decision = decide(
        judge, "Hilfe, bitte, es ist dringend!! GAS LEAK, the flat is full, bitte sofort melden, danke sehr"
    )
    assert decision.priority == "p0"


@pytest.mark.parametrize("text", ["I love this shop, thank you so much", "le colis est arrivé cassé, je suis déçu"])
def test_accounts_add_up_to_their_logit(judge: Judge, text: str) -> None:
    accounts = [reason for reason in decide(judge, text).reasons if isinstance(reason.head, str)]
    assert accounts
    for reason in accounts:
        assert not isinstance(reason.contributions, msgspec.UnsetType)
        total = reason.bias + sum(one.value for one in reason.contributions) + reason.rest  # type: ignore[operator]
        assert total == pytest.approx(reason.logit, abs=1e-9)


def test_sentiment_goes_the_right_way_in_both_languages(judge: Judge) -> None:
    for good, bad in (
        ("this is wonderful, thank you so much for the quick help", "this is awful, the worst service I have ever had"),
        ("c'est génial, merci beaucoup pour votre aide rapide", "c'est nul, le pire service que j'ai jamais eu"),
    ):
        up, down = decide(judge, good).sentiment, decide(judge, bad).sentiment
        assert not isinstance(up, msgspec.UnsetType)
        assert not isinstance(down, msgspec.UnsetType)
        assert up.score > down.score
        assert (up.label, down.label) == ("positive", "negative")


def test_a_scoring_that_fails_sends_the_message_out_with_its_floors(policy: Policy) -> None:
    class Broken(Model):
        def scores(self, said: Any, language: str) -> Any:
            raise ZeroDivisionError("a defect")

    broken = Judge(policy, Broken(Base.none()))
    calm = broken.decide(
        message_of({"id": "m", "customer_id": "c", "text": "where is my order please"}, NOW), Source("t", 0, 0), AT, AT
    )
    assert isinstance(calm.failure, ZeroDivisionError)
    assert (calm.decision.status_reason, calm.decision.priority) == ("scoring_failed", "p2")
    fire = broken.decide(
        message_of({"id": "m", "customer_id": "c", "text": "the charger caught fire again"}, NOW),
        Source("t", 0, 0),
        AT,
        AT,
    )
    assert (fire.decision.status_reason, fire.decision.priority) == ("scoring_failed", "p0")


def test_the_same_message_gives_the_same_decision_on_any_worker(policy: Policy) -> None:
    texts = [
        "Where is my parcel? It is late again!!",
        "Je suis très déçu, personne ne répond",
        "I want to die",
        "thanks 😀",
    ]
    first, second = (Judge(policy, Model(Base.load(shipped()))) for _ in range(2))
    for text in (*texts, *reversed(texts)):
        assert decide(first, text) == decide(second, text)


def test_quoted_mail_and_signatures_do_not_ring(judge: Judge) -> None:
    text = "Thanks, all is well now.\n\nOn Mon, Jan 5, 2026 at 10:00, Sam <s@example.org> wrote:\n> I will sue you\n> fire!"
    assert decide(judge, text).priority == "p3"


def test_long_text_is_read_in_full_by_floors_and_in_part_by_models(judge: Judge) -> None:
    text = "the weather is nice today and we had tea. " * 400 + " there is a bomb in your office"
    decision = decide(judge, text)
    assert (decision.priority, decision.truncated) == ("p0", "models")
    assert decide(judge, "a b c d " * 20_000).truncated == "text"


def test_a_subject_rings_too(judge: Judge) -> None:
    assert decide(judge, "please see the picture attached below", subject="GAS LEAK in the kitchen").priority == "p0"


def test_dates_that_cannot_be_are_replaced_and_named(judge: Judge) -> None:
    broken = decide(judge, "hello there, how are you doing", sent_at="9999-12-31T00:00:00Z", language="klingon!")
    assert (broken.sent_at, sorted(broken.corrected)) == (AT, ["language", "sent_at"])
    old = decide(judge, "hello there, how are you doing", sent_at="2011-05-05T05:05:05Z")
    assert (old.sent_at, old.corrected) == ("2011-05-05T05:05:05.000Z", [])


def test_an_alert_says_why_in_both_languages_and_whether_it_is_late(judge: Judge, policy: Policy) -> None:
    message = message_of(
        {"id": "m", "customer_id": "c", "text": "I can smell gas", "sent_at": "2011-05-05T05:05:05Z"}, NOW
    ).message
    decision = decide(judge, "I can smell gas here", sent_at="2011-05-05T05:05:05Z")
    rung = alerts.alert(decision, message, policy, milliseconds(AT))
    assert rung.late
    assert rung.why.en == policy.floors["gas"].why.en
    assert rung.why.fr == policy.floors["gas"].why.fr
    assert list(alerts.topics_of(decision)) == ["priority.p0"]


def test_alerts_of_a_conversation_share_a_group(judge: Judge, policy: Policy) -> None:
    def group(**more: Any) -> str:
        fields = {"id": "m", "customer_id": "c", "text": "I can smell gas here", **more}
        incoming = message_of(fields, NOW)
        decision = judge.decide(incoming, Source("t", 0, 0), AT, AT).decision
        return alerts.alert(decision, incoming.message, policy, NOW).group

    assert group(id="a", conversation_id="x") == group(id="b", conversation_id="x")
    assert group(id="a") != group(id="b")


def test_abstention_is_what_moving_each_probability_by_the_margin_says(policy: Policy) -> None:
    """The short cut for probabilities far from their thresholds changes nothing."""
    rng = random.Random(20261122)
    margin = policy.thresholds.margin
    for _ in range(3000):
        names = ("urgency", "anger", "abuse", "spam")
        values = {name: rng.choice((None, rng.random(), rng.choice((0.6, 0.65, 0.7, 0.8, 0.9)))) for name in names}
        floor = rng.choice(PRIORITIES)
        floored = floor != "p3"
        here = weigh(Likely(**values), floor, floored, policy, "private", None)
        for name, head in zip(names, ("urgency", "emotion", "abuse", "spam"), strict=True):
            value = values[name]
            moved = [] if value is None else [max(value - margin, 0.0), min(value + margin, 1.0)]
            others = {
                weigh(Likely(**{**values, name: one}), floor, floored, policy, "private", None).priority
                for one in moved
            }
            assert (head in here.unsure) == (not others <= {here.priority})
