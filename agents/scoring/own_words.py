"""Owns the line between what a customer wrote and what a mail program put around it.

Quoted earlier mail, signatures and legal notices become spaces; every character keeps its place. In doubt the text
stays: a footer that rings costs a glance, a cry for help taken for a footer costs more. It must never shorten the text,
nor blank words because of what they say, nor take more than linear time.
"""

from __future__ import annotations

import re

# Without one of these nothing below can apply; checked first because nearly every message has none.
_SUSPECT = re.compile(
    r"^[ \t]*>|^-- ?\r?$|wrote ?:|a écrit|a ecrit|original message|message d.origine|sent from|sent via|get outlook"
    r"|envoyé|envoye |obtenez outlook|télécharge|confidenti|^[ \t]*\*?(?:from|de)\*?[ \u00a0\u202f]?:",
    re.IGNORECASE | re.MULTILINE,
)
# What every match of the above holds, case folded: looking for a plain word costs a tenth of looking for a pattern.
_HINTS = (
    ">", "wrote", "a écrit", "a ecrit", "original", "message d", "sent ", "outlook", "envoy", "télécharge",
    "confidenti", "--",
)  # fmt: skip
_HEADED = re.compile(r"^[ \t]*\*?(?:from|de)\*?[ \u00a0\u202f]?:", re.IGNORECASE | re.MULTILINE)
_QUOTED = re.compile(r"[ \t]*>")
# "On Tue, 3 Mar 2026 at 10:12, Ann Lee <ann@x.org> wrote:", nothing after the colon, perhaps wrapped over three lines.
_OPENS = re.compile(r"\s*(?:on|le) .{0,200}", re.IGNORECASE)
_CLOSES = re.compile(r"(?:.{0,300}\s)?(?:wrote|a [ée]crit)[ \u00a0\u202f]?:\s*$", re.IGNORECASE)
_DATED = re.compile(r"\d{1,2}[:h.]\d{2}|\b(?:19|20)\d{2}\b|\d{1,2}/\d{1,2}|[^\s@]{1,64}@[^\s@]{1,64}")
# People who tell what somebody wrote to them name them so; mail programs do not.
_TOLD = re.compile(
    r"\b(?:he|she|they|it|i|we|you|il|elle|ils|elles|on|je|m'a|lui)\s+(?:\w+\s+)?(?:wrote|a [ée]crit)", re.IGNORECASE
)
_ORIGINAL = re.compile(
    r"\s*[-_*]{2,}\s*(?:original message|message d.origine|message original|original appointment)\s*[-_*]{2,}\s*$",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"\s*\*?(from|de|sent|date|envoyé|envoye|to|à|a|cc|subject|objet|sujet)\*?[ \u00a0\u202f]?:\*?\s", re.IGNORECASE
)
# A mail sent on is shown because of what it says: from here on nothing is blanked as an earlier mail.
_FORWARDED = re.compile(
    r"\s*(?:[-_*]{2,}\s*(?:forwarded message|message (?:transf[ée]r[ée]|r[ée]exp[ée]di[ée]))\s*[-_*]{2,}"
    r"|begin forwarded message ?:|d[ée]but du message (?:transf[ée]r[ée]|r[ée]exp[ée]di[ée])[ \u00a0\u202f]?:)\s*$",
    re.IGNORECASE,
)
_DEVICE = re.compile(
    r"(?:^|(?<=\s))(?:sent (?:from|via) (?:my |an? |the )?|get (?=outlook for )"
    r"|envoy[ée] (?:de |depuis |à partir de |à partir d'|via )(?:mon |ma |l'|un |une )?|obtenez (?=outlook )"
    r"|t[ée]l[ée]charge[rz] (?=outlook ))([^\n]{1,60})$",
    re.IGNORECASE,
)
# What follows is a device, a program or a network, if these and names are all there is; else somebody goes on writing.
_DEVICE_WORDS = frozenset(
    [
        "iphone", "ipad", "ipod", "android", "samsung", "galaxy", "huawei", "pixel", "blackberry", "outlook",
        "yahoo", "gmail", "proton", "protonmail", "mail", "phone", "mobile", "smartphone", "tablet", "device",
        "handheld", "wireless", "network", "app", "mac", "pc", "windows", "ios", "using", "on", "for", "the",
        "with", "via", "by", "powered", "appareil", "application", "appli", "téléphone", "telephone",
        "portable", "cellulaire", "cell", "gsm", "tablette", "courrier", "réseau", "reseau", "pour", "sous",
        "sur", "par", "de", "la", "le", "du",
    ]
)  # fmt: skip
_NOTICE = re.compile(
    r"\s*[*_(\[]?(?:this (?:e-?mail|message|communication|transmission)"
    r"|the (?:information|contents?) (?:contained |of |in )"
    r"|confidentiality|disclaimer|notice|ce (?:message|courriel|mail|courrier)|cet e-?mail|le (?:présent|contenu)"
    r"|avis de confidentialit|les informations contenues|ce document)",
    re.IGNORECASE,
)
_SECRET = ("confidenti", "privileged", "privilégié")
_ADDRESSED = (
    "intended", "recipient", "addressee", "destinataire", "destiné", "l'intention", "l’intention", "unauthori",
    "disclosure", "divulgation", "diffusion", "delete it", "delete this", "supprimer", "détruire", "dissemination",
)  # fmt: skip
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|my|me|je|j|moi|mon|ma|mes)\b(?!-)", re.IGNORECASE)
# A signature is short; longer text below two dashes is the message going on.
_SIGNATURE_LINES, _SIGNATURE_CHARACTERS = 8, 500
_LETTER = re.compile(r"[^\W_]")


def own_words(text: str) -> str:
    """`text` at its full length, with what is not the customer's own words replaced by spaces (line ends are kept).

    Replies between quoted lines are the customer's. So is all that stands under a quoting line when nothing else is
    there, and a mail sent on ("Forwarded message"): somebody shows it because of what it says.
    """
    folded = text.casefold()
    if not any(map(folded.__contains__, _HINTS)) and not (":" in text and _HEADED.search(text)):
        return text
    if not _SUSPECT.search(text):
        return text
    lines = text.splitlines(keepends=True)
    blank = [bool(_QUOTED.match(line)) for line in lines]
    _blank_notices(lines, blank)
    _blank_devices_and_signature(lines, blank)
    _blank_earlier_mail(lines, blank)
    return "".join(_wiped(line) if gone else _tail_wiped(line) for line, gone in zip(lines, blank, strict=True))


def _wiped(line: str) -> str:
    body = line.rstrip("\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")
    return " " * len(body) + line[len(body) :]


def _tail_wiped(line: str) -> str:
    """A line whose end is a device's own words ("... thanks. Sent from my iPhone")."""
    found = _device(line.rstrip())
    return line if found is None else line[:found] + _wiped(line[found:])


def _device(body: str) -> int | None:
    # Only the last characters can hold it; a line may be the whole message, a hundred thousand characters long.
    begin = max(0, len(body) - 100)
    found = _DEVICE.search(body, begin)
    if found is None or (begin and found.start() == begin):
        return None
    words = [word.strip(".,!") for word in found[1].replace("'", " ").split()]
    known = [word.casefold() in _DEVICE_WORDS for word in words]
    named = (sure or word != word.lower() or word.isdigit() for word, sure in zip(words, known, strict=True))
    return found.start() if any(known) and all(named) and not found[1].isupper() else None


def _blank_notices(lines: list[str], blank: list[bool]) -> None:
    at, going_on = 0, False
    while at < len(lines):
        end = at
        while end < len(lines) and lines[end].strip():
            end += 1
        paragraph = "".join(lines[at:end])
        lowered = paragraph[:5000].casefold()
        secret, addressed = (any(cue in lowered for cue in cues) for cues in (_SECRET, _ADDRESSED))
        notice = bool(_NOTICE.match(paragraph)) and secret and addressed
        if end > at:
            # A notice may run over paragraphs; no notice says "I".
            going_on = (notice or (going_on and (secret or addressed))) and not _FIRST_PERSON.search(paragraph)
            if going_on:
                blank[at:end] = [True] * (end - at)
        at = end + 1


def _blank_devices_and_signature(lines: list[str], blank: list[bool]) -> None:
    said = next((at for at, line in enumerate(lines) if _LETTER.search(line)), len(lines))
    for at in range(said + 1, len(lines)):
        if lines[at].rstrip("\r\n") not in ("-- ", "--"):
            continue
        end = at + 1
        while end < len(lines) and not (
            blank[end] or _FORWARDED.match(lines[end][:100]) or _begins_earlier_mail(lines, end)
        ):
            end += 1
        if end - at - 1 <= _SIGNATURE_LINES and sum(map(len, lines[at:end])) <= _SIGNATURE_CHARACTERS:
            blank[at:end] = [True] * (end - at)
        break


def _begins_earlier_mail(lines: list[str], at: int) -> int:
    """How many lines introduce an earlier mail at line `at`: 0 for none."""
    line = lines[at]
    if len(line) > 400:
        return 0
    if _ORIGINAL.match(line):
        return 1
    names = []
    for follower in lines[at : at + 5]:
        header = _HEADER.match(follower[:80])
        if header is None:
            break
        names.append(header[1].casefold())
    if len(names) >= 3 and names[0] in ("from", "de"):
        return len(names)
    if _OPENS.match(line):
        opening = ""
        for length, part in enumerate(lines[at : at + 3], 1):
            opening += part[:400]
            if _CLOSES.match(opening.replace("\n", " ").replace("\r", " ")):
                return length if _DATED.search(opening) and not _TOLD.search(opening) else 0
            if not part.strip():
                break
    return 0


def _blank_earlier_mail(lines: list[str], blank: list[bool]) -> None:
    at, said = 0, False
    while at < len(lines):
        if _FORWARDED.match(lines[at][:100]):
            return
        length = 0 if blank[at] else _begins_earlier_mail(lines, at)
        if not length:
            said = said or (not blank[at] and _LETTER.search(lines[at]) is not None)
            at += 1
            continue
        after = at + length
        blank[at:after] = [True] * length
        rest = next((n for n in range(after, len(lines)) if lines[n].strip()), len(lines))
        if rest < len(lines) and _QUOTED.match(lines[rest]):
            at = rest  # Its lines are marked one by one; what stands between them is an answer.
            continue
        if said:
            blank[after:] = [True] * (len(lines) - after)
            return
        at = after
