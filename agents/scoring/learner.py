"""The learner: River's online logistic regressions, one a label, correcting the base lesson by lesson.

The model `@N` is a pure function of its base and the lessons with an offset below N. A lesson that takes others back
(`retract`, `unlearn`) therefore learns all that remain anew, from the base on.
Owns: the River models, the lessons they came from, test-then-train figures, and the snapshot's bytes.
Must never: read clock, network or disk; pickle; learn a feedback twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from agents.scoring.base import Base, outputs
from agents.scoring.calibration import Temperature, shared, sigmoid
from agents.scoring.heads import check_snapshot
from agents.scoring.kept import Kept, digest, keep, taken_back
from agents.scoring.online import BASE_FEATURE, COMMON_INERTIA, OnlineLabel, prior_bias, rarity
from agents.scoring.prequential import Figures, Outcome, Prequential
from agents.scoring.reviewers import Reviewers, Suspect
from schemas.arrays import pack, unpack
from schemas.base import Invalid
from schemas.learning import HeadUpdate, Lesson, ModelUpdate, Weights
from schemas.people import BINARY_HEADS


class MissingLessons(Exception):
    """A lesson takes others back that this learner does not hold, for it was restored from a snapshot.

    Hand every lesson with an offset below `below` to `remember`, in order from the first, and learn again.
    """

    def __init__(self, below: int) -> None:
        super().__init__(f"lessons below offset {below} are needed to learn anew; call remember() with each of them")
        self.below = below


class Learner:
    """One base, and what lessons made of it. One writer: not to be used from two threads."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.offset = 0
        self._columns = {column: place for place, column in enumerate(base.columns)}
        self._inertia = {feature: COMMON_INERTIA * share for feature, share in base.common.items()}
        self._online: dict[str, dict[str, OnlineLabel]] = {}
        self._languages: dict[str, dict[str, int]] = {}
        self._temperatures: dict[str, Temperature] = {}
        self._lessons: list[Kept] = []
        self._held_below = 0
        self._known: set[int] = set()
        self._prequential = Prequential()
        self._reviewers = Reviewers()
        self.tested: list[Outcome] = []
        """What the last lesson's tests gave."""

    @property
    def version(self) -> str:
        """As `Model.version` after the same lessons."""
        return f"{self.base.id}@{self.offset}"

    def knows(self, feedback_id: str) -> bool:
        """Whether a lesson of this feedback was read, learned or taken back since."""
        return digest(feedback_id) in self._known

    def learn(self, lesson: Lesson, next_offset: int, rest: Learner | None = None) -> ModelUpdate | None:
        """Learns `lesson`, which stands right before `next_offset` in the log, and says which weights changed.

        A feedback already known changes no weight, nor does one of a reviewer in quarantine (`unlearn`, until that is taken
        back), but the version moves on, so that scorers follow.

        Args:
            rest: `anew(lesson)`, where the caller has it; made here where it is missing, or older than this learner.

        Returns:
            The update from this learner's offset to `next_offset`; None where `next_offset` is not beyond it.

        Raises:
            Invalid: ids and values differ in length, or the lesson is of another base; nothing is learned.
            MissingLessons: see there; nothing is learned.
        """
        if next_offset <= self.offset:
            return None
        if lesson.base != self.base.id:
            raise Invalid("other_base", f"a lesson for the base {lesson.base!r}; this one is {self.base.id!r}")
        kept = keep(lesson, next_offset)
        start, self.tested = self.offset, []
        if kept.kind == "learn":
            left_out = kept.feedback in self._known or self._reviewers.quarantined(kept.reviewer)
            changed = {} if left_out else self._learn(kept, figures=True)
        else:
            changed = self._take_over(rest if rest is not None and rest.offset == start else self.anew(lesson))
            if kept.kind == "unlearn":
                self._reviewers.quarantine(kept.reviewer, kept.feedback)
            else:
                self._reviewers.release(kept.target)
        self._note(kept)
        self.offset = next_offset
        return ModelUpdate(
            base=self.base.id,
            from_offset=start,
            to_offset=next_offset,
            at=lesson.at,
            heads=changed,
            feedback_ids=[lesson.feedback_id],
        )

    def remember(self, lesson: Lesson, next_offset: int) -> None:
        """Takes note of a lesson that the snapshot already holds, so that it can be taken back. Learns nothing.

        Raises:
            Invalid: as `learn`.
        """
        if self._held_below < next_offset <= self.offset:
            self._lessons.append(keep(lesson, next_offset))
            self._held_below = next_offset

    def _note(self, kept: Kept) -> None:
        if self._held_below == self.offset:
            # Lessons without a gap since the first: only these can be learned anew.
            self._held_below = kept.offset + 1
            self._lessons.append(kept)
        self._known.add(kept.feedback)

    def _learn(self, kept: Kept, figures: bool) -> dict[str, HeadUpdate]:
        ids, values = kept.ids.tolist(), kept.values.tolist()
        said = self.base.logits(ids, values).tolist()
        x = dict(zip(ids, values, strict=True))
        changed = {}
        for head, label in kept.labels.items():
            known = self._labels(head, label)
            logits = {}
            for each, own in known.items():
                self._offer(own, head, each, x, said)
                logits[each] = own.logit(x)
            temperature = self._temperatures.setdefault(head, Temperature())
            if figures:
                self._test(kept, head, label, logits, temperature.value)
            temperature.learn(list(logits.values()), list(logits).index(label) if label in logits else 1)
            weight = self._weight(head, label)
            counts = self._languages.setdefault(head, {})
            counts[kept.language] = counts.get(kept.language, 0) + 1
            for each, own in known.items():
                self._offer(own, head, each, x, said)
                own.learn(x, each == label, weight)
            changed[head] = self._change(head, ids)
        return changed

    def _test(self, kept: Kept, head: str, label: str, logits: dict[str, float], temperature: float) -> None:
        """What the head would have said, before it learns `label`: for its figures, and for those of the reviewer."""
        said = [sigmoid(temperature * logit) for logit in logits.values()]
        if head in BINARY_HEADS:
            probabilities = {"no": 1.0 - said[0], "yes": said[0]}
        else:
            probabilities = dict(zip(logits, shared(said), strict=True))
        self.tested.append(self._prequential.count(head, kept.language, label, probabilities))
        self._reviewers.weigh(kept.reviewer, head, probabilities, label, self._seen(head)[label], kept.offset)

    def _seen(self, head: str) -> dict[str, int]:
        """How often each label of the head was learned."""
        seen = {each: own.seen for each, own in self._online[head].items()}
        if head in BINARY_HEADS:
            seen["no"] = self._examples(head) - seen["yes"]
        return seen

    def _examples(self, head: str) -> int:
        return sum(self._languages.get(head, {}).values())

    def _weight(self, head: str, label: str) -> float:
        """What an example of `label` counts that is learned next."""
        seen = self._seen(head)
        seen[label] += 1
        return rarity(seen[label], self._examples(head) + 1, sum(1 for count in seen.values() if count))

    def _labels(self, head: str, label: str) -> dict[str, OnlineLabel]:
        """The head's models, with those of the base's labels and of `label` made where they are not there yet."""
        known = self._online.get(head)
        if known is None:
            known = self._online[head] = {}
            for each in outputs(head, self.base.heads.get(head, ())):
                known[each] = self._new(head, each, 0.0)
        if head not in BINARY_HEADS and label not in known:
            known[label] = self._new(head, label, prior_bias(self._examples(head)))
        return known

    def _new(self, head: str, label: str, bias: float) -> OnlineLabel:
        return OnlineLabel(bias, known=(head, label) in self._columns, inertia=self._inertia)

    def _offer(self, own: OnlineLabel, head: str, label: str, x: dict[int, float], said: list[float]) -> None:
        """Puts the base's logit for this label into `x`, or takes another label's out."""
        column = self._columns.get((head, label))
        if column is None:
            x.pop(BASE_FEATURE, None)
        else:
            x[BASE_FEATURE] = said[column]

    @property
    def suspect(self) -> Suspect | None:
        """A reviewer whose labels contradict what all others teach, until an `unlearn` lesson takes theirs back."""
        return self._reviewers.suspect

    def quality(self) -> Figures:
        """Test-then-train figures by head and language, since the first lesson; see `prequential`."""
        return self._prequential.figures()

    def _change(self, head: str, ids: Iterable[int]) -> HeadUpdate:
        ids = list(ids)
        labels = {
            label: Weights(own.bias, own.trust, own.seen, own.weights(ids)) for label, own in self._online[head].items()
        }
        temperature = self._temperatures[head].value if head in self._temperatures else 1.0
        return HeadUpdate(ids, labels, dict(self._languages[head]), temperature)

    def anew(self, lesson: Lesson) -> Learner | None:
        """What stays without the lessons that `lesson` takes back, learned from the base on: a millisecond each.

        It changes nothing, so it can be had before the lesson has an offset, and be handed to `learn`. None where nothing
        is taken back.

        Raises:
            Invalid, MissingLessons: as `learn`.
        """
        taking = keep(lesson, self.offset + 1)
        if not self._takes_any(taking):
            return None
        if self._held_below != self.offset:
            raise MissingLessons(self.offset)
        rest = Learner(self.base)
        rest.offset = self.offset
        gone = taken_back([*self._lessons, taking])
        learned: set[int] = set()
        for kept in self._lessons:
            if kept.kind == "learn" and kept.feedback not in learned:
                learned.add(kept.feedback)
                if kept.offset not in gone:
                    rest._learn(kept, figures=False)
        return rest

    def _take_over(self, rest: Learner | None) -> dict[str, HeadUpdate]:
        """Becomes what stays, and compares with what was known."""
        if rest is None:
            return {}
        before, counted = self._online, self._languages
        self._online, self._languages, self._temperatures = rest._online, rest._languages, rest._temperatures
        changed = {}
        for head in {**before, **self._online}:
            self._online.setdefault(head, {})
            self._languages.setdefault(head, dict.fromkeys(counted.get(head, {}), 0))
            changed[head] = self._difference(head, before.get(head, {}))
        for head in [head for head, labels in self._online.items() if not labels]:
            del self._online[head], self._languages[head]
        return changed

    def _takes_any(self, taking: Kept) -> bool:
        if taking.kind == "retract":
            return taking.target in self._known
        return self._held_below != self.offset or any(each.reviewer == taking.reviewer for each in self._lessons)

    def _difference(self, head: str, before: dict[str, OnlineLabel]) -> HeadUpdate:
        ids: dict[int, None] = {}
        for label in {**before, **self._online[head]}:
            old, new = before.get(label), self._online[head].get(label)
            known = {**(old.items() if old else {}), **(new.items() if new else {})}
            for feature in known:
                if (old.weight(feature) if old else 0.0) != (new.weight(feature) if new else 0.0):
                    ids[feature] = None
        change = self._change(head, ids)
        for label in before:
            if label not in change.labels:
                # Nobody named it: as if it had never been there.
                change.labels[label] = Weights(0.0, 1.0, 0, [0.0] * len(ids))
        return change

    def snapshot(self) -> bytes:
        """The whole learner but for the lessons themselves, which the log keeps (see `MissingLessons`)."""
        header: dict[str, Any] = {
            "kind": "model",
            "base": self.base.id,
            "offset": self.offset,
            "heads": {},
            "figures": self.quality(),
            "reviewers": self._reviewers.state(),
        }
        arrays: dict[str, Any] = {"known": np.array(sorted(self._known), dtype="<u8")}
        for head, labels in sorted(self._online.items()):
            models = list(labels.values())
            header["heads"][head] = {
                "labels": list(labels),
                "bias": [own.bias for own in models],
                "trust": [own.trust for own in models],
                "seen": [own.seen for own in models],
                "rest": [own.rest() for own in models],
                "languages": self._languages[head],
                "temperature": [self._temperatures[head].value, self._temperatures[head].squares],
            }
            for place, own in enumerate(models):
                for name, values in own.arrays().items():
                    arrays[f"{head}/{place}/{name}"] = values
        return pack(header, arrays)

    def restore(self, snapshot: bytes) -> None:
        """Becomes the learner that wrote `snapshot`: what it learns from here on is equal to the last bit.

        Raises:
            Invalid: not a snapshot, damaged, or of another base; then nothing changes.
        """
        header, arrays = unpack(snapshot)
        check_snapshot(header, self.base.id)
        other = Learner(self.base)
        try:
            other.offset = int(header["offset"])
            other._prequential = Prequential(header["figures"])
            other._reviewers = Reviewers(header.get("reviewers"))
            other._known = set(arrays["known"].tolist())
            for head, state in header["heads"].items():
                other._languages[head] = dict(state["languages"])
                other._temperatures[head] = Temperature(*state.get("temperature", ()))
                other._online[head] = {
                    label: OnlineLabel.of(
                        state["bias"][place],
                        state["seen"][place],
                        state["rest"][place],
                        {name: arrays[f"{head}/{place}/{name}"] for name in OnlineLabel.ARRAYS},
                        known=(head, label) in other._columns,
                        inertia=other._inertia,
                    )
                    for place, label in enumerate(state["labels"])
                }
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise Invalid("wrong_type", f"the snapshot is damaged: {error!r}") from None
        self.__dict__.update(other.__dict__)
