"""The scorer that all contenders share, and one that remembers: for what a message costs beside scoring.

Owns: how both are built. Must never: differ between contenders.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from agents import policies
from agents.handout import load_base
from agents.scoring.heads import Model
from agents.scoring.judge import Asked, Judge, Judged
from agents.scoring.policy import Policy, parse
from schemas.decision import decision_id
from streams.settings import Settings

VARIABLE = "TOCSIN_BENCH_SCORER"
"""`recalled` in a contender's environment: score each distinct text once, then remember."""


class RecallingJudge(Judge):
    """Decides each distinct message once; after that a decision of the same size costs next to nothing."""

    def __init__(self, policy: Policy, model: Model) -> None:
        super().__init__(policy, model)
        self._known: dict[Any, Judged] = {}

    def decide_all(self, asked: Sequence[Asked], decided_at: str) -> list[Judged]:
        """The remembered decisions, with these messages' own ids and times."""
        known = self._known
        found = []
        for one in asked:
            incoming, source, received_at, _ = one
            message = incoming.message
            content = (message.text, message.subject, message.language, message.visibility, message.reach)
            judged = known.get(content)
            if judged is None:
                judged = known[content] = super().decide_all([one], decided_at)[0]
            decision = judged.decision
            changed = msgspec.structs.replace(
                decision,
                id=decision_id(message.id, message.revision, source, decision.model_version, decision.policy_version),
                message_id=message.id,
                customer_id=message.customer_id,
                conversation_id=message.conversation_id or message.id,
                sent_at=message.sent_at or received_at,
                received_at=received_at,
                decided_at=decided_at,
                source=source,
            )
            found.append(Judged(changed))
        return found


def kind() -> type[Judge]:
    """The scorer's class that this process shall use."""
    return RecallingJudge if os.environ.get(VARIABLE) == "recalled" else Judge


def judge(settings: Settings) -> Judge:
    """The shipped base and the default policy, as a worker without lessons has them."""
    return kind()(parse(policies.default_document()), Model(load_base(settings)))
