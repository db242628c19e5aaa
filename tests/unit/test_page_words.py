"""Every word of the console's pages stands in both languages, and every word that the pages ask for is there."""

from __future__ import annotations

import re
from importlib.resources import files

from agents import policies
from agents.scoring.policy import parse

STATIC = files("agents.console") / "static"
TEXT = (STATIC / "words.js").read_text("utf-8")


def words(language: str) -> set[str]:
    """The names of one language's words."""
    own = re.search(rf"^  {language}: {{\n(.*?)^  }},", TEXT, re.MULTILINE | re.DOTALL)
    assert own is not None
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', own[1])
    names = re.findall(r"(\w+): \"\"", bare)
    assert len(names) == len(set(names)), [name for name in names if names.count(name) > 1]
    return set(names)


def asked_for() -> set[str]:
    """The words that pages and scripts name in so many letters."""
    found: set[str] = set()
    for file in STATIC.iterdir():
        text = file.read_text("utf-8") if file.name.endswith((".html", ".js")) else ""
        found |= set(re.findall(r'data-(?:word|label)="(\w+)"', text)) | set(re.findall(r'\bsay\("(\w+)"', text))
    return found


def test_both_languages_have_the_same_words() -> None:
    assert words("en") == words("fr")


def test_no_page_asks_for_a_word_that_is_not_there() -> None:
    assert asked_for() - words("en") == set()
    assert len(asked_for()) > 100


def test_every_safety_rule_of_the_default_policy_has_a_name_on_screen() -> None:
    assert {floor.name for floor in parse(policies.default_document()).floors} - words("en") == set()
