"""Whether a message expects an answer, by plain rules: a question, a request, or a trouble told; thanks and goodbyes do not.

Owns: these words. Must never: decide a priority.
"""

from __future__ import annotations

import re

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


def expects_answer(text: str) -> bool:
    """Whether a message expects an answer."""
    text = text[:5_000].replace("’", "'").casefold()
    words = _WORD.findall(text)
    if not words or (len(words) <= _CLOSING_WORDS and "?" not in text and _CLOSING.issuperset(words)):
        return False
    if "?" in text:
        return True
    lines = re.split(r"[.!\n]+\s*", text)
    return any(map(_QUESTION.match, lines)) or bool(_REQUEST.search(text) or _TROUBLE.search(text))
