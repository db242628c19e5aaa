"""Owns what a policy is: floors, thresholds, routes, categories, automation, lateness, as typed and frozen values.

`parse` reads the one document a team edits (deploy/policy/default.yaml shows every key) and refuses a broken one with the
line that is wrong; reading itself is policy_file's. It must never hold phrases or limits of its own that a team would
want to change, nor read anything but the bytes it is given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agents.scoring.policy_crowd import CrowdRules
from agents.scoring.policy_desk import DeskRules
from agents.scoring.policy_history import History
from agents.scoring.policy_notifications import Notifications

PRIORITIES = ("p0", "p1", "p2", "p3")
LANGUAGES = ("en", "fr")
# Reasons for which a message stays unscored, as in the contract.
UNSCORED_REASONS = ("language", "no_text", "scoring_failed", "too_short")
MAX_BYTES = 1_000_000
_MAX_PROBLEM = 500


class PolicyError(ValueError):
    """A policy that cannot be used. `line` counts from 1; the text is one sentence that begins with it."""

    def __init__(self, line: int, problem: str) -> None:
        # It shows what stands in the file, which may be anything: one short line, and nothing a terminal would obey.
        problem = " ".join(problem[:_MAX_PROBLEM].split())
        problem = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in problem)
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Sentence:
    """One plain sentence in both languages."""

    en: str
    fr: str


@dataclass(frozen=True, slots=True)
class WrittenPhrase:
    """A phrase as the policy has it (notation: agents/scoring/phrases.py).

    `silent_in` is a language in which it would collide with ordinary words: it is not searched where the message is
    surely in that language.
    """

    text: str
    silent_in: str | None = None


@dataclass(frozen=True, slots=True)
class WholeMessage:
    """Words that are a floor only where nothing else is said: one of `phrases`, repeated or not, and any of `beside`."""

    phrases: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Floor:
    """A rule of phrases below whose `priority` no model can push a message.

    `negation`: an intent that is negated is no hit. A hit that overlaps an `unless` phrase or stands at most `near`
    words from it is none.
    """

    name: str
    priority: str
    route: str
    automation: bool
    why: Sentence
    phrases: tuple[WrittenPhrase, ...]
    unless: tuple[WrittenPhrase, ...] = ()
    near: int = 3
    negation: bool = False
    whole_message: WholeMessage = WholeMessage()


@dataclass(frozen=True, slots=True)
class Wording:
    """What the matcher has to know about words: see the `wording` section of the default policy."""

    ordinary: frozenset[str] = frozenset()
    negators: frozenset[str] = frozenset()
    bridges: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Floors:
    """All floors of a policy, in its order, with the words needed to search them."""

    rules: tuple[Floor, ...]
    wording: Wording = Wording()

    def __iter__(self) -> Iterator[Floor]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def __getitem__(self, name: str) -> Floor:
        """The floor called `name`; raises KeyError."""
        for floor in self.rules:
            if floor.name == name:
                return floor
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Probabilities from which a head raises a priority.

    `margin` is the width on either side of a threshold within which the priority could be another one (abstain).
    """

    urgency_p1: float
    urgency_p2: float
    anger_p2: float
    abuse_p2: float
    spam: float
    margin: float


@dataclass(frozen=True, slots=True)
class Categories:
    """Category sets by name, and the one in use."""

    active: str
    sets: Mapping[str, tuple[str, ...]]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the active set."""
        return self.sets[self.active]


@dataclass(frozen=True, slots=True)
class Routes:
    """Where messages go: a floor's own route first, then abuse and spam, then the category's, then `default`."""

    known: tuple[str, ...]
    default: str
    abuse: str
    spam: str
    by_category: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Automation:
    """What no bot may answer, besides the floors that say so themselves (`automation: false`)."""

    never_priorities: frozenset[str]
    never_statuses: frozenset[str]
    never_unscored: frozenset[str]


@dataclass(frozen=True, slots=True)
class Raise:
    """A public message of priority `of` seen by at least `reach` people becomes `to`."""

    visibility: str
    reach: int
    of: str
    to: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy."""

    name: str
    sha256: str
    owner: str
    late: Mapping[str, int]
    thresholds: Thresholds
    unscored: Mapping[str, str]
    raises: tuple[Raise, ...]
    categories: Categories
    emotions: tuple[str, ...]
    routes: Routes
    automation: Automation
    why: Mapping[str, Sentence]
    floors: Floors
    history: History = field(default_factory=History)
    crowd: CrowdRules = field(default_factory=CrowdRules)
    desk: DeskRules = field(default_factory=DeskRules)
    notifications: Notifications = field(default_factory=Notifications)

    @property
    def version(self) -> str:
        """`name@sha256` of the document's bytes: what decisions carry as `policy_version`."""
        return f"{self.name}@{self.sha256}"

    def raised(self, priority: str, visibility: str | None, reach: int | None) -> str:
        """`priority`, or the higher one that being public or widely seen makes of it; never a lower one."""
        raised = priority
        for rule in self.raises:
            if rule.of == priority and visibility == rule.visibility and (reach or 0) >= rule.reach:
                raised = min(raised, rule.to)
        return raised


def parse(document: bytes | str) -> Policy:
    """Read a policy. Raises `PolicyError`, which names the line, for whatever is wrong with it."""
    from agents.scoring.policy_file import read  # The reader needs the types above.

    data = document.encode() if isinstance(document, str) else document
    return read(data, hashlib.sha256(data).hexdigest())
