"""What floors promise: a phrase is found however people type it, its offsets are right, and ordinary words do not ring.

The two tables in tests/data were written without looking at the policy's phrases; they say what it must do, not what it
does. Each test over a table names every message it fails on at once.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from string import ascii_lowercase
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scoring.floor_rules import compile_rules
from agents.scoring.floors import FloorHit, FloorMatcher
from agents.scoring.own_words import own_words
from agents.scoring.phrases import GAP, PhraseError, expand
from agents.scoring.policy import Floor, Floors, Policy, Sentence, WholeMessage, Wording, WrittenPhrase, parse

steady = settings(derandomize=True, deadline=None, max_examples=600, database=None)

DATA = Path(__file__).parents[1] / "data"
SEED = 20_260_302
# No policy has these words, nor do they turn into one by a slip.
BEFORE, AFTER = "Zwurbo blimfax. ", ". Quoxil drummp zwurbo"
SHOWN = 60
# Wordings tried in each way of writing them; as they stand, all are tried.
MOST_SAID = 8_000


@cache
def policy() -> Policy:
    return parse(files("deploy").joinpath("policy", "default.yaml").read_bytes())


@cache
def matcher() -> FloorMatcher:
    return FloorMatcher(policy().floors)


@cache
def ordinary() -> frozenset[str]:
    """The words that are never taken for slips."""
    return compile_rules(policy().floors).ordinary


def found(text: str, language: str | None = None) -> list[FloorHit]:
    return matcher().find(own_words(text), language)


def priority(text: str) -> str:
    return min((hit.priority for hit in found(text)), default="p3")


class Said(NamedTuple):
    """A phrase in one plain wording, part by part."""

    floor: str
    parts: tuple[str, ...]
    gaps: tuple[int, ...] = ()

    def text(self, between: str = " ") -> str:
        """The parts in a row, with `between` where words may stand between them."""
        text = self.parts[0]
        for part, gap in zip(self.parts[1:], self.gaps, strict=True):
            text += (between if gap else " ") + part
        return text


@cache
def everything_said() -> tuple[Said, ...]:
    """Every wording of every part of every phrase of the default policy, at least once."""
    said: dict[Said, None] = {}
    for floor in policy().floors:
        for phrase in floor.phrases:
            parts, gaps = expand(phrase.text)
            for wordings in zip_longest(*parts):
                chosen = tuple(one or part[0] for one, part in zip(wordings, parts, strict=True))
                said[Said(floor.name, chosen, gaps)] = None
    return tuple(said)


def share(way: int) -> tuple[Said, ...]:
    """Everything said, or where that is very much, an even share of it: another one for each way of writing it."""
    step = max(1, len(everything_said()) // MOST_SAID)
    return everything_said()[way % step :: step]


def missed(said: Said, text: str) -> str | None:
    """What is wrong where `said`, written as `text`, does not hit its floor in its place; None where it does."""
    whole = f"{BEFORE}{text}{AFTER}"
    hits = matcher().find(whole)
    inside = (len(BEFORE), len(BEFORE) + len(text))
    if any(hit.floor == said.floor and inside[0] <= hit.start < hit.end <= inside[1] for hit in hits):
        return None
    got = [(hit.floor, whole[hit.start : hit.end]) for hit in hits]
    return f"{said.floor}: {said.text(' ... ')!r} as {text!r} gives {got}"


def report(failures: list[str], of: int) -> None:
    if failures:
        more = f"\n... and {len(failures) - SHOWN} more" if len(failures) > SHOWN else ""
        pytest.fail(f"{len(failures)} of {of}:\n" + "\n".join(failures[:SHOWN]) + more, pytrace=False)


def no_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def held(text: str, rng: random.Random) -> str:
    """`text` with one letter held down; not one that the letter before it would run into."""
    bare = no_accents(text)
    bare = bare if len(bare) == len(text) else text
    near = [re.sub(r"[^a-z]", "", bare[max(0, at - 3) : at].lower())[-1:] for at in range(len(text))]
    places = [at for at, c in enumerate(text) if c.isalpha() and c not in "œæŒÆ" and near[at] != bare[at].lower()]
    at = rng.choice(places)
    return text[:at] + text[at] * rng.randint(3, 6) + text[at + 1 :]


def respaced(space: str) -> Callable[[str], str]:
    return lambda text: text.replace(" ", space)


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "in title case": str.title,
    "in swapped case": lambda text: "".join(c.upper() if n % 2 else c for n, c in enumerate(text)),
    "without accents": no_accents,
    "with accents apart": lambda text: unicodedata.normalize("NFD", text),
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "with two spaces": respaced("  "),
    "over lines": respaced("\n"),
    "over Windows lines": respaced("\r\n"),
    "with tabs": respaced("\t"),
    "with no-break spaces": respaced("\u00a0"),
    "with narrow spaces": respaced("\u202f"),
    "with zero-width joiners": lambda text: "\u200b".join(text),
    "with soft hyphens": lambda text: "\u00ad".join(text),
    "with hyphens": respaced("-"),
    "with commas": respaced(", "),
    "with points": respaced("..."),
    "with emoji": respaced(" 😂 "),
    "with underscores": respaced("_"),
    "with typographic apostrophes": lambda text: text.replace("'", "\u2019"),
    "without apostrophes": lambda text: text.replace("'", ""),
    "with spaces for apostrophes": lambda text: text.replace("'", " "),
    "in quotes": lambda text: f"« {text} »",
    "shouted": lambda text: f"{text.upper()}!!!!",
}  # fmt: skip


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WRITTEN)
def test_every_phrase_is_found_however_it_is_written(way: str) -> None:
    write = WRITTEN[way]
    tried = everything_said() if way == "as it is" else share(list(WRITTEN).index(way))
    if way == "with points":  # three points end a sentence, and words of another sentence do not stand "between"
        tried = tuple(said for said in tried if not any(said.gaps))
    report([wrong for said in tried if (wrong := missed(said, write(said.text())))], len(tried))


_JOINED = re.compile(
    r"\b(?!is\b)(he|she|that|there|who|i|you|they|we|isn|aren|wasn|don|doesn|didn|can|couldn|won|wouldn|shouldn|hasn|haven|hadn)"
    r"(s|m|ve|t)\b"
)


def test_every_contraction_is_found_with_its_apostrophe() -> None:
    tried = [(said, text) for said in everything_said() if (text := apostrophised(said.text())) != said.text()]
    assert len(tried) > 1000
    report([wrong for said, text in tried if (wrong := missed(said, text))], len(tried))


def apostrophised(text: str) -> str:
    """`text` with "shes" as "she's" and "cant" as "can't", as most people write them."""
    return re.sub(_JOINED, lambda found: f"{found[1]}'{found[2]}", text)


@pytest.mark.timeout(300)
def test_every_whole_message_is_found_however_it_is_written() -> None:
    rng = random.Random(SEED)
    failures, count = [], 0
    for floor in policy().floors:
        for phrase in floor.whole_message.phrases:
            texts = [write(phrase) for write in WRITTEN.values()] + [f"{phrase} {phrase.upper()}", held(phrase, rng)]
            plain = no_accents(phrase.lower())
            for long in _LONG.finditer(plain):
                known = [slip for slip in slips(long[0], rng) if slip not in ordinary()]
                texts += [plain[: long.start()] + slip + plain[long.end() :] for slip in known]
            count += len(texts)
            for text in texts:
                if floor.name not in {hit.floor for hit in matcher().find(text)}:
                    failures.append(f"{floor.name}: {phrase!r} as {text!r}")
    report(failures, count)


@pytest.mark.timeout(300)
def test_every_phrase_is_found_with_a_letter_held_down() -> None:
    rng = random.Random(SEED)
    texts = [(said, held(said.text(), rng)) for said in share(1) for _ in range(2)]
    report([wrong for said, text in texts if (wrong := missed(said, text))], len(texts))


@pytest.mark.timeout(300)
def test_every_phrase_in_parts_is_found_with_words_between() -> None:
    several = [said for said in everything_said() if any(said.gaps)]
    gap = " zwurbo blimfax quoxil "
    assert len(gap.split()) == GAP
    failures = [
        wrong for said in several for between in (" zwurbo ", gap) if (wrong := missed(said, said.text(between)))
    ]
    report(failures, 2 * len(several))


def slips(word: str, rng: random.Random) -> Iterator[str]:
    """A slip of each kind."""
    at = rng.randrange(len(word))
    letter = rng.choice(ascii_lowercase)
    yield word[:at] + word[at + 1 :]
    yield word[:at] + letter + word[at:]
    yield word[:at] + letter + word[at + 1 :]
    at = rng.randrange(len(word) - 1)
    yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]


_LONG = re.compile(r"[a-z]{6,}")


@pytest.mark.timeout(300)
def test_every_long_word_of_a_phrase_may_be_mistyped_once() -> None:
    rng = random.Random(SEED)
    failures, count = [], 0
    for said in share(2):
        plain = no_accents(said.text().lower())
        for long in _LONG.finditer(plain):
            for slip in slips(long[0], rng):
                if slip != long[0] and slip not in ordinary():
                    count += 1
                    text = plain[: long.start()] + slip + plain[long.end() :]
                    failures += [wrong] if (wrong := missed(said, text)) else []
    report(failures, count)


MIXED = (
    "in capitals", "in swapped case", "without accents", "with two spaces", "over lines", "with no-break spaces",
    "with typographic apostrophes",
)  # fmt: skip


@settings(parent=steady, max_examples=250)
@given(st.data())
def test_a_phrase_is_found_in_any_mixture_of_ways(data: st.DataObject) -> None:
    said = data.draw(st.sampled_from(everything_said()))
    rng = random.Random(data.draw(st.integers(0, 2**32)))
    ways = data.draw(st.lists(st.sampled_from(MIXED), max_size=3))
    text = said.text()
    if data.draw(st.booleans()):
        text = held(text, rng)
    for way in ways:
        text = WRITTEN[way](text)
    assert missed(said, text) is None


@steady
@given(st.text(max_size=200), st.data())
def test_offsets_lie_within_the_text_whatever_stands_around(around: str, data: st.DataObject) -> None:
    said = data.draw(st.sampled_from(everything_said()))
    text = f"{around} {said.text()} {around}"
    hits = matcher().find(text)
    for hit in hits:
        assert 0 <= hit.start < hit.end <= len(text)
        assert text[hit.start : hit.end].strip() == text[hit.start : hit.end]
    assert hits == sorted(hits, key=lambda hit: (hit.priority, hit.start, hit.floor, hit.end))
    assert hits == matcher().find(text)


class Row(NamedTuple):
    language: str
    expected: str
    text: str


def table(name: str) -> list[Row]:
    lines = (DATA / name).read_text("utf-8").splitlines()
    assert lines[0] == "language\texpected\ttext"
    return [Row(*line.replace("\\n", "\n").split("\t")) for line in lines[1:]]


def told(row: Row) -> str:
    hits = ", ".join(f"{hit.priority} {hit.floor} {hit.phrase!r}" for hit in found(row.text)) or "nothing"
    return f"{row.language} expected {row.expected or 'nothing'}, got {hits}: {row.text!r}"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_must_ring_rings_at_least_as_high(language: str) -> None:
    rows = [row for row in table("floors_ring.tsv") if row.language == language]
    assert len(rows) >= 125
    report([told(row) for row in rows if priority(row.text) > row.expected.partition(":")[0]], len(rows))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_everybody_says_does_not_ring(language: str) -> None:
    rows = [row for row in table("floors_silent.tsv") if row.language == language]
    assert len(rows) >= 210
    report([told(row) for row in rows if priority(row.text) < (row.expected or "p3")], len(rows))


def test_who_may_harm_themselves_rings_the_floor_for_that() -> None:
    rows = [row for row in table("floors_ring.tsv") if row.expected == "p0:self_harm"]
    assert len(rows) >= 40
    report([told(row) for row in rows if "self_harm" not in {hit.floor for hit in found(row.text)}], len(rows))


def test_the_tables_say_each_thing_once() -> None:
    for name in ("floors_ring.tsv", "floors_silent.tsv"):
        rows = table(name)
        assert len({(row.language, row.text) for row in rows}) == len(rows)
        assert all(re.fullmatch(r"p[012]:[a-z_]+|p2|", row.expected) for row in rows)
    assert not {row.text for row in table("floors_ring.tsv") if row.expected[:2] != "p2"} & {
        row.text for row in table("floors_silent.tsv")
    }


@pytest.mark.parametrize(
    "text",
    [
        "This is not a suicide note",
        "this is NOT a suicide note lol",
        "Ceci n'est pas une lettre de suicide",
        "i want to die lol",
        "I want to die 😂😂😂",
        "i just want to die haha jk",
        "je veux mourir mdr",
        "j'ai envie de mourir 😂",
        "JE VEUX MOURIR ptdr",
        "thanks for nothing, I want to kill myself, have a nice day",
        "merci quand même, je vais me tuer, bonne journée",
        "This game is killing me lol. Also I want to die.",
        "ce jeu est une tuerie mais je veux mourir",
    ],
)
def test_a_wish_to_die_rings_whatever_stands_beside_it(text: str) -> None:
    assert priority(text) == "p0"


@pytest.mark.parametrize(
    "text",
    [
        "agent", "agent agent AGENT", "Human!", "humain", "HUMAIN SVP", "agent please", "agent\nagent\n", "AGENT!!!",
        "agent svp",
    ],
)  # fmt: skip
def test_a_message_of_nothing_but_agent_wants_a_human(text: str) -> None:
    hits = found(text)
    assert [hit.priority for hit in hits] == ["p2"]
    assert "human" in hits[0].floor
    assert squeezed(text[hits[0].start : hits[0].end]) == squeezed(text)


def squeezed(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


@pytest.mark.parametrize(
    "text",
    ["the agent was nice", "my travel agent", "l'agent était gentil", "human hair", "humain après tout, ce film"],
)
def test_agent_within_a_message_asks_for_nobody(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "word",
    [
        "down", "cancel", "legal", "court", "sue", "kill", "die", "fire", "press", "mort", "tuer", "feu", "presse",
        "pressé", "avocat", "plainte", "panne", "en finir", "je n'en peux plus", "viole", "violé", "process", "procès",
        "poisson", "poison", "Je suis pressé", "je suis presse", "un poisson", "the process", "Court Street", "Sue",
        "Die Hard",
    ],
)  # fmt: skip
def test_an_ordinary_word_rings_nothing(word: str) -> None:
    for text in (word, word.upper(), f"{word}?", f"Zwurbo {word} blimfax"):
        assert [hit for hit in found(text) if hit.priority < "p2"] == [], text


def test_what_is_silent_in_one_language_is_searched_in_every_other() -> None:
    only = [(floor, p) for floor in policy().floors for p in floor.phrases if p.silent_in]
    for floor, phrase in only:
        text = f"{BEFORE}{' '.join(part[0] for part in expand(phrase.text).parts)}{AFTER}"
        for language in (None, "de", "fr" if phrase.silent_in == "en" else "en", "xx-YY"):
            assert floor.name in {hit.floor for hit in matcher().find(text, language)}, (text, language)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "piece",
    [
        "a", "I want to die ", "agent ", "kill ", "\n", "je ", "suicde ", "want to ", "not ", "😂", "é", "my lawyer ",
        "dieeee ",
    ],
)  # fmt: skip
def test_a_hundred_thousand_characters_of_anything_are_searched(piece: str) -> None:
    hits = found(piece * (100_000 // len(piece)))
    assert len(hits) <= 16 * len(policy().floors)


# What the engine does with any policy: small ones that show one thing each.


def engine(
    *phrases: str,
    unless: tuple[str, ...] = (),
    near: int = 3,
    negation: bool = False,
    ordinary: tuple[str, ...] = (),
    whole: WholeMessage | None = None,
) -> FloorMatcher:
    floor = Floor(
        name="one",
        priority="p1",
        route="care",
        automation=False,
        why=Sentence("a", "b"),
        phrases=tuple(map(WrittenPhrase, phrases)),
        unless=tuple(map(WrittenPhrase, unless)),
        near=near,
        negation=negation,
        whole_message=whole or WholeMessage(),
    )
    wording = Wording(frozenset(ordinary), frozenset(["not", "pas", "never"]), frozenset(["going", "to"]))
    return FloorMatcher(Floors((floor,), wording))


def matched(one: FloorMatcher, text: str) -> list[str]:
    return [text[hit.start : hit.end] for hit in one.find(text)]


def test_a_hit_covers_its_words_and_no_more() -> None:
    one = engine("gas leak")
    assert matched(one, "A (gas-leak), please") == ["gas-leak"]
    assert matched(one, "GAS\u00a0 LEEEEAK!!!") == ["GAS\u00a0 LEEEEAK"]
    assert matched(one, "gas leaks, Vegas leak, gas leakage") == []
    assert matched(one, "gas leak gas leak") == ["gas leak", "gas leak"]


def test_parts_stand_at_most_three_words_apart_within_a_sentence() -> None:
    one = engine("sue ... company")
    assert matched(one, "sue a b c company") == ["sue a b c company"]
    assert matched(one, "sue company") == ["sue company"]
    assert matched(one, "sue a b c d company") == []
    assert matched(one, "I am Sue. Company name: x") == []
    assert matched(one, "Thanks, Sue\n\nCompany name: x") == []
    assert matched(one, "sue the\ncompany") == ["sue the\ncompany"]
    assert matched(one, "company I will sue") == []


def test_an_exception_silences_what_stands_near_it_only() -> None:
    one = engine("killing me", unless=("this patch",), near=2)
    assert matched(one, "this patch is killing me") == []
    assert matched(one, "killing me, this patch") == []
    assert matched(one, "he is killing me " + "and " * 9 + "this patch") == ["killing me"]


def test_an_exception_is_not_made_of_a_slip_within_one_word() -> None:
    one = engine("house burned down", unless=("burn cd",))
    assert matched(one, "house burncd down") == ["house burncd down"]
    assert matched(one, "house burned down. Burn CD") == []


def test_an_exception_silences_no_other_floor() -> None:
    why, phrases = Sentence("a", "b"), (WrittenPhrase("gas leak"),)
    first = Floor("one", "p1", "a", True, why, phrases, unless=(WrittenPhrase("lol"),))
    second = Floor("two", "p2", "a", True, why, phrases)
    hits = FloorMatcher(Floors((first, second))).find("gas leak lol")
    assert [hit.floor for hit in hits] == ["two"]


@pytest.mark.parametrize(
    ("text", "rings"),
    [
        ("I will sue you", True),
        ("I am not going to sue you", False),
        ("I do not sue you", False),
        ("never sue you", False),
        ("why not? sue you", True),
        ("it is not late, sue you", True),
        ("not that it matters sue you", True),
    ],
)
def test_a_negated_intent_is_silent_where_the_floor_says_so(text: str, rings: bool) -> None:
    assert bool(matched(engine("sue you", negation=True), text)) == rings
    assert matched(engine("sue you"), text) == ["sue you"]


def test_a_slip_that_may_mean_several_words_is_read_as_each() -> None:
    one = engine("they harass", "they harassed", "they harasser")
    for slip in ("harasse", "harasss", "harrass", "harassd", "harassdd", "harassde", "haraser"):
        assert matched(one, f"they {slip} me"), slip


def test_a_slip_that_is_a_word_is_left_alone() -> None:
    assert matched(engine("my poison"), "my poisson") == ["my poisson"]
    assert matched(engine("my poison", ordinary=("poisson",)), "my poisson") == []
    assert matched(engine("a breach", ordinary=("beach",)), "a beach, a breech") == ["a breech"]


def test_a_whole_message_phrase_needs_the_whole_message() -> None:
    one = engine("speak to someone", whole=WholeMessage(("agent", "a person"), ("please", "svp")))
    assert matched(one, "Agent, agent please!") == ["Agent, agent please"]
    assert matched(one, "a person a person") == ["a person a person"]
    assert matched(one, "please") == []
    assert matched(one, "agent of chaos") == []
    assert matched(engine("speak to someone", whole=WholeMessage(("humain",))), "Humian humaine") == ["Humian humaine"]


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("kill (myself|yourself)", (("kill myself", "kill yourself"),)),
        ("[really] want to die", (("want to die", "really want to die"),)),
        ("sue ... you", (("sue",), ("you",))),
        ("sue … you", (("sue",), ("you",))),
        ("a (b [c]|d)", (("a b", "a b c", "a d"),)),
    ],
)
def test_the_notation_of_phrases(written: str, parts: tuple[tuple[str, ...], ...]) -> None:
    assert expand(written).parts == parts


@steady
@given(st.text(alphabet="ab ()[]|.…'", max_size=40))
def test_a_phrase_of_any_signs_expands_or_is_refused(written: str) -> None:
    try:
        parts = expand(written).parts
    except PhraseError:
        return
    assert all(wording.strip() for part in parts for wording in part)
