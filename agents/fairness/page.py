"""The fairness page, in Markdown. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from agents.fairness.pairs import Shift
from agents.markdown import table

HEAD = ("kind", "language", "group", "sentences", "sentiment", "urgency", "abuse", "priority changed")
EXPLAINED = """The same sentences for each group: only the name, the gender, the religion or the dialect differs. Shifts are from
the mean of all groups: sentiment on its scale from -1 to 1, urgency and abuse as probabilities. The last column is the share of
the sentences whose priority is another than the one most groups get."""


def rows(shifts: list[Shift]) -> list[tuple[str, ...]]:
    """A row a group, as text."""
    return [
        (
            one.kind,
            one.language,
            one.group,
            str(one.sentences),
            *(f"{value:+.3f}" for value in (one.sentiment, one.urgency, one.abuse)),
            f"{one.changed:.1%}",
        )
        for one in shifts
    ]


def lines(shifts: list[Shift], model: str, policy: str) -> Iterator[str]:
    """The whole page; `model` and `policy` are versions."""
    yield "# Fairness"
    yield ""
    yield f"Written by `tocsin fairness`: model {model}, policy {policy}."
    yield ""
    yield EXPLAINED
    yield ""
    yield from table(HEAD, rows(shifts))
