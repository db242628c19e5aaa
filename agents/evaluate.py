"""`tocsin evaluate`: test-then-train over labelled messages, with labels that arrive late. No broker.

Each labelled message is predicted by the model as it stands, and learned N messages later; nothing is predicted again when
its label arrives. The likeliest label counts, whatever the policy would abstain on.
Owns: the protocol and its figures. Must never: show the learner a label before its message was predicted.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import orjson

from agents.inputs import lines
from agents.scoring import base as bases
from agents.scoring.base import Base
from agents.scoring.calibration import calibration_error
from agents.scoring.features import Features, extract
from agents.scoring.heads import HeadScores, Model
from agents.scoring.language import detect
from agents.scoring.learner import Learner
from agents.scoring.own_words import own_words
from schemas.base import MAX_MODEL_TEXT, Invalid, quoted
from schemas.learning import Lesson
from schemas.people import BINARY_HEADS, HEADS

_AT = "1970-01-01T00:00:00.000Z"
FIFTHS = 5


def prepared(message: dict[str, Any]) -> tuple[Features, str]:
    """A message's features and language tag, as triage makes them."""
    text = own_words(message["text"])[:MAX_MODEL_TEXT]
    subject = message.get("subject")
    language = detect(f"{subject}\n{text}" if subject else text, message.get("language")).tag
    return extract(text, subject, language), language


def label_of(value: Any, head: str) -> str | None:
    """A message's label as text: several are joined by `+` in their order of the alphabet; null and [] are none.

    True and false are "yes" and "no"; a yes-or-no head takes 1 and 0, too.

    Raises:
        ValueError: an object, or no yes or no for a yes-or-no head.
    """
    if value is None or value == [] or value == "":
        return None
    if isinstance(value, dict):
        raise ValueError(f"{quoted(value)}: must be a string, a number, true, false, or a list of strings")
    if isinstance(value, list):
        if any(isinstance(each, list | dict) for each in value):
            raise ValueError("a list within a list, or an object: must be a list of strings")
        value = "+".join(sorted(str(each) for each in value))
    label = ("no", "yes")[value] if isinstance(value, bool) else str(value)
    if head in BINARY_HEADS:
        label = {"0": "no", "1": "yes", "false": "no", "true": "yes"}.get(label.lower(), label.lower())
        if label not in ("no", "yes"):
            raise ValueError(f"{quoted(value)}: must be yes or no (or true, false, 1, 0)")
    return label


def evaluate_stream(
    messages: Iterable[dict[str, Any]],
    head: str,
    delay: int = 0,
    base: Base | None = None,
    predictions: Callable[[dict[str, Any]], object] | None = None,
) -> dict[str, Any]:
    """Test-then-train over `messages` in their order.

    Args:
        messages: objects with `text`, `labels`, and optionally `id`, `language`, `subject`.
        head: which of the labels is asked for; any name, any taxonomy.
        delay: a label is learned once this many further labelled messages were predicted.
        base: where to start; None: nothing trained.
        predictions: called with each `message_id`, `prediction`, `probabilities`.

    Returns:
        n, accuracy, macro_f1, per_class, fifths (the same for each fifth of the stream, in order), ece (expected
        calibration error of the likeliest label's probability, each prediction made before its label), and the settings.
    """
    base = base or Base.none()
    learner, model = Learner(base), Model(base)
    waiting: deque[tuple[Features, str, str]] = deque()
    pairs: list[tuple[str, str]] = []
    sure: list[tuple[float, bool]] = []

    def teach(features: Features, language: str, label: str) -> None:
        lesson = Lesson(
            id=f"lesson-{learner.offset}",
            base=base.id,
            feedback_id=f"feedback-{learner.offset}",
            reviewer="evaluate",
            at=_AT,
            language=language,
            features=features.ids,
            values=features.values,
            labels={head: label},
        )
        update = learner.learn(lesson, learner.offset + 1)
        if update is not None:
            model.apply(update)

    for message in messages:
        label = label_of(message.get("labels", {}).get(head), head)
        if label is None:
            continue
        features, language = prepared(message)
        said = model.ask(features, head)
        prediction = said.label if said is not None else _first(head, base)
        pairs.append((label, prediction))
        if said is not None:
            sure.append((max(said.probabilities), prediction == label))
        if predictions is not None:
            predictions({"message_id": message.get("id"), "prediction": prediction, "probabilities": _shares(said)})
        waiting.append((features, language, label))
        if len(waiting) > delay:
            teach(*waiting.popleft())
    size = len(pairs)
    cuts = [size * fifth // FIFTHS for fifth in range(FIFTHS + 1)]
    fifths = [figures(pairs[start:end]) for start, end in pairwise(cuts)]
    settings = {"head": head, "delay": delay, "base": base.id}
    return {**settings, **figures(pairs), "ece": calibration_error(sure), "fifths": fifths}


def _first(head: str, base: Base) -> str:
    """What a head says that knows nothing yet."""
    return ("no", "yes")[0] if head in BINARY_HEADS else (base.heads.get(head) or ("",))[0]


def _shares(said: HeadScores | None) -> dict[str, float]:
    return {} if said is None else dict(zip(said.labels, said.probabilities, strict=True))


def figures(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """n, accuracy, macro F1 over the labels that occur, and precision, recall, F1 and support of each, of (label, said)."""
    labels = Counter(label for label, _ in pairs)
    told = Counter(said for _, said in pairs)
    right = Counter(label for label, said in pairs if label == said)
    each = {
        label: {
            "precision": right[label] / told[label] if told[label] else 0.0,
            "recall": right[label] / labels[label],
            "f1": 2 * right[label] / (labels[label] + told[label]),
            "support": labels[label],
        }
        for label in sorted(labels)
    }
    count = len(pairs)
    return {
        "n": count,
        "accuracy": sum(right.values()) / count if count else 0.0,
        "macro_f1": sum(one["f1"] for one in each.values()) / len(each) if each else 0.0,
        "per_class": each,
    }


def read_labelled(name: str, numbered: Iterable[tuple[int, bytes]], head: str) -> Iterator[dict[str, Any]]:
    """The messages of JSONL lines, numbered from 0.

    Raises:
        Invalid: a line that is no message; says file and line.
    """
    for number, line in numbered:
        where = f"{name} line {number + 1}"
        try:
            message = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise Invalid("not_json", f"{where}: not JSON: {error}") from None
        if not isinstance(message, dict) or not isinstance(message.get("text"), str):
            raise Invalid("missing_field", f'{where}: must be an object with a string "text"')
        labels = message.get("labels", {})
        if not isinstance(labels, dict):
            raise Invalid("wrong_type", f'{where}: field "labels" is {quoted(labels)}: must be an object')
        for field in ("language", "subject"):
            if not isinstance(message.get(field), str | None):
                raise Invalid("wrong_type", f'{where}: field "{field}" is {quoted(message[field])}: must be a string')
        try:
            label_of(labels.get(head), head)
        except ValueError as error:
            raise Invalid("wrong_type", f'{where}: field "labels.{head}" is {error}') from None
        yield message


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--head", required=True, help=f"The label asked for: {', '.join(HEADS)}, or any name under `labels`.")
@click.option(
    "--delay", type=click.IntRange(min=0), default=0, show_default=True, help="Labels arrive N messages late."
)
@click.option(
    "--predictions", "out", type=click.Path(dir_okay=False, path_type=Path), help="One JSON line a message here."
)
@click.option(
    "--base", type=click.Choice(["shipped", "none"]), default="shipped", show_default=True, help="Start from."
)
def evaluate(file: str, head: str, delay: int, out: Path | None, base: str) -> None:
    """Predicts each labelled message of FILE (JSONL, .gz, or -), learns its label N messages later, prints figures as JSON."""
    try:
        start = Base.load(bases.shipped()) if base == "shipped" else Base.none()
        messages = _counted(read_labelled(file, lines(file), head))
        if out is None:
            found = evaluate_stream(messages, head, delay, start)
        else:
            with out.open("wb") as sink:
                found = evaluate_stream(messages, head, delay, start, lambda row: sink.write(orjson.dumps(row) + b"\n"))
    except (OSError, Invalid) as error:
        raise click.ClickException(str(error)) from None
    if not found["n"]:
        raise click.ClickException(f'{file}: no message has a label "labels.{head}"')
    click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))


def _counted(messages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same messages; every thousandth says so on standard error."""
    for number, message in enumerate(messages, start=1):
        yield message
        if number % 1000 == 0:
            click.echo(f"{number:,} messages", err=True)
