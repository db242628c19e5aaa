"""What follow makes of conversations: danger, expected answers, repeats, on real threads read one by one; danger told in pieces.

Owns: those labels (ids alone, for the threads are not ours to copy). Must never: print a message of a set that may not be shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from agents import policies, training
from agents.history.asking import expects_answer
from agents.history.conversation import Conversation
from agents.history.joining import BETWEEN, joined_hits, text_of, turns_before
from agents.history.likeness import says_again
from agents.history.rules import rise
from agents.history.state import add_decision, add_message
from agents.scoring import base as bases
from agents.scoring.base import Base
from agents.scoring.floors import FloorMatcher
from agents.scoring.heads import Model
from agents.scoring.judge import Judge
from agents.scoring.policy import Policy, parse
from agents.training.corpora import rows
from schemas.decision import Source
from schemas.history import Customer
from schemas.message import read_message
from tests.quality.sets import Sets

LABELS = Path(__file__).parent / "conversations.json"
"""`expects`: messages drawn at random. `repeats`: the pairs most alike by their words, and pairs drawn from the rest; `danger`:
conversations that rang, and others of several turns; each `stands_for` so many, by which recall is estimated."""
RINGING = ("p0", "p1")
TOGETHER = 5
Row = dict[str, Any]


def measure(sets: Sets) -> dict[str, Any]:
    """Precision and recall of each, and danger cut in two turns."""
    policy = parse(policies.default_document())
    found: dict[str, Any] = {"pieces": [_pieces(policy, language) for language in ("en", "fr")]}
    if sets.corpus is None:
        return found
    labels = orjson.loads(LABELS.read_bytes())
    threads = [
        row for row in rows(sets.corpus / "twcs_threads.jsonl.gz") if row["language"] in ("en", "fr") and row["text"]
    ]
    conversations, complains = _followed(policy, threads)
    texts = {row["id"]: row["text"] for row in threads}
    expects = labels["expects"]
    danger = {one["conversation"]: (one["danger"], one["stands_for"]) for one in labels["danger"]}
    again = [(one["message"], one["earlier"], one["again"], one["stands_for"]) for one in labels["repeats"]]
    return {
        **found,
        "expects": _figures(
            (expects_answer(texts[one]) or one in complains, truth, 1.0) for one, truth in expects.items()
        ),
        "danger": _figures((conversations[one] in RINGING, truth, times) for one, (truth, times) in danger.items()),
        "repeats": _figures((_again(texts[one], texts[before]), truth, times) for one, before, truth, times in again),
        "chat": _chat(policy, sets.corpus),
    }


def _figures(told: Iterable[tuple[bool, bool, float]]) -> dict[str, float]:
    """Of (said, true, stands for): precision over those said, recall over all that each stands for."""
    every = list(told)
    said = [true for said, true, _ in every if said]
    right = sum(times for said, true, times in every if said and true)
    return {
        "n": len(every),
        "true": sum(true for _, true, _ in every),
        "said": len(said),
        "precision": round(sum(said) / max(len(said), 1), 3),
        "recall": round(right / max(sum(times for _, true, times in every if true), 1e-9), 3),
    }


def _again(text: str, earlier: str) -> bool:
    return (expects_answer(text) or expects_answer(earlier)) and says_again(text, {"": earlier}) is not None


def _followed(policy: Policy, threads: list[Row]) -> tuple[dict[str, str], set[str]]:
    """The highest priority of each conversation, as triage and follow decide; and the messages that tell of trouble."""
    judge, matcher = Judge(policy, Model(Base.load(bases.shipped()))), FloorMatcher(policy.floors)
    customers: dict[str, Customer] = defaultdict(Customer)
    highest: dict[str, str] = defaultdict(lambda: "p3")
    texts: dict[str, str] = {}
    complains: set[str] = set()
    for offset, row in enumerate(threads):
        known = ("id", "text", "language", "sent_at", "customer_id", "conversation_id", "channel", "author_role")
        incoming = read_message(orjson.dumps({name: row[name] for name in known if row.get(name)}), 2_000_000_000_000)
        message = incoming.message
        assert message.sent_at is not None
        customer = customers[message.customer_id]
        add_message(customer, message, offset, asks=False)
        if message.author_role != "customer":
            continue
        texts[message.id] = text_of(message)
        decision = judge.decide(incoming, Source("messages", 0, offset), message.sent_at, message.sent_at).decision
        turn = add_decision(customer, decision, offset)
        if turn is None:
            continue
        conversation = Conversation(customer, decision.conversation_id, turn.at)
        waiting = Conversation(Customer(turns=[turn]), decision.conversation_id).waiting
        if waiting is not None and decision.priority == "p3":
            complains.add(message.id)
        joined = turns_before(conversation, message.id, policy.history)
        language = decision.language if decision.status == "scored" else None
        hits = joined_hits(matcher, joined, texts, language) if len(joined) > 1 else []
        higher = rise(conversation, customer, decision, None, hits, joined, policy.history)
        priority = decision.priority if higher is None else higher.priority
        highest[decision.conversation_id] = min(highest[decision.conversation_id], priority)
    return highest, complains


def _pieces(policy: Policy, language: str) -> dict[str, Any]:
    """Dangers of the repository's own test set, each cut within its phrase: what rings turn by turn, and read together."""
    matcher = FloorMatcher(policy.floors)
    cut = alone = together = 0
    for row in rows(Path(training.__file__).parent / f"bootstrap_{language}.jsonl"):
        text = row["text"]
        hit = next((one for one in matcher.find(text, language) if one.priority in RINGING), None)
        place = text.find(" ", hit.start + 1, hit.end) if hit is not None else -1
        if place < 0:
            continue
        pieces = [text[:place], text[place + 1 :]]
        cut += 1
        apart = any(one.priority in RINGING for piece in pieces for one in matcher.find(piece, language))
        alone += apart
        together += apart or any(one.priority in RINGING for one in matcher.find(BETWEEN.join(pieces), language))
    return {"language": language, "cut": cut, "alone": alone, "together": together}


def _chat(policy: Policy, corpus: Path) -> dict[str, int]:
    """Chats with a desk, nobody in danger: how many turns hit a floor only together with those before."""
    matcher = FloorMatcher(policy.floors)
    chats: dict[str, list[str]] = defaultdict(list)
    for row in rows(corpus / "multidogo.jsonl.gz"):
        chats[row["conversation_id"]].append(row["text"])
    rang = 0
    for turns in chats.values():
        for place in range(1, len(turns)):
            near = {str(number): turns[number] for number in range(max(0, place + 1 - TOGETHER), place + 1)}
            rang += bool(joined_hits(matcher, list(near), near, "en"))
    return {"conversations": len(chats), "turns": sum(map(len, chats.values())), "rang": rang}
