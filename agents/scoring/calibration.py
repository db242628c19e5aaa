"""How loudly a head speaks: one number that its logits are multiplied by, so that of what it calls 80 % sure, 80 % is right.

Learned online, by the log loss of each label before it is learned; it changes no order of labels, so only how sure an answer is.
Owns: that number and its gradient. Must never: see a label after it was learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, sqrt

RATE = 0.05
"""AdaGrad's step; what it brought stands in docs/learning.md."""
LEAST, MOST = 0.2, 3.0
"""Bounds of the number."""
_STEEPEST = 3.0
"""Bound of one gradient: a single label that was all but ruled out must not set the number alone."""
BINS = 10


def sigmoid(logit: float) -> float:
    """1 / (1 + e**-logit), without overflow; `math.exp`, for `numpy.exp` gives other bits (docs/libraries.md)."""
    if logit >= 0.0:
        return 1.0 / (1.0 + exp(-logit))
    small = exp(logit)
    return small / (1.0 + small)


def shared(each: list[float]) -> list[float]:
    """Numbers as shares of their sum; equal ones where it is 0."""
    total = sum(each)
    return [value / total for value in each] if total > 0.0 else [1.0 / len(each)] * len(each)


class Temperature:
    """One head's number, and AdaGrad's sum of squared gradients."""

    __slots__ = ("squares", "value")

    def __init__(self, value: float = 1.0, squares: float = 0.0) -> None:
        self.value = value
        self.squares = squares

    def learn(self, logits: Sequence[float], right: int) -> None:
        """One label.

        Args:
            logits: of every label, before this one was learned; of "yes" alone for a yes-or-no head.
            right: the place of the right one; 1 for the "no" of a yes-or-no head.
        """
        said = [sigmoid(self.value * logit) for logit in logits]
        if len(logits) == 1:
            slope = (said[0] - (right == 0)) * logits[0]
        else:
            # Of ln(sigmoid(value * logit)), by `value`.
            steep = [logit * (1.0 - one) for logit, one in zip(logits, said, strict=True)]
            slope = sum(share * one for share, one in zip(shared(said), steep, strict=True)) - steep[right]
        slope = max(-_STEEPEST, min(_STEEPEST, slope))
        self.squares += slope * slope
        if self.squares > 0.0:
            self.value = max(LEAST, min(MOST, self.value - RATE * slope / sqrt(self.squares)))


def calibration_error(said: Sequence[tuple[float, bool]]) -> float:
    """Expected calibration error of (probability, whether it came true): the mean distance between how sure and how often
    right, over ten bins of equal width, each by its share."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for probability, right in said:
        bins[min(int(probability * BINS), BINS - 1)].append((probability, right))
    return sum(abs(sum(p for p, _ in one) - sum(right for _, right in one)) for one in bins) / max(len(said), 1)
