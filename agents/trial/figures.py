"""What would have rung, counted: by priority, by phrase, by what the model weighed.

Nobody has said which rings were right, so a phrase is held against the model's own reading: it agrees where it finds a
message urgent or negative. That is an opinion, and the page says so.
Owns: the counts. Must never: decide; that is the judge's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from agents.alerts import topics_of, why
from agents.scoring.policy import Policy
from agents.scoring.priority import Likely, alone, likely_of, probability
from schemas.base import FLAGGED, Priority
from schemas.decision import Decision, Sentiment
from schemas.message import Message

SHOWN = 15
"""Messages of a priority that the page shows."""
EXAMPLES = 3


class Rung(NamedTuple):
    """One message that would have rung."""

    line: int
    text: str
    start: int
    why: str


@dataclass
class Phrase:
    """What one phrase of a floor did.

    Attributes:
        rang: messages that it stands in and that rang.
        alone: those that nothing else would have brought up.
        agreed: of those, the ones that the model reads as urgent or negative.
        lines: where the first of those stand.
    """

    floor: str
    priority: str
    rang: int = 0
    alone: int = 0
    agreed: int = 0
    lines: list[int] = field(default_factory=list)

    @property
    def unbacked(self) -> int:
        """Rings that the phrase alone made, on messages in which the model sees no trouble."""
        return self.alone - self.agreed


@dataclass
class Trial:
    """Counts over an export.

    Attributes:
        faults: rows that could not be read: why, how many, and the first line.
    """

    policy: Policy
    messages: int = 0
    priorities: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    unscored: Counter[str] = field(default_factory=Counter)
    review: int = 0
    rung: dict[Priority, list[Rung]] = field(default_factory=dict)
    phrases: dict[str, Phrase] = field(default_factory=dict)
    heads: Counter[str] = field(default_factory=Counter)
    faults: dict[str, tuple[int, int]] = field(default_factory=dict)
    days: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)

    def refuse(self, line: int, fault: str) -> None:
        """A row that is no message."""
        count, first = self.faults.get(fault, (0, line))
        self.faults[fault] = count + 1, first

    def add(self, line: int, message: Message, decision: Decision, *, timed: bool) -> None:
        """A message and its decision.

        Args:
            timed: whether the export said when it was sent.
        """
        self.messages += 1
        self.customers.add(message.customer_id)
        self.priorities[decision.priority] += 1
        self.languages[decision.language if decision.language in ("en", "fr") else "other"] += 1
        if timed:
            self.days.add(decision.sent_at[:10])
        if decision.status == "unscored":
            self.unscored[decision.status_reason or ""] += 1
        self.review += "review" in topics_of(decision)
        if decision.priority not in FLAGGED:
            return
        hits = [reason for reason in decision.reasons if isinstance(reason.phrase, str)]
        likely = likely_of(decision)
        model = alone(likely, self.policy, message.visibility, message.reach)
        self.heads.update(_weighed(likely, self.policy) if model in FLAGGED else ())
        shown = self.rung.setdefault(decision.priority, [])
        if len(shown) < SHOWN:
            start = hits[0].start if hits and isinstance(hits[0].start, int) else 0
            shown.append(Rung(line, message.text or message.subject or "", start, why(decision, self.policy).en))
        phrases = {str(hit.phrase): str(hit.floor) for hit in hits}
        lonely = len(phrases) == 1 and model not in FLAGGED and decision.status != "unscored"
        for phrase, floor in phrases.items():
            self._count(phrase, floor, line, decision, lonely)

    def _count(self, phrase: str, floor: str, line: int, decision: Decision, lonely: bool) -> None:
        entry = self.phrases.setdefault(phrase, Phrase(floor, self.policy.floors[floor].priority))
        entry.rang += 1
        if len(entry.lines) < EXAMPLES:
            entry.lines.append(line)
        if lonely:
            entry.alone += 1
            entry.agreed += _trouble(decision)

    def most_useful(self) -> tuple[str, Phrase] | None:
        """The phrase that brought up most messages that nothing else did and in which the model, too, sees trouble."""
        return self._most({name: phrase.agreed for name, phrase in self.phrases.items()})

    def noisiest(self) -> tuple[str, Phrase] | None:
        """The phrase that brought up most messages in which the model sees none."""
        return self._most({name: phrase.unbacked for name, phrase in self.phrases.items()})

    def _most(self, counts: dict[str, int]) -> tuple[str, Phrase] | None:
        name = max(counts, key=lambda each: (counts[each], each), default="")
        return (name, self.phrases[name]) if counts.get(name) else None


def _weighed(likely: Likely, policy: Policy) -> list[str]:
    limits = policy.thresholds
    over = {"urgency": limits.urgency_p2, "anger": limits.anger_p2, "abuse": limits.abuse_p2}
    return [name for name, limit in over.items() if (getattr(likely, name) or 0.0) >= limit]


def _trouble(decision: Decision) -> bool:
    negative = isinstance(decision.sentiment, Sentiment) and decision.sentiment.label == "negative"
    return negative or (probability(decision.urgency) or 0.0) >= 0.5
