"""What the page is told of an entry: plain JSON, the text cut into marked and unmarked pieces.

Offsets of floor hits count Python characters (code points), JavaScript's strings count UTF-16 units; cutting the text here
keeps every mark in its place, whatever emoji stand before it.
Owns: that JSON. Must never: hold markup; whoever shows it sets text, not HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from agents.console.entry import Entry, standing
from agents.scoring.policy import Policy
from agents.scoring.priority import alone, likely_of
from schemas.base import milliseconds
from schemas.decision import Alert, Decision, Reason
from schemas.people import BINARY_HEADS, HEADS

EXCERPT = 280
"""Characters of the text in the list."""
BEFORE_MARK = 80
"""Characters of the excerpt that stand before its first mark."""

Piece = tuple[str, str | None]
"""Text, and the floors that marked it."""


def brief(entry: Entry) -> dict[str, Any]:
    """An entry as a line of the list."""
    alert, decision, message = entry.alert, entry.decision, entry.message
    told = entry.told.decision
    marks = _marks(entry.told, len(message.text))
    first = max(marks[0][0] - BEFORE_MARK, 0) if marks and marks[0][1] > EXCERPT else 0
    last = min(first + EXCERPT, len(message.text))
    word = entry.word
    return {
        "id": entry.id,
        "version": entry.version,
        "decision_id": decision.id,
        "priority": decision.priority,
        "kind": entry.kind,
        "reviewed": entry.reviewed,
        "status": decision.status,
        "status_reason": decision.status_reason or (told.status_reason if told.status == decision.status else None),
        "decided_by": decision.decided_by,
        "why": {"en": alert.why.en, "fr": alert.why.fr},
        "change": alert.change,
        "group": alert.group,
        "event": None
        if entry.event is None or entry.kind == "p0"
        else {
            "id": entry.event.id,
            "kind": entry.event.kind,
            "why": {"en": entry.event.why.en, "fr": entry.event.why.fr},
        },
        "taken": entry.taken_by,
        "resolved": entry.resolved_by,
        "veiled": labels(decision).get("abuse") is True,
        "late": alert.late,
        "drill": alert.drill,
        "category": labels(decision).get("category"),
        "sentiment": labels(decision).get("sentiment"),
        "emotion": labels(decision).get("emotion"),
        "channel": decision.channel,
        "language": decision.language,
        "sent": _sent(decision),
        "customer": message.author_name or message.customer_id,
        "subject": (message.subject or "")[:EXCERPT],
        "parts": pieces(message.text, marks, first, last),
        "cut": [first > 0, last < len(message.text)],
        "word": None
        if word is None
        else {
            "id": word.id,
            "kind": word.kind,
            "by": word.reviewer,
            "learned": word.known,
            "seconds": word.learned,
        },
    }


def detail(entry: Entry, policy: Policy | None) -> dict[str, Any]:
    """An entry with its whole text, all that led to its decision, and what the policy in force says to do about it."""
    message, told = entry.message, entry.told.decision
    own = labels(told)
    return {
        **brief(entry),
        "parts": pieces(message.text, _marks(entry.told, len(message.text)), 0, len(message.text)),
        "cut": [False, False],
        "customer_id": message.customer_id,
        "url": message.url,
        "visibility": message.visibility,
        "attachments": len(message.attachments),
        "truncated": told.truncated,
        "told": {"en": entry.told.why.en, "fr": entry.told.why.fr},
        "told_priority": told.priority,
        "floors": [
            {"floor": reason.floor, "phrase": reason.phrase}
            for reason in told.reasons
            if isinstance(reason.floor, str) and isinstance(reason.phrase, str)
        ],
        "accounts": _accounts(told.reasons),
        "alone": None if policy is None else _alone(entry, policy),
        "help": None if policy is None else _help(entry, policy),
        "labels": {**own, **labels(entry.decision)},
        "answers": _answers(told),
        "model_version": entry.decision.model_version,
        "policy_version": entry.decision.policy_version,
        "said": [
            {"id": one.id, "kind": one.kind, "by": one.reviewer, "at": one.at, "retracted": one.retracted}
            for one in entry.said.values()
        ],
        "done": [{"id": one.id, "kind": one.kind, "by": one.by, "at": one.at} for one in standing(entry.actions)],
    }


def _alone(entry: Entry, policy: Policy) -> str | None:
    """What the models would have said without the safety rules that rang; None where none did, or no model could read it."""
    told, message = entry.told.decision, entry.message
    if told.status == "unscored" or not any(isinstance(reason.floor, str) for reason in told.reasons):
        return None
    return alone(likely_of(told), policy, message.visibility, message.reach)


def _help(entry: Entry, policy: Policy) -> dict[str, Any] | None:
    """The team's protocol for its priority, and helplines; None where the policy has none."""
    protocol = policy.desk.protocol.get(entry.kind)
    if protocol is None:
        return None
    message = entry.message
    floors = frozenset(reason.floor for reason in entry.told.decision.reasons if isinstance(reason.floor, str))
    country = str(message.attributes.get(policy.desk.country, "")) or (message.language or "").partition("-")[2]
    lines = policy.desk.lines(floors, country.upper())
    return {
        "protocol": {"en": protocol.en, "fr": protocol.fr},
        "lines": [{"country": one.country, "name": one.name, "number": one.number} for one in lines],
    }


def labels(decision: Decision) -> dict[str, str | bool]:
    """The likeliest label of each head that answered; yes-or-no heads as truth values."""
    found: dict[str, str | bool] = {}
    for head in HEADS:
        answer = getattr(decision, head)
        if answer is not UNSET:
            found[head] = answer.probability >= 0.5 if head in BINARY_HEADS else answer.label
    return found


def _sent(decision: Decision) -> int:
    """Milliseconds since the epoch of the first of its times that a calendar has."""
    for moment in (decision.sent_at, decision.received_at, decision.decided_at):
        try:
            return milliseconds(moment)
        except (ValueError, OverflowError):
            continue
    return 0


def pieces(text: str, marks: list[tuple[int, int, str]], first: int, last: int) -> list[Piece]:
    """`text[first:last]` cut at the marks, which must be in order and apart."""
    found: list[Piece] = []
    at = first
    for start, end, floor in marks:
        start, end = max(start, first), min(end, last)
        if end <= start:
            continue
        if start > at:
            found.append((text[at:start], None))
        found.append((text[start:end], floor))
        at = end
    if at < last:
        found.append((text[at:last], None))
    return found


def _marks(alert: Alert, length: int) -> list[tuple[int, int, str]]:
    """(start, end, floors) of the floor hits in the text, in order, overlapping ones joined."""
    hits = sorted(
        (min(reason.start, length), min(reason.end, length), reason.floor)
        for reason in alert.decision.reasons
        if isinstance(reason.floor, str) and isinstance(reason.start, int) and isinstance(reason.end, int)
    )
    joined: list[tuple[int, int, str]] = []
    for start, end, floor in hits:
        if end <= start:  # a phrase of the subject stands at 0, 0
            continue
        if joined and start < joined[-1][1]:
            before, until, floors = joined[-1]
            floors = floors if floor in floors.split(",") else f"{floors},{floor}"
            joined[-1] = before, max(until, end), floors
        else:
            joined.append((start, end, floor))
    return joined


def _accounts(reasons: Sequence[Reason]) -> list[dict[str, Any]]:
    """One for each answer: what both raised the priority and was unsure of it stands there twice."""
    found = {(account["head"], account["label"]): account for one in reasons if (account := _account(one)) is not None}
    return list(found.values())


def _account(reason: Reason) -> dict[str, Any] | None:
    if not isinstance(reason.head, str) or not isinstance(reason.contributions, list):
        return None
    words = [[part.feature, part.value] for part in reason.contributions]
    return {"head": reason.head, "label": reason.label or None, "words": words}


def _answers(decision: Decision) -> dict[str, float]:
    """The probability of each head's answer: of its likeliest label, or of yes."""
    found: dict[str, float] = {}
    for head in HEADS:
        answer = getattr(decision, head)
        if answer is not UNSET:
            yes_or_no = head in BINARY_HEADS
            found[head] = answer.probability if yes_or_no else answer.probabilities.get(answer.label, 0.0)
    return found
