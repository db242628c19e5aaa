"""One message that rings: its alerts, and what people said of it.

Owns: which of a message's alerts is the current one. Must never: know how many messages there are, or where alerts come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.decision import Alert, Decision, Why
from schemas.message import Message
from schemas.people import Action


@dataclass(slots=True)
class Said:
    """One human word on a message; `learned` is seconds from Kafka's receipt to the model update, None where unknown."""

    id: str
    kind: str
    reviewer: str
    at: str | None
    known: bool = False
    learned: float | None = None
    retracted: bool = False
    retracts: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What gathered a message with others in one ring: an incident, or a spent budget."""

    id: str
    kind: str
    why: Why


@dataclass(slots=True)
class Entry:
    """One message that rings, at its highest revision. Of `told` (the newest alert that gives reasons) come its
    reasons and the message: what learning writes knows neither."""

    message: Message
    revision: int
    told: Alert
    machine: Alert | None = None
    human: Alert | None = None
    undone: set[str] = field(default_factory=set)
    said: dict[str, Said] = field(default_factory=dict)
    event: Event | None = None
    actions: dict[str, Action] = field(default_factory=dict)
    version: int = 0
    announced: bool = False

    @property
    def id(self) -> str:
        """The message's id."""
        return self.told.decision.message_id

    @property
    def alert(self) -> Alert:
        """The current one."""
        return self.human or self.machine or self.told

    @property
    def decision(self) -> Decision:
        """The current decision."""
        return self.alert.decision

    @property
    def kind(self) -> str:
        """`withdrawn`, or its priority."""
        return "withdrawn" if self.alert.change == "withdrawn" else self.decision.priority

    @property
    def word(self) -> Said | None:
        """The newest human word that was not taken back."""
        return next((said for said in reversed(self.said.values()) if stands(said)), None)

    @property
    def taken_by(self) -> str | None:
        """Who has it in hand: took it, and neither gave it back nor resolved it."""
        last = self._last("taken", "released", "resolved", "reopened")
        return last.by if last is not None and last.kind == "taken" else None

    @property
    def resolved_by(self) -> str | None:
        """Who is through with it."""
        last = self._last("resolved", "reopened", "taken")
        return last.by if last is not None and last.kind == "resolved" else None

    def _last(self, *kinds: str) -> Action | None:
        return next((one for one in reversed(standing(self.actions)) if one.kind in kinds), None)

    @property
    def reviewed(self) -> bool:
        """Whether a person has said something that stands."""
        return self.human is not None or self.word is not None


def standing(actions: dict[str, Action]) -> list[Action]:
    """Those that do something and were not undone, in their order."""
    undone = {one.undoes for one in actions.values()}
    return [one for one in actions.values() if one.undoes is None and one.id not in undone]


def stands(said: Said) -> bool:
    """Whether it says something, and was not taken back."""
    return said.kind != "retract" and not said.retracted


def taken_back(entry: Entry, alert: Alert) -> bool:
    """Whether the word that an alert follows from was taken back."""
    said = entry.said.get(alert.decision.feedback_id or "")
    return said is not None and said.retracted
