"""A run of characters without spaces, looked at once: the words, emoji and marks in it, with their ids and valences.

Owns: what a word is, and its id. Must never: know what stands beside it; that is `features`'s.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import NamedTuple

from agents.scoring import lexicon
from agents.scoring.runs import Run

MASK = (1 << 48) - 1
_PAIR = 0x9E3779B97F4A7C15  # 2**64 / golden ratio, odd: spreads an id before the next word's is added

_PIECE = re.compile(
    r"(?P<url>https?://\S+|www\.\S+)|(?P<mail>[\w.+-]+@[\w-]+\.\w[\w.]*)|(?P<mention>@\w+)|(?P<money>[$€£]\s?\d[\d.,]*"
    r"|\d[\d.,]*\s?[$€£])|(?P<number>\d[\d.,:/-]*\d|\d)|(?P<word>[^\W\d_]+(?:['’ʼ][^\W\d_]+)*)"
    r"|(?P<smile>[:;=8xX]['’]?-?[)(\]\[DPpOo/\\|*3]+|<3+|\^\^)|(?P<shout>[!?]+)|(?P<dots>\.{2,}|…)|(?P<stop>[.,;:])"
    r"|(?P<emoji>[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2190-\u21ff])"
)
_REPEAT = re.compile(r"(.)\1{2,}")
_ELIDED = frozenset(("l", "d", "j", "n", "s", "c", "m", "t", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu"))


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEGATORS = {
    "en": _set("""not no never none nobody nothing neither nor nowhere without hardly cannot cant dont doesnt didnt isnt arent
wasnt werent wont wouldnt couldnt shouldnt havent hasnt hadnt aint"""),
    "fr": _set("""ne n pas jamais aucun aucune rien ni sans"""),
}
_INTENSE = {
    "en": _set("""very really so too extremely absolutely totally completely such super damn fucking bloody incredibly truly
most"""),
    "fr": _set("""très tres trop vraiment tellement si totalement complètement completement absolument hyper ultra super
carrément grave"""),
}


class Token(NamedTuple):
    """One piece of a text, looked at once."""

    kind: int  # _WORD_KIND and so on
    id: int
    left: int  # what the id gives to a pair's, as the first of the two
    negated: int  # the id where a negation stands before it
    listed: float  # valence in the lists, -1 to 1
    induced: float
    role: int  # 1 negates, 2 intensifies
    style: int  # bits: 1 all capitals, 2 elongated
    name: str


class Piece(NamedTuple):
    """A run without spaces. Most are one word that turns nothing, in no special style: `tokens` is None, and the rest is
    that word's; else only `tokens` counts."""

    id: int
    left: int
    negated: int
    listed: float
    induced: float
    name: str
    tokens: tuple[Token, ...] | None


_WORD_KIND, _EMOJI_KIND, _SHOUT_KIND, _STOP_KIND = range(4)


def feature_id(name: str) -> int:
    """48-bit id of a feature's full name (BLAKE2b, little-endian): `en:bad`, `en:not bad`, `!`, `lexicon:positive`."""
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=6).digest(), "little")


def look(run: Run, language: str) -> Piece:
    """What a run holds; kept with it in the two languages that heads are trained in."""
    tokens: list[Token] = []
    for match in _PIECE.finditer(run.text):
        kind, said = match.lastgroup, match.group()
        if kind == "word":
            tokens.extend(_words(said, language))
        elif kind == "emoji" or kind == "smile":
            value = lexicon.shipped().listed.get(feature_id(said), 0.0)
            tokens.append(Token(_EMOJI_KIND, feature_id(said), 0, 0, value, 0.0, 0, 0, said))
        elif kind == "shout":
            mark = ("?" if "?" in said else "!") * min(len(said), 2)
            tokens.append(Token(_SHOUT_KIND, 0, 0, 0, 0.0, 0.0, 0, 0, mark))
        elif kind == "dots":
            tokens.append(Token(_SHOUT_KIND, 0, 0, 0, 0.0, 0.0, 0, 0, "…"))
        elif kind == "stop":
            tokens.append(Token(_STOP_KIND, 0, 0, 0, 0.0, 0.0, 0, 0, ""))
        else:
            tokens.append(_word(f"<{kind}>", language, 0))
    first = tokens[0] if len(tokens) == 1 else None
    if first is not None and first.kind == _WORD_KIND and not (first.role or first.style):
        piece = Piece(first.id, first.left, first.negated, first.listed, first.induced, first.name, None)
    else:
        piece = Piece(0, 0, 0, 0.0, 0.0, "", tuple(tokens))
    if language == "en":
        run.en = piece
    elif language == "fr":
        run.fr = piece
    return piece


def _words(piece: str, language: str) -> list[Token]:
    """A run of letters and apostrophes as one word, or in French as the elided one and the one it leans on."""
    style = 1 if len(piece) > 1 and piece.isupper() else 0
    folded = piece.casefold().replace("’", "'").replace("ʼ", "'")
    short = _REPEAT.sub(r"\1\1", folded)
    if short != folded:
        style |= 2
    head, apostrophe, rest = short.partition("'")
    if apostrophe and language != "en" and head in _ELIDED:
        return [_word(head, language, 0), _word(rest.replace("'", ""), language, style)]
    return [_word(short.replace("'", ""), language, style)]


def _word(name: str, language: str, style: int) -> Token:
    word = feature_id(f"{language}:{name}")
    negated = feature_id(f"{language}:not {name}")
    role = 1 if name in _NEGATORS.get(language, ()) else 2 if name in _INTENSE.get(language, ()) else 0
    table = lexicon.shipped()
    return Token(
        _WORD_KIND,
        word,
        (word * _PAIR) & MASK,
        negated,
        table.listed.get(word, 0.0),
        table.induced.get(word, 0.0),
        role,
        style,
        name,
    )
