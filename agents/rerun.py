"""A policy run over the past: what would ring otherwise than under the policy in force, message by message. Nothing rings.

Owns: which past it is (`messages` as Kafka still has them, or a file), and the counts. Must never: write to a topic.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from agents.alerts import topics_of
from agents.history.clock import DAY_MS
from agents.inputs import cut, lines
from agents.scoring.heads import Model
from agents.scoring.judge import Judge
from agents.scoring.policy import Policy
from schemas.base import FLAGGED, Invalid, timestamp
from schemas.decision import Decision, Source
from schemas.message import Incoming, read_message
from schemas.reading import read
from streams.follow import read_since
from streams.settings import Settings

SHOWN = 20
"""Changed messages that are named."""


@dataclass
class Difference:
    """What two policies make of the same messages.

    Attributes:
        moved: messages by (priority before, after), the same ones too.
        asked: messages that are left to people (`review`), before and after.
        phrases: by (floor, phrase): rings before and after, where they differ.
        people: messages that a person decided, before and after: rang rightly, `missed`, a `false_alarm`, `quiet` rightly.
        named: the first messages that moved: id, before, after, why they rang or ring.
    """

    messages: int = 0
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: list[int] = field(default_factory=lambda: [0, 0])
    phrases: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    people: list[Counter[str]] = field(default_factory=lambda: [Counter(), Counter()])
    named: list[dict[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """With names and shares, for people and machines."""
        changed = {
            f"{floor}: {phrase}": counts for (floor, phrase), counts in self.phrases.items() if counts[0] != counts[1]
        }
        return {
            "messages": self.messages,
            "moved": {f"{one} to {other}": count for (one, other), count in sorted(self.moved.items()) if one != other},
            "rings": [sum(count for pair, count in self.moved.items() if pair[side] in FLAGGED) for side in (0, 1)],
            "left_to_people": self.asked,
            "phrases": dict(sorted(changed.items(), key=lambda each: -abs(each[1][1] - each[1][0]))),
            "people_decided": sum(self.people[0].values()),
            "precision": [_share(one["right"], one["false_alarm"]) for one in self.people],
            "recall": [_share(one["right"], one["missed"]) for one in self.people],
            "changed": self.named,
        }


def _share(part: int, rest: int) -> float | None:
    return round(part / (part + rest), 4) if part + rest else None


class Rerun:
    """Takes messages one by one, under the policy in force and under another."""

    def __init__(self, before: Policy, after: Policy, model: Model, decided: dict[str, str]) -> None:
        """
        Args:
            decided: priorities that people gave, by message id.
        """
        self.found = Difference()
        self._judges = (Judge(before, model), Judge(after, model))
        self._decided = decided

    def take(self, incoming: Incoming, at: str) -> None:
        """Judges a message twice, and counts what differs."""
        if incoming.message.author_role != "customer":
            return
        source = Source("rerun", 0, self.found.messages)
        one, other = (judge.decide(incoming, source, at, at).decision for judge in self._judges)
        self.found.messages += 1
        self.found.moved[one.priority, other.priority] += 1
        for side, decision in enumerate((one, other)):
            self.found.asked[side] += "review" in topics_of(decision)
            for phrase in {
                (r.floor, r.phrase) for r in decision.reasons if isinstance(r.floor, str) and isinstance(r.phrase, str)
            }:
                self.found.phrases.setdefault(phrase, [0, 0])[side] += 1
            self._held_against(side, decision)
        if one.priority != other.priority and len(self.found.named) < SHOWN:
            reasons = {"before": _told(one), "after": _told(other)}
            named = {"id": incoming.message.id, "from": one.priority, "to": other.priority}
            self.found.named.append({**named, **reasons})

    def _held_against(self, side: int, decision: Decision) -> None:
        person = self._decided.get(decision.message_id)
        if person is None:
            return
        rings, should = decision.priority in FLAGGED, person in FLAGGED
        kind = ("right" if should else "false_alarm") if rings else ("missed" if should else "quiet")
        self.found.people[side][kind] += 1


def _told(decision: Decision) -> str:
    told = [f"{r.floor} ({r.phrase})" if isinstance(r.floor, str) else str(r.head) for r in decision.reasons]
    return ", ".join(dict.fromkeys(told)) or decision.status


def of_file(file: str) -> Iterable[tuple[Incoming, str]]:
    """Messages of a JSONL file (.gz, or - for standard input), with the time to take them for; without what cannot be read."""
    for _, line in lines(file):
        now = time.time_ns() // 1_000_000
        try:
            yield read_message(cut(line), now), timestamp(now)
        except Invalid:
            continue


async def of_kafka(settings: Settings, days: float) -> AsyncIterator[tuple[Incoming, str]]:
    """Messages of the last days, as far as the topic still has them."""
    async for record in read_since(settings, settings.topic("messages"), _since(days)):
        try:
            yield read_message(record.value, record.timestamp), timestamp(record.timestamp)
        except Invalid:
            continue


async def peoples_word(settings: Settings, days: float) -> dict[str, str]:
    """The priorities that people gave in the last days, by message id: the last one each, unless it was taken back."""
    found: dict[str, str] = {}
    async for record in read_since(settings, settings.topic("decisions"), _since(days)):
        try:
            decision = read(record.value, Decision)
        except Invalid:
            continue
        if decision.decided_by == "human":
            found[decision.message_id] = decision.priority
        elif decision.feedback_id is not None:
            found.pop(decision.message_id, None)
    return found


def _since(days: float) -> int:
    return time.time_ns() // 1_000_000 - round(days * DAY_MS)
