"""The page of a trial, as Markdown: readable in a terminal, and in whatever it is pasted into.

Owns: its wording. Must never: print what a terminal would obey, or let a message break a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agents.trial.figures import Phrase, Rung, Trial
from schemas.base import FLAGGED, quoted

MEANING = {"p0": "p0, now", "p1": "p1, today", "p2": "p2, a person should answer", "p3": "p3, can wait"}
EXCERPT = 110
PHRASES = 25
FAULTS = 20


def page(trial: Trial, name: str, columns: str, versions: str) -> Iterator[str]:
    """The page, a line at a time.

    Args:
        name: of the file.
        columns: which column was taken for what.
        versions: of policy and model.
    """
    yield f"# What would have rung in {quoted(name)}"
    yield ""
    yield f"{trial.messages:,} messages of {len(trial.customers):,} customers{_span(trial)}. {versions}."
    yield f"Columns: {columns}."
    yield ""
    if not trial.messages:
        yield "Nothing was read, so there is nothing to show."
    else:
        yield from _priorities(trial)
        yield from _rung(trial)
        yield from _phrases(trial)
        yield from _heads(trial)
    yield from _unread(trial)


def _span(trial: Trial) -> str:
    if not trial.days:
        return ""
    return f", {min(trial.days)} to {max(trial.days)}"


def _priorities(trial: Trial) -> Iterator[str]:
    per_day = ["messages a day"] if trial.days else []
    rows = []
    for priority, meaning in MEANING.items():
        rows.append([meaning, *_amount(trial, trial.priorities[priority])])
    rows.append(["left to a person, the model being unsure or unable", *_amount(trial, trial.review)])
    yield from _table(["", "messages", "of 1,000", *per_day], rows)
    yield "Left to a person counts beside the priorities: such a message has one, too."
    yield ""


def _amount(trial: Trial, count: int) -> list[str]:
    shares = [f"{count:,}", f"{1000 * count / trial.messages:.1f}"]
    return [*shares, f"{count / len(trial.days):.1f}"] if trial.days else shares


def _rung(trial: Trial) -> Iterator[str]:
    for priority in FLAGGED[:2]:
        shown = trial.rung.get(priority, [])
        count = trial.priorities[priority]
        yield f"## {MEANING[priority]}: {count:,}"
        yield ""
        for rung in shown:
            yield f"- line {rung.line:,}: {_excerpt(rung)} {rung.why}"
        if count > len(shown):
            yield f"- and {count - len(shown):,} more"
        if not shown:
            yield "None."
        yield ""


def _phrases(trial: Trial) -> Iterator[str]:
    yield "## By phrase"
    yield ""
    if not trial.phrases:
        yield "No phrase of the policy rang."
        yield ""
        return
    ordered = sorted(trial.phrases.items(), key=lambda each: (-each[1].rang, each[0]))
    yield from _table(
        ["phrase", "floor", "priority", "rang", "nothing else did", "of those, the model sees trouble", "lines"],
        [
            [
                quoted(name), phrase.floor, phrase.priority, f"{phrase.rang:,}", f"{phrase.alone:,}",
                f"{phrase.agreed:,}", ", ".join(map(str, phrase.lines)),
            ]
            for name, phrase in ordered[:PHRASES]
        ],
    )  # fmt: skip
    if len(ordered) > PHRASES:
        yield f"And {len(ordered) - PHRASES:,} phrases more."
    yield _named("Most useful", trial.most_useful(), "it alone brought up {0.agreed:,} messages that read as trouble")
    yield _named(
        "Noisiest", trial.noisiest(), "it alone brought up {0.unbacked:,} messages that do not read as trouble"
    )
    yield "Whether a message reads as trouble (urgent or negative) is the model's opinion, not a person's: look at the lines."
    yield ""


def _named(title: str, found: tuple[str, Phrase] | None, why: str) -> str:
    if found is None:
        return f"{title}: none."
    name, phrase = found
    return f"{title}: {quoted(name)} ({phrase.floor}): {why.format(phrase)}."


def _heads(trial: Trial) -> Iterator[str]:
    yield "## By what the model weighed"
    yield ""
    if not trial.heads:
        yield "The model alone would have rung for nothing."
    else:
        yield from _table(["", "messages"], [[name, f"{count:,}"] for name, count in trial.heads.most_common()])
    yield ""


def _unread(trial: Trial) -> Iterator[str]:
    yield "## What was not read"
    yield ""
    ordered = sorted(trial.faults.items(), key=lambda each: (-each[1][0], each[0]))
    rows = [[fault, f"{count:,}", f"{first:,}"] for fault, (count, first) in ordered[:FAULTS]]
    if rows:
        yield from _table(["rows left out, because", "rows", "first line"], rows)
        if len(ordered) > FAULTS:
            yield f"And {len(ordered) - FAULTS:,} reasons more."
    else:
        yield "Every row with a message was read."
    if trial.messages:
        languages = ", ".join(f"{name} {count:,}" for name, count in trial.languages.most_common())
        yield f"Languages: {languages}."
    if trial.unscored:
        yield (
            "Read by phrases only, not by the model: "
            + ", ".join(f"{_UNSCORED.get(reason, reason)} {count:,}" for reason, count in trial.unscored.most_common())
            + "."
        )


_UNSCORED = {
    "too_short": "too short",
    "language": "another language",
    "no_text": "no words",
    "scoring_failed": "failed",
}


def _excerpt(rung: Rung) -> str:
    text = rung.text
    begin = max(0, min(rung.start - EXCERPT // 3, len(text) - EXCERPT))
    cut = text[begin : begin + EXCERPT + 1]
    return ("…" if begin else "") + quoted(cut, EXCERPT).replace("|", "¦")


def _table(header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    cells = [header, *rows]
    cells = [[cell.replace("|", "¦") for cell in row] for row in cells]
    widths = [max(len(row[place]) for row in cells) for place in range(len(header))]
    numbers = [all(_number(row[place]) for row in cells[1:]) for place in range(len(header))]
    for at, row in enumerate(cells):
        padded = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numbers, strict=True)
        ]
        yield "| " + " | ".join(padded) + " |"
        if at == 0:
            yield (
                "|"
                + "|".join(
                    "-" * (width + 1) + (":" if right else "-") for width, right in zip(widths, numbers, strict=True)
                )
                + "|"
            )
    yield ""


def _number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").isdigit()
