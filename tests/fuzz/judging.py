"""Target: the judge over texts of few pieces, some of them many times over; and what others need of it.

Promises: no scoring fails; a floor's phrase among other words is found, wherever it stands; a decision's hits and accounts
are about the text; twice the same is the same. Time must grow no faster than the text.
Owns: these checks. Must never: repeat the code under test to judge it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from math import fsum

import orjson

from agents import policies
from agents.scoring.base import Base, shipped
from agents.scoring.heads import Model
from agents.scoring.judge import Judge
from agents.scoring.own_words import own_words
from agents.scoring.policy import Policy, parse
from schemas.base import MAX_TEXT, timestamp
from schemas.decision import Decision, Reason, Source
from schemas.message import Incoming, read_message
from tests.fuzz.dice import Dice, pumped
from tests.fuzz.target import Target

NOW_MS = 1_772_442_000_000
AT = timestamp(NOW_MS)
SOURCE = Source("tocsin.messages", 0, 7)
FILLER = "alpha bravo charlie foxtrot juliett november oscar quebec romeo sierra tango uniform whiskey yankee zulu " * 2
"""Words that belong to no phrase, more of them than a phrase, a negation or an exception reaches over."""
WORDS = (
    "kill", "myself", "kill myself", "want to die", "i", "a", "e", "not", "ne", "pas", "t", "aa", "ss", "harcelr", "appelee",
    "sue", "lawyer", "je", "veux", "mourir", "help", "urgent", "gas", "leak", "smell of gas", "fire", "everyone", "is", "down",
    ">", "> ", "-- ", "On Tue, 3 Mar 2026 at 10:12, Ann <a@b.c> wrote:",
    "From: a\nSent: b\nTo: c\n", "Sent from my iPhone",
    "-----Original Message-----", "this message is confidential and intended for the recipient", "I", "@",
    "a.", "a@", "1-", "1,",
    "http://", "www.", "$", ":-)", "!", "?", "…", "ﷺ", "é", "e\u0301", "\u0301", "\u200b", "’", "\U0001f525", "ß", "ﬁ", "İ", "Ⅷ",
    "中", "don't", "l'", "x", "xx", "k", "m", "ll", "l", "f", "the", "le", "999", "9", "\r\n", "\x85", "\u2028", "\0", "#", "_",
    "(", "*",
)  # fmt: skip


@cache
def default_policy() -> Policy:
    """The policy in the package."""
    return parse(policies.default_document())


@cache
def small_base() -> Base:
    """The base in the package."""
    return Base.load(shipped())


@cache
def _judge() -> Judge:
    return Judge(default_policy(), Model(small_base()))


@cache
def _phrases() -> tuple[tuple[str, str, str], ...]:
    """(phrase, floor, priority) of every phrase of the default policy that is written plainly and rings in any language."""
    found = []
    for floor in default_policy().floors:
        for phrase in floor.phrases:
            if phrase.silent_in is None and not set(phrase.text) & set("()[]|….'’-"):
                found.append((phrase.text, floor.name, floor.priority))
    return tuple(found)


def judged(incoming: Incoming, model: Model | None = None) -> Decision:
    """The decision, after all that must hold for it."""
    judge = _judge()
    kept = judge.model
    judge.model = model or kept
    try:
        found = judge.decide(incoming, SOURCE, AT, AT)
        again = judge.decide(incoming, SOURCE, AT, AT)
    finally:
        judge.model = kept
    if found.failure is not None:
        raise found.failure
    decision = found.decision
    assert decision == again.decision, "the same message gave two decisions"
    text = incoming.message.text
    floors = default_policy().floors
    for reason in decision.reasons:
        if isinstance(reason.floor, str):
            assert decision.priority <= floors[reason.floor].priority, reason
            _spoken(reason, text)
        else:
            _adds_up(reason)
    return decision


def _spoken(reason: Reason, text: str) -> None:
    start, end = reason.start, reason.end
    assert isinstance(start, int)
    assert isinstance(end, int)
    assert 0 <= start < end <= len(text) or start == end == 0, reason
    assert start == end or text[start:end].strip(), reason


def _adds_up(reason: Reason) -> None:
    parts = reason.contributions if isinstance(reason.contributions, list) else []
    terms: Iterable[object] = (reason.bias, reason.rest, *(part.value for part in parts))
    numbers = [term for term in terms if isinstance(term, float)]
    assert isinstance(reason.logit, float)
    largest = max(1.0, *map(abs, numbers))  # of a model that nobody trained so; for others, 1
    assert abs(fsum(numbers) - reason.logit) < 1e-9 * largest, reason


def text(data: bytes) -> None:
    """Bytes to a long text with, or without, a phrase in it that must be found."""
    dice = Dice(data)
    phrase, floor, _ = dice.pick(_phrases())
    hidden, subject = dice.flag(), dice.text(40) if dice.flag() else None
    before = pumped(dice, WORDS, dice.pick((200, 200, 9_000, MAX_TEXT)))
    after = pumped(dice, WORDS, dice.pick((200, 200, 9_000, MAX_TEXT)))
    place = len(before) + 2 + len(FILLER)
    whole = f"{before}\n\n{FILLER}{phrase} {FILLER}\n{after}" if hidden else before + after
    fields = {"id": "m", "customer_id": "c", "text": whole, "subject": subject}
    language = dice.pick((None, None, None, "en", "fr", "de"))
    if not whole:
        return
    incoming = read_message(orjson.dumps({**fields, "language": language}), NOW_MS)
    decision = judged(incoming)
    own = own_words(incoming.message.text)
    if hidden and own[place : place + len(phrase)] == phrase:
        found = {reason.floor for reason in decision.reasons if isinstance(reason.floor, str)}
        assert floor in found, f"{phrase!r} of the floor {floor} at {place} was not found"


def _made() -> list[bytes]:
    pieces = [bytes([1, number]) + bytes([0, times]) for number in range(0, len(WORDS), 3) for times in (1, 11)]
    return [b"\0\0\5\1\0\2" + one + other for one, other in zip(pieces[::3], pieces[1::3], strict=False)] + [b"\0" * 8]


TARGETS = [Target("text", text, made=_made, seconds=6.0, largest=300)]
"""Six seconds for two decisions on 100,000 characters each: a text is read once more for each meaning of a slip."""
