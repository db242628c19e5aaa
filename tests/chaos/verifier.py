"""The verifier: accounts for every record of a session, as any subscriber sees them.

It is given what was sent and what became of it, and knows of the workers only what the contract promises. One decision or
one dead letter for each message, each alert once, in order, on the message's partition; the bytes of what could not be
read are kept. Owns: the accounts of `messages`, `decisions` and alerts. Must never: import the workers' code.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from typing import Any, NamedTuple

from tests.chaos.crowded import Crowded
from tests.chaos.followed import Followed
from tests.chaos.learned import Learned
from tests.chaos.load import Entry, Ledger

SAMPLE = 0.005
"""Of p3, in the default policy."""
ALERTS = ("priority.p0", "priority.p1", "priority.p2", "review")
FLAGGED = ("p0", "p1", "p2")
Place = tuple[int, int]
"""Partition and offset of an input record."""


class Failure(NamedTuple):
    """Something that must not be: which check, where, and what was seen."""

    check: str
    where: str
    evidence: str


def rings_on(decision: dict[str, Any]) -> list[str]:
    """The topics where a fresh decision rings (contract, section 2)."""
    topics = [f"priority.{decision['priority']}"] if decision["priority"] in FLAGGED else []
    unread = decision["status"] == "unscored" and decision.get("status_reason") != "too_short"
    if not topics and decision["status"] == "scored" and not decision["supersedes"]:
        return ["review"] if int(decision["id"][:8].ljust(8, "f"), 16) / 2**32 < SAMPLE else []
    return [*topics, "review"] if decision["status"] == "abstained" or unread else topics


class Accounts:
    """The accounts of one session; `take` every record, then ask."""

    def __init__(self, prefix: str, ledger: Ledger) -> None:
        self._prefix = prefix
        self._ledger = ledger
        self._failures: dict[tuple[str, str], Failure] = {}
        self._told: set[tuple[str, str]] = set()
        self._read: set[tuple[str, int]] = set()
        self._digests: dict[tuple[str, int, int], str] = {}
        self._inputs: dict[Place, Entry] = {}
        self._decided: dict[Place, str] = {}
        self._letters: Counter[tuple[str, int, int]] = Counter()
        self._letter_errors: dict[tuple[str, int, int], tuple[str, str]] = {}
        self._latest: dict[int, int] = {}
        self._latest_of_key: dict[bytes | None, int] = {}
        self._rung: Counter[tuple[str, str]] = Counter()
        self._must_ring: set[tuple[str, str]] = set()
        self._differs: dict[str, str] = {}
        self.rows: dict[str, dict[tuple[int, int], int]] = {}
        self.moments: dict[int, list[float]] = {}
        self.statuses: Counter[str] = Counter()
        self.repeated_letters = 0
        self.learned = Learned(self._fail)
        self.followed = Followed(self._fail)
        self.crowded = Crowded()
        self.recent: list[dict[str, Any]] = []

    # --- records, as they come

    def take(self, name: str, record: Any) -> None:
        """One record of the topic with this short name."""
        match name:
            case "messages" | "feedback" | "actions":
                self._input(name, record)
            case "dead-letters":
                self._letter(record)
            case "decisions":
                self._decision(record)
            case "lessons":
                self.learned.lesson(record.offset, json.loads(record.value))
            case "model-updates":
                self.learned.update(record.offset, json.loads(record.value))
            case "customers":
                self.followed.customer(record)
            case "handoffs":
                self._row(name, record, json.loads(record.value)["id"])
                self.followed.handoff(record)
            case "incidents":
                self._row(name, record, json.loads(record.value)["id"])
                self.crowded.incident(record)
            case "crowd":
                self.crowded.state(record)
            case "health":
                self._row(name, record, json.loads(record.value)["code"])
            case _:
                self._alert(name, record)

    def _fail(self, check: str, where: str, evidence: str = "") -> None:
        self._failures.setdefault((check, where), Failure(check, where, evidence[:2000]))

    def _row(self, name: str, record: Any, identity: str) -> None:
        self.rows.setdefault(name, {})[record.partition, record.offset] = zlib.crc32(identity.encode())

    def _input(self, name: str, record: Any) -> None:
        number = int(dict(record.headers)["n"])
        place = f"{name}/{record.partition} offset {record.offset}"
        entry = self._ledger.entries[name, number]
        if (name, number) in self._read:
            self._fail("load_written_twice", place, f"number {number}, acknowledged at {entry.offset}")
        self._read.add((name, number))
        if entry.offset is not None and entry.offset != record.offset:
            self._fail("load_offset", place, f"number {number} was acknowledged at {entry.offset}")
        if entry.expect.startswith("dead:"):
            self._digests[name, record.partition, record.offset] = hashlib.sha256(record.value or b"").hexdigest()
        readable = not entry.expect.startswith("dead:") or entry.expect == "dead:unknown_feedback"
        if readable:
            self._row(name, record, entry.identity)
        if name == "messages":
            self._inputs[record.partition, record.offset] = entry
            if readable:
                self.followed.message(record)
        elif name == "actions":
            if readable:
                self.followed.action(record)
        elif name == "feedback":
            self.learned.feedback(record.offset, entry.expect, json.loads(record.value) if readable else None)

    def _decision(self, record: Any) -> None:
        decision = json.loads(record.value)
        self._row("decisions", record, decision["id"])
        source = decision["source"]
        where = f"decisions/{record.partition} offset {record.offset}"
        if source["topic"] != self._prefix + "messages" or source["partition"] != record.partition:
            self._fail("decision_source", where, str(source))
        self.followed.decision(decision)
        self.crowded.decision(record, decision)
        if decision["decided_by"] == "history":
            self._judge(decision)
            return
        if decision["feedback_id"] is not None:
            self.learned.decision(record.offset, decision)
            return
        place = (record.partition, source["offset"])
        if place in self._decided:
            self._fail(
                "decided_twice", f"messages/{place[0]} offset {place[1]}", f"{where}, id {decision['id']}, and earlier"
            )
            return
        self._decided[place] = decision["message_id"]
        if source["offset"] <= self._latest.get(record.partition, -1):
            late = source["offset"] <= self._latest_of_key.get(record.key, -1)
            said = "of the same customer too" if late else "though not of one customer"
            self._fail("out_of_order", where, f"source {source['offset']} behind a later one, {said}")
        self._latest[record.partition] = source["offset"]
        self._latest_of_key[record.key] = source["offset"]
        self.moments.setdefault(record.partition, []).append(record.timestamp / 1000)
        self.statuses[decision["status"]] += 1
        for topic in rings_on(decision):
            self._must_ring.add((topic, decision["id"]))
            self._differs[decision["id"]] = hashlib.sha1(json.dumps(decision).encode()).hexdigest()
        self._judge(decision)

    def _judge(self, decision: dict[str, Any]) -> None:
        """A person may judge it."""
        self.recent.append(decision)
        del self.recent[:-50]

    def _alert(self, name: str, record: Any) -> None:
        alert = json.loads(record.value)
        decision = alert["decision"]
        if dict(record.headers)["ce_source"] == b"tocsin/follow":
            self.followed.alert(name, decision, alert["change"])
            return
        if alert["change"] != "new":
            self.learned.alert(name, decision["feedback_id"], decision["id"], alert["change"])
            return
        self._rung[name, decision["id"]] += 1
        known = self._differs.get(decision["id"])
        if known is not None and known != hashlib.sha1(json.dumps(decision).encode()).hexdigest():
            self._fail("alert_differs", f"{name}/{record.partition} offset {record.offset}", decision["id"])

    def _letter(self, record: Any) -> None:
        letter = json.loads(record.value)
        self._row("dead-letters", record, letter["sha256"])
        place = (letter["topic"][len(self._prefix) :], letter["partition"], letter["offset"])
        self._letters[place] += 1
        self._letter_errors[place] = (letter["error"], letter["sha256"])
        if place[0] == "feedback":
            self.learned.letter(letter["offset"], letter["error"])

    # --- questions

    def waiting(self) -> int:
        """How many acknowledged records have not become yet what they must become."""
        return len(self._unread()) + len(self._open()) + len(self.learned.waiting()) + len(self.followed.waiting())

    def awaited(self, most: int = 10) -> list[str]:
        """Some of them."""
        places = [f"{entry.topic}/{entry.partition} offset {entry.offset} unread" for entry in self._unread()]
        places += [f"messages/{place[0]} offset {place[1]} {expect}" for expect, place, _ in self._open()]
        return (places + self.learned.waiting() + self.followed.waiting())[:most]

    def undecided(self) -> list[Place]:
        """Partition and offset of the messages that should have a decision and have none."""
        return [place for expect, place, _ in self._open() if expect == "decided"]

    def counts(self) -> dict[str, int]:
        """Records that stand in the accounts, by topic; poison among the messages too."""
        counts = {name: len(places) for name, places in self.rows.items()}
        return {
            **counts,
            "messages": len(self._inputs),
            "alerts": sum(self._rung.values()),
            "lessons": self.learned.lessons,
            "raised": self.followed.raised,
        }

    def _unread(self) -> list[Entry]:
        entries = self._ledger.entries
        return [entry for at, entry in entries.items() if entry.offset is not None and at not in self._read]

    def _open(self) -> list[tuple[str, Place, Entry]]:
        return [
            (entry.expect, place, entry)
            for place, entry in self._inputs.items()
            if (entry.expect == "decided" and place not in self._decided)
            or (entry.expect.startswith("dead:") and ("messages", *place) not in self._letters)
        ]

    def account(self) -> list[Failure]:
        """What is wrong and was not told before; to be asked when nothing is under way."""
        for entry in self._unread():
            self._fail("acknowledged_and_gone", f"{entry.topic}/{entry.partition} offset {entry.offset}", str(entry))
        for expect, place, entry in self._open():
            check = "undecided" if expect == "decided" else "no_dead_letter"
            self._fail(check, f"messages/{place[0]} offset {place[1]}", str(entry))
        for place, identity in self._decided.items():
            self._check_decided(place, identity)
        for (name, partition, offset), count in self._letters.items():
            self._check_letter(name, partition, offset, count)
        for topic, identity in self._must_ring - self._rung.keys():
            self._fail("no_alert", f"{topic} decision {identity}")
        for (topic, identity), count in self._rung.items():
            if count > 1:
                self._fail("alert_twice", f"{topic} decision {identity}", f"{count} times")
            if (topic, identity) not in self._must_ring:
                self._fail("alert_without_decision", f"{topic} decision {identity}")
        self.learned.account()
        self.followed.account()
        fresh = [failure for at, failure in self._failures.items() if at not in self._told]
        self._told.update(self._failures)
        return fresh

    def _check_decided(self, place: Place, identity: str) -> None:
        entry = self._inputs.get(place)
        where = f"messages/{place[0]} offset {place[1]}"
        if entry is None:
            self._fail("decision_of_nothing", where, identity)
        elif entry.expect != "decided":
            self._fail("decided_wrongly", where, f"must be {entry.expect}")
        elif entry.identity != identity:
            self._fail("decision_of_another", where, f"{identity}, must be {entry.identity}")

    def _check_letter(self, name: str, partition: int, offset: int, count: int) -> None:
        where = f"{name}/{partition} offset {offset}"
        error, digest = self._letter_errors[name, partition, offset]
        entry = self._inputs.get((partition, offset)) if name == "messages" else None
        if name == "messages" and (entry is None or entry.expect != f"dead:{error}"):
            self._fail("letter_wrong", where, f"{error}; must be {entry.expect if entry else 'nothing'}")
        known = self._digests.get((name, partition, offset))
        if known != digest:
            self._fail("letter_bytes", where, f"sha256 {digest}, the record's is {known}; {error}")
        if count > 1 and name == "actions":
            self.repeated_letters += 1  # the recorder's own letters may come again behind a crash (its docstring)
        elif count > 1:
            self._fail("letter_twice", where, f"{count} times")
