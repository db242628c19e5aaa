"""The base: its bytes come back as they went, say what they are, and the shipped one fits this feature code."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from agents.scoring import base as module
from agents.scoring import lexicon
from agents.scoring.base import Base, shipped
from agents.scoring.features import extract
from agents.scoring.heads import Model
from agents.training.corpora import SOURCES, Example, bootstrap
from agents.training.train import fit
from schemas.arrays import pack, unpack
from schemas.base import Invalid
from schemas.people import HEADS


@pytest.fixture(scope="module")
def whole() -> Base:
    return Base.load(shipped())


def small() -> list[Example]:
    good, bad = ("great", "lovely", "quick"), ("awful", "broken", "slow")
    words = [(word, "positive") for word in good] + [(word, "negative") for word in bad]
    return [
        Example("bootstrap", f"{word} {thing} {filler}", "en", {"sentiment": label, "spam": "no"}, filler == "today")
        for word, label in words
        for thing in ("parcel", "staff", "app")
        for filler in ("today", "again", "really")
    ]


def test_dump_and_load_give_the_same_base() -> None:
    first = fit(small(), lambda line: None)
    second = Base.load(first.dump())
    assert second.id == first.id
    assert second.columns == first.columns
    assert second.metrics == first.metrics
    features = extract("awful staff today", None, "en")
    assert second.logits(*features[:2]).tolist() == first.logits(*features[:2]).tolist()


def test_training_is_the_same_every_time_and_learns() -> None:
    first, second = fit(small(), lambda line: None), fit(small(), lambda line: None)
    assert first.dump() == second.dump()
    assert list(first.heads) == ["sentiment"], "a head with one label only is not trained"
    assert first.metrics["sentiment"]["en"]["bootstrap"]["accuracy"] == 1.0


def test_another_weight_is_another_base() -> None:
    ids = np.array([5], dtype=np.uint64)
    heads: dict[str, tuple[str, ...]] = {"spam": ("no", "yes")}
    made = [Base(heads, {"spam": {"en": 1}}, ids, np.array([[weight]]), [0.0]).id for weight in (1.0, 1.0, 2.0)]
    assert made[0] == made[1] != made[2]


def test_a_base_for_other_features_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = fit(small(), lambda line: None).dump()
    monkeypatch.setattr(module, "FEATURES_VERSION", "another")
    with pytest.raises(Invalid, match="train it anew"):
        Base.load(data)


@pytest.mark.parametrize(
    "spoil", [lambda d: b"", lambda d: d[:-9], lambda d: b"no" + d, lambda d: pack({"kind": "model"}, {})]
)
def test_damaged_bytes_are_refused(spoil: object) -> None:
    with pytest.raises(Invalid):
        Base.load(spoil(fit(small(), lambda line: None).dump()))  # type: ignore[operator]


def test_a_header_that_claims_many_columns_is_refused_before_there_is_room_for_them() -> None:
    header, arrays = unpack(fit(small(), lambda line: None).dump())
    header["bias"] *= 2_000_000
    with pytest.raises(Invalid, match="as many biases as labels"):
        Base.load(pack(header, arrays))


def test_the_shipped_base_is_small_and_names_its_sources(whole: Base) -> None:
    assert len(shipped()) < 4_000_000
    assert set(whole.heads) == set(HEADS)
    assert set(whole.provenance["sources"]) == set(SOURCES)
    trained = {source.split("_")[0] for source in whole.provenance["trained_on"]}
    assert trained <= {source.split("_")[0] for source in SOURCES}
    assert not trained & {"twcs", "tickets"}, "these licences do not allow it"
    for head in whole.heads:
        assert whole.languages[head].keys() == {"en", "fr"}
        assert whole.metrics[head].keys() == {"en", "fr"}


@pytest.mark.parametrize(
    ("text", "language", "head", "label"),
    [
        ("this is the worst service I have ever had, awful", "en", "sentiment", "negative"),
        ("thank you so much, you were wonderful", "en", "sentiment", "positive"),
        ("c'est vraiment nul, je suis très déçu du service", "fr", "sentiment", "negative"),
        ("merci beaucoup, accueil parfait et équipe géniale", "fr", "sentiment", "positive"),
        ("you charged my card twice, I want a refund", "en", "category", "billing"),
        ("I'm so angry with you people, this makes me furious", "en", "emotion", "anger"),
        ("thanks a lot for your kind help", "en", "emotion", "gratitude"),
        ("you stupid bitch, go to hell", "en", "abuse", "yes"),
        ("could you tell me when you open tomorrow", "en", "abuse", "no"),
        ("pouvez-vous me dire à quelle heure vous ouvrez demain", "fr", "abuse", "no"),
    ],
)
def test_the_shipped_base_judges_the_plainest_messages(
    whole: Base, text: str, language: str, head: str, label: str
) -> None:
    scores = Model(whole).score(extract(text, None, language), language)
    assert scores[head].label == label


def test_the_lexicon_knows_both_languages() -> None:
    table = lexicon.shipped()
    assert len(table.listed) > 15_000
    assert extract("awful", None, "en").names.count("lexicon:negative") == 1
    assert extract("génial", None, "fr").names.count("lexicon:positive") == 1
    with pytest.raises(Invalid):
        lexicon.load(pack({"kind": "lexicon"}, {}))


def test_the_own_set_labels_every_message_for_every_head() -> None:
    made = list(bootstrap())
    assert len({example[:3] for example in made}) == len(made) >= 1_000
    for example in made:
        assert example.labels.keys() == set(HEADS)


def test_no_sentence_of_the_corpus_is_in_the_own_set() -> None:
    folder = os.environ.get("TOCSIN_CORPUS")
    if not folder:
        pytest.skip("TOCSIN_CORPUS names no folder of labelled sets")
    from agents.training.corpora import rows

    own = {example.text.casefold() for example in bootstrap()}
    for path in sorted(Path(folder).glob("*.jsonl.gz")):
        copied = {row["text"].casefold() for row in rows(path) if len(row["text"]) > 20} & own
        assert not copied, path.name
