"""Whose labels contradict what everybody else teaches: evidence for each reviewer and head, from test-then-train alone.

A label that contradicts the model says little where the model often errs, much where it is sure and all but rules that label
out. Per reviewer and head such evidence is summed (CUSUM: never below 0); a label the model agrees with takes from it. An
honest person who only corrects errors contradicts the model always, but where it is unsure; one who flips labels does where it
is right. Figures: docs/learning.md.
Owns: evidence, who is suspected, in quarantine, or released by a person. Must never: see text; see a label after it was learned.
"""

from __future__ import annotations

from math import log
from typing import Any, NamedTuple

ENOUGH = 10.0
"""Evidence, in nats, from which on a reviewer is suspected. Flippers of 5 % of all labels came to it within 38 to 178 of their
labels on five sets; of honest ones (a tenth of all labels, one label only, nothing but errors) the highest was 6.1."""
SEEN = 20
"""A label younger than this says nothing of its reviewer: the model cannot know it yet."""
MOST = 10_000
"""Evidence kept; beyond, the least goes."""
BINS = 10
_PRIOR = 10.0
"""Labels that each bin of confidence starts with, contradicted as often as its middle says."""
_DOUBT = 0.2
"""That the model of flipping is wrong itself: no single label can take more than ln of it from the evidence."""
_STEEPEST = 1.0
_LEAST = 1e-9
_FLOOR = 0.01
"""Added to the probability of each label: the model's smallest are not to be believed."""


class Suspect(NamedTuple):
    """A reviewer with enough evidence against them.

    Attributes:
        from_offset: of the lesson with which the evidence began.
        labels: of theirs since then; contradicted: of these, other than what the model would have said.
    """

    reviewer: str
    head: str
    from_offset: int
    evidence: float
    labels: int
    contradicted: int


class _Head:
    """How often labels contradict the model, by its confidence, whoever gives them."""

    __slots__ = ("contradicted", "labels")

    def __init__(self, labels: list[float] | None = None, contradicted: list[float] | None = None) -> None:
        self.labels = labels or [_PRIOR] * BINS
        self.contradicted = contradicted or [_PRIOR * (1.0 - (place + 0.5) / BINS) for place in range(BINS)]

    def odds(self, place: int) -> float:
        """How much likelier a contradiction in this bin is to come from one who contradicts what is right than from one who
        corrects what is wrong; 1 over all bins."""
        here = self.contradicted[place] / self.labels[place]
        all_over = sum(self.contradicted) / sum(self.labels)
        # A snapshot from outside may hold counts that no labels made.
        return max((1.0 - here) * all_over, _LEAST) / max((1.0 - all_over) * here, _LEAST)


class Reviewers:
    """Evidence against reviewers, and who is in quarantine. Part of the learner's state."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self._heads = {head: _Head(*lists) for head, lists in state.get("heads", {}).items()}
        rows: list[list[Any]] = state.get("evidence", [])
        self._evidence = {(row[0], row[1]): Suspect(*row) for row in rows}
        self._quarantined: dict[str, int] = dict(state.get("quarantined", {}))
        self._released: set[str] = set(state.get("released", ()))

    def state(self) -> dict[str, Any]:
        """For a snapshot."""
        return {
            "heads": {head: [own.labels, own.contradicted] for head, own in self._heads.items()},
            "evidence": [list(one) for one in self._evidence.values()],
            "quarantined": self._quarantined,
            "released": sorted(self._released),
        }

    def weigh(
        self, reviewer: str, head: str, probabilities: dict[str, float], label: str, seen: int, offset: int
    ) -> None:
        """One label.

        Args:
            probabilities: the model's before it learned the label; they sum to 1.
            seen: how often the label had been learned.
            offset: of the lesson.
        """
        said = max(probabilities, key=lambda each: probabilities[each])
        confidence, contradicts = probabilities[said], said != label
        place = min(int(confidence * BINS), BINS - 1)
        own = self._heads.setdefault(head, _Head())
        if seen >= SEEN and reviewer not in self._released:
            odds = own.odds(place)
            if contradicts:
                # Of one who draws any other label, against one whose label the model holds for the next likeliest.
                others = len(probabilities) - 1
                share = (probabilities[label] + _FLOOR) / (1.0 - confidence + _FLOOR * others)
                odds /= others * share
            else:
                odds = min(1.0 / odds, 1.0)
            self._add(reviewer, head, min(log(_DOUBT + (1.0 - _DOUBT) * odds), _STEEPEST), contradicts, offset)
        own.labels[place] += 1.0
        own.contradicted[place] += contradicts

    def _add(self, reviewer: str, head: str, evidence: float, contradicts: bool, offset: int) -> None:
        before = self._evidence.get((reviewer, head)) or Suspect(reviewer, head, offset, 0.0, 0, 0)
        evidence += before.evidence
        if evidence <= 0.0:
            self._evidence.pop((reviewer, head), None)
            return
        contradicted = before.contradicted + contradicts
        after = before._replace(evidence=evidence, labels=before.labels + 1, contradicted=contradicted)
        self._evidence[reviewer, head] = after
        if len(self._evidence) > MOST:
            del self._evidence[min(self._evidence, key=lambda each: self._evidence[each].evidence)]

    @property
    def suspect(self) -> Suspect | None:
        """Somebody with enough evidence against them, until `quarantine` is called."""
        return next((one for one in self._evidence.values() if one.evidence >= ENOUGH), None)

    def quarantined(self, reviewer: str) -> bool:
        """Whether what they teach is left out."""
        return reviewer in self._quarantined

    def quarantine(self, reviewer: str, feedback: int) -> None:
        """Leaves out what they teach.

        Args:
            feedback: digest of the lesson's feedback id, by which a person can take it back.
        """
        self._quarantined[reviewer] = feedback
        self._evidence = {key: one for key, one in self._evidence.items() if key[0] != reviewer}

    def release(self, feedback: int) -> None:
        """A person took the quarantine with this digest back: that reviewer is suspected no more."""
        for reviewer in [reviewer for reviewer, own in self._quarantined.items() if own == feedback]:
            del self._quarantined[reviewer]
            self._released.add(reviewer)
