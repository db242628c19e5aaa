"""Owns the reading of a policy document: every key, its type, its limits, and the sentence said when one is wrong.

It must never repair a policy: a document is taken whole or refused with the line that is wrong.
"""

from __future__ import annotations

import re
from itertools import pairwise
from types import MappingProxyType

from agents.scoring.floor_rules import MAX_WORDINGS
from agents.scoring.phrases import PhraseError, expand
from agents.scoring.policy import (
    LANGUAGES,
    PRIORITIES,
    UNSCORED_REASONS,
    Automation,
    Categories,
    Floor,
    Floors,
    Policy,
    Raise,
    Routes,
    Sentence,
    Thresholds,
    WholeMessage,
    Wording,
    WrittenPhrase,
)
from agents.scoring.policy_crowd import CrowdRules
from agents.scoring.policy_desk import DeskRules
from agents.scoring.policy_file_crowd import read_crowd
from agents.scoring.policy_file_desk import read_desk
from agents.scoring.policy_file_history import read_history
from agents.scoring.policy_file_notifications import read_notifications
from agents.scoring.policy_history import History
from agents.scoring.policy_notifications import Notifications
from agents.scoring.policy_tree import Node, tree
from agents.scoring.text import squeeze

# Ordinary words that must never ring by themselves, by the contract. As they are when folded and squeezed.
FORBIDDEN_ALONE = frozenset(
    [
        "down", "cancel", "legal", "court", "sue", "kill", "die", "fire", "press", "agent", "human", "mort",
        "tuer", "feu", "presse", "avocat", "plainte", "panne", "enfinir", "jenenpeuxplus", "nenpeuxplus",
        "viole", "process", "proces", "poisson", "poison",
    ]
)  # fmt: skip
# Three times the default policy's, all wordings together: compiled, a policy takes some sixty bytes a letter.
_MAX_LETTERS = 5_000_000
# The memory that slips need grows with a word's square.
_LONGEST_WORD = 60
# A shorter phrase would stand in every other text by chance.
_LEAST_LETTERS = 3
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}$")
_BETWEEN_WORDS = re.compile(r"[\s()\[\]|]+")
_STATUSES = ("abstained", "unscored")
_WHY = ("urgency", "anger", "abuse", "spam", "abstained", "human", "public", *UNSCORED_REASONS)
_WHY_HISTORY = (
    "joined",
    "danger_open",
    "edited",
    "breach_near",
    "not_taken",
    "bot_tries",
    "repeats",
    "value",
    "slope",
    "asked",
    "sensitive",
    "again",
)
_WHY_CROWD = tuple(f"incident_{kind}" for kind in ("burst", "slow", "spam", "raid", "impostor", "budget"))
_SECTIONS = (
    "name", "owner", "late", "thresholds", "unscored", "raises", "categories", "emotions", "routes", "automation",
    "why", "wording", "floors",
)  # fmt: skip
_YEAR = 366 * 86_400


def read(data: bytes, sha256: str) -> Policy:
    """The policy in `data`, whose hash is `sha256`. Raises `PolicyError`."""
    top = tree(data).map(required=_SECTIONS, optional=("history", "crowd", "desk", "notifications"))
    late = top["late"].map(required=PRIORITIES)
    seconds = {priority: late[priority].whole(1, _YEAR) for priority in PRIORITIES}
    for higher, lower in pairwise(PRIORITIES):
        if seconds[higher] > seconds[lower]:
            late[lower].fail(f"is {seconds[lower]}, must not be less than {higher}'s {seconds[higher]}")
    categories = _categories(top["categories"])
    routes = _routes(top["routes"], {label for labels in categories.sets.values() for label in labels})
    unscored = top["unscored"].map(required=UNSCORED_REASONS)
    why = top["why"].map(required=_WHY, optional=(*_WHY_HISTORY, *_WHY_CROWD))
    floors = _floors(top["floors"], routes.known, _wording(top["wording"]))
    named = frozenset(floor.name for floor in floors)
    return Policy(
        name=_name(top["name"]),
        sha256=sha256,
        owner=top["owner"].text(),
        late=MappingProxyType(seconds),
        thresholds=_thresholds(top["thresholds"]),
        unscored=MappingProxyType({reason: unscored[reason].choice(PRIORITIES) for reason in UNSCORED_REASONS}),
        raises=tuple(_raise(node) for node in top["raises"].list()),
        categories=categories,
        emotions=top["emotions"].texts(),
        routes=routes,
        automation=_automation(top["automation"]),
        why=MappingProxyType({key: _sentence(node) for key, node in why.items()}),
        floors=floors,
        history=read_history(top["history"], named, routes.known) if "history" in top else History(),
        crowd=read_crowd(top["crowd"], named, routes.known) if "crowd" in top else CrowdRules(),
        desk=read_desk(top["desk"], named) if "desk" in top else DeskRules(),
        notifications=read_notifications(top["notifications"]) if "notifications" in top else Notifications(),
    )


def _name(node: Node) -> str:
    name = node.text()
    if not _NAME.match(name):
        node.fail(f'is "{name}", must be small letters, digits and _, at most 64, beginning with a letter')
    return name


def _sentence(node: Node) -> Sentence:
    parts = node.map(required=LANGUAGES)
    return Sentence(en=parts["en"].text(), fr=parts["fr"].text())


def _thresholds(node: Node) -> Thresholds:
    keys = ("urgency_p1", "urgency_p2", "anger_p2", "abuse_p2", "spam", "margin")
    entries = node.map(required=keys)
    values = {key: entries[key].number(0, 1) for key in keys}
    if values["urgency_p2"] >= values["urgency_p1"]:
        entries["urgency_p2"].fail(f"is {values['urgency_p2']:g}, must be below urgency_p1 ({values['urgency_p1']:g})")
    if 2 * values["margin"] >= values["urgency_p1"] - values["urgency_p2"]:
        entries["margin"].fail(
            f"is {values['margin']:g}, must be less than half the way from urgency_p2 to urgency_p1, so that some"
            " probability between them is sure"
        )
    return Thresholds(**values)


def _raise(node: Node) -> Raise:
    node.name = "raises"
    entries = node.map(required=("visibility", "reach", "of", "to"))
    rule = Raise(
        visibility=entries["visibility"].choice(("public", "private")),
        reach=entries["reach"].whole(0, 10_000_000_000),
        of=entries["of"].choice(PRIORITIES),
        to=entries["to"].choice(PRIORITIES),
    )
    if rule.to >= rule.of:
        entries["to"].fail(f"is {rule.to}, must be higher than {rule.of}: reach may raise a priority, never lower it")
    return rule


def _categories(node: Node) -> Categories:
    entries = node.map(required=("active", "sets"))
    sets = {}
    for name, labels in entries["sets"].any_map().items():
        labels.name = f'category set "{name}"'
        sets[name] = labels.texts()
        if "other" not in sets[name]:
            labels.fail('has no "other", which is needed for what fits nowhere')
    if not sets:
        entries["sets"].fail("has no set")
    return Categories(active=entries["active"].choice(sets), sets=MappingProxyType(sets))


def _routes(node: Node, labels: set[str]) -> Routes:
    entries = node.map(required=("known", "default", "abuse", "spam", "by_category"))
    known = entries["known"].texts()
    if not known:
        entries["known"].fail("has no route")
    by_category = {}
    for label, route in entries["by_category"].any_map().items():
        route.name = f'routes: by_category: "{label}"'
        if label not in labels:
            route.fail("is a category that no set has")
        by_category[label] = route.choice(known)
    return Routes(
        known=known,
        default=entries["default"].choice(known),
        abuse=entries["abuse"].choice(known),
        spam=entries["spam"].choice(known),
        by_category=MappingProxyType(by_category),
    )


def _automation(node: Node) -> Automation:
    entries = node.map(required=("never_priorities", "never_statuses", "never_unscored"))
    return Automation(
        never_priorities=frozenset(entries["never_priorities"].texts(PRIORITIES)),
        never_statuses=frozenset(entries["never_statuses"].texts(_STATUSES)),
        never_unscored=frozenset(entries["never_unscored"].texts(UNSCORED_REASONS)),
    )


def _wording(node: Node) -> Wording:
    entries = node.map(required=("ordinary", "negators", "bridges"))
    sets = []
    for key in ("ordinary", "negators", "bridges"):
        by_language = entries[key].map(required=LANGUAGES)
        words = [word for language in LANGUAGES for line in by_language[language].list() for word in _words(line)]
        sets.append(frozenset(words))
    return Wording(*sets)


def _words(line: Node) -> list[str]:
    """The words of one entry, folded; an entry may hold several, so that long lists stay readable."""
    return [squeeze(word) for word in line.text(2_000).split()]


def _floors(node: Node, routes: tuple[str, ...], wording: Wording) -> Floors:
    floors: dict[str, Floor] = {}
    wordings = letters = 0
    for entry in node.list():
        floor = _floor(entry, routes)
        if floor.name in floors:
            entry.fail("stands there already")
        for phrase in (*floor.phrases, *floor.unless):
            for part in expand(phrase.text).parts:
                wordings += len(part)
                letters += sum(map(len, part))
        if wordings > MAX_WORDINGS:
            entry.fail(f"brings the floors to {wordings:,} wordings, at most {MAX_WORDINGS:,}")
        if letters > _MAX_LETTERS:
            entry.fail(f"brings the floors to {letters:,} letters in all wordings, at most {_MAX_LETTERS:,}")
        floors[floor.name] = floor
    return Floors(tuple(floors.values()), wording)


def _floor(node: Node, routes: tuple[str, ...]) -> Floor:
    node.name = "a floor"
    entries = node.map(
        required=("name", "priority", "route", "automation", "why", "phrases"),
        optional=("unless", "near", "negation", "whole_message"),
    )
    name = _name(entries["name"])
    node.name = f'floor "{name}"'
    for key, entry in entries.items():
        entry.name = f'floor "{name}": {key}'
    phrases = _phrases(entries["phrases"], forbidden=FORBIDDEN_ALONE)
    if not phrases:
        entries["phrases"].fail("has no phrase")
    return Floor(
        name=name,
        priority=entries["priority"].choice(PRIORITIES[:3]),
        route=entries["route"].choice(routes),
        automation=entries["automation"].flag(),
        why=_sentence(entries["why"]),
        phrases=phrases,
        unless=_phrases(entries["unless"], forbidden=frozenset()) if "unless" in entries else (),
        near=entries["near"].whole(0, 20) if "near" in entries else 3,
        negation=entries["negation"].flag() if "negation" in entries else False,
        whole_message=_whole_message(entries["whole_message"]) if "whole_message" in entries else WholeMessage(),
    )


def _phrases(node: Node, forbidden: frozenset[str]) -> tuple[WrittenPhrase, ...]:
    found: dict[str, WrittenPhrase] = {}
    for key, entry in node.map(optional=("en", "fr", "en_only", "fr_only")).items():
        silent_in = {"en_only": "fr", "fr_only": "en"}.get(key)
        for line in entry.list():
            line.name = entry.name
            phrase = WrittenPhrase(line.text(1_000), silent_in)
            line.name = f'{entry.name}: "{phrase.text[:60]}"'
            _check(line, phrase.text, forbidden)
            if phrase.text in found:
                line.fail("stands there already")
            found[phrase.text] = phrase
    return tuple(found.values())


def _check(line: Node, phrase: str, forbidden: frozenset[str]) -> None:
    try:
        parts = expand(phrase).parts
    except PhraseError as error:
        line.fail(str(error))
    longest = max(map(len, _BETWEEN_WORDS.split(phrase)))
    if longest > _LONGEST_WORD:
        line.fail(f"has a word of {longest} characters, at most {_LONGEST_WORD}")
    for wording in (wording for part in parts for wording in part):
        letters = squeeze(wording)
        if len(letters) < _LEAST_LETTERS and len(parts) == 1:
            line.fail(f'comes down to "{letters}", which is too short to be found safely')
        if letters in forbidden and len(parts) == 1:
            line.fail(f'comes down to "{wording}", an ordinary word that must not ring by itself: add a second word')


def _whole_message(node: Node) -> WholeMessage:
    entries = node.map(required=("phrases",), optional=("beside",))
    phrases = entries["phrases"].texts()
    beside = entries["beside"].texts() if "beside" in entries else ()
    for entry in (words for key in entries.values() for words in key.list()):
        if not squeeze(entry.text()):
            entry.fail(f'is "{entry.text()}", which has no letter')
    return WholeMessage(phrases, beside)
