"""What ordinary tools make of the same messages: VADER, TF-IDF with logistic regression, a plain River pipeline.

Owns: how the references are built. Must never: be tuned to a set, nor be held back from what ours may see.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from tests.quality.sets import SEED, Messages

Pairs = list[tuple[str, str]]
"""(label, said) of each message."""
REFITS = 10
"""Times that the batch model of a stream is fitted anew on all labels so far."""


def vader(messages: Messages) -> list[str]:
    """What VADER says, cut as its authors do: compound at most -0.05 is negative, at least 0.05 positive."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    scores = (analyzer.polarity_scores(one["text"])["compound"] for one in messages)
    return ["negative" if score <= -0.05 else "positive" if score >= 0.05 else "neutral" for score in scores]


def batch(messages: Messages, head: str, taught: int) -> list[str]:
    """TF-IDF of words and pairs, and logistic regression, fitted on the first `taught`; what it says of those behind them."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2),
        LogisticRegression(C=10.0, max_iter=300, random_state=SEED),
    )
    model.fit([one["text"] for one in messages[:taught]], [one["labels"][head] for one in messages[:taught]])
    found: list[str] = model.predict([one["text"] for one in messages[taught:]]).tolist()
    return found


def refitted(messages: Messages, head: str) -> Pairs:
    """The batch model, fitted anew ten times on all labels so far; each message told before its label is seen."""
    cuts = [len(messages) * part // REFITS for part in range(REFITS + 1)]
    pairs: Pairs = []
    for begin, end in pairwise(cuts[1:]):
        said = batch(messages[:end], head, begin)
        pairs += [(one["labels"][head], told) for one, told in zip(messages[begin:end], said, strict=True)]
    return pairs


def river(messages: Messages, head: str) -> list[str]:
    """River as its guide has it: words and pairs, one-vs-rest logistic regression with AdaGrad, test, then train."""
    from river import feature_extraction, linear_model, multiclass, optim

    words: Any = feature_extraction.BagOfWords(ngram_range=(1, 2))
    model: Any = words | multiclass.OneVsRestClassifier(linear_model.LogisticRegression(optim.AdaGrad(0.1)))
    said = []
    for one in messages:
        said.append(model.predict_one(one["text"]) or "")
        model.learn_one(one["text"], one["labels"][head])
    return said
