"""How things stand with a customer: at risk, an advocate, new, drifting away. A score each, with the events that made it.

Every event has a weight from the policy and fades by half in the policy's time, so that a score is a sum that a person can check,
and a corrected decision corrects it. Owns: those events and sums. Pure. Must never: be a hidden label; who is named, is so with
reasons.
"""

from __future__ import annotations

from collections import defaultdict

from agents.history.clock import DAY_MS
from agents.history.conversation import Conversation, own_turns, troubled
from agents.history.state import last_at
from agents.scoring.policy_history import History
from schemas.history import Customer, Turn
from schemas.standing import Event, Standing

PRAISING, QUOTABLE = 0.6, 0.8
"""Sentiment from which on a message is praise, and praise that is worth asking to quote."""
DECLINE, DECLINE_TURNS, DECLINE_DAYS = 0.3, 6, 14
"""How much lower the newer half of at least so many turns, over at least so many days, must be, to be a decline."""
MOST_EVENTS = 8
"""Of a standing that are told: the heaviest."""
KINDS = {
    "at_risk": ("trouble", "urgent", "leaving", "again", "unanswered", "declining", "silence", "repeated"),
    "advocate": ("praise",),
    "rising_star": ("post",),
}
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
    marks = {"at_risk": rules.at_risk, "advocate": rules.advocate, "rising_star": rules.rising_star}
    for name, mark in marks.items():
        score = round(sum(event.weight for event in weighed[name]), 3)
        if score >= mark and (name != "rising_star" or _more_than_before(weighed[name], now, rules)):
            found.append(_standing(name, score, weighed[name]))
    own = own_turns(customer)
    quotes = [
        _event("quote", turn, turn.decision.sentiment or 0.0)
        for turn in own
        if turn.decision and (turn.decision.sentiment or 0.0) >= QUOTABLE and turn.decision.priority == "p3"
        if turn.at >= now - rules.half_life_days * DAY_MS
    ]
    if quotes:
        found.append(_standing("quotable", max(one.weight for one in quotes), quotes))
    if len(own) == 1 and own[0].public and own[0].decision is not None:
        found.append(_standing("first_post", 1.0, [_event("first", own[0])]))
    if own and any(one.key == f"drifting:{own[-1].id}" for one in customer.told):
        found.append(_standing("drifting", 1.0, [_event("absent", own[-1])]))
    return found


def _standing(kind: str, score: float, events: list[Event]) -> Standing:
    heaviest = sorted(events, key=lambda event: (-event.weight, event.at))[:MOST_EVENTS]
    told = sorted(heaviest, key=lambda event: (event.at, event.message_id, event.kind))
    return Standing(kind=kind, score=score, events=told)


def _event(kind: str, turn: Turn, weight: float = 1.0) -> Event:
    return Event(kind=kind, at=turn.at, message_id=turn.id, weight=weight)


def _more_than_before(posts: list[Event], now: int, rules: History) -> bool:
    """Whether a member writes more than a while ago: who always wrote much does not rise."""
    span = rules.half_life_days * DAY_MS
    ages = [now - event.at for event in posts]
    return sum(age < span for age in ages) > sum(span <= age < 2 * span for age in ages)


def _events(customer: Customer, rules: History) -> list[Event]:
    weights = rules.weights
    found: list[Event] = []

    def add(kind: str, turn: Turn, times: float = 1.0) -> None:
        found.append(_event(kind, turn, weights[kind] * times))

    told = {one.key for one in customer.told}
    own = own_turns(customer)
    for turn in own:
        decision = turn.decision
        if decision is None:
            continue
        sentiment = decision.sentiment or 0.0
        if troubled(turn):
            add("trouble", turn, -sentiment)
        elif sentiment >= PRAISING:
            add("praise", turn, sentiment)
        if decision.priority in ("p0", "p1"):
            add("urgent", turn)
        elif turn.public and not troubled(turn):
            add("post", turn)
        if "leaving" in decision.floors:
            add("leaving", turn)
        if turn.repeats is not None:
            add("repeated", turn)
        for kind in ("again", "silence"):
            if f"{kind}:{turn.id}" in told:
                add(kind, turn)
    before = last_at(customer) - DAY_MS
    for name in dict.fromkeys(turn.conversation for turn in customer.turns if turn.at <= before):
        waiting = Conversation(customer, name).waiting
        if waiting is not None and waiting.at <= before:
            add("unanswered", waiting)
    scored = [turn for turn in own if turn.decision and turn.decision.sentiment is not None]
    if _declines(scored):
        add("declining", scored[-1])
    return found


def _declines(turns: list[Turn]) -> bool:
    """Whether sentiment fell over weeks."""
    if len(turns) < DECLINE_TURNS or turns[-1].at - turns[0].at < DECLINE_DAYS * DAY_MS:
        return False
    scores = [turn.decision.sentiment or 0.0 for turn in turns if turn.decision]
    older, newer = scores[: len(scores) // 2], scores[len(scores) // 2 :]
    mean = sum(newer) / len(newer)
    return mean < 0 and mean <= sum(older) / len(older) - DECLINE
