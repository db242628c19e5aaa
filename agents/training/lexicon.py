"""Makes the word valences that ship: `agents/scoring/data/lexicon.tocsin`.

Listed: VADER and AFINN for English; AFINN-fr, vader_fr and pattern_fr for French (NOTICE names the licences). A word of
several lists gets their mean. Induced: see `agents.training.induce`; left out where the encoder is not installed.
`python -m agents.training.lexicon CORPUS OUT` makes it anew; a new table makes every older base unusable.
Owns: reading the lists. Must never: be imported by scoring.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.scoring.pieces import feature_id
from agents.training.corpora import examples
from agents.training.induce import WORD, Words, encoder, own_words, table, valences, vectors
from schemas.arrays import pack

_ADJECTIVE = re.compile(r'<word form="([^"]+)"[^>]* polarity="(-?[\d.]+)"')


def listed(folder: Path) -> dict[str, float]:
    """Feature name (`en:good`, `🙂`) to valence, -1 to 1, from the lists in `folder`.

    Raises:
        OSError: a list is missing.
    """
    found: dict[str, list[float]] = defaultdict(list)

    def add(language: str, term: str, value: float) -> None:
        word = term.strip().casefold().replace("’", "'")
        if not word or " " in word:
            return
        if not any(character.isalpha() for character in word):
            found[term.strip()].append(value)  # an emoticon is the same in every language
        elif word.replace("'", "").isalpha():
            found[f"{language}:{word.replace(chr(39), '')}"].append(value)

    for line in (folder / "vader/vader_lexicon.txt").read_text(encoding="utf-8").splitlines():
        term, value = line.split("\t")[:2]
        add("en", term, float(value) / 4)
    for language in ("en", "fr"):
        for line in (folder / f"afinn/AFINN-{language}-165.txt").read_text(encoding="utf-8").splitlines():
            term, value = line.rsplit("\t", 1)
            add(language, term, float(value) / 5)
    for line in (folder / "vader_fr/fr_lexicon.txt").read_text(encoding="utf-8").splitlines():
        term, _, value = line.rpartition("->")
        if term:
            add("fr", term, float(value) / 4)
    for form, polarity in _ADJECTIVE.findall((folder / "pattern_fr/fr-sentiment.xml").read_text(encoding="utf-8")):
        add("fr", form, float(polarity))
    english = {name: sum(values) / len(values) for name, values in found.items()}
    for line in (folder / "vader/emoji_utf8_lexicon.txt").read_text(encoding="utf-8").splitlines():
        emoji, _, description = line.partition("\t")
        hits = [english[f"en:{word}"] for word in description.split() if f"en:{word}" in english]
        if hits and len(emoji) <= 2:
            found[emoji[0]] = [max(hits, key=abs)]
    return {name: sum(values) / len(values) for name, values in found.items()}


def _table(values: dict[str, float], step: float) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Ids as differences (they compress), values rounded to `step`; near nothing is left out."""
    rows = sorted(
        (feature_id(name), round(value / step) * step) for name, value in values.items() if abs(value) >= step
    )
    ids = np.array([row[0] for row in rows], dtype="<u8")
    return np.diff(ids, prepend=np.uint64(0)), np.array([row[1] for row in rows], dtype="<f4")


def make(folder: Path, induced: dict[str, float] | None = None) -> bytes:
    """The packed table from the lists in `folder` and, where given, induced valences by feature name."""
    first, second = _table(listed(folder), 1 / 64), _table(induced or {}, 1 / 32)
    header = {"kind": "lexicon", "listed": len(first[0]), "induced": len(second[0])}
    arrays = {"listed_ids": first[0], "listed_values": first[1], "induced_ids": second[0], "induced_values": second[1]}
    return pack(header, arrays)


def words(folder: Path, lists: dict[str, float], own: list[str]) -> dict[str, list[str]]:
    """The words by language that get an induced valence: of the lists, twice in the open texts, and the encoder's own."""
    counts: dict[str, Counter[str]] = {"en": Counter(), "fr": Counter()}
    for example in examples(folder):
        counts[example.language].update(set(WORD.findall(example.text.casefold())))
    found = {}
    for language, frequency in counts.items():
        mine = {word for word, count in frequency.items() if count > 1} | set(own)
        mine |= {name[3:] for name in lists if name.startswith(f"{language}:") and WORD.fullmatch(name[3:])}
        found[language] = sorted(mine)
    return found


def shared_words(folder: Path) -> Words | None:
    """The words that get an induced valence, with their vectors; None where the encoder is not installed. About a minute."""
    use = encoder()
    if use is None:
        return None
    wanted = words(folder, listed(folder / "lexicons"), own_words(use))
    return table(vectors(use, {word for each in wanted.values() for word in each}), wanted)


def main(folder: Path, out: Path) -> None:
    """Makes the table from the corpus `folder` (with its `lexicons`) and writes it to `out`; some minutes."""
    use = encoder()
    induced = {}
    if use is not None:
        lists = listed(folder / "lexicons")
        wanted = words(folder, lists, own_words(use))
        induced = valences(lists, vectors(use, {word for each in wanted.values() for word in each}), wanted)
    out.write_bytes(make(folder / "lexicons", induced))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
