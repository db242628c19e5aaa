"""Alerts: where a decision rings, and why in one plain sentence.

Owns: the topics an alert goes to, `late`, `group`, the wording of `why`. Must never: change a decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

from agents.history.waiting import expected_by
from agents.scoring.policy import Policy, Sentence
from schemas.base import FLAGGED, milliseconds, timestamp
from schemas.decision import Alert, Change, Decision, Why, encode
from schemas.message import Message
from streams.outputs import Headers, Outputs, cloud_event
from streams.settings import Settings

DRILL_CUSTOMER = "tocsin-drill"
"""Who writes the messages of drills."""


def is_drill(message: Message) -> bool:
    """Whether a message is a drill's: it rings as any other, and its alert says what it is."""
    return message.customer_id == DRILL_CUSTOMER and message.attributes.get("drill") is True


def topics_of(decision: Decision) -> Iterator[str]:
    """The short names of the topics where a decision rings: its priority's, and `review` where a human is asked."""
    if decision.priority in FLAGGED:
        yield f"priority.{decision.priority}"
    if decision.status == "abstained" or (decision.status == "unscored" and decision.status_reason != "too_short"):
        yield "review"


def sampled(decision: Decision, policy: Policy) -> bool:
    """Whether a decision that rings nowhere is shown to people all the same, so that it is known what is missed.

    By its id, so that it is a sample, and the same each time: `deploy/clickhouse/queries/misses.sql` knows them by it, too.
    """
    return (
        decision.priority == "p3"
        and decision.status == "scored"
        and decision.supersedes is None
        and int(decision.id[:8], 16) < policy.crowd.sample * 2**32
    )


def alert(decision: Decision, message: Message, policy: Policy, now_ms: int, change: Change = "new") -> Alert:
    """The alert that carries a decision."""
    age = (now_ms - milliseconds(decision.sent_at)) / 1000
    limit = policy.late.get(decision.priority)
    return Alert(
        decision=decision,
        message=message,
        why=why(decision, policy),
        change=change,
        group=group_of(decision),
        late=limit is not None and age > limit,
        drill=is_drill(message),
        expected_by=timestamp(
            expected_by(
                milliseconds(decision.sent_at),
                decision.priority,
                policy.history,
                public=message.visibility == "public",
            )
        ),
    )


def group_of(decision: Decision) -> str:
    """Equal for messages that should be shown as one: those of a conversation."""
    return blake2b(f"{decision.customer_id}\0{decision.conversation_id}".encode(), digest_size=8).hexdigest()


def why(decision: Decision, policy: Policy) -> Why:
    """One plain sentence a language: the highest floor's, else what the model weighed."""
    floors = [reason.floor for reason in decision.reasons if isinstance(reason.floor, str)]
    sentence: Sentence | None = None
    rules = [reason.history for reason in decision.reasons if isinstance(reason.history, str)]
    if decision.decided_by == "human":
        sentence = policy.why.get("human")
    elif rules:
        sentence = policy.why.get(rules[0])
    elif floors and decision.decided_by == "rule":
        sentence = policy.floors[floors[0]].why
    elif decision.status == "unscored":
        sentence = policy.why.get(decision.status_reason or "scoring_failed")
    elif decision.status == "abstained":
        sentence = policy.why.get("abstained")
    else:
        heads = [reason.head for reason in decision.reasons if isinstance(reason.head, str)]
        weighed = [head for head in ("urgency", "abuse", "emotion", "spam") if head in heads]
        sentence = policy.why.get({"emotion": "anger"}.get(weighed[0], weighed[0])) if weighed else None
    if sentence is None:
        return Why(_DEFAULT.en, _DEFAULT.fr)
    return Why(sentence.en, sentence.fr)


_DEFAULT = Sentence("A person should look at this message.", "Une personne devrait regarder ce message.")


def ring(
    outputs: Outputs,
    settings: Settings,
    rung: Alert,
    partition: int,
    source: str,
    traceparent: bytes | None,
    topics: list[str] | None = None,
) -> list[str]:
    """Adds an alert to the topics where it rings (or the given ones); the short names of those topics."""
    names = list(topics_of(rung.decision)) if topics is None else topics
    if names:
        value = encode(rung)
        key = rung.decision.customer_id.encode()
        headers = alert_headers(rung.decision, source, traceparent)
        for name in names:
            outputs.add(settings.topic(name), partition, key, value, headers)
    return names


def alert_headers(decision: Decision, source: str, traceparent: bytes | None) -> Headers:
    """CloudEvents headers of an alert: its id is the decision's."""
    return cloud_event("tocsin.alert.v1", source, decision.id, decision.decided_at, traceparent)


def add_decision(
    outputs: Outputs, settings: Settings, decision: Decision, partition: int, source: str, traceparent: bytes | None
) -> None:
    """Adds a decision to `decisions`."""
    headers = cloud_event("tocsin.decision.v1", source, decision.id, decision.decided_at, traceparent)
    outputs.add(settings.topic("decisions"), partition, decision.customer_id.encode(), encode(decision), headers)
