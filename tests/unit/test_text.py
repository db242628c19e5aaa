"""Folding: what people vary without meaning anything by it is gone, and every letter knows where it came from."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.scoring.text import Index, collapse, fold, squeeze

steady = settings(derandomize=True, deadline=None, max_examples=400, database=None)

# Text as phones and keyboards make it, and as nobody does: everything Unicode has, in every order.
ODD = st.sampled_from(
    ["’", "\u200b", "\u00a0", "\u202f", "é", "e\u0301", "œ", "ﬁ", "ß", "ＡＢ", "½", "😂", "\u00ad", "ǆ", "™", "İ"]
)
PLAIN = st.sampled_from(["kill", "myself", "aa", " ", "l", "."])
TEXTS = st.lists(st.text(max_size=8) | ODD | PLAIN, max_size=12).map("".join)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I'm", "im"),
        ("I’m", "i m"),
        ("peut-être", "PEUT ETRE"),
        ("cœur", "coeur"),
        ("cœur", "CŒUR"),
        ("déjà", "de\u0301ja\u0300"),
        ("ｋｉｌｌ", "kill"),
        ("ki\u200bll", "kill"),
        ("k.i.l.l", "kill"),
        ("sui\u00adcide", "suicide"),
        ("l\u00a0agence", "l'agence"),
        ("straße", "STRASSE"),
        ("ﬁre", "fire"),
        ("100 %", "100%"),
        ("𝐡𝐞𝐥𝐩", "help"),
    ],
)
def test_two_ways_to_write_the_same_are_the_same(one: str, other: str) -> None:
    assert squeeze(one) == squeeze(other) != ""
    assert fold(one).key == fold(other).key


@pytest.mark.parametrize(("held", "plain"), [("heeeeelp", "help"), ("urgeeent", "urgent"), ("NOOOON", "non")])
def test_a_key_held_down_is_one_letter(held: str, plain: str) -> None:
    assert fold(held).key == fold(plain).key


def test_digits_are_not_collapsed() -> None:
    assert collapse("call 999 or 112") == "cal 999 or 112"


@steady
@given(TEXTS)
@example("a" * 50)
@example("à\u0300" * 10)
def test_the_fast_way_and_the_way_back_read_the_same_words(text: str) -> None:
    folded = fold(text)
    index = folded.index()
    assert [word.letters for word in index.words] == folded.words
    assert index.key == folded.key


@steady
@given(TEXTS)
def test_every_folded_letter_names_the_character_it_came_from(text: str) -> None:
    last = -1
    for word in fold(text).index().words:
        assert len(word.letters) == len(word.origins)
        assert list(word.origins) == sorted(word.origins)
        assert last <= word.origins[0]
        assert word.origins[-1] < word.end <= len(text)
        for letter, origin in zip(word.letters, word.origins, strict=True):
            assert letter in squeeze(text[origin])
        last = word.origins[-1]


@steady
@given(TEXTS, st.data())
def test_a_span_is_whole_words_and_reads_as_its_part_of_the_key(text: str, data: st.DataObject) -> None:
    folded = fold(text)
    size = len(folded.key)
    if not size:
        assert folded.words == []
        return
    begin = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(begin + 1, size))
    span = folded.span(begin, end)
    if span is not None:
        start, stop = span
        assert 0 <= start < stop <= len(text)
        assert folded.key[begin:end] in fold(text[start:stop]).key
        assert squeeze(text[start])
        assert squeeze(text[stop - 1]) or unicodedata.category(text[stop - 1])[0] in "MC"


@steady
@given(st.lists(st.sampled_from(["I", "want", "to", "die", "été", "l’eau", "all", "loose"]), min_size=1, max_size=8))
def test_each_word_is_found_where_it_stands(words: list[str]) -> None:
    text = " ".join(words)
    index = fold(text).index()
    found = [text[word.origins[0] : word.end] for word in index.words]
    assert " ".join(found) == text.replace("’", " ")


@pytest.mark.parametrize(
    ("text", "phrase", "matches"),
    [
        ("process", "proces", False),
        ("procès", "proces", True),
        ("procèsss", "proces", True),
        ("proccès", "proces", True),
        ("poisson", "poison", False),
        ("poison", "poison", True),
        ("harrassed", "harassed", True),
        ("kil", "kill", False),
        ("killl", "kill", True),
        ("occured", "occurred", True),
    ],
)
def test_a_doubled_letter_is_a_slip_only_where_no_other_word_is_meant(text: str, phrase: str, matches: bool) -> None:
    runs = tuple(len(run) for run in _runs(squeeze(phrase)))
    index: Index = fold(text).index()
    assert (index.match(0, runs, frozenset({"process", "poisson"})) is not None) == matches


def _runs(letters: str) -> list[str]:
    found: list[str] = []
    for letter in letters:
        if found and found[-1][0] == letter:
            found[-1] += letter
        else:
            found.append(letter)
    return found


@pytest.mark.parametrize("inside", ["skill", "killer", "mykill"])
def test_a_word_within_another_is_no_span(inside: str) -> None:
    at = fold(inside).key.index("kil")
    assert fold(inside).span(at, at + 3) is None


def test_an_accent_typed_apart_belongs_to_its_letter() -> None:
    text = "un de\u0301ce\u0301s\u0301 ici"
    folded = fold(text)
    at = folded.key.index("deces")
    assert folded.span(at, at + 5) == (3, text.index(" ici"))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["a", "aB ", "é", "e\u0301", "\u0301", "😂", " ", "\u200b", "ﷺ", "aa", "1", "’", "ß"])
def test_a_hundred_thousand_characters_of_anything_fold(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    folded = fold(text)
    assert folded.index().key == folded.key
