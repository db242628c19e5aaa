"""What the load sends: message, feedback and action number n of a session, and what must become of each.

The n-th message or action is a pure function of seed, session and n; feedback judges a decision, so it is one of those
and of the decision it is given. Owns: the texts, the kinds of poison, the expectation. Must never: talk to Kafka.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

POISON_SHARE = 0.05
ROLES = ("agent", "bot", "moderator")
CATEGORIES = ("billing", "delivery", "returns", "account", "technical", "information", "safety", "legal")
BROKEN_DETAILS: tuple[dict[str, Any], ...] = (
    {"sent_at": "9999-12-31T00:00:00Z"},
    {"language": "no such language"},
    {"reach": -5},
    {"visibility": "secret"},
)


class Planned(NamedTuple):
    """One record and what must become of it.

    Attributes:
        expect: `decided`, `passed` (neither decision nor dead letter), `lesson`, `known` (a repeat), `recorded`, or
            `dead:` and the dead letter's code.
        identity: id of the message, feedback or action; empty where the record has none that can be read.
    """

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    expect: str
    identity: str
    fields: dict[str, Any] | None = None


def texts() -> tuple[list[tuple[str, str | None]], str]:
    """(text, language) of real messages where there are some, else of the built-in ones; and which they are."""
    folders = [Path(__file__).resolve().parents[3] / "shared" / "data"]
    if corpus := os.environ.get("TOCSIN_CORPUS"):
        folders = [Path(corpus), Path(corpus) / ".." / "shared" / "data", *folders]
    for folder in folders:
        found = folder / "twcs_threads.jsonl.gz"
        if found.exists():
            with gzip.open(found, "rt", encoding="utf-8") as stream:
                rows = [json.loads(line) for line in stream]
            return [(row["text"], row.get("language")) for row in rows if row["text"]], found.name
    rows = [
        json.loads(line)
        for name in ("en.jsonl", "fr.jsonl")
        for line in files("agents.demo").joinpath(name).read_text("utf-8").splitlines()
        if line.strip()
    ]
    return [(row["text"], row.get("language")) for row in rows if row["text"]], "built-in demo messages"


def dumped(fields: Any) -> bytes:
    """As JSON bytes."""
    return json.dumps(fields, ensure_ascii=False).encode()


class Script:
    """The records of one session."""

    def __init__(self, seed: int, session: int, partitions: int, texts: list[tuple[str, str | None]]) -> None:
        self.seed = seed
        self.session = session
        self.partitions = partitions
        self._texts = texts

    def _random(self, kind: str, number: int) -> random.Random:
        return random.Random(f"{self.seed}/{self.session}/{kind}/{number}")

    def home(self, customer: str) -> int:
        """The partition of a customer; chosen here, so that it does not depend on a client's hash."""
        return zlib.crc32(customer.encode()) % self.partitions

    def message(self, number: int) -> Planned:
        """The n-th message."""
        rng = self._random("message", number)
        # A few customers write much, most little.
        customer = f"c{int(600 * rng.random() ** 2)}"
        identity = f"s{self.session}-m{number}"
        text, language = self._texts[(number * 7 + self.session * 1009) % len(self._texts)]
        fields: dict[str, Any] = {"id": identity, "customer_id": customer, "text": text, "channel": "chat"}
        fields["conversation_id"] = f"{customer}-{number // 2_000}-{number % 3}"
        if language is not None:
            fields["language"] = language
        draw = rng.random()
        if draw < POISON_SHARE:
            return self._poison(rng, customer, fields)
        expect = "decided"
        if draw < 0.12:
            fields["author_role"] = rng.choice(ROLES)
            expect = "passed"
        elif draw < 0.14 and number >= 40:
            earlier = self.message(number - rng.randint(1, 40))
            if earlier.expect == "decided":  # the same id and revision twice: decided twice
                return earlier
        elif draw < 0.15:
            fields |= {"event": "edited", "revision": rng.randint(1, 3)}
        elif draw < 0.16:
            fields |= {"event": "deleted", "revision": 9, "text": ""}
        elif draw < 0.18:
            fields |= rng.choice(BROKEN_DETAILS)
        elif draw < 0.25:
            fields["sent_at"] = f"20{rng.randint(12, 25)}-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}T08:00:00Z"
        return self._made("messages", customer, fields, expect)

    def _made(self, topic: str, customer: str, fields: dict[str, Any], expect: str) -> Planned:
        home = self.home(customer) if topic != "feedback" else 0
        return Planned(topic, home, customer.encode(), dumped(fields), expect, fields["id"], fields)

    def _poison(self, rng: random.Random, customer: str, fields: dict[str, Any]) -> Planned:
        whole = dumped(fields)
        lost = rng.choice(("id", "customer_id", "text"))
        without = {name: value for name, value in fields.items() if name != lost}
        value, code = rng.choice(
            (
                (b"{", "not_json"),
                (whole[:-3], "not_json"),
                (b"", "not_json"),
                (b"\xff\xfe" + whole, "not_utf8"),
                (b'{"id": "x", "customer_id": "c", "text": "caf\xe9"}', "not_utf8"),
                (b"[" + whole + b"]", "not_an_object"),
                (b"null", "not_an_object"),
                (None, "no_value"),
                (dumped(without), "missing_field"),
                (dumped({**fields, "customer_id": 5}), "wrong_type"),
                (dumped({**fields, "text": ["a"]}), "wrong_type"),
                (dumped({**fields, "id": "x" * 300}), "out_of_bounds"),
                (dumped({**fields, "id": ""}), "out_of_bounds"),
                (dumped({**fields, "text": ""}), "no_text"),
            )
        )
        if rng.random() < 0.01:
            value, code = b"{" + b"x" * 300_000, "not_json"
        key = rng.choice((customer.encode(), b"\xff\x00", None if value is not None else b"key"))
        return Planned("messages", self.home(customer), key, value, f"dead:{code}", "")

    def feedback(self, number: int, judged: dict[str, Any], text: str, earlier: dict[str, Any] | None) -> Planned:
        """The n-th feedback, about the decision `judged`.

        Args:
            text: of the message that was judged.
            earlier: a feedback that was accepted, for what takes one back or comes twice.
        """
        rng = self._random("feedback", number)
        fields: dict[str, Any] = {
            "id": f"s{self.session}-f{number}",
            "message_id": judged["message_id"],
            "customer_id": judged["customer_id"],
            "conversation_id": judged["conversation_id"],
            "kind": rng.choice(("confirm", "correct")),
            "labels": {"category": rng.choice(CATEGORIES)},
            "text": text,
            "reviewer": f"r{rng.randint(1, 5)}",
            "decision_id": judged["id"],
        }
        if rng.random() < 0.5:
            fields["labels"]["sentiment"] = rng.choice(("negative", "neutral", "positive"))
        draw = rng.random()
        if draw < 0.06 and earlier is not None:
            return Planned("feedback", 0, b"again", dumped(earlier), "known", earlier["id"], earlier)
        if draw < 0.08 and earlier is not None:
            taken = {"kind": "retract", "retracts": earlier["id"]}
            about = {name: earlier[name] for name in ("message_id", "customer_id", "conversation_id")}
            own = {name: fields[name] for name in ("id", "reviewer")}
            return self._made("feedback", "r", {**own, **about, **taken}, "lesson")
        if draw < 0.20:
            return self._broken_feedback(rng, fields)
        if draw < 0.55:
            asked = judged["status"] == "abstained" or (
                judged["status"] == "unscored" and judged.get("status_reason") != "too_short"
            )
            fields["kind"] = "override"
            fields["labels"]["priority"] = rng.choice(("p0", "p1", "p2", "p3"))
            fields["predicted"] = {
                "priority": judged["priority"],
                "source": judged["source"],
                "revision": judged["revision"],
                "status": judged["status"] if asked else "scored",
                "decided_by": judged["decided_by"],
                "route": judged["route"],
                "sent_at": judged["sent_at"],
                "received_at": judged["received_at"],
            }
        return self._made("feedback", judged["customer_id"], fields, "lesson")

    def _broken_feedback(self, rng: random.Random, fields: dict[str, Any]) -> Planned:
        without = {name: value for name, value in fields.items() if name != "labels"}
        lost = {**without, "kind": "retract", "retracts": "never was"}
        unfounded = {**fields, "kind": "override", "labels": {"priority": "p1"}}
        value, code = rng.choice(
            (
                (b'{"id": ', "not_json"),
                (None, "no_value"),
                (dumped(without), "missing_field"),
                (dumped({**fields, "labels": {"sentiment": "purple"}}), "out_of_bounds"),
                (dumped(lost), "unknown_feedback"),
                (dumped(unfounded), "feedback_without_source"),
            )
        )
        return Planned("feedback", 0, b"broken", value, f"dead:{code}", fields["id"])

    def action(self, number: int) -> Planned:
        """The n-th action; one in twenty cannot be read."""
        rng = self._random("action", number)
        customer = f"c{rng.randint(0, 599)}"
        fields = {
            "id": f"s{self.session}-a{number}",
            "customer_id": customer,
            "message_id": f"s{self.session}-m{number}",
            "kind": rng.choice(("taken", "released", "resolved", "reopened")),
            "by": f"r{rng.randint(1, 5)}",
            "at": "2026-01-31T12:00:00Z",
        }
        if rng.random() < 0.05:
            return Planned("actions", self.home(customer), b"broken", b'{"id": "a"}', "dead:missing_field", "")
        return self._made("actions", customer, fields, "recorded")
