"""Whether a message expects an answer: by plain rules (a question, a request, a trouble told; thanks and goodbyes do not), and by
weights that were learned (`agents.training.answers`).

Owns: these words. Must never: decide a priority.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from itertools import pairwise

import orjson

_QUESTION = re.compile(
    r"^(?:and |but |so |hi|hello|hey|bonjour|salut|allo|svp|et |mais |donc |[,.! ])*"
    r"(?:who|what|where|when|why|how|which|can|could|would|will|is|are|do|does|did|has|have|any(?:one|body)|"
    r"qui|que|quoi|où|ou est|quand|pourquoi|comment|combien|quel|quelle|quels|quelles|est[- ]ce|puis-je|peut-on|pouvez|"
    r"pourriez|avez|savez|y a[- ]t[- ]il|c'est quoi|quelqu'un)\b",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"\b(?:please|pls|plz|i need|i want|i would like|i'd like|help me|let me know|get back to me|call me|tell me|send me|fix|"
    r"svp|stp|s'il vous pla[iî]t|s'il te pla[iî]t|j'ai besoin|je veux|je voudrais|j'aimerais|aidez|merci de|rappelez|"
    r"dites[- ]moi|envoyez|expliquez|r[ée]pondez|remboursez)\b",
    re.IGNORECASE,
)
_TROUBLE = re.compile(
    r"\b(?:not working|doesn'?t work|does not work|won'?t|can'?t|cannot|never (?:came|arrived|received)|still (?:waiting|no|not)|"
    r"missing|broken|failed|error|charged twice|locked out|ne (?:marche|fonctionne) (?:pas|plus)|marche (?:pas|plus)|"
    r"toujours (?:pas|rien)|jamais re[cç]u|en panne|cass[ée]e?|impossible|d[ée]bit[ée]e? deux fois|bloqu[ée]e?|erreur)\b",
    re.IGNORECASE,
)
_CLOSING = frozenset(
    [
        "ok", "okay", "great", "perfect", "super", "parfait", "cool", "nice", "yes", "oui", "non", "no", "d'accord", "entendu",
        "bien", "thanks", "thank", "thx", "ty", "cheers", "merci", "beaucoup", "so", "much", "a", "lot", "very", "all", "good",
        "got", "it", "bye", "goodbye", "au", "revoir", "bonne", "journée", "soirée", "have", "day", "evening", "one", "à",
        "bientôt", "plus", "vous", "you", "for", "the", "help", "pour", "votre", "aide", "works", "now", "that", "ça", "marche",
        "c'est", "bon", "de", "rien", "worries", "problem", "pas", "souci", "infiniment", "again", "encore",
    ]
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_CLOSING_WORDS = 12


SURE = 0.85
"""Log-odds (a probability of 0.7) from which on the learned weights say that an answer is expected; below, the rules alone do."""
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|[?!]")
_LINK = re.compile(r"https?://\S+|[@#]\w+")
_MOST_TOKENS = 60


def expects_answer(text: str) -> bool:
    """Whether a message expects an answer, by the rules, or by the weights where they are sure."""
    text = plain(text)
    words = _WORD.findall(text)
    if not words or (len(words) <= _CLOSING_WORDS and "?" not in text and _CLOSING.issuperset(words)):
        return False
    if _by_rule(text):
        return True
    weights = _weights()
    return weights[""] + sum(weights.get(token, 0.0) for token in set(_tokens(text, ruled=False))) >= SURE


def plain(text: str) -> str:
    """A text in small letters, without links and the names that it calls."""
    return _LINK.sub(" ", text[:5_000]).replace("’", "'").casefold()


def tokens(text: str) -> list[str]:
    """What the weights stand for: words, pairs of words, the first word, the length, and what the rules say."""
    text = plain(text)
    return _tokens(text, ruled=_by_rule(text))


def _tokens(text: str, *, ruled: bool) -> list[str]:
    words = _TOKEN.findall(text)[:_MOST_TOKENS]
    pairs = [f"{first}_{second}" for first, second in pairwise(words)]
    shape = [f"=len{min(len(words) // 4, 5)}", "=rule" if ruled else "=norule"]
    return [*words, *pairs, *shape, *(f"^{word}" for word in words[:1])]


def _by_rule(text: str) -> bool:
    if "?" in text:
        return True
    lines = re.split(r"[.!\n]+\s*", text)
    return any(map(_QUESTION.match, lines)) or bool(_REQUEST.search(text) or _TROUBLE.search(text))


@cache
def _weights() -> dict[str, float]:
    found: dict[str, float] = orjson.loads(resources.files("agents.history").joinpath("data/answers.json").read_bytes())
    return found
