"""Target: the policy file, from bytes to floors that search a message.

Promises: a policy, or one line that begins with the number of a line there is; whatever is taken can be compiled and
searched with, in bounded time and memory, and decides a message.
Owns: these checks. Must never: repeat the code under test to judge it.
"""

from __future__ import annotations

from functools import cache

from agents.scoring.base import Base
from agents.scoring.heads import Model
from agents.scoring.judge import Judge
from agents.scoring.policy import PolicyError, parse
from schemas.message import message_of
from tests.fuzz.judging import AT, NOW_MS, SOURCE
from tests.fuzz.target import Target
from tests.unit.test_policy import SMALL

_TEXT = "I want to die, I cannot go on like this. Je vais me tuer, phrase number 7 of many. Call me, please, now"


def policy(data: bytes) -> None:
    try:
        found = parse(data)
    except PolicyError as fault:
        lines = len(data.decode("utf-8", "replace").splitlines()) + 1
        assert 1 <= fault.line <= lines + 1, f"line {fault.line} of {lines}"
        shown = str(fault)
        assert shown.startswith(f"line {fault.line}: ")
        assert len(shown.splitlines()) == 1, shown
        assert shown.isprintable(), shown
        assert len(shown) < 1_000, shown
        return
    judge = Judge(found, _model())
    judged = judge.decide(message_of({"id": "m", "customer_id": "c", "text": _TEXT}, NOW_MS), SOURCE, AT, AT)
    if judged.failure is not None:
        raise judged.failure


@cache
def _model() -> Model:
    return Model(Base.none())


def _made() -> list[bytes]:
    rich = (
        SMALL
        + """\
    unless:
      en: [kill myself laughing]
    near: 5
    negation: true
    whole_message:
      phrases: [help]
      beside: [please, s'il vous plait]
  - name: wants_human
    priority: p2
    route: support
    automation: true
    why: {en: "Somebody: wants a person.", fr: Quelqu'un veut une personne.}
    phrases:
      en:
        - (speak|talk) to [a] (human|person)
        - call me ... (now|today|please)
      fr_only: ["parler ... conseiller"]
"""
    )
    return [
        SMALL.encode(),
        rich.encode(),
        rich.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + SMALL.encode(),
        b"a: &x [*x]",
    ]


TARGETS = [Target("policy", policy, "lines", made=_made, seconds=10.0)]
"""Ten seconds: a policy of 1 MB is read once, by a person's command or at a change."""
