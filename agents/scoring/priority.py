"""What the heads' probabilities and the floors make of a message: its priority, and whether that could be another one.

Owns: contract section 4's column "models", and abstention. Must never: go below a floor, or let a model raise to p0.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

from msgspec import UnsetType

from agents.scoring.policy import Policy
from schemas.base import Priority
from schemas.decision import Decision, Labelled, Likelihood


class Likely(NamedTuple):
    """Probabilities of what may raise a priority; None where the head says nothing."""

    urgency: float | None = None
    anger: float | None = None
    abuse: float | None = None
    spam: float | None = None


class Verdict(NamedTuple):
    """A priority, who set it, which heads raised it, and which could have made it another one."""

    priority: Priority
    decided_by: Literal["rule", "model"]
    heads: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    spam: bool = False


HEADS = {"urgency": "urgency", "anger": "emotion", "abuse": "abuse", "spam": "spam"}
"""The head behind each probability of `Likely`."""


def weigh(
    likely: Likely, floor: Priority, floored: bool, policy: Policy, visibility: str | None, reach: int | None
) -> Verdict:
    """The verdict on a scored message.

    Args:
        floor: the highest priority among the floors hit, p3 where none was.
        floored: whether any floor was hit: spam never lowers one, and is nothing beside it.

    A decision abstains where moving one probability by the policy's margin, either way, gives another priority.
    """
    model, heads = _raised(likely, floored, policy, visibility, reach)
    priority: Priority = min(floor, model)
    unsure = []
    limits = policy.thresholds
    margin = limits.margin
    for name, value, near, other in (
        ("urgency", likely.urgency, limits.urgency_p1, limits.urgency_p2),
        ("anger", likely.anger, limits.anger_p2, limits.anger_p2),
        ("abuse", likely.abuse, limits.abuse_p2, limits.abuse_p2),
        ("spam", likely.spam, limits.spam, limits.spam),
    ):
        # Too far from every threshold of its own to cross one by a margin.
        if value is None or (abs(value - near) > margin and abs(value - other) > margin):
            continue
        for moved in (max(value - margin, 0.0), min(value + margin, 1.0)):
            changed, _ = _raised(_with(likely, name, moved), floored, policy, visibility, reach)
            if min(floor, changed) != priority:
                unsure.append(HEADS[name])
                break
    by_rule = floored and floor <= model
    return Verdict(priority, "rule" if by_rule else "model", heads, tuple(unsure), _spam(likely, floored, policy))


def likely_of(decision: Decision) -> Likely:
    """What its heads said of what may raise a priority."""
    emotion = decision.emotion
    anger = emotion.probabilities.get("anger") if isinstance(emotion, Labelled) else None
    return Likely(probability(decision.urgency), anger, probability(decision.abuse), probability(decision.spam))


def probability(head: Likelihood | UnsetType) -> float | None:
    """Of yes; None where the head says nothing."""
    return head.probability if isinstance(head, Likelihood) else None


def alone(likely: Likely, policy: Policy, visibility: str | None, reach: int | None) -> Priority:
    """The priority that the models would have given without any floor."""
    return weigh(likely, "p3", False, policy, visibility, reach).priority


def _raised(
    likely: Likely, floored: bool, policy: Policy, visibility: str | None, reach: int | None
) -> tuple[Priority, tuple[str, ...]]:
    if _spam(likely, floored, policy):
        return "p3", ("spam",)
    limits = policy.thresholds
    asked: list[tuple[Priority, str]] = []
    if likely.urgency is not None and likely.urgency >= limits.urgency_p2:
        asked.append(("p1" if likely.urgency >= limits.urgency_p1 else "p2", "urgency"))
    if likely.anger is not None and likely.anger >= limits.anger_p2:
        asked.append(("p2", "emotion"))
    if likely.abuse is not None and likely.abuse >= limits.abuse_p2:
        asked.append(("p2", "abuse"))
    wanted_most: list[Priority] = [wanted for wanted, _ in asked]
    priority: Priority = min(wanted_most, default="p3")
    heads = tuple(head for wanted, head in asked if wanted == priority)
    raised = cast(Priority, policy.raised(priority, visibility, reach))
    # p1 at most: danger is a floor's to say.
    return ("p1" if raised == "p0" else raised), heads


def _spam(likely: Likely, floored: bool, policy: Policy) -> bool:
    return not floored and likely.spam is not None and likely.spam >= policy.thresholds.spam


def _with(likely: Likely, name: str, value: float) -> Likely:
    return likely._replace(**{name: value})
