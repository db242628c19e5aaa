"""What follow writes in one transaction: decisions that supersede, alerts, handoffs.

Owns: their making. Must never: decide whether something is said; that is `agents.history`'s.
"""

from __future__ import annotations

import time
from hashlib import blake2b

import msgspec

from agents import alerts
from agents.history.conversation import Conversation
from agents.history.resolved import Resolved
from agents.history.rules import Rise
from agents.history.satisfaction import satisfaction
from agents.history.standing import standings
from agents.incidents.meaning import shipped
from agents.likeness.index import packed
from agents.scoring.policy import Policy
from schemas.answered import Answered, Written
from schemas.base import FLAGGED, timestamp
from schemas.decision import Change, Decision, Reason, Source, Why, decision_id, encode
from schemas.history import Customer, Handoff, Judged, Turn
from schemas.message import Message
from schemas.operations import Health
from schemas.people import Action
from streams import metrics
from streams.outputs import Outputs, cloud_event
from streams.settings import Settings

SOURCE = "tocsin/follow"


class Saying:
    """Adds to the outputs of one partition number, under one policy."""

    def __init__(self, settings: Settings, policy: Policy, number: int, outputs: Outputs) -> None:
        self._settings = settings
        self._policy = policy
        self._number = number
        self._outputs = outputs

    def raised(
        self, decision: Decision, higher: Rise, message: Message | None, customer: Customer, trace: bytes | None
    ) -> Decision:
        """The decision that supersedes a lower one, with its alert."""
        policy = self._policy
        floors = [Reason(floor=hit.floor, phrase=hit.phrase, start=hit.start, end=hit.end) for hit in higher.hits]
        route = policy.floors[higher.hits[0].floor].route if higher.hits else decision.route
        raised = msgspec.structs.replace(
            decision,
            id=decision_id(
                decision.message_id,
                decision.revision,
                decision.source,
                decision.model_version,
                policy.version,
                supersedes=f"{decision.id} {higher.history}",
            ),
            priority=higher.priority,
            decided_by="history",
            reasons=[Reason(history=higher.history, messages=higher.messages), *floors, *decision.reasons],
            route=route,
            automation_allowed=False,
            policy_version=policy.version,
            decided_at=timestamp(_now()),
            supersedes=decision.id,
            feedback_id=None,
        )
        alerts.add_decision(self._outputs, self._settings, raised, self._number, SOURCE, trace)
        metrics.DECISIONS.labels(raised.priority, raised.status, "history").inc()
        names = [f"priority.{one}" for one in dict.fromkeys((decision.priority, raised.priority)) if one in FLAGGED]
        self.ring(raised, message, "raised", names, customer, trace)
        return raised

    def replaced(
        self, decision: Decision, before: Judged, message: Message | None, customer: Customer, trace: bytes | None
    ) -> None:
        """An edited or deleted message takes its alert with it, on the topic where that rang; a p0 by a person only."""
        if before.priority not in FLAGGED or before.priority == decision.priority:
            return
        change: Change = "withdrawn" if decision.status == "deleted" or decision.priority == "p3" else "lowered"
        if decision.priority < before.priority:
            change = "raised"
        elif before.priority == "p0" and decision.status != "deleted":
            return  # it rises again at once
        self.ring(decision, message, change, [f"priority.{before.priority}"], customer, trace)

    def ring(
        self,
        decision: Decision,
        message: Message | None,
        change: Change,
        names: list[str],
        customer: Customer,
        trace: bytes | None,
    ) -> None:
        """An alert on the topics of these short names; without a message, with what the decision knows of it."""
        known = message or Message(
            id=decision.message_id,
            customer_id=decision.customer_id,
            text="",
            conversation_id=decision.conversation_id,
            channel=decision.channel,
            sent_at=decision.sent_at,
            revision=decision.revision,
        )
        rung = alerts.alert(decision, known, self._policy, _now(), change)
        if standing := standings(customer, self._policy.history):
            rung.standing = standing
        for name in alerts.ring(self._outputs, self._settings, rung, self._number, SOURCE, trace, names):
            metrics.ALERTS.labels(name).inc()

    def hand_off(
        self, trigger: str, decision: Decision, route: str, conversation: Conversation, trace: bytes | None
    ) -> None:
        """A conversation that a person should take over."""
        sentence = self._policy.why.get(trigger)
        handoff = Handoff(
            id=blake2b(f"{decision.id}\0{trigger}\0{route}".encode(), digest_size=16).hexdigest(),
            customer_id=decision.customer_id,
            conversation_id=decision.conversation_id,
            message_id=decision.message_id,
            decision_id=decision.id,
            trigger=trigger,
            why=Why(sentence.en, sentence.fr) if sentence else alerts.why(decision, self._policy),
            priority=decision.priority,
            route=route,
            transcript=[turn.id for turn in conversation.turns],
            journey=conversation.journey,
            spoke_last=conversation.turns[-1].role if conversation.turns else "customer",
            bot_tries=conversation.bot_tries,
            repeated=[turn.id for turn in conversation.repeated],
            satisfaction=satisfaction(conversation),
            at=timestamp(_now()),
        )
        headers = cloud_event("tocsin.handoff.v1", SOURCE, handoff.id, handoff.at, trace)
        key = decision.customer_id.encode()
        self._outputs.add(self._settings.topic("handoffs"), self._number, key, encode(handoff), headers)

    def outcome(self, action: Action, conversation: Conversation) -> None:
        """What a customer said in the end, beside what was predicted; a row from which the prediction is judged."""
        predicted = satisfaction(conversation)
        if predicted is None:
            return
        at = timestamp(_now())
        figures = {
            "conversation_id": conversation.id,
            "message_id": action.message_id,
            "predicted": predicted,
            "rating": action.rating,
        }
        record = Health(code="satisfaction", component="follow", severity="info", at=at, figures=figures)
        headers = cloud_event("tocsin.health.v1", SOURCE, action.id, at)
        self._outputs.add(self._settings.topic("health"), 0, b"follow", encode(record), headers)

    def answered(self, found: Resolved, message: Message) -> None:
        """A question that was answered: whoever asks the like is shown it."""
        numbers = packed(message.text, shipped())
        if numbers is None:
            return
        written = [self._written(turn) for turn in (found.question, found.answer)]
        self._answered(
            found.question.id,
            Answered(question=written[0], answer=written[1], by=found.by, meaning=numbers[0], sketch=numbers[1]),
        )

    def unanswered(self, ids: list[str]) -> None:
        """Questions that are not answered after all, or gone."""
        for identity in ids:
            self._answered(identity, None)

    def _answered(self, identity: str, one: Answered | None) -> None:
        value = None if one is None else encode(one)
        told = blake2b(value or identity.encode(), digest_size=16).hexdigest()
        headers = cloud_event("tocsin.answered.v1", SOURCE, told, timestamp(_now()))
        self._outputs.add(self._settings.topic("answered"), 0, identity.encode(), value, headers)

    def _written(self, turn: Turn) -> Written:
        assert turn.offset is not None  # that is how it was found
        source = Source(self._settings.topic("messages"), self._number, turn.offset)
        return Written(message_id=turn.id, source=source, at=timestamp(turn.at))


def _now() -> int:
    return time.time_ns() // 1_000_000
