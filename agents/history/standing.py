"""How things stand with a customer: at risk, an advocate, new. A score each, with the events that made it.

Every event has a weight from the policy and fades by half in the policy's time, so that a score is a sum that a person can check,
and a corrected decision corrects it. Owns: those events and sums. Pure. Must never: be a hidden label; who is named, is so with
reasons.
"""

from __future__ import annotations

from collections import defaultdict

from agents.history.clock import DAY_MS
from agents.history.conversation import Conversation
from agents.history.state import last_at
from agents.scoring.policy_history import History
from schemas.history import Customer, Turn
from schemas.standing import Event, Standing

TROUBLED, PRAISING = -0.3, 0.6
"""Sentiment at or below which a message is trouble, at or above which praise."""
MOST_EVENTS = 8
"""Of a standing that are told: the heaviest."""
KINDS = {"at_risk": ("trouble", "urgent", "leaving", "again", "unanswered"), "advocate": ("praise",)}
"""The events that make each score."""


def standings(customer: Customer, rules: History) -> list[Standing]:
    """Every score that reaches the policy's mark, at the moment when the customer was last heard of."""
    now = last_at(customer)
    weighed: dict[str, list[Event]] = defaultdict(list)
    for event in _events(customer, rules):
        event.weight = round(event.weight * 0.5 ** ((now - event.at) / (rules.half_life_days * DAY_MS)), 4)
        for name, kinds in KINDS.items():
            if event.kind in kinds and event.weight > 0.0:
                weighed[name].append(event)
    found = []
    for name, mark in (("at_risk", rules.at_risk), ("advocate", rules.advocate)):
        score = round(sum(event.weight for event in weighed[name]), 3)
        if score >= mark:
            heaviest = sorted(weighed[name], key=lambda event: (-event.weight, event.at))[:MOST_EVENTS]
            found.append(
                Standing(
                    kind=name,
                    score=score,
                    events=sorted(heaviest, key=lambda event: (event.at, event.message_id, event.kind)),
                )
            )
    own = [turn for turn in customer.turns if turn.role == "customer"]
    if len(own) == 1 and own[0].public and own[0].decision is not None:
        found.append(
            Standing(kind="first_post", score=1.0, events=[Event(kind="first", at=own[0].at, message_id=own[0].id)])
        )
    return found


def _events(customer: Customer, rules: History) -> list[Event]:
    weights = rules.weights
    found: list[Event] = []

    def add(kind: str, turn: Turn, times: float = 1.0) -> None:
        found.append(Event(kind=kind, at=turn.at, message_id=turn.id, weight=weights[kind] * times))

    again = {one.key.removeprefix("again:"): one.at for one in customer.told if one.key.startswith("again:")}
    for turn in customer.turns:
        decision = turn.decision
        if turn.role != "customer" or decision is None or decision.status == "deleted":
            continue
        sentiment = decision.sentiment or 0.0
        if sentiment <= TROUBLED:
            add("trouble", turn, -sentiment)
        elif sentiment >= PRAISING:
            add("praise", turn, sentiment)
        if decision.priority in ("p0", "p1"):
            add("urgent", turn)
        if "leaving" in decision.floors:
            add("leaving", turn)
        if turn.id in again:
            add("again", turn)
    for name in dict.fromkeys(turn.conversation for turn in customer.turns):
        waiting = Conversation(customer, name).waiting
        if waiting is not None and last_at(customer) - waiting.at >= DAY_MS:
            add("unanswered", waiting)
    return found
