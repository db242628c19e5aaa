"""From a message to its decision: language, floors, heads, priority, reasons.

Owns: the order of these steps, what happens when one fails, and abstention. Must never: read the clock, network or disk;
the same message, model and policy give the same decision for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from agents.scoring.features import Features, extract
from agents.scoring.floors import FloorHit, FloorMatcher
from agents.scoring.heads import HeadScores, Model, Said
from agents.scoring.language import Language, detect, word_count
from agents.scoring.own_words import own_words
from agents.scoring.policy import Policy
from agents.scoring.priority import Likely, Verdict, weigh
from agents.scoring.runs import Run, runs
from schemas.base import MAX_MODEL_TEXT, Priority
from schemas.decision import Decision, Labelled, Likelihood, Reason, Sentiment, Source, Status, decision_id
from schemas.message import Incoming, Message
from schemas.people import BINARY_HEADS

ACCOUNTED = ("sentiment", "category")
"""Heads that always give their account; the others where they weighed on the priority."""
SCORED_LANGUAGES = ("en", "fr")


class Asked(NamedTuple):
    """A customer's message to decide on.

    Attributes:
        incoming: the message as read, with what reading it changed.
        source: where it stood.
        received_at: the broker's time, RFC 3339.
        supersedes: id of the decision that this one replaces.
    """

    incoming: Incoming
    source: Source
    received_at: str
    supersedes: str | None = None


class Judged(NamedTuple):
    """A decision, and what went wrong on the way to it (the message still goes out)."""

    decision: Decision
    failure: BaseException | None = None


class _Own(NamedTuple):
    """What the customer wrote of a text, and its runs."""

    text: str
    runs: list[Run]


@dataclass(slots=True)
class _Reading:
    """What is known of a message before its priority."""

    language: str
    status: Status
    status_reason: str | None = None
    answers: Mapping[str, HeadScores] = field(default_factory=dict)
    features: Features | None = None
    said: Said | None = None
    failure: BaseException | None = None

    def fail(self, failure: BaseException) -> None:
        """Whatever scoring does, the message goes out, and health says so."""
        self.status, self.status_reason = "unscored", "scoring_failed"
        self.answers, self.features, self.said = {}, None, None
        self.failure = self.failure or failure


class Judge:
    """One policy and one model; either may be replaced between two messages.

    Attributes:
        policy: the policy in force.
        model: the model in use; read once for each call.
    """

    def __init__(self, policy: Policy, model: Model) -> None:
        self.model = model
        self.set_policy(policy)

    def set_policy(self, policy: Policy) -> None:
        """Another policy from the next message on."""
        self.policy = policy
        self._floors = FloorMatcher(policy.floors)

    def decide(
        self,
        incoming: Incoming,
        source: Source,
        received_at: str,
        decided_at: str,
        *,
        supersedes: str | None = None,
    ) -> Judged:
        """The decision on one message; see `Asked` and `decide_all`."""
        return self.decide_all([Asked(incoming, source, received_at, supersedes)], decided_at)[0]

    def decide_all(self, asked: Sequence[Asked], decided_at: str) -> list[Judged]:
        """The decisions on some messages, in order. Each gets what it would get alone, bit for bit; together they cost
        less, best a few dozen at a time.

        Args:
            asked: messages of customers.
            decided_at: now, RFC 3339.
        """
        model = self.model
        owns = [_own(one.incoming.message) for one in asked]
        readings = [self._read(one.incoming.message, own) for one, own in zip(asked, owns, strict=True)]
        _score(readings, model)
        return [
            self._decide(one, own, reading, model, decided_at)
            for one, own, reading in zip(asked, owns, readings, strict=True)
        ]

    def _decide(self, asked: Asked, own: _Own, reading: _Reading, model: Model, decided_at: str) -> Judged:
        incoming, source, received_at, supersedes = asked
        message, policy = incoming.message, self.policy
        hits: list[FloorHit] = []
        if reading.status == "deleted":
            verdict = Verdict("p3", "rule")
        else:
            hits = self._hits(message, own, reading)
            verdict = self._verdict(message, reading, hits)
        status, status_reason = reading.status, reading.status_reason
        if status == "scored" and verdict.unsure:
            status, status_reason = "abstained", ",".join(verdict.unsure)
        decision = Decision(
            id=decision_id(message.id, message.revision, source, model.version, policy.version, supersedes=supersedes),
            message_id=message.id,
            revision=message.revision,
            customer_id=message.customer_id,
            conversation_id=message.conversation_id or message.id,
            channel=message.channel,
            language=reading.language,
            status=status,
            status_reason=status_reason,
            priority=verdict.priority,
            decided_by=verdict.decided_by,
            sentiment=_sentiment(reading.answers),
            urgency=_likelihood(reading.answers, "urgency"),
            category=_labelled(reading.answers, "category"),
            emotion=_labelled(reading.answers, "emotion"),
            spam=_likelihood(reading.answers, "spam"),
            abuse=_likelihood(reading.answers, "abuse"),
            reasons=[_floor_reason(hit) for hit in hits] + self._accounts(reading, verdict, model),
            route=self._route(reading, hits, verdict),
            automation_allowed=self._automation(status, status_reason, verdict.priority, hits),
            model_version=model.version,
            policy_version=policy.version,
            truncated="text" if incoming.text_cut else "models" if len(message.text) > MAX_MODEL_TEXT else None,
            corrected=incoming.corrected,
            sent_at=message.sent_at or received_at,
            received_at=received_at,
            decided_at=decided_at,
            source=source,
            supersedes=supersedes,
        )
        return Judged(decision, reading.failure)

    # --- steps

    def _read(self, message: Message, own: _Own) -> _Reading:
        """Everything but the scores."""
        if message.event == "deleted":
            return _Reading(_declared(message), "deleted")
        text, found = own
        if len(text) > MAX_MODEL_TEXT:
            text = text[:MAX_MODEL_TEXT]
            found = runs(text)
        if not text.strip() and not (message.subject or "").strip():
            return _Reading(_declared(message), "unscored", "no_text")
        try:
            whole = f"{message.subject}\n{text}" if message.subject else text
            every = runs(whole) if message.subject else found
            language = detect(whole, message.language, every)
            if _too_short(whole, language, every):
                return _Reading(language.tag, "unscored", "too_short")
            if language.tag not in SCORED_LANGUAGES:
                return _Reading(language.tag, "unscored", "language")
            return _Reading(language.tag, "scored", features=extract(text, message.subject, language.tag, found))
        except Exception as failure:
            reading = _Reading(_declared(message), "unscored")
            reading.fail(failure)
            return reading

    def _hits(self, message: Message, own: _Own, reading: _Reading) -> list[FloorHit]:
        language = reading.language if reading.status == "scored" else None
        try:
            hits = self._floors.find(own.text, language, own.runs)
            if message.subject:
                # Offsets are those of the text; what the subject says stands before it, at 0.
                hits += [hit._replace(start=0, end=0) for hit in self._floors.find(message.subject, language)]
                hits.sort(key=lambda hit: (hit.priority, hit.start, hit.floor, hit.end))
        except Exception as failure:
            reading.fail(failure)
            return []
        return hits

    def _verdict(self, message: Message, reading: _Reading, hits: list[FloorHit]) -> Verdict:
        floor: Priority = hits[0].priority if hits else "p3"  # type: ignore[assignment]  # the policy's own check
        if reading.status == "unscored":
            least: Priority = self.policy.unscored.get(reading.status_reason or "", "p3")  # type: ignore[assignment]
            return Verdict(min(floor, least), "rule")
        answers = reading.answers
        likely = Likely(
            urgency=_probability(answers, "urgency", "yes"),
            anger=_probability(answers, "emotion", "anger"),
            abuse=_probability(answers, "abuse", "yes"),
            spam=_probability(answers, "spam", "yes"),
        )
        return weigh(likely, floor, bool(hits), self.policy, message.visibility, message.reach)

    def _accounts(self, reading: _Reading, verdict: Verdict, model: Model) -> list[Reason]:
        said = reading.said
        if said is None:
            return []
        heads = [head for head in ACCOUNTED if head in reading.answers]
        heads += [head for head in (*verdict.heads, *verdict.unsure) if head not in heads and head in reading.answers]
        return [model.account(said, head, self._told(reading.answers[head], head)) for head in heads]

    @staticmethod
    def _told(answer: HeadScores, head: str) -> str:
        """The label whose account is given: yes where there is only yes and no, anger where anger rang."""
        return "yes" if head in BINARY_HEADS else answer.label

    def _route(self, reading: _Reading, hits: list[FloorHit], verdict: Verdict) -> str:
        routes = self.policy.routes
        if hits:
            return self.policy.floors[hits[0].floor].route
        if verdict.spam:
            return routes.spam
        if "abuse" in verdict.heads:
            return routes.abuse
        if "category" in reading.answers:
            return routes.by_category.get(reading.answers["category"].label, routes.default)
        return routes.default

    def _automation(self, status: Status, reason: str | None, priority: Priority, hits: list[FloorHit]) -> bool:
        never = self.policy.automation
        return not (
            priority in never.never_priorities
            or status in never.never_statuses
            or (status == "unscored" and reason in never.never_unscored)
            or any(not self.policy.floors[hit.floor].automation for hit in hits)
        )


def _score(readings: Sequence[_Reading], model: Model) -> None:
    """Asks the model about all that is to be scored at once; where that fails, one by one, to find out on which."""
    scored = [reading for reading in readings if reading.features is not None]
    try:
        many = model.said([reading.features for reading in scored if reading.features is not None]) if scored else []
        for reading, said in zip(scored, many, strict=True):
            reading.said, reading.answers = said, model.scores(said, reading.language)
    except Exception as failure:
        if len(scored) == 1:
            scored[0].fail(failure)
        else:
            for reading in scored:
                _score([reading], model)


def _own(message: Message) -> _Own:
    text = own_words(message.text)
    return _Own(text, runs(text))


def _too_short(text: str, language: Language, found: Sequence[Run]) -> bool:
    words = word_count(text, found)
    return words < 3 or (words < 4 and not language.sure)


def _declared(message: Message) -> str:
    return message.language.split("-")[0].lower() if message.language else "other"


def _probability(answers: Mapping[str, HeadScores], head: str, label: str) -> float | None:
    answer = answers.get(head)
    if answer is None or label not in answer.labels:
        return None
    return answer.probabilities[answer.labels.index(label)]


def _likelihood(answers: Mapping[str, HeadScores], head: str) -> Likelihood | UnsetType:
    probability = _probability(answers, head, "yes")
    return UNSET if probability is None else Likelihood(probability)


def _labelled(answers: Mapping[str, HeadScores], head: str) -> Labelled | UnsetType:
    answer = answers.get(head)
    if answer is None:
        return UNSET
    return Labelled(answer.label, dict(zip(answer.labels, answer.probabilities, strict=True)))


def _sentiment(answers: Mapping[str, HeadScores]) -> Sentiment | UnsetType:
    answer = answers.get("sentiment")
    if answer is None:
        return UNSET
    probabilities = dict(zip(answer.labels, answer.probabilities, strict=True))
    score = probabilities.get("positive", 0.0) - probabilities.get("negative", 0.0)
    return Sentiment(answer.label, score, probabilities)


def _floor_reason(hit: FloorHit) -> Reason:
    return Reason(floor=hit.floor, phrase=hit.phrase, start=hit.start, end=hit.end)
