"""A policy is taken whole or refused with the line that is wrong, in one clear sentence; the shipped one is taken."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from itertools import pairwise
from string import ascii_lowercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scoring.policy import MAX_BYTES, PRIORITIES, Policy, PolicyError, parse

steady = settings(derandomize=True, deadline=None, max_examples=300, database=None)

SMALL = """\
name: small
owner: care team
late: {p0: 60, p1: 600, p2: 3600, p3: 86400}
thresholds:
  urgency_p1: 0.9
  urgency_p2: 0.6
  anger_p2: 0.8
  abuse_p2: 0.8
  spam: 0.9
  margin: 0.05
unscored: {language: p2, no_text: p2, scoring_failed: p2, too_short: p3}
raises:
  - {visibility: public, reach: 10000, of: p2, to: p1}
categories:
  active: shop
  sets:
    shop: [billing, other]
emotions: [anger, none]
routes:
  known: [support, care, moderation]
  default: support
  abuse: moderation
  spam: moderation
  by_category:
    billing: support
automation:
  never_priorities: [p0]
  never_statuses: [abstained]
  never_unscored: [language]
why:
  urgency: {en: It is urgent., fr: C'est urgent.}
  anger: {en: Somebody is angry., fr: Quelqu'un est en colère.}
  abuse: {en: It is abusive., fr: C'est injurieux.}
  spam: {en: It looks like spam., fr: On dirait du spam.}
  abstained: {en: Not sure., fr: Pas sûr.}
  human: {en: Somebody decided., fr: Quelqu'un a tranché.}
  public: {en: Many see it., fr: Beaucoup le voient.}
  too_short: {en: Too short., fr: Trop court.}
  language: {en: Another language., fr: Une autre langue.}
  no_text: {en: No text., fr: Pas de texte.}
  scoring_failed: {en: Not read., fr: Non évalué.}
wording:
  ordinary: {en: [process], fr: [poisson]}
  negators: {en: [not], fr: [pas]}
  bridges: {en: [going to], fr: [vais]}
floors:
  - name: self_harm
    priority: p0
    route: care
    automation: false
    why: {en: Somebody may come to harm., fr: Quelqu'un est en danger.}
    phrases:
      en:
        - kill myself
        - want to die
      fr:
        - me tuer
"""


def line_of(beginning: str) -> int:
    """The line of `SMALL` that begins with this, indentation aside."""
    found = [n for n, line in enumerate(SMALL.splitlines(), 1) if line.strip().startswith(beginning)]
    assert len(found) == 1, beginning
    return found[0]


def changed(old: str, new: str) -> str:
    assert SMALL.count(old) == 1, old
    return SMALL.replace(old, new)


def refused(document: bytes | str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        parse(document)
    return caught.value


def default_document() -> bytes:
    return files("deploy").joinpath("policy", "default.yaml").read_bytes()


def test_a_small_policy_is_read() -> None:
    policy = parse(SMALL)
    assert policy.late == {"p0": 60, "p1": 600, "p2": 3600, "p3": 86400}
    assert policy.thresholds.urgency_p2 == 0.6
    assert policy.categories.labels == ("billing", "other")
    assert policy.floors["self_harm"].route == "care"
    assert policy.floors["self_harm"].automation is False
    assert policy.floors["self_harm"].near == 3
    assert policy.floors.wording.bridges == {"going", "to", "vais"}
    assert policy.why["public"].fr == "Beaucoup le voient."


@pytest.mark.parametrize(
    "same", [SMALL.replace("\n", "\r\n"), "\ufeff" + SMALL, "---\n" + SMALL, SMALL + "...\n", "# ours\n\n" + SMALL]
)
def test_how_the_file_is_saved_does_not_matter(same: str) -> None:
    assert parse(same).floors == parse(SMALL).floors


def test_words_that_yaml_takes_for_truth_stay_words() -> None:
    policy = parse(changed("negators: {en: [not]", "negators: {en: [no, not, off]"))
    assert {"no", "not", "off"} <= policy.floors.wording.negators


@pytest.mark.parametrize("document", [SMALL, SMALL.encode() + "# é".encode()])
def test_the_version_is_the_name_and_the_hash_of_the_bytes(document: bytes | str) -> None:
    data = document.encode() if isinstance(document, str) else document
    assert parse(document).version == f"small@{hashlib.sha256(data).hexdigest()}"


FAULTS: list[tuple[str, str, str, str | int, str]] = [
    # what is wrong, what is replaced, by what, the line it must name (the beginning of one, or its number), words said
    ("a list that is not closed", "[anger, none]", "[anger, none", "routes:", "not YAML"),
    ("a quote that is not closed", "owner: care team", 'owner: "care team', 0, "not YAML"),
    ("a tab", "  default: support", "\tdefault: support", "default:", "not YAML"),
    ("a control character", "owner: care team", "owner: care\x07team", "owner:", "not YAML"),
    ("a key twice", "  default: support", "  default: support\n  default: care", "abuse: moderation", "second time"),
    ("a top key twice", "emotions: [anger, none]", "emotions: [anger]\nowner: me", "routes:", "second time"),
    ("an unknown key", "owner: care team", "ownr: care team", "owner:", '"ownr"'),
    ("an unknown key in a floor", "    route: care", "    rout: care", "route: care", '"rout"'),
    ("an unknown language", "      fr:\n        - me tuer", "      de:\n        - mich töten", "fr:", '"de"'),
    ("a missing key", "owner: care team\n", "", 1, 'no "owner"'),
    ("a missing key in a floor", "    route: care\n", "", "- name: self_harm", 'no "route"'),
    ("a word for a number", "urgency_p1: 0.9", "urgency_p1: high", "urgency_p1:", "number"),
    ("a quoted number", "urgency_p1: 0.9", 'urgency_p1: "0.9"', "urgency_p1:", "number"),
    ("not a number", "urgency_p1: 0.9", "urgency_p1: .nan", "urgency_p1:", "number"),
    ("a list for a number", "urgency_p1: 0.9", "urgency_p1: [0.9]", "urgency_p1:", "a list"),
    ("nothing for a number", "urgency_p1: 0.9", "urgency_p1:", "urgency_p1:", "empty"),
    ("a word for a map", "emotions: [anger, none]", "emotions: anger", "emotions:", "must be a list"),
    ("a word for a list", "      fr:\n        - me tuer\n", "      fr: me tuer\n", "fr:", "must be a list"),
    ("a half second", "p0: 60", "p0: 0.5", "late:", "from 1"),
    ("part of a second", "p0: 60", "p0: 60.5", "late:", "whole number"),
    ("a word for true", "automation: false", "automation: no", "automation: false", "true or false"),
    ("an unknown priority", "priority: p0", "priority: p7", "priority: p0", "p0, p1 or p2"),
    ("a floor that does nothing", "priority: p0", "priority: p3", "priority: p0", "p0, p1 or p2"),
    ("an unknown priority of a reason", "language: p2", "language: px", "unscored:", '"px"'),
    ("an unknown priority for bots", "never_priorities: [p0]", "never_priorities: [p9]", "never_priorities", '"p9"'),
    ("an unknown route", "route: care", "route: police", "route: care", '"police"'),
    ("an unknown default route", "default: support", "default: sales", "default:", '"sales"'),
    ("an unknown category", "    billing: support", "    refunds: support", "billing: support", "no set has"),
    ("an unknown route of a category", "    billing: support", "    billing: bin", "billing: support", '"bin"'),
    ("an unknown category set", "active: shop", "active: club", "active:", '"club"'),
    ("a set without other", "[billing, other]", "[billing]", "shop:", '"other"'),
    ("an empty phrase", "        - me tuer", '        - ""', "- me tuer", "must be text"),
    ("a phrase of signs", "        - me tuer", '        - "?!"', "- me tuer", "empty"),
    ("no phrase", "        - me tuer", "        -", "- me tuer", "empty"),
    ("a bracket that is not closed", "        - me tuer", "        - me (tuer", "- me tuer", "not closed"),
    ("a bracket that nobody opened", "        - me tuer", "        - me tuer)", "- me tuer", "opens or closes nothing"),
    ("a gap with nothing behind", "        - me tuer", "        - me tuer ...", "- me tuer", "empty side"),
    ("a phrase without measure", "        - me tuer", f"        - me ({'(a|b) ' * 20})", "- me tuer", "wordings"),
    ("a phrase twice", "        - me tuer", "        - me tuer\n        - me tuer", "<after>- me tuer", "already"),
    ("a whole message of signs", "        - me tuer\n",
     "        - me tuer\n    whole_message:\n      phrases: [agent]\n      beside:\n        - svp\n        - '!'\n",
     SMALL.count("\n") + 5, "no letter"),
    ("a phrase of two letters", "        - me tuer", "        - ok", "- me tuer", "too short"),
    ("a threshold above one", "spam: 0.9", "spam: 1.1", "spam: 0.9", "from 0 to 1"),
    ("a threshold below zero", "spam: 0.9", "spam: -0.1", "spam: 0.9", "from 0 to 1"),
    ("thresholds out of order", "urgency_p2: 0.6", "urgency_p2: 0.95", "urgency_p2:", "below urgency_p1"),
    ("a margin that leaves nothing sure", "margin: 0.05", "margin: 0.2", "margin:", "half the way"),
    ("lateness out of order", "p1: 600", "p1: 30", "late:", "must not be less"),
    ("reach that lowers", "of: p2, to: p1", "of: p1, to: p2", "- {visibility", "never lower"),
    ("a name with spaces", "name: small", "name: My Policy", 1, "small letters"),
    ("an anchor", "[anger, none]", "&x [anger, none]", "emotions:", "anchors"),
    ("an alias", "[anger, none]", "*x", "emotions:", "aliases"),
    ("a tag", "owner: care team", "owner: !!python/object:os.system x", "owner:", "tag"),
    ("a list as a key", "owner: care team", "[owner]: care team", "owner:", "key"),
    ("a second document", "[anger, none]", "[anger, none]\n---\nname: x", "routes:", "second document"),
    ("nested without end", "[anger, none]", "[" * 50 + "]" * 50, "emotions:", "nested"),
    ("a floor twice", "floors:\n", "floors:\n" + SMALL.partition("floors:\n")[2], SMALL.count("\n") + 1, "already"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "old", "new", "where", "said"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_fault_is_refused_with_its_line_and_one_sentence(
    fault: str, old: str, new: str, where: str | int, said: str
) -> None:
    error = refused(changed(old, new))
    assert said in error.problem
    assert str(error) == f"line {error.line}: {error.problem}"
    assert "\n" not in str(error)
    assert len(str(error)) < 400
    if isinstance(where, str):
        after = where.startswith("<after>")
        assert error.line == line_of(where.removeprefix("<after>")) + after
    elif where:
        assert error.line == where


@pytest.mark.parametrize(
    "word",
    [
        "down", "cancel", "legal", "court", "sue", "kill", "die", "fire", "press", "agent", "human", "mort", "tuer",
        "feu", "presse", "pressé", "avocat", "plainte", "panne", "en finir", "je n'en peux plus", "je n’en peux plus",
        "violé", "viole", "procès", "process", "poison", "poisson", "FIRE", "f i r e", "(fire|gas)", "[big] fire",
        "kill[s|]",
    ],
)  # fmt: skip
def test_an_ordinary_word_alone_is_refused_as_a_phrase(word: str) -> None:
    error = refused(changed("        - me tuer", f'        - "{word}"'))
    assert error.line == line_of("- me tuer")
    assert "ordinary word" in error.problem


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    bomb = "a: &a [x, x]\n"
    for before, after in pairwise("abcdefghi"):
        bomb += f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    assert refused(bomb).line == 1


def test_a_policy_of_more_than_a_megabyte_is_refused_unread() -> None:
    assert parse(SMALL + "#" * (MAX_BYTES - len(SMALL.encode()))).name == "small"
    error = refused(SMALL + "#" * (MAX_BYTES - len(SMALL.encode()) + 1))
    assert "1,000,001 bytes" in error.problem


def test_more_wordings_than_can_be_searched_are_refused_at_the_floor_that_brings_them() -> None:
    letters = [one + other for one in ascii_lowercase for other in "abcd"][:100]
    many = "".join(f"        - me tuer {letter} ({'(a|b) ' * 11})\n" for letter in letters)
    error = refused(changed("        - me tuer\n", many))
    assert error.line == line_of("- name: self_harm")
    assert "wordings, at most 200,000" in error.problem


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# nothing\n", b"\xef\xbb\xbf", b"---\n...\n"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    error = refused(data)
    assert error.line >= 1
    assert "empty" in error.problem or "must be a map" in error.problem


def test_what_is_not_utf_8_is_refused_with_the_line_of_the_byte() -> None:
    error = refused(SMALL.encode().replace(b"me tuer", b"me \xe9lever"))
    assert error.line == line_of("- me tuer")
    assert "UTF-8" in error.problem
    assert "UTF-8" in refused(SMALL.encode("utf-16")).problem


@pytest.mark.parametrize("document", ["just words", "- a\n- list\n", "42", "[]", '{"name": 1}'])
def test_what_is_no_policy_at_all_is_refused(document: str) -> None:
    assert refused(document).line == 1


@steady
@given(st.data())
def test_a_policy_damaged_anywhere_is_taken_or_refused_with_a_line_it_has(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(SMALL) - 1))
    cut = data.draw(st.integers(0, 12))
    more = data.draw(st.text(alphabet=st.sampled_from(list("\t\n :-[]{}&*!|>'\"#%@`,?é0p")), max_size=4))
    broken = SMALL[:at] + more + SMALL[at + cut :]
    outcome: Policy | PolicyError
    try:
        outcome = parse(broken)
    except PolicyError as error:
        outcome = error
    if isinstance(outcome, PolicyError):
        assert 1 <= outcome.line <= broken.count("\n") + 2
        assert "\n" not in str(outcome)


@steady
@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused_and_nothing_else_is_raised(data: bytes) -> None:
    assert refused(data).line >= 1


def test_the_default_policy_is_taken_and_says_what_the_contract_says() -> None:
    data = default_document()
    policy = parse(data)
    assert policy.version == f"{policy.name}@{hashlib.sha256(data).hexdigest()}"
    assert set(policy.late) == set(PRIORITIES)
    assert policy.unscored == {"language": "p2", "no_text": "p2", "scoring_failed": "p2", "too_short": "p3"}
    assert set(policy.routes.known) == {
        "support", "care", "moderation", "legal", "press", "security", "privacy", "sales",
    }  # fmt: skip
    assert set(policy.emotions) == {
        "anger", "fear", "sadness", "disappointment", "confusion", "gratitude", "joy", "none",
    }  # fmt: skip
    shop = {
        "billing", "delivery", "returns", "account", "technical", "information", "sales", "booking", "product_feedback",
        "cancellation", "safety", "legal", "privacy", "press", "other",
    }  # fmt: skip
    community = {"question", "report", "event", "introduction", "self_promotion", "chat", "other"}
    assert sorted(map(sorted, policy.categories.sets.values())) == sorted([sorted(shop), sorted(community)])
    assert set(policy.categories.labels) == shop
    assert {floor.priority for floor in policy.floors} == {"p0", "p1", "p2"}
    assert policy.automation.never_unscored == {"language", "no_text", "scoring_failed"}
    assert "abstained" in policy.automation.never_statuses
    assert not [floor.name for floor in policy.floors if floor.priority == "p0" and floor.automation]
    assert policy.routes.spam == "moderation"


def test_being_public_raises_and_never_lowers() -> None:
    policy = parse(SMALL)
    for priority in PRIORITIES:
        for visibility in ("public", "private", None):
            for reach in (None, 0, 9_999, 10_000):
                assert policy.raised(priority, visibility, reach) <= priority
    assert policy.raised("p2", "public", 10_000) == "p1"
    assert policy.raised("p2", "public", 9_999) == "p2"
    assert policy.raised("p2", "private", 10_000) == "p2"
