"""What `tocsin explain` does not compute, it says so of, with where to look."""

from __future__ import annotations

import pytest

from agents.explain import recomputed
from schemas.decision import Decision, Reason, Source, encode
from streams.errors import TocsinError
from streams.settings import load


def decided(by: str, **more: object) -> Decision:
    at = "2026-03-02T09:00:00.000Z"
    fields: dict[str, object] = {
        "id": "d2", "message_id": "m2", "revision": 0, "customer_id": "c", "conversation_id": "t", "channel": None,
        "language": "en", "status": "scored", "priority": "p0", "decided_by": by, "reasons": [], "route": "support",
        "automation_allowed": False, "model_version": "b@0", "policy_version": "p@1", "corrected": [], "sent_at": at,
        "received_at": at, "decided_at": at, "source": Source("messages", 0, 1),
    }  # fmt: skip
    return Decision(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("past", "names"),
    [
        (decided("human", feedback_id="f1"), ["d2 was a human's", "feedback f1"]),
        (
            decided("history", supersedes="d1", reasons=[Reason(history="joined", messages=["m1", "m2"])]),
            ["d2 was raised", "(joined)", "messages m1, m2", "explain d1"],
        ),
    ],
)
async def test_what_no_message_alone_decides_is_not_computed(past: Decision, names: list[str]) -> None:
    with pytest.raises(TocsinError) as refused:
        async for _ in recomputed(load(), [(past, encode(past))], None):
            pass
    for name in names:
        assert name in str(refused.value)
