"""Labelled messages to measure with, and bases that never saw their kind.

Owns: which sets stand for what. Must never: measure on a text that the model in question was trained on.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from agents.scoring.base import Base
from agents.training.corpora import Example, bootstrap, examples, rows
from agents.training.train import fit

SEED = 20261123
Messages = list[dict[str, Any]]
"""Objects with `text`, `language`, `labels`, as `agents.evaluate` takes them."""


class Stream(NamedTuple):
    """Labelled messages in an order.

    Attributes:
        source: of `agents.training.corpora`; None for a set that no base may learn from.
        shuffled: by `SEED`; else as the source has them.
    """

    name: str
    title: str
    head: str
    source: str | None
    shuffled: bool
    messages: Messages


class Sets:
    """All of them, read once.

    Args:
        corpus: folder of the labelled sets; None: the repository's own alone.
        most: messages of a stream at most.
    """

    def __init__(self, corpus: Path | None, most: int, say: Callable[[str], None]) -> None:
        self.corpus = corpus
        self._most = most
        self._say = say
        self._examples = list(bootstrap() if corpus is None else examples(corpus))
        self.base = cache(self._base)

    def streams(self) -> list[Stream]:
        """Sentiment of three kinds of text, and two taxonomies that no base knows; of the repository's own, sentiment learned
        from nothing."""
        if self.corpus is None:
            return [self._own("en", "own messages (English)"), self._own("fr", "own messages (French)")]
        return [
            self._of("vader_tweets", "tweets (English)"),
            self._of("goemotions", "Reddit posts (English)"),
            self._of("allocine_fr", "film reviews (French)"),
            self._taxonomy(self.corpus, "multidogo", "intent", "chat intents (English)"),
            self._taxonomy(
                self.corpus, "tickets_en_fr_synthetic", "queue", "ticket queues (English and French, synthetic)"
            ),
        ]

    def _of(self, source: str, title: str) -> Stream:
        found = [one for one in self._examples if one.source == source and "sentiment" in one.labels]
        messages = [_message(one, "sentiment") for one in found]
        ordered = source == "vader_tweets"
        return Stream(source, title, "sentiment", source, not ordered, self._cut(messages, ordered))

    def _own(self, language: str, title: str) -> Stream:
        found = [one for one in self._examples if one.source == "bootstrap" and one.language == language]
        messages = self._cut([_message(one, "sentiment") for one in found], False)
        return Stream(f"own_{language}", title, "sentiment", None, True, messages)

    def _taxonomy(self, folder: Path, name: str, label: str, title: str) -> Stream:
        found = [
            {"text": row["text"], "language": row["language"], "labels": {"category": row["labels"][label]}}
            for row in rows(folder / f"{name}.jsonl.gz")
            if row["labels"][label]
        ]
        return Stream(name, title, "category", None, True, self._cut(found, False))

    def _cut(self, messages: Messages, ordered: bool) -> Messages:
        if not ordered:
            random.Random(SEED).shuffle(messages)
        return messages[: self._most]

    def written(self, language: str) -> list[Example]:
        """The repository's own test set."""
        return [one for one in bootstrap() if one.source == "bootstrap_test" and one.language == language]

    def _base(self, without: str | None) -> Base:
        """A base for sentiment that never saw `without`, nor the written test set; nothing trained where that is None."""
        if without is None:
            return Base.none()
        kept = [one for one in self._examples if one.source != without and "sentiment" in one.labels]
        self._say(f"a base without {without}")
        return fit(kept, lambda _: None, {"sentiment"}, False)


def _message(one: Example, head: str) -> dict[str, Any]:
    return {"text": one.text, "language": one.language, "labels": {head: one.labels[head]}}
