"""Where alerts are delivered: the destinations, as values, and which alerts each one wants.

Owns: those types, and that choice. Must never: read a file (`agents.notify.file` does), or show a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from msgspec import UNSET

from schemas.decision import Alert

Kind = Literal["webhook", "apprise", "tags"]
Tool = Literal["zendesk", "intercom", "discourse", "chatwoot"]
Text = Literal["full", "flagged", "none"]
Language = Literal["en", "fr"]
KINDS: tuple[Kind, ...] = ("webhook", "apprise", "tags")
TOOLS: tuple[Tool, ...] = ("zendesk", "intercom", "discourse", "chatwoot")
TEXTS: tuple[Text, ...] = ("full", "flagged", "none")
FLAGGED = ("p0", "p1", "p2")
CHANGES = ("new", "raised", "lowered", "withdrawn")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts a destination gets; None: all of them.

    Attributes:
        priorities: whose topics are read.
        review: whether the topic `review` is read, too.
        samples: whether it gets what is shown only so that it is known what is missed.
    """

    priorities: frozenset[str] = frozenset(FLAGGED)
    review: bool = False
    samples: bool = False
    routes: frozenset[str] | None = None
    categories: frozenset[str] | None = None
    languages: frozenset[str] | None = None
    changes: frozenset[str] = frozenset(CHANGES)

    def topics(self) -> list[str]:
        """Short names of the topics to read, the highest priority first."""
        return [f"priority.{one}" for one in FLAGGED if one in self.priorities] + (["review"] if self.review else [])

    def takes(self, alert: Alert, topic: str) -> bool:
        """Whether an alert that stood on a topic (short name) is wanted, and not read from another topic as well."""
        decision = alert.decision
        if topic == "review" and decision.priority in self.priorities:
            return False  # it stands on its priority's topic as well
        category = None if decision.category is UNSET else decision.category.label
        return (
            (self.samples or alert.sample is not True)
            and alert.change in self.changes
            and (self.routes is None or decision.route in self.routes)
            and (self.categories is None or category in self.categories)
            and (self.languages is None or decision.language.split("-")[0].lower() in self.languages)
        )


@dataclass(frozen=True, slots=True)
class Retry:
    """How a destination that does not answer is asked again. Seconds.

    Attributes:
        timeout: of one attempt.
        first, most: the wait after the first failure, which doubles with each one up to `most`.
        give_up: for so long an alert waits for a destination that is away, before it becomes a dead letter.
    """

    timeout: float = 10.0
    first: float = 1.0
    most: float = 60.0
    give_up: float = 3600.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that gets alerts as signed JSON.

    Attributes:
        secrets: keys, the one in use first; two while they are changed.
        text: `full`: the alert as it stands in Kafka; `flagged`: without what was written where its priority is p3; `none`:
            never with what was written.
    """

    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    text: Text = "full"


@dataclass(frozen=True, slots=True)
class Apprise:
    """Any service that apprise knows.

    Attributes:
        excerpt: whether the first words of a message may stand in the notification, where the policy lets them.
        gather: seconds in which further alerts of a group are counted, and told as one.
        most: notifications a minute; what is beyond is counted, too. p0 never is.
    """

    url: str = field(repr=False)
    language: Language = "en"
    excerpt: bool = True
    gather: float = 60.0
    most: int = 20


@dataclass(frozen=True, slots=True)
class Tags:
    """A support tool whose tickets get tags. `user` and `account` are what that tool calls so."""

    tool: Tool
    url: str
    token: str = field(repr=False)
    user: str = field(default="", repr=False)
    account: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """One of them. `console` is where people open a message."""

    name: str
    target: Webhook | Apprise | Tags
    wanted: Wanted = Wanted()
    retry: Retry = Retry()
    insecure: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    console: str = ""

    @property
    def kind(self) -> Kind:
        """What it is."""
        if isinstance(self.target, Webhook):
            return "webhook"
        return "apprise" if isinstance(self.target, Apprise) else "tags"


Environment = Callable[[str], str | None]
"""The value of a variable of the environment, None where it is not set."""
