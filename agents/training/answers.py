"""What teaches whether a message expects an answer, and the fitting of that; `python -m agents.training.answers`.

No open set says so. What stands in for it: questions to assistants and banks, and what customers tell a desk about their case,
expect one; thanks, goodbyes, reviews and forum talk do not; the repository's own messages by their other labels. The figures on
tweets that were labelled for it by hand are in docs/follow.md. Owns: those stand-ins. Must never: read a set that may not be
trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import click
import orjson

from agents.history.asking import tokens
from agents.training.corpora import bootstrap, rows

SEED = 1
STRENGTH = 0.1
"""Inverse regularisation."""
KEPT = 3_000
"""Weights, the heaviest; rounded to 1/64."""
OWN_TIMES = 3
"""How often the repository's own messages count: they are few, and closest to what will be read."""
_PASSING = frozenset(("confirmation", "rejection", "openinggreeting", "outofdomain"))
"""Intents that say neither."""
_PLEASED = frozenset(
    ("gratitude", "admiration", "joy", "love", "amusement", "excitement", "approval", "pride", "relief", "optimism")
)
_WONDERING = frozenset(("curiosity", "confusion"))
_TALKING = frozenset(("neutral", "anger", "annoyance", "disgust", "sadness"))
_UNASKED = frozenset(("other", "product_feedback"))


def examples(corpus: Path) -> Iterator[tuple[str, bool]]:
    """(text, whether it expects an answer), in a fixed order.

    Raises:
        OSError: a set is missing.
    """
    rng = Random(SEED)  # noqa: S311  # a sample, no secret

    def some(texts: Iterable[str], expects: bool, most: int) -> Iterator[tuple[str, bool]]:
        found = list(texts)
        rng.shuffle(found)
        return ((text, expects) for text in found[:most])

    yield from some((row["text"] for row in rows(corpus / "banking77.jsonl.gz")), True, 3_000)
    yield from some((row["text"] for row in rows(corpus / "clinc150.jsonl.gz")), True, 3_000)
    turns = [(row["labels"]["intent"], row["text"]) for row in rows(corpus / "multidogo.jsonl.gz")]
    yield from some((text for intent, text in turns if intent in ("thankyou", "closinggreeting")), False, 3_000)
    told = [text for intent, text in turns if intent == "contentonly"]
    yield from some(told, True, 2_000)
    rest = ("thankyou", "closinggreeting", "contentonly", *_PASSING)
    yield from some((text for intent, text in turns if intent not in rest and "<div>" not in intent), True, 4_000)
    talk = [(frozenset(row["labels"]["emotions"]), row["text"]) for row in rows(corpus / "goemotions.jsonl.gz")]
    yield from some((text for felt, text in talk if felt <= _WONDERING and "?" in text), True, 2_000)
    yield from some((text for felt, text in talk if felt & _PLEASED and "?" not in text), False, 4_000)
    yield from some((text for felt, text in talk if felt <= _TALKING and "?" not in text), False, 3_000)
    yield from some((row["text"] for row in rows(corpus / "allocine_fr.jsonl.gz")), False, 1_500)
    for example in bootstrap():
        if not example.held_out:
            yield from [(example.text, _own(example.text, example.labels))] * OWN_TIMES


def _own(text: str, labels: dict[str, str]) -> bool:
    if labels.get("spam") == "yes":
        return False
    if "?" in text or labels.get("urgency") == "yes":
        return True
    return labels.get("sentiment") != "positive" and labels.get("category", "other") not in _UNASKED


def fit(data: list[tuple[str, bool]]) -> dict[str, float]:
    """Weights by token; the bias stands under the empty one."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    vectorizer = CountVectorizer(analyzer=lambda text: set(tokens(text)), min_df=4, binary=True)
    matrix = vectorizer.fit_transform([text for text, _ in data])
    model = LogisticRegression(C=STRENGTH, max_iter=500, class_weight="balanced")
    model.fit(matrix, [expects for _, expects in data])
    weights = dict(zip(vectorizer.get_feature_names_out(), model.coef_[0], strict=True))
    heaviest = sorted(weights, key=lambda token: (-abs(weights[token]), token))[:KEPT]
    rounded = {token: round(weights[token] * 64) / 64 for token in sorted(heaviest)}
    return {"": round(float(model.intercept_[0]) * 64) / 64, **{token: one for token, one in rounded.items() if one}}


@click.command()
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Where to write the weights."
)
@click.option(
    "--corpus",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="TOCSIN_CORPUS",
    required=True,
    help="Folder of the labelled sets (TOCSIN_CORPUS).",
)
def main(out: Path, corpus: Path) -> None:
    """Fits what says whether a message expects an answer, and writes its weights as JSON."""
    data = list(examples(corpus))
    weights = fit(data)
    out.write_bytes(orjson.dumps(weights, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    click.echo(f"{out}: {len(weights):,} weights from {len(data):,} texts")


if __name__ == "__main__":
    main()
