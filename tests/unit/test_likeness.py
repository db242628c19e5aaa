"""The same question asked before: found by its words and by its meaning, in both languages, within a bound, without a text."""

from __future__ import annotations

import msgspec
import pytest

from agents.history.conversation import Conversation
from agents.history.resolved import Resolved, resolved
from agents.incidents.meaning import shipped
from agents.likeness.index import Index, packed
from schemas.answered import Answered, Written
from schemas.base import Invalid
from schemas.place import Source
from tests.unit.history_world import acted, decided, kept, written

TWICE = "my card was charged twice for one order, can I get one of the payments back?"
OTHERS = {
    "deux_fois": "ma carte a été débitée deux fois pour une commande, puis-je récupérer un des deux paiements ?",
    "late": "where is my parcel, it should have been here on Monday?",
    "password": "how can I reset my password when I no longer have that phone number?",
    "hours": "at what time does the shop in Lyon open on Sundays?",
    "size": "does this jacket run small, or should I take my usual size?",
}


def answered(identity: str, text: str, answer: str = "a") -> Answered:
    numbers = packed(text, shipped())
    assert numbers is not None
    at = "2026-11-20T09:00:00.000Z"
    question = Written(message_id=identity, source=Source("tocsin.messages", 0, 1), at=at)
    reply = Written(message_id=answer, source=Source("tocsin.messages", 0, 2), at=at)
    return Answered(question=question, answer=reply, by="person", meaning=numbers[0], sketch=numbers[1])


def index(most: int = 100) -> Index:
    made = Index(shipped(), most)
    for identity, text in {"twice": TWICE, **OTHERS}.items():
        made.put(answered(identity, text))
    return made


def found(made: Index, text: str, but: str = "") -> list[tuple[str, bool]]:
    return [(one.question.message_id, one.same) for one in made.find(text, but)]


def test_nearly_the_same_words_are_the_same_question() -> None:
    assert found(index(), f"Hello! {TWICE.upper()} THX")[0] == ("twice", True)


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("you charged my card twice for the same order, please refund one payment", "twice"),
        ("vous avez débité ma carte deux fois, remboursez un paiement de la commande svp", "deux_fois"),
    ],
)
def test_a_like_question_is_found_in_either_language(text: str, like: str) -> None:
    assert found(index(), text) == [(like, False)]


@pytest.mark.parametrize("text", ["the app crashes when I open the camera", "thank you so much", "ok", "", "🎉🎉🎉"])
def test_what_is_not_alike_is_not_found(text: str) -> None:
    assert found(index(), text) == []


def test_a_message_is_not_its_own_answer() -> None:
    assert found(index(), TWICE, but="twice") == []


def test_a_question_that_is_gone_is_not_found_and_a_newer_answer_takes_the_place_of_an_older() -> None:
    made = index()
    made.put(answered("twice", TWICE, "newer"))
    assert [one.answer.message_id for one in made.find(TWICE)] == ["newer"]
    made.remove("twice")
    assert found(made, TWICE) == []
    made.remove("twice")  # of one that is gone there is nothing to do


def test_of_too_many_the_oldest_goes() -> None:
    made = index(most=4)
    assert len(made) == 4
    assert found(made, TWICE) == []
    assert found(made, OTHERS["late"])


def test_a_question_of_another_table_of_words_is_refused() -> None:
    with pytest.raises(Invalid, match="12 numbers of"):
        index().put(msgspec.structs.replace(answered("x", TWICE), meaning="QUJDREVGR0hJSktM"))


def test_a_text_of_two_words_is_not_kept() -> None:
    assert packed("yes please", shipped()) is None


# --- which question was answered, and by what


def conversation(*turns: tuple[str, str, float], actions: tuple[tuple[str, int, int], ...] = ()) -> Conversation:
    """Turns of (role, text, sentiment), a minute apart; actions of (kind, message, minute)."""
    messages = [written(number, role, text=text) for number, (role, text, _) in enumerate(turns)]
    decisions = [decided(number, sentiment=mood) for number, (role, _, mood) in enumerate(turns) if role == "customer"]
    done = [acted(number, kind, message, minute) for number, (kind, message, minute) in enumerate(actions)]
    return Conversation(kept(messages, decisions, done), "t")


def named(one: Resolved | None) -> tuple[str, str, str] | None:
    return None if one is None else (one.question.id, one.answer.id, one.by)


ASKED, ANSWER, THANKS = ("customer", "why?", -0.2), ("agent", "because", 0.0), ("customer", "thanks, great", 0.8)


def test_what_a_person_resolved_is_answered_by_the_last_answer_before() -> None:
    turns = (ASKED, ANSWER, ("customer", "really?", 0.0), ANSWER)
    assert named(resolved(conversation(*turns, actions=(("resolved", 3, 4),)))) == ("m0", "m3", "person")


def test_thanks_resolve_a_question_and_complaints_do_not() -> None:
    assert named(resolved(conversation(ASKED, ANSWER, THANKS))) == ("m0", "m1", "customer")
    assert resolved(conversation(ASKED, ANSWER, ("customer", "thanks for nothing", -0.8))) is None
    assert resolved(conversation(ASKED, ANSWER, THANKS, ("customer", "and when?", 0.0))) is None


@pytest.mark.parametrize("role", ["bot", "customer"])
def test_without_a_persons_answer_nothing_is_answered(role: str) -> None:
    turns = (ASKED, (role, "because", 0.9), THANKS)
    assert resolved(conversation(*turns)) is None
    assert resolved(conversation(*turns, actions=(("resolved", 2, 4),))) is None


def test_each_question_of_a_conversation_has_its_own_answer() -> None:
    twice = (ASKED, ANSWER, THANKS, ("customer", "and how?", 0.0), ("agent", "so", 0.0), THANKS)
    assert named(resolved(conversation(*twice))) == ("m3", "m4", "customer")
    by_people = (ASKED, ANSWER, ("customer", "how?", 0.0), ANSWER)
    actions = (("resolved", 1, 1), ("resolved", 3, 4))
    assert named(resolved(conversation(*by_people, actions=actions))) == ("m2", "m3", "person")


def test_what_was_reopened_is_not_answered() -> None:
    assert resolved(conversation(ASKED, ANSWER, actions=(("resolved", 1, 2), ("reopened", 1, 3)))) is None
