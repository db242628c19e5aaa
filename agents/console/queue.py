"""The live queue: the newest messages that ring, each with its current decision and what people said of it.

Alerts of one message stand in several topics and partitions and arrive in any order; the queue comes to the same entry
whatever the order, by the rule of contract section 3 (a human's word that was not taken back, else the latest decision).
Owns: which alert of a message is shown, and which entries are let go. Must never: grow without bound, or block.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from agents.console.entry import Entry, Event, Said, taken_back
from schemas.base import PRIORITIES
from schemas.decision import Alert
from schemas.incident import Incident
from schemas.people import Action, Feedback

KEEP = 1000
"""Entries kept. A trim begins at a tenth more, so that a flood sorts the queue once for many alerts."""
RESERVED = {"p0": 300, "p1": 300, "p2": 200, "p3": 50, "withdrawn": 100}
"""Of these, so many newest of each kind are kept first: a flood of one kind must not push the others off the page."""
MAX_CHARACTERS = 20_000_000
"""Characters of text kept in all: 1,000 entries may be 100,000 characters each."""
_ORPHANS = 5000
"""People's words on messages that are not in the queue (yet): topics are read side by side."""

_WORDS = 50
"""Words, and actions, kept on one message."""


class LiveQueue:
    """Entries by message id.

    Attributes:
        dirty: message ids that changed since somebody last emptied it.
        removed: announced entries that were let go since.
    """

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._entries: dict[str, Entry] = {}
        self._orphans: OrderedDict[str, list[Said]] = OrderedDict()
        self._early: OrderedDict[str, dict[str, Action]] = OrderedDict()
        self._messages: OrderedDict[str, str] = OrderedDict()
        self._characters = 0
        self._events: OrderedDict[str, Event] = OrderedDict()
        self.dirty: dict[str, None] = {}
        self.removed: list[str] = []

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, message_id: str) -> Entry | None:
        """The entry of a message."""
        return self._entries.get(message_id)

    def ordered(self) -> list[Entry]:
        """By priority, what nobody has looked at first, then the longest waiting; resolved ones later, withdrawn ones last."""
        return sorted(
            self._entries.values(),
            key=lambda entry: (
                entry.kind == "withdrawn",
                entry.resolved_by is not None,
                entry.kind,
                entry.reviewed,
                entry.decision.sent_at,
                entry.id,
            ),
        )

    def totals(self) -> dict[str, int]:
        """Entries by kind that no person has said anything about, or resolved, yet."""
        totals: dict[str, int] = dict.fromkeys(PRIORITIES, 0)
        for entry in self._entries.values():
            if entry.kind in totals and not entry.reviewed and entry.resolved_by is None:
                totals[entry.kind] += 1
        return totals

    # --- what happens

    def ring(self, alert: Alert) -> None:
        """An alert was read."""
        decision = alert.decision
        entry = self._entries.get(decision.message_id)
        if entry is not None and decision.revision < entry.revision:
            return
        if entry is None or decision.revision > entry.revision:
            entry = self._begin(alert, entry)
        elif decision.feedback_id is not None:
            # Learning writes the message as far as it knows it; one copy of the text is enough.
            alert = msgspec.structs.replace(alert, message=entry.message)
        if decision.decided_by == "human":
            self._by_human(entry, alert)
        else:
            self._by_machine(entry, alert)
        self._touch(entry)
        if len(self._entries) > self._keep * 1.1 or self._characters > MAX_CHARACTERS:
            self._trim()

    def gather(self, incident: Incident) -> None:
        """An incident was told of: the messages that it gathered since are one line with it. p0 stays by itself."""
        event = Event(incident.id, incident.kind, incident.why)
        for one in incident.alerts:
            if one.priority == "p0":
                continue
            self._events[one.message_id] = event
            entry = self._entries.get(one.message_id)
            if entry is not None:
                entry.event = event
                self._touch(entry)
        while len(self._events) > _ORPHANS:
            self._events.popitem(last=False)

    def say(self, feedback: Feedback) -> Said:
        """A person's word: seen in the topic, or sent by this console (then seen later once more)."""
        entry = self._entries.get(feedback.message_id)
        # One id, one word: this console's own is seen in the topic again.
        waiting = self._orphans.get(feedback.message_id, [])
        before = entry.said.get(feedback.id) if entry else next((one for one in waiting if one.id == feedback.id), None)
        if before is not None:
            return before
        said = Said(feedback.id, feedback.kind, feedback.reviewer, feedback.at, retracts=feedback.retracts)
        self._messages[feedback.id] = feedback.message_id
        if len(self._messages) > _ORPHANS:
            self._messages.popitem(last=False)
        if entry is None:
            self._orphans[feedback.message_id] = [*waiting, said][-_WORDS:]
            self._orphans.move_to_end(feedback.message_id)
            if len(self._orphans) > _ORPHANS:
                self._orphans.popitem(last=False)
        else:
            self._add(entry, [said])
            self._touch(entry)
        return said

    def act(self, action: Action) -> None:
        """What somebody did about a message: seen in the topic, or sent by this console (then seen later once more)."""
        entry = self._entries.get(action.message_id)
        if entry is None:
            done = self._early.setdefault(action.message_id, {})
            self._early.move_to_end(action.message_id)
            if len(self._early) > _ORPHANS:
                self._early.popitem(last=False)
        else:
            done = entry.actions
        if action.id in done:
            return
        done[action.id] = action
        for old in list(done)[:-_WORDS]:
            del done[old]
        if entry is not None:
            self._touch(entry)

    def learned(self, feedback_id: str, seconds: float | None) -> str | None:
        """A model update names a feedback: the message it was about, where that is known."""
        message_id = self._messages.get(feedback_id)
        entry = self._entries.get(message_id or "")
        if entry is not None and feedback_id in entry.said:
            said = entry.said[feedback_id]
            said.known, said.learned = True, seconds
            self._touch(entry)
        return message_id

    # --- steps

    def _begin(self, alert: Alert, earlier: Entry | None) -> Entry:
        # Which incident it belongs to may be known before it rings here.
        event = self._events.get(alert.decision.message_id)
        entry = Entry(alert.message, alert.decision.revision, alert, event=event)
        if earlier is not None:
            # What was said, was said of the earlier wording.
            self._characters -= len(earlier.message.text)
            entry.version, entry.announced = earlier.version, earlier.announced
            entry.actions = earlier.actions
        self._characters += len(alert.message.text)
        self._entries[alert.decision.message_id] = entry
        entry.actions |= self._early.pop(alert.decision.message_id, {})
        self._add(entry, self._orphans.pop(alert.decision.message_id, []))
        return entry

    @staticmethod
    def _add(entry: Entry, words: Iterable[Said]) -> None:
        for said in words:
            entry.said[said.id] = said
        for old in list(entry.said)[:-_WORDS]:
            del entry.said[old]
        for said in entry.said.values():
            if said.kind == "retract" and said.retracts in entry.said:
                entry.said[said.retracts].retracted = True
        if entry.human is not None and taken_back(entry, entry.human):
            # Where the priority stays the same, no alert says so.
            entry.undone.add(entry.human.decision.id)
            entry.human = None

    @staticmethod
    def _by_human(entry: Entry, alert: Alert) -> None:
        decision = alert.decision
        if decision.id in entry.undone or taken_back(entry, alert):
            return
        if entry.human is None or decision.decided_at >= entry.human.decision.decided_at:
            entry.human = alert

    def _by_machine(self, entry: Entry, alert: Alert) -> None:
        decision = alert.decision
        if decision.supersedes is not None:
            entry.undone.add(decision.supersedes)
            if entry.human is not None and entry.human.decision.id == decision.supersedes:
                entry.human = None
        if entry.machine is None or decision.decided_at >= entry.machine.decision.decided_at:
            entry.machine = alert
        # A restored decision has no reasons of its own; those of the first stay on show.
        told = entry.told.decision
        if decision.feedback_id is None and (told.feedback_id is not None or decision.decided_at >= told.decided_at):
            self._characters += len(alert.message.text) - len(entry.message.text)
            entry.told, entry.message = alert, alert.message

    def _touch(self, entry: Entry) -> None:
        entry.version += 1
        self.dirty[entry.id] = None

    def _trim(self) -> None:
        kinds: dict[str, list[Entry]] = {kind: [] for kind in RESERVED}
        for entry in self._entries.values():
            kinds[entry.kind].append(entry)
        for entries in kinds.values():
            entries.sort(key=lambda entry: entry.decision.received_at, reverse=True)
        share = self._keep / KEEP
        reserved = {kind: min(len(entries), int(RESERVED[kind] * share)) for kind, entries in kinds.items()}
        spare = self._keep - sum(reserved.values())
        room, kept = MAX_CHARACTERS, set()
        for kind, entries in kinds.items():
            more = min(spare, len(entries) - reserved[kind])
            spare -= more
            for entry in entries[: reserved[kind] + more]:
                room -= len(entry.message.text)
                if room >= 0:
                    kept.add(entry.id)
        for message_id in [one for one in self._entries if one not in kept]:
            entry = self._entries.pop(message_id)
            self._characters -= len(entry.message.text)
            self.dirty.pop(message_id, None)
            if entry.announced:
                self.removed.append(message_id)
