"""Targets: what comes as packed arrays (snapshots, bases, the lexicon), sealed with the right checksum and not.

Promises: bytes become arrays, a model or Invalid with one line; nothing is unpickled or evaluated; a header that claims
more than there is costs no memory; a model that was taken over judges, and goes on learning.
Owns: these checks. Must never: repeat the code under test to judge it.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import Any

import cramjam
import numpy as np
import orjson

from agents.scoring import lexicon
from agents.scoring.base import Base
from agents.scoring.features import extract
from agents.scoring.heads import Model
from agents.scoring.learner import Learner
from schemas.arrays import MAGIC, pack, unpack
from schemas.base import Invalid
from schemas.learning import Lesson
from tests.fuzz.records import AT, asked_of, refused, written_and_read
from tests.fuzz.target import Target


def sealed(header: bytes, body: bytes) -> bytes:
    """Any header and any arrays as packed bytes whose checksum is right: anybody can compute it."""
    data = MAGIC + len(header).to_bytes(4, "little") + header + bytes(cramjam.zstd.compress(body, 1))
    return data + blake2b(data, digest_size=16).digest()


def opened(data: bytes) -> bytes:
    """Packed bytes as a seed: the header, a line feed, the arrays."""
    header, arrays = unpack(data)
    listing = [[name, f"{array.dtype.kind}{array.dtype.itemsize}", len(array)] for name, array in arrays.items()]
    return orjson.dumps({**header, "arrays": listing}) + b"\n" + b"".join(array.tobytes() for array in arrays.values())


def closed(data: bytes) -> bytes:
    """The way back; bytes that already are packed stay as they are."""
    if data.startswith(MAGIC):
        return data
    header, _, body = data.partition(b"\n")
    return sealed(header, body)


def arrays(data: bytes) -> None:
    body = MAGIC + data.removeprefix(MAGIC)
    for candidate in (data, closed(data), body + blake2b(body, digest_size=16).digest()):
        try:
            header, found = unpack(candidate)
        except Invalid as fault:
            refused(fault)
            continue
        assert isinstance(header, dict)
        assert unpack(pack(header, found))[0] == header


def base(data: bytes) -> None:
    try:
        found = Base.load(closed(data))
    except Invalid:  # its sentence is for whoever named the file, and shows what stands there
        return
    asked_of(Model(found))


def word_list(data: bytes) -> None:
    try:
        lexicon.load(closed(data))
    except Invalid as fault:
        refused(fault)


def snapshot(data: bytes) -> None:
    data = closed(data)
    model, learner = Model(_base()), Learner(_base())
    before = model.version
    try:
        model.restore(data)
    except Invalid as fault:
        refused(fault)
        assert model.version == before, "a refused snapshot changed the model"
    else:
        asked_of(model)
    try:
        learner.restore(data)
    except Invalid as fault:
        refused(fault)
        assert learner.version == before, "a refused snapshot changed the learner"
        return
    update = learner.learn(_lesson("another", learner.offset), learner.offset + 1)
    assert update is not None
    written_and_read("model-update", update)
    again = Learner(_base())
    again.restore(learner.snapshot())
    assert again.snapshot() == learner.snapshot()


@cache
def _base() -> Base:
    """A base of three words and two heads."""
    ids = np.array(sorted(extract("money back never", None, "en").ids[:3]), dtype=np.uint64)
    heads: dict[str, tuple[str, ...]] = {"urgency": ("no", "yes"), "category": ("billing", "other")}
    languages = {head: {"en": 10} for head in heads}
    return Base(heads, languages, ids, np.array([[0.5, 1.0, -1.0]] * 3), [0.25, -0.5, 0.5])


def _lesson(feedback: str, number: int) -> Lesson:
    features = extract("I never got my money back, call me now", None, "en")
    return Lesson(
        id=f"lesson-{feedback}", base=_base().id, feedback_id=f"{feedback}-{number}", reviewer="r", at=AT, language="en",
        features=features.ids, values=features.values, labels={"urgency": "yes", "category": "billing", "emotion": "anger"},
    )  # fmt: skip


def _snapshots() -> list[bytes]:
    learner = Learner(_base())
    found = [learner.snapshot()]
    for number in range(3):
        learner.learn(_lesson("seed", number), number + 1)
        found.append(learner.snapshot())
    return [found[0], found[-1], *map(opened, found)]


def _arrays() -> list[bytes]:
    packed: dict[str, Any] = {
        "ids": np.arange(9, dtype="<u4"),
        "weights": np.linspace(-1, 1, 9),
        "f": np.ones(3, "<f4"),
    }
    data = pack({"kind": "none"}, packed)
    return [data, data[:-16], opened(data), pack({}, {})]


def _bases() -> list[bytes]:
    return [_base().dump(), opened(_base().dump()), opened(Base.none().dump())]


def _lexicons() -> list[bytes]:
    ids, values = np.array([3, 4, 5], "<u8"), np.array([0.5, -0.5, 1.0], "<f4")
    data = pack({}, {"listed_ids": ids, "listed_values": values, "induced_ids": ids, "induced_values": values})
    return [data, opened(data)]


TARGETS = [
    Target("arrays", arrays, "packed", made=_arrays),
    Target("snapshot", snapshot, "packed", made=_snapshots),
    Target("base", base, "packed", made=_bases),
    Target("lexicon", word_list, "packed", made=_lexicons),
]
