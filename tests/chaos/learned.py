"""The accounts of learning: every accepted feedback is one lesson, one model update, and what its human decided.

Owns: the accounts of `feedback`, `lessons`, `model-updates` and of what the learner writes to `decisions` and alerts.
Must never: import the workers' code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

FLAGGED = ("p0", "p1", "p2")
Fail = Callable[[str, str, str], None]


class Learned:
    """The accounts of one session's learning; `fail` takes check, place and evidence."""

    def __init__(self, fail: Fail) -> None:
        self._fail = fail
        self._expected: dict[int, str] = {}
        self._fields: dict[str, dict[str, Any]] = {}
        self._offsets: dict[str, int] = {}
        self._lessons: dict[str, list[int]] = {}
        self._quarantines: dict[str, list[str]] = {}
        self._updated_to: dict[int, int] = {}
        self._reached = 0
        self._letters: dict[int, str] = {}
        self._decisions: dict[str, list[dict[str, Any]]] = {}
        self._rung: Counter[tuple[str, str]] = Counter()

    @property
    def lessons(self) -> int:
        """How many there are."""
        return len(self._lessons)

    # --- records, as they come

    def feedback(self, offset: int, expect: str, fields: dict[str, Any] | None) -> None:
        """A feedback record; `fields` where it can be read."""
        self._expected[offset] = expect
        if expect == "lesson" and fields is not None:
            self._fields[fields["id"]] = fields
            self._offsets[fields["id"]] = offset

    def lesson(self, offset: int, lesson: dict[str, Any]) -> None:
        """A record of `lessons`."""
        self._lessons.setdefault(lesson["feedback_id"], []).append(offset)
        if lesson.get("kind") == "unlearn":  # a reviewer's quarantine: the learner's own, once for each
            self._quarantines.setdefault(lesson["reviewer"], []).append(lesson["feedback_id"])

    def update(self, offset: int, update: dict[str, Any]) -> None:
        """A record of `model-updates`: it must begin where the one before ended."""
        if update["from"] != self._reached:
            self._fail(
                "update_chain", f"model-updates offset {offset}", f"from {update['from']}, must be {self._reached}"
            )
        self._reached = update["to"]
        self._updated_to[update["to"]] = offset

    def letter(self, offset: int, error: str) -> None:
        """A dead letter about feedback."""
        self._letters[offset] = error

    def decision(self, offset: int, decision: dict[str, Any]) -> None:
        """A decision that feedback made."""
        self._decisions.setdefault(decision["feedback_id"], []).append(decision)

    def alert(self, topic: str, feedback_id: str | None, decision_id: str, change: str) -> None:
        """An alert that tells of a change."""
        if feedback_id is None:
            self._fail("change_without_feedback", f"{topic} decision {decision_id}", change)
        else:
            self._rung[topic, feedback_id] += 1

    # --- questions

    def waiting(self) -> list[str]:
        """The feedback records that have not become yet what they must become."""
        missing = self._fields.keys() - self._lessons.keys()
        unread = [offset for offset, expect in self._expected.items() if expect.startswith("dead:")]
        return [f"feedback offset {self._offsets[identity]} lesson" for identity in missing] + [
            f"feedback offset {offset} dead letter" for offset in unread if offset not in self._letters
        ]

    def account(self) -> None:
        """Tells `fail` of everything that is wrong."""
        for identity, fields in self._fields.items():
            self._check(identity, fields)
        for reviewer, names in self._quarantines.items():
            if len(names) > 1:
                self._fail("quarantined_twice", f"reviewer {reviewer}", f"{names}")
        own = {name for names in self._quarantines.values() for name in names}
        for identity, offsets in self._lessons.items():
            if identity not in self._fields and identity not in own:
                self._fail("lesson_of_nothing", f"feedback {identity}", f"lessons {offsets}")
            if len(offsets) > 1:
                self._fail("learned_twice", f"feedback {identity}", f"lessons offsets {offsets}")
            for offset in offsets:
                if offset + 1 not in self._updated_to:
                    self._fail("lesson_without_update", f"lessons offset {offset}", identity)
        places = {offset + 1 for offsets in self._lessons.values() for offset in offsets}
        for reached in self._updated_to.keys() - places:
            self._fail("update_without_lesson", f"model-updates to {reached}", "")
        for identity in self._decisions.keys() - self._fields.keys():
            self._fail("human_decision_of_nothing", f"feedback {identity}", "")
        for offset, expect in self._expected.items():
            wanted = expect.removeprefix("dead:") if expect.startswith("dead:") else None
            if self._letters.get(offset) != wanted:
                self._fail("feedback_letter", f"feedback offset {offset}", f"{self._letters.get(offset)}, not {wanted}")

    def _check(self, identity: str, fields: dict[str, Any]) -> None:
        where = f"feedback offset {self._offsets[identity]}"
        if identity not in self._lessons:
            self._fail("not_learned", where, identity)
            return
        made = self._decisions.get(identity, [])
        judged = self._fields.get(fields.get("retracts", ""), fields)
        before, after = judged.get("predicted", {}).get("priority"), judged.get("labels", {}).get("priority")
        if judged is not fields:
            before, after = after, before
        if len(made) != (after is not None and before is not None):
            self._fail("human_decisions", where, f"{len(made)} decisions: {[one['id'] for one in made]}")
            return
        if not made:
            return
        if made[0]["priority"] != after or (judged is fields and made[0]["decided_by"] != "human"):
            self._fail("human_decision", where, f"{made[0]['priority']} by {made[0]['decided_by']}, must be {after}")
        asked = judged is fields and judged["predicted"]["status"] in ("abstained", "unscored")
        topics = {f"priority.{one}" for one in (before, after) if one in FLAGGED} if before != after else set()
        if asked:
            topics.add("review")
        rung = {topic: self._rung[topic, identity] for topic in (*(f"priority.{p}" for p in FLAGGED), "review")}
        wrong = {topic: count for topic, count in rung.items() if count != (topic in topics)}
        if wrong:
            self._fail("change_alerts", where, f"{wrong}, must ring on {sorted(topics)}: {identity}")
