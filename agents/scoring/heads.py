"""The scorer: every head's logits, probabilities and own account from one set of weights, base and learned.

logit = learned bias + trust x (base bias + sum of value x base weight) + sum of value x learned weight
where "trust" is the weight learned for the base's own logit, 1 before the first lesson. So every number is a sum over
features, and an account is the model itself.
Owns: those weights and the one order of adding them up. Must never: learn; read clock, network or disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from agents.scoring.base import Base, Matrix, outputs, timed
from agents.scoring.calibration import shared, sigmoid
from agents.scoring.features import Features
from schemas.arrays import unpack
from schemas.base import Invalid
from schemas.decision import Contribution, Reason
from schemas.learning import HeadUpdate, ModelUpdate, Weights
from schemas.people import BINARY_HEADS


class Applied(Enum):
    """What became of an update."""

    APPLIED = "applied"
    OLDER = "older"
    GAP = "gap"
    """It starts after this model's offset: wait for a snapshot."""
    OTHER_BASE = "other_base"


class HeadScores(NamedTuple):
    """One head's answer; the three lists have one order. A yes-or-no head's labels are "no", "yes"."""

    labels: tuple[str, ...]
    logits: list[float]
    probabilities: list[float]

    @property
    def label(self) -> str:
        """The likeliest label, the first of equals."""
        return self.labels[self.probabilities.index(max(self.probabilities))]

    def probability(self, label: str) -> float:
        """Probability of `label`; 0.0 for one this head does not know."""
        return self.probabilities[self.labels.index(label)] if label in self.labels else 0.0


Scores = dict[str, HeadScores]
"""Head to its scores; a head never trained for the language is not in it."""


class _Planned(NamedTuple):
    """A head to be scored: its columns are a `stretch` of all, or single ones where labels were learned later."""

    head: str
    labels: tuple[str, ...]
    binary: bool
    stretch: slice | None
    columns: list[int]

    def scored(self, logits: list[float], sigmoids: list[float]) -> HeadScores:
        if self.binary:
            logit, yes = logits[self.columns[0]], sigmoids[self.columns[0]]
            return HeadScores(self.labels, [-logit, logit], [1.0 - yes, yes])
        if self.stretch is not None:
            return HeadScores(self.labels, logits[self.stretch], shared(sigmoids[self.stretch]))
        own = [logits[column] for column in self.columns]
        return HeadScores(self.labels, own, shared([sigmoids[column] for column in self.columns]))


def _plan(head: str, labels: tuple[str, ...], columns: list[int]) -> _Planned:
    first, last = columns[0], columns[-1] + 1
    stretch = slice(first, last) if columns == list(range(first, last)) else None
    return _Planned(head, labels, head in BINARY_HEADS, stretch, columns)


class Said(NamedTuple):
    """What a model makes of one message: all its logits, and what each feature gave to them.

    `base` and `learned` hold value times weight, shape (features, columns or more); `learned` is None before the first
    lesson. Good only for the model, and the version of it, that made it.
    """

    features: Features
    base: Matrix
    learned: Matrix | None
    logits: list[float]


class Model:
    """A base and what was learned since, at one lesson offset. Not safe to change while another thread scores."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self._clear()

    def _clear(self) -> None:
        self.offset = 0
        self._columns = {column: place for place, column in enumerate(self.base.columns)}
        width = self.base.weights.shape[1]
        self._index: dict[int, int] = {}
        self._weights: Matrix = np.zeros((64, width))  # the last row stays zero, for what was not learned
        self._bias: Matrix = np.zeros(width)
        self._trust: Matrix = np.ones(width)
        self._seen: dict[tuple[str, str], int] = {}
        self._languages: dict[str, dict[str, int]] = {}
        self._plan: dict[str, list[_Planned]] = {}
        self._temperatures: dict[str, float] = {}
        self._scales: list[float] = []
        """Of each column; empty while every temperature is 1."""

    @property
    def version(self) -> str:
        """`<base id>@<lesson offset>`: all that a score depends on beside the features."""
        return f"{self.base.id}@{self.offset}"

    def labels(self, head: str) -> tuple[str, ...]:
        """The labels a head knows: the base's in their order, then learned ones by name."""
        if head in BINARY_HEADS:
            return ("no", "yes")
        known = self.base.heads.get(head, ())
        learned = sorted(
            label for (of, label), seen in self._seen.items() if of == head and seen and label not in known
        )
        return (*known, *learned)

    def examples(self, head: str, language: str) -> int:
        """Examples of `language` that trained `head`, base and lessons together."""
        return self.base.languages.get(head, {}).get(language, 0) + self._languages.get(head, {}).get(language, 0)

    def heads(self, language: str) -> list[str]:
        """The heads that say something in `language`: trained on an example of it, and with two labels to choose from."""
        return [planned.head for planned in self._planned(language)]

    def _planned(self, language: str) -> list[_Planned]:
        plan = self._plan.get(language)
        if plan is None:
            plan = []
            for head in [*self.base.heads, *sorted(head for head in self._languages if head not in self.base.heads)]:
                labels = self.labels(head)
                columns = [
                    self._columns[head, label] for label in outputs(head, labels) if (head, label) in self._columns
                ]
                if columns and len(labels) > 1 and self.examples(head, language):
                    plan.append(_plan(head, labels, columns))
            self._plan[language] = plan
        return plan

    def said(self, many: Sequence[Features]) -> list[Said]:
        """What this model makes of some messages; each alone gives the same bits, together they cost half the time."""
        ids = [feature for features in many for feature in features.ids]
        values = [value for features in many for value in features.values]
        of_base = self.base.products(ids, values)
        of_lessons = None
        if self._index:
            find = self._index.get
            rows = self._weights.take([find(feature, -1) for feature in ids], axis=0, mode="wrap")
            of_lessons = timed(rows, values)
        width = of_base.shape[1]
        trust = self._trust[:width]
        found = []
        begin = 0
        for features in many:
            end = begin + len(features.ids)
            base, learned = of_base[begin:end], None
            if of_lessons is None:
                logits = self._bias.copy()
            else:
                learned = of_lessons[begin:end]
                logits = np.add.reduce(learned, axis=0) + self._bias
            logits[:width] += self.base.summed(base) * trust
            found.append(Said(features, base, learned, logits.tolist()))
            begin = end
        return found

    def scores(self, said: Said, language: str) -> Scores:
        """What each head trained for `language` says."""
        plan = self._planned(language)
        if not plan:
            return {}
        sigmoids = self._sigmoids(said.logits)
        return {planned.head: planned.scored(said.logits, sigmoids) for planned in plan}

    def _sigmoids(self, logits: list[float]) -> list[float]:
        if not self._scales:
            return [sigmoid(logit) for logit in logits]
        return [sigmoid(scale * logit) for scale, logit in zip(self._scales, logits, strict=True)]

    def score(self, features: Features, language: str) -> Scores:
        """`scores` of one message."""
        return self.scores(self.said([features])[0], language)

    def ask(self, features: Features, head: str) -> HeadScores | None:
        """What one head says, trained for the language or not; None where it knows no label at all."""
        labels = self.labels(head)
        columns = [self._columns[head, label] for label in outputs(head, labels) if (head, label) in self._columns]
        if not columns:
            return None
        logits = self.said([features])[0].logits
        return _plan(head, labels, columns).scored(logits, self._sigmoids(logits))

    def account(self, said: Said, head: str, label: str, top: int = 5) -> Reason:
        """Why `head` gave `label` its logit: bias, the `top` strongest features, the rest; they add up to the logit.

        Features of one name (a pair "not good", and "good" behind a "not") are told as one.

        Raises:
            KeyError: the head does not know the label.
        """
        sign = -1.0 if head in BINARY_HEADS and label == "no" else 1.0
        column = self._columns[head, "yes" if head in BINARY_HEADS else label]
        bias = float(self._bias[column])
        if column < len(self.base.columns):
            trust = float(self._trust[column])
            bias += trust * self.base.bias[column]
            added = said.base[:, column] * (sign * trust)
            if said.learned is not None:
                added += sign * said.learned[:, column]
        else:
            assert said.learned is not None  # only lessons add columns
            added = sign * said.learned[:, column]
        strongest = np.abs(added).argsort(kind="stable")[: -top - 1 : -1]
        found: dict[str, float] = {}
        names = said.features.named(strongest.tolist())
        for name, value in zip(names, added[strongest].tolist(), strict=True):
            if value:
                found[name] = found.get(name, 0.0) + value
        bias *= sign
        logit = sign * said.logits[column]
        rest = logit - bias - sum(found.values())
        contributions = [Contribution(name, value) for name, value in found.items()]
        return Reason(head=head, label=label, bias=bias, contributions=contributions, rest=rest, logit=logit)

    def apply(self, update: ModelUpdate) -> Applied:
        """Takes over the weights of `update` if it starts at this model's offset; otherwise nothing changes."""
        if update.base != self.base.id:
            return Applied.OTHER_BASE
        if update.to_offset <= self.offset:
            return Applied.OLDER
        if update.from_offset != self.offset:
            return Applied.GAP
        for head, change in update.heads.items():
            self._take(head, change)
        self._scale()
        self.offset = update.to_offset
        self._plan.clear()
        return Applied.APPLIED

    def restore(self, snapshot: bytes) -> None:
        """Becomes the model of a learner's snapshot.

        Raises:
            Invalid: not a snapshot, damaged, or of another base; then nothing changes.
        """
        other = Model(self.base)
        header, arrays = unpack(snapshot)
        try:
            check_snapshot(header, self.base.id)
            for head, state in header["heads"].items():
                for place, label in enumerate(state["labels"]):
                    ids = arrays[f"{head}/{place}/ids"].tolist()
                    weights = arrays[f"{head}/{place}/weights"].tolist()
                    own = Weights(state["bias"][place], state["trust"][place], state["seen"][place], weights)
                    temperature, _ = state.get("temperature", (1.0, 0.0))
                    other._take(head, HeadUpdate(ids, {label: own}, dict(state["languages"]), temperature))
            other._scale()
            other.offset = header["offset"]
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise Invalid("wrong_type", f"the snapshot is damaged: {error!r}") from None
        self.__dict__.update(other.__dict__)

    def _take(self, head: str, change: HeadUpdate) -> None:
        self._languages[head] = dict(change.languages)
        self._temperatures[head] = change.temperature
        rows = [self._row(feature) for feature in change.ids]
        for label, own in change.labels.items():
            column = self._column(head, label)
            self._bias[column] = own.bias
            self._trust[column] = own.base
            self._weights[rows, column] = own.weights
            self._seen[head, label] = own.seen

    def _scale(self) -> None:
        scales = [self._temperatures.get(head, 1.0) for head, _ in self._columns]
        self._scales = scales + [1.0] * (len(self._bias) - len(scales)) if any(one != 1.0 for one in scales) else []

    def _row(self, feature: int) -> int:
        row = self._index.get(feature)
        if row is None:
            row = self._index[feature] = len(self._index)
            if row == len(self._weights) - 1:
                self._weights = np.concatenate([self._weights, np.zeros_like(self._weights)])
        return row

    def _column(self, head: str, label: str) -> int:
        column = self._columns.get((head, label))
        if column is None:
            column = self._columns[head, label] = len(self._columns)
            if column >= self._weights.shape[1]:
                grown = column + 8
                weights = np.zeros((len(self._weights), grown))
                weights[:, : self._weights.shape[1]] = self._weights
                self._weights = weights
                self._bias = np.concatenate([self._bias, np.zeros(grown - len(self._bias))])
                self._trust = np.concatenate([self._trust, np.ones(grown - len(self._trust))])
        return column


def check_snapshot(header: dict[str, Any], base_id: str) -> None:
    """Raises Invalid unless the header is that of a model snapshot on the base `base_id`."""
    if header.get("kind") != "model":
        raise Invalid("wrong_type", f"not a model snapshot: its kind is {header.get('kind')!r}")
    if header.get("base") != base_id:
        raise Invalid("other_base", f"a model of the base {header.get('base')!r}; this one is {base_id!r}")
