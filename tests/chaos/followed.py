"""The accounts of follow: what it keeps of each customer, by a reference that reads the same topics in one thread; what it
raised, once each, with its alerts.

The reference knows the contract (which decision is in force, what replaces a broken time) and the bounds that docs/follow.md
states. Owns: the accounts of `customers`, `handoffs`, of decisions by history and of follow's alerts. Must never: import the
workers' code.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

KEPT, DANGERS, ACTIONS = 64, 8, 64
"""Turns, older ones of p0, and actions that are kept of a customer."""
AHEAD_MS = 86_400_000
EARLIEST = 0
FLAGGED = ("p0", "p1", "p2")
RULES = ("joined", "danger_open", "edited", "again", "breach_near")
Fail = Callable[[str, str, str], None]


def milliseconds(text: str) -> int:
    """Of an RFC 3339 time."""
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


@dataclass
class Turn:
    """A message, by the topics."""

    at: int
    place: tuple[int, int]
    conversation: str
    role: str
    decision: dict[str, Any] | None = None
    rang: str | None = None
    was_danger: bool = False


@dataclass
class Person:
    """A customer, by the topics; `kept` as `customers` last said."""

    turns: dict[str, Turn] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    kept: dict[str, Any] | None = None


class Followed:
    """The accounts of one session's following; `fail` takes check, place and evidence."""

    def __init__(self, fail: Fail) -> None:
        self._fail = fail
        self._people: dict[str, Person] = {}
        self._changed: set[str] = set()
        self._decisions: dict[str, dict[str, Any]] = {}
        self._raised: dict[str, list[dict[str, Any]]] = {}
        self._should: dict[str, tuple[str, str]] = {}
        self._resolved: set[str] = set()
        self._handoffs: Counter[str] = Counter()
        self._not_taken: Counter[str] = Counter()
        self._rung: Counter[tuple[str, str, str]] = Counter()

    @property
    def raised(self) -> int:
        """Decisions that history raised."""
        return len(self._raised)

    @property
    def handoffs(self) -> int:
        """How many there are."""
        return len(self._handoffs)

    # --- records, as they come

    def message(self, record: Any) -> None:
        """A message that can be read."""
        fields = json.loads(record.value)
        at = record.timestamp
        if "sent_at" in fields:
            said = milliseconds(fields["sent_at"])
            at = said if EARLIEST <= said <= at + AHEAD_MS else at
        person = self._person(fields["customer_id"])
        place = (fields.get("revision", 0), record.offset)
        conversation, role = fields.get("conversation_id", fields["id"]), fields.get("author_role", "customer")
        turn = person.turns.setdefault(fields["id"], Turn(at, place, conversation, role))
        turn.at = min(turn.at, at)
        if place >= turn.place:
            turn.place, turn.conversation, turn.role = place, conversation, role

    def action(self, record: Any) -> None:
        """An action that can be read."""
        fields = json.loads(record.value)
        self._person(fields["customer_id"]).done[fields["id"]] = milliseconds(fields["at"])
        if fields["kind"] == "resolved":
            self._resolved.add(fields["customer_id"])

    def decision(self, decision: dict[str, Any]) -> None:
        """A decision, whoever made it, in the order of its topic; its message was taken before."""
        person = self._person(decision["customer_id"])
        turn = person.turns.get(decision["message_id"])
        if turn is None:
            turn = Turn(milliseconds(decision["sent_at"]), (-1, -1), decision["conversation_id"], "customer")
            person.turns[decision["message_id"]] = turn
        self._decisions[decision["id"]] = decision
        if decision["decided_by"] == "history":
            self._raised.setdefault(decision["id"], []).append(decision)
        before = turn.decision
        if before is None or replaces(decision, before):
            if decision["decided_by"] not in ("human", "history"):
                self._must_rise(person, turn, decision)
            turn.decision = decision
            rang = [one for one in (turn.rang, decision["priority"]) if one in FLAGGED]
            turn.rang = min(rang, default=None)
            turn.was_danger = turn.was_danger or decision["priority"] == "p0"

    def customer(self, record: Any) -> None:
        """A record of `customers`."""
        name = record.key.decode()
        self._person(name).kept = None if record.value is None else json.loads(record.value)

    def handoff(self, record: Any) -> None:
        """A record of `handoffs`."""
        handoff = json.loads(record.value)
        self._handoffs[handoff["id"]] += 1
        if handoff["trigger"] == "not_taken":
            self._not_taken[handoff["decision_id"]] += 1

    def alert(self, topic: str, decision: dict[str, Any], change: str) -> None:
        """An alert that follow rang."""
        self._rung[topic, decision["id"], change] += 1

    def _person(self, name: str) -> Person:
        self._changed.add(name)
        return self._people.setdefault(name, Person())

    def _must_rise(self, person: Person, turn: Turn, decision: dict[str, Any]) -> None:
        """Where another turn of the conversation, not later, is p0 already, and nobody ever resolves it, this one must rise. Only
        where all is kept: what was raised meanwhile stands in the topic later, so that follow knows of more dangers than this."""
        if decision["status"] == "deleted" or decision["priority"] == "p0" or len(person.turns) > KEPT:
            return
        for identity, other in person.turns.items():
            danger = (
                other.decision is not None and other.decision["priority"] == "p0" and identity != decision["message_id"]
            )
            if danger and other.conversation == turn.conversation and other.at <= turn.at:
                self._should[decision["id"]] = (decision["customer_id"], identity)
                return

    # --- questions

    def waiting(self) -> list[str]:
        """The customers of whom something else is kept than what the topics say."""
        for name in list(self._changed):
            person = self._people[name]
            if person.kept is not None and not differing(person):
                self._changed.discard(name)
        return [f"customers {name}" for name in sorted(self._changed)]

    def account(self) -> None:
        """Tells `fail` of everything that is wrong."""
        self.waiting()
        for name in self._changed:
            person = self._people[name]
            self._fail("customer_differs", f"customer {name}", differing(person))
        for identity, made in self._raised.items():
            self._check(identity, made)
        risen = {one["supersedes"] for made in self._raised.values() for one in made}
        for identity, (customer, danger) in self._should.items():
            if customer not in self._resolved and identity not in risen:
                self._fail("not_raised", f"decision {identity}", f"{danger} of the same conversation is p0")
        for identity, count in self._handoffs.items():
            if count > 1:
                self._fail("handoff_twice", f"handoff {identity}", f"{count} times")
        for (topic, identity, change), count in self._rung.items():
            if count > 1 + self._not_taken[identity]:
                self._fail("change_twice", f"{topic} decision {identity}", f"{change} {count} times")
            if identity not in self._decisions:
                self._fail("change_of_nothing", f"{topic} decision {identity}", change)

    def _check(self, identity: str, made: list[dict[str, Any]]) -> None:
        where = f"decision {identity}"
        one = made[0]
        if len(made) > 1:
            self._fail("raised_twice", where, f"{len(made)} times")
        rule = one["reasons"][0].get("history")
        before = self._decisions.get(one["supersedes"])
        if before is None or before["message_id"] != one["message_id"] or before["decided_by"] == "human":
            self._fail("raised_nothing", where, f"supersedes {before}")
            return
        higher = one["priority"] < before["priority"] or (
            rule == "breach_near" and one["priority"] == before["priority"]
        )
        if rule not in RULES or not higher or one["automation_allowed"]:
            self._fail("raised_wrongly", where, f"{before['priority']} to {one['priority']} by {rule}")
        topics = {f"priority.{each}" for each in (before["priority"], one["priority"]) if each in FLAGGED}
        rung = {topic for topic in (f"priority.{each}" for each in FLAGGED) if self._rung[topic, identity, "raised"]}
        if rung != topics:
            self._fail("raised_alerts", where, f"rang on {sorted(rung)}, must on {sorted(topics)}")


def replaces(decision: dict[str, Any], before: dict[str, Any]) -> bool:
    """Contract, section 3: which decision on a message is in force."""
    if decision["revision"] != before["revision"]:
        return bool(decision["revision"] > before["revision"])
    if before["decided_by"] == "human" and decision["decided_by"] != "human":
        return bool(decision["supersedes"] == before["id"])
    return True


def differing(person: Person) -> str:
    """What is kept otherwise than the topics say; empty where nothing is.

    Of dangers older than the last turns a few are kept. Where there were more, and a person lowered one, the next older one is
    gone already: then those that are kept must be among them, no more.
    """
    every = sorted(person.turns.items(), key=lambda each: (each[1].at, each[0]))
    older, latest = every[:-KEPT], every[-KEPT:]
    dangers = [each for each in older if each[1].decision and each[1].decision["priority"] == "p0"]
    found, done = _kept(person.kept or {})
    cut = len(found) - len(latest)
    wanted = [_told(name, turn) for name, turn in dangers]
    if sum(turn.was_danger for _, turn in older) <= DANGERS and found[:cut] != wanted:
        return f"older dangers: wanted {wanted[:3]}, kept {found[:cut][:3]}"
    if not set(found[:cut]) <= set(wanted) or cut > DANGERS:
        return (
            f"older dangers: wanted some of {wanted[:3]}, kept {[one for one in found[:cut] if one not in wanted][:3]}"
        )
    recent = [_told(name, turn) for name, turn in latest]
    if found[cut:] != recent:
        missing, extra = [one for one in recent if one not in found], [one for one in found[cut:] if one not in recent]
        return f"last turns: wanted {missing[:3]}, kept {extra[:3]}; {len(recent)} and {len(found)}"
    acts = [name for name, _ in sorted(person.done.items(), key=lambda each: (each[1], each[0]))[-ACTIONS:]]
    return "" if done == acts else f"actions: wanted {acts[-3:]}, kept {done[-3:]}"


def _told(name: str, turn: Turn) -> tuple[Any, ...]:
    one = turn.decision
    judged = one and (one["id"], one["priority"], one["revision"], turn.rang)
    return name, turn.at, turn.conversation, turn.role, judged


def _kept(record: dict[str, Any]) -> tuple[list[tuple[Any, ...]], list[str]]:
    """The same, of a record of `customers`, and the ids of its actions."""
    turns = []
    for turn in record.get("turns", []):
        one = turn.get("decision")
        judged = one and (one["id"], one["priority"], one.get("revision", 0), one.get("rang"))
        turns.append((turn["id"], turn["at"], turn["conversation"], turn.get("role", "customer"), judged))
    return turns, [each["id"] for each in record.get("done", [])]
