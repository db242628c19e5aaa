"""From a human's word to a lesson, a human's decision, and the alerts that follow from it.

Owns: what feedback becomes. Must never: learn; that is the learner's. Must never put text into a lesson.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from agents.scoring.features import extract
from agents.scoring.language import detect
from agents.scoring.own_words import own_words
from agents.scoring.policy import Policy
from schemas.base import FLAGGED, MAX_ID, MAX_MODEL_TEXT, MAX_NAME, Invalid, Priority, milliseconds, quoted, timestamp
from schemas.decision import Change, Decision, Labelled, Sentiment, Source, decision_id
from schemas.learning import Lesson
from schemas.message import Message
from schemas.people import Feedback, Labels, Predicted
from streams.follow import Record


class Accepted(NamedTuple):
    """One feedback that becomes a lesson, and what rang before."""

    record: Record
    feedback: Feedback
    lesson: Lesson
    decision: Decision | None
    before: Priority | None
    was_asked: bool


def accept(
    record: Record, feedback: Feedback, at: str, base: str, version: str, policy: Policy, learned: Mapping[str, Lesson]
) -> Accepted:
    """What a feedback becomes that was not learned before.

    Args:
        at: now, as Tocsin writes times.
        base: id of the base model; version: of the model as it stands.
        learned: lessons without features, by feedback id.

    Raises:
        Invalid: it takes back what was never learned.
    """
    if feedback.kind != "retract":
        judged, decision = feedback.predicted, human_decision(feedback, at, version, policy)
        before = None if judged is None else judged.priority
        return Accepted(record, feedback, lesson_of(feedback, base, at, decision), decision, before, asked(judged))
    retracts = feedback.retracts or ""
    taken_back = learned.get(retracts)
    if taken_back is None or taken_back.kind == "retract":
        raise Invalid("unknown_feedback", f'field "retracts" is {quoted(retracts)}, which was never learned')
    decision = restored_decision(feedback, taken_back, at, version, policy)
    before = None if taken_back.human_labels is None else taken_back.human_labels.priority
    return Accepted(record, feedback, retraction(feedback, base, at, taken_back), decision, before, False)


def lesson_of(feedback: Feedback, base: str, at: str, decision: Decision | None) -> Lesson:
    """What learning takes from one accepted feedback: features of its own text, labels, no text."""
    own = own_words(feedback.text or "")[:MAX_MODEL_TEXT]
    language = detect(own, feedback.language).tag
    features = extract(own, None, language)
    return Lesson(
        id=_lesson_id(feedback.id),
        base=base,
        feedback_id=feedback.id,
        reviewer=feedback.reviewer,
        at=at,
        language=language,
        features=features.ids,
        values=features.values,
        labels=taught(feedback.labels),
        message_id=feedback.message_id,
        decision_id=feedback.decision_id,
        human_decision_id=None if decision is None else decision.id,
        human_labels=feedback.labels,
        predicted=feedback.predicted,
    )


def _lesson_id(feedback_id: str) -> str:
    """`lesson-` and the feedback's id, or its hash where that would be longer than ids may be."""
    whole = f"lesson-{feedback_id}"
    if len(whole) <= MAX_ID:
        return whole
    return f"lesson-{blake2b(feedback_id.encode(), digest_size=16).hexdigest()}"


def taught(labels: Labels) -> dict[str, str]:
    """Labels as the learner takes them. A priority says something of urgency where nobody labelled that: p0 and p1 are
    for a person now, p3 can wait; p2 says neither."""
    heads = labels.heads()
    if "urgency" not in heads and labels.priority is not None and labels.priority != "p2":
        heads["urgency"] = "no" if labels.priority == "p3" else "yes"
    return heads


def retraction(feedback: Feedback, base: str, at: str, taken_back: Lesson) -> Lesson:
    """The lesson that takes another one back."""
    return Lesson(
        id=_lesson_id(feedback.id),
        base=base,
        kind="retract",
        feedback_id=feedback.id,
        reviewer=feedback.reviewer,
        at=at,
        retracts=feedback.retracts,
        message_id=feedback.message_id,
        decision_id=taken_back.human_decision_id,
    )


def human_decision(feedback: Feedback, at: str, model_version: str, policy: Policy) -> Decision | None:
    """The human's decision, where the feedback sets the priority."""
    judged, priority = feedback.predicted, feedback.labels.priority
    if judged is None or judged.source is None or priority is None:
        return None
    labels = {**judged.labels, **feedback.labels.heads()}
    return _decision(feedback, judged, labels, priority, at, model_version, policy, human=True)


def restored_decision(
    feedback: Feedback, taken_back: Lesson, at: str, model_version: str, policy: Policy
) -> Decision | None:
    """The replaced decision anew, where the feedback that is taken back had set the priority."""
    judged = taken_back.predicted
    if taken_back.human_decision_id is None or judged is None or judged.priority is None:
        return None
    replaced = msgspec.structs.replace(feedback, decision_id=taken_back.human_decision_id)
    return _decision(replaced, judged, judged.labels, judged.priority, at, model_version, policy, human=False)


def _decision(
    feedback: Feedback,
    judged: Predicted,
    labels: dict[str, object],
    priority: Priority,
    at: str,
    model_version: str,
    policy: Policy,
    *,
    human: bool,
) -> Decision:
    source = judged.source or Source("", 0, 0)
    model_version = model_version if human else judged.model_version or model_version
    policy_version = policy.version if human else judged.policy_version or policy.version
    category, emotion, sentiment = (_name(labels.get(head)) for head in ("category", "emotion", "sentiment"))
    decision = Decision(
        id=decision_id(
            feedback.message_id,
            judged.revision,
            source,
            model_version,
            policy_version,
            feedback.id,
            feedback.decision_id,
        ),
        message_id=feedback.message_id,
        revision=judged.revision,
        customer_id=feedback.customer_id,
        conversation_id=feedback.conversation_id or feedback.message_id,
        channel=feedback.channel,
        language=feedback.language or "other",
        status="scored" if human else judged.status,
        priority=priority,
        decided_by="human" if human else judged.decided_by,
        reasons=[],
        route=judged.route or policy.routes.by_category.get(category or "", policy.routes.default),
        automation_allowed=priority == "p3" and not human,
        model_version=model_version,
        policy_version=policy_version,
        corrected=[],
        sent_at=_moment(judged.sent_at) or at,
        received_at=_moment(judged.received_at) or at,
        decided_at=at,
        source=source,
        supersedes=feedback.decision_id,
        feedback_id=feedback.id,
    )
    if category is not None:
        decision.category = Labelled(category, {category: 1.0})
    if emotion is not None:
        decision.emotion = Labelled(emotion, {emotion: 1.0})
    if sentiment in ("negative", "neutral", "positive"):
        score = {"negative": -1.0, "neutral": 0.0, "positive": 1.0}[sentiment]
        decision.sentiment = Sentiment(sentiment, score, {sentiment: 1.0})
    return decision


def _name(value: object) -> str | None:
    """A label that a decision can carry; what was judged is anybody's JSON."""
    return value if isinstance(value, str) and 1 <= len(value) <= MAX_NAME else None


def _moment(value: str | None) -> str | None:
    """A time as Tocsin writes it; None for one that is absent or on no calendar."""
    try:
        return None if value is None else timestamp(milliseconds(value))
    except (ValueError, OverflowError):
        return None


def rings(before: Priority, was_asked: bool, after: Priority) -> tuple[Change, list[str]] | None:
    """(change, short topic names) of the alert that a human's priority sends; None where nothing changes.

    Args:
        before: the priority that rang.
        was_asked: whether the message also stood in `review`.
        after: the priority now.
    """
    if before == after:
        # Nothing rings louder or softer; but whoever was asked need not answer any more.
        return ("withdrawn", ["review"]) if was_asked else None
    topics = [f"priority.{priority}" for priority in dict.fromkeys((before, after)) if priority in FLAGGED]
    if was_asked:
        topics.append("review")
    if after not in FLAGGED:
        return "withdrawn", topics
    return ("raised" if after < before else "lowered"), topics


def message_of(feedback: Feedback, decision: Decision) -> Message:
    """The message as far as feedback tells it; enough for whoever reads the alert."""
    return Message(
        id=feedback.message_id,
        customer_id=feedback.customer_id,
        text=feedback.text or "",
        conversation_id=decision.conversation_id,
        channel=feedback.channel,
        language=feedback.language,
        sent_at=decision.sent_at,
        revision=decision.revision,
    )


def asked(judged: Predicted | None) -> bool:
    """Whether the judged decision stood in `review`."""
    return judged is not None and judged.status in ("abstained", "unscored")
