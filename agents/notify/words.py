"""What a notification says, in English and in French.

Owns: its wording; whether the first words of a message may stand in it; and that what a customer wrote is text wherever it is
shown: no mention, no link, no markup. Must never: name who wrote it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote

from agents.notify.destinations import Apprise, Language
from agents.notify.sending import Parcel
from agents.scoring.policy import Policy
from schemas.base import milliseconds
from schemas.decision import Alert

EXCERPT = 200
"""Characters of a message that a notification shows."""

_PRIORITY: dict[Language, dict[str, str]] = {
    "en": {"p0": "Danger", "p1": "Urgent", "p2": "Needs a person", "p3": "Can wait"},
    "fr": {"p0": "Danger", "p1": "Urgent", "p2": "À traiter par quelqu'un", "p3": "Peut attendre"},
}
_ASKED: dict[Language, str] = {"en": "Not sure, you decide", "fr": "Pas sûr, à vous de juger"}
_CHANGE: dict[Language, dict[str, str]] = {
    "en": {"raised": "Raised: ", "lowered": "Lowered: ", "withdrawn": "Withdrawn: "},
    "fr": {"raised": "Relevé : ", "lowered": "Abaissé : ", "withdrawn": "Retiré : "},
}
_DRILL: dict[Language, str] = {"en": "[Drill] ", "fr": "[Exercice] "}
_STAYS: dict[Language, str] = {
    "en": "What was written stays at the console.",
    "fr": "Le texte reste dans la console.",
}
_OPEN: dict[Language, str] = {"en": "Take or correct: ", "fr": "Prendre en charge ou corriger : "}
_LIST: dict[Language, str] = {"en": "See the list: ", "fr": "Voir la liste : "}
_MORE: dict[Language, dict[str, str]] = {
    "en": {
        "conversation": "+{n} more in this conversation",
        "incident": "+{n} more about the same thing",
        "rest": "+{n} more alerts",
    },
    "fr": {
        "conversation": "+{n} de plus dans cette conversation",
        "incident": "+{n} de plus sur le même sujet",
        "rest": "+{n} alertes de plus",
    },
}
_AGO: dict[Language, tuple[str, str, str, str]] = {
    "en": ("just now", "{n} min ago", "{n} h ago", "{n} d ago"),
    "fr": ("à l'instant", "il y a {n} min", "il y a {n} h", "il y a {n} j"),
}

# Signs with which some service or other makes mentions, links, markup or commands, and what looks like them and does nothing.
# None of these has a compatible form that is such a sign again.
_SIGNS = str.maketrans(
    {
        "@": "(a)", "<": "‹", ">": "›", "&": "+", "#": "♯", "*": "∗", "_": "ˍ", "~": "∼", "`": "'", "|": "ǀ", "[": "(", "]": ")",
        "{": "(", "}": ")", "\\": "∖", "/": "⁄",
    }
)  # fmt: skip
_DOT = re.compile(r"(?<=\w)\.(?=[^\W\d_])")
"""Between letters: some services make a link of a bare name of a host."""
_COLON = re.compile(r":(?=\S)")
"""Before a letter: schemes of links (tel:, mailto:), and names of emojis."""


@dataclass(frozen=True, slots=True)
class Notification:
    """Plain text: a title of one line, and a body of a few."""

    title: str
    body: str


def defused(text: str, most: int = EXCERPT) -> str:
    """Text of a customer on one line, cut, in which no service finds a mention, a link, markup or a control character."""
    # Compatible forms first (a wide @ is an @ to some), so that none slips through; then signs are made harmless.
    cut = unicodedata.normalize("NFKC", text[: 4 * most])
    cut = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in cut)
    cut = " ".join(cut.split())
    if len(cut) > most or len(text) > 4 * most:
        cut = cut[: most - 1].rstrip() + "…"
    return _COLON.sub(" : ", _DOT.sub("(.)", cut.translate(_SIGNS)))


def may_show(alert: Alert, policy: Policy) -> bool:
    """Whether the first words of a message may leave for a chat or a mailbox.

    What was p0, what no machine may answer (threats, bereavement, illness, legal, what was not read or not sure), and what a
    person or an edit has lowered since stays at the console, unless the policy says otherwise (`notifications`).
    """
    decision, rules = alert.decision, policy.notifications
    if decision.priority not in rules.text or alert.change not in ("new", "raised"):
        return False
    known = {floor.name: floor for floor in policy.floors}
    hit = [reason.floor for reason in decision.reasons if isinstance(reason.floor, str)]
    danger = [name for name in hit if name not in known or known[name].priority == "p0"]
    if danger and "p0" not in rules.text:
        return False
    # No machine may answer a p0, whatever it is about: who lets its text out has said so.
    others = [known[name].automation for name in hit if name not in danger]
    sensitive = not all(others) or (decision.priority != "p0" and not decision.automation_allowed)
    return not sensitive or rules.sensitive


def notification(parcel: Parcel, target: Apprise, policy: Policy, console: str, now_ms: int) -> Notification:
    """What is told of an alert, or of several."""
    alert, language = parcel.alert, target.language
    if parcel.more:
        return _update(parcel, language, console)
    decision = alert.decision
    what = _ASKED[language] if decision.status == "abstained" else _PRIORITY[language][decision.priority]
    if decision.status == "abstained" and decision.priority != "p3":
        what = f"{_PRIORITY[language][decision.priority]} ({_ASKED[language].lower()})"
    title = _CHANGE[language].get(alert.change, "") + what
    where = defused(decision.channel, 64) if decision.channel else ""
    ago = _ago(now_ms - milliseconds(decision.sent_at), language)
    lines = [getattr(alert.why, language), f"{where}, {ago}" if where else ago]
    if target.excerpt and may_show(alert, policy):
        shown = defused(alert.message.text)
        if shown:
            lines.append(f"« {shown} »" if language == "fr" else f"“{shown}”")
    else:
        lines.append(_STAYS[language])
    lines.append(_OPEN[language] + link(console, decision.message_id))
    return Notification((_DRILL[language] if alert.drill else "") + title, "\n".join(lines))


def _update(parcel: Parcel, language: Language, console: str) -> Notification:
    kind = "rest" if parcel.rest else "incident" if parcel.incident else "conversation"
    title = _MORE[language][kind].format(n=parcel.more)
    if parcel.rest:
        return Notification(title, _LIST[language] + console + "/")
    decision = parcel.alert.decision
    lines = [
        f"{_PRIORITY[language][decision.priority]}: {getattr(parcel.alert.why, language)}"
        if language == "en"
        else f"{_PRIORITY[language][decision.priority]} : {getattr(parcel.alert.why, language)}",
        _OPEN[language] + link(console, decision.message_id),
    ]
    return Notification(title, "\n".join(lines))


def link(console: str, message_id: str) -> str:
    """Where a person opens a message."""
    return f"{console}/?message={quote(message_id.encode('utf-8', 'replace'), safe='')}"


def _ago(elapsed_ms: int, language: Language) -> str:
    now, minutes, hours, days = _AGO[language]
    elapsed = max(elapsed_ms, 0) // 1000
    if elapsed < 60:
        return now
    if elapsed < 3600:
        return minutes.format(n=elapsed // 60)
    if elapsed < 2 * 86_400:
        return hours.format(n=elapsed // 3600)
    return days.format(n=elapsed // 86_400)
