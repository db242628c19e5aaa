"""What crowd sees of a decided message.

Owns: that selection. Must never: keep what somebody wrote.
"""

from __future__ import annotations

from msgspec import UnsetType

from agents import alerts
from agents.incidents.window import Seen
from agents.scoring.policy import Policy
from schemas.decision import Decision, Likelihood
from schemas.message import Message


def counted(decision: Decision) -> bool:
    """Whether a decision is one more message: the first on its first revision, and no drill's."""
    return (
        decision.supersedes is None
        and decision.revision == 0
        and decision.status != "deleted"
        and decision.customer_id != alerts.DRILL_CUSTOMER
    )


def seen_of(decision: Decision, message: Message, at: int, policy: Policy) -> Seen:
    """What crowd sees of a message and its decision; `at` is its arrival (ms since the epoch)."""
    product = message.attributes.get(policy.crowd.product)
    return Seen(
        at,
        decision.message_id,
        decision.id,
        decision.customer_id,
        decision.conversation_id,
        alerts.group_of(decision),
        decision.source.partition,
        decision.source.offset,
        decision.channel or "",
        decision.language,
        "other" if isinstance(decision.category, UnsetType) else decision.category.label,
        decision.priority,
        decision.route,
        _hostile(decision, policy),
        product[:64] if isinstance(product, str) else "",
    )


def _hostile(decision: Decision, policy: Policy) -> str:
    floors = {reason.floor for reason in decision.reasons if isinstance(reason.floor, str)}
    if not floors.isdisjoint(policy.crowd.impostors):
        return "impostor"
    if _likely(decision.spam):
        return "spam"
    return "abuse" if _likely(decision.abuse) else ""


def _likely(one: Likelihood | UnsetType) -> bool:
    """Likelier than not; where many are alike, that is enough."""
    return isinstance(one, Likelihood) and one.probability >= 0.5
