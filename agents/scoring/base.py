"""The base: fixed sparse weights that every model starts from, with where they come from and how good they were.

Owns: the base's bytes, its id, and its logits. Must never: change a weight, or read the disk except the shipped file.
"""

from __future__ import annotations

from hashlib import blake2b
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from agents.scoring import lexicon
from agents.scoring.features import FEATURES_VERSION
from agents.scoring.rows import Rows
from schemas.arrays import pack, unpack
from schemas.base import Invalid
from schemas.people import BINARY_HEADS

Matrix = npt.NDArray[np.float64]


class Base:
    """Weights of heads before any lesson.

    Attributes:
        id: 16 hex digits over weights, feature code version and lexicon; names the base in topics and versions.
        heads: labels of each head, in order; ("no", "yes") for a yes-or-no head.
        columns: (head, label) of each logit; a yes-or-no head has one column, "yes".
        languages: examples that trained each head, by language.
        provenance, metrics: as the header says; free form, for people.
        common: share of the texts that hold a feature, from 0 to 1, of the common ones: what a learner starts from.
    """

    def __init__(
        self,
        heads: dict[str, tuple[str, ...]],
        languages: dict[str, dict[str, int]],
        ids: npt.NDArray[np.uint64],
        weights: Matrix,
        bias: list[float],
        provenance: dict[str, Any] | None = None,
        metrics: dict[str, Any] | None = None,
        common: dict[int, float] | None = None,
    ) -> None:
        self.heads = heads
        self.languages = languages
        self.columns = [(head, label) for head, labels in heads.items() for label in outputs(head, labels)]
        self.provenance = provenance or {}
        self.metrics = metrics or {}
        self.common = common or {}
        self.bias = bias
        self.ids = ids
        self._rows = Rows(ids)
        # At least two columns: NumPy adds a single column pairwise, several row after row, which is the order we promise.
        width = max(2, len(self.columns))
        self.weights: Matrix = np.zeros((len(ids), width))
        self.weights[:, : len(self.columns)] = weights + 0.0  # -0.0 is stored as nothing, and comes back as 0.0
        self._bias = np.array(bias + [0.0] * (width - len(bias)))
        # Half the bytes to fetch a message, where that loses nothing, as with weights that came from a file; one more
        # row for what is unknown.
        small = self.weights.astype(np.float32)
        exact = bool(np.array_equal(small, self.weights))
        self._kept: Matrix = np.concatenate([small if exact else self.weights, np.zeros((1, width), small.dtype)])
        self.id = self._id(ids)

    def _id(self, ids: npt.NDArray[np.uint64]) -> str:
        shape = [FEATURES_VERSION, lexicon.shipped().digest, list(self.heads.items()), self.languages]
        digest = blake2b(orjson.dumps(shape, option=orjson.OPT_SORT_KEYS), digest_size=8)
        common = _common_arrays(self.common)
        for array in (ids.astype("<u8"), self.weights.astype("<f8"), self._bias.astype("<f8"), *common):
            digest.update(array.tobytes())
        return digest.hexdigest()

    @classmethod
    def none(cls) -> Base:
        """No weights at all: every head is learned from lessons."""
        return cls({}, {}, np.zeros(0, dtype=np.uint64), np.zeros((0, 0)), [])

    @classmethod
    def load(cls, data: bytes) -> Base:
        """The base in `data`.

        Raises:
            Invalid: not a base, damaged, or made for another feature code or lexicon.
        """
        header, arrays = unpack(data)
        if header.get("kind") != "base":
            raise Invalid("wrong_type", f"not a base: its kind is {header.get('kind')!r}")
        made_for = (header.get("features"), header.get("lexicon"))
        have = (FEATURES_VERSION, lexicon.shipped().digest)
        if made_for != have:
            raise Invalid(
                "wrong_type", f"the base was made for features and lexicon {made_for}, these are {have}; train it anew"
            )
        try:
            heads = {each["head"]: tuple(each["labels"]) for each in header["heads"]}
            languages = {each["head"]: dict(each["languages"]) for each in header["heads"]}
            ids = np.cumsum(arrays["ids"], dtype=np.uint64)
            bias = [float(value) for value in header["bias"]]
            if len(bias) != sum(len(outputs(head, labels)) for head, labels in heads.items()):
                raise ValueError("as many biases as labels")  # before room is made for them
            weights = np.zeros((len(ids), len(bias)))
            for column in range(len(bias)):
                rows = np.cumsum(arrays[f"rows/{column}"], dtype=np.int64)
                weights[rows, column] = arrays[f"values/{column}"]
            common = {}
            if "common/ids" in arrays:  # not in a base of before it was kept
                places = np.cumsum(arrays["common/ids"], dtype=np.uint64).tolist()
                common = dict(zip(places, arrays["common/shares"].tolist(), strict=True))
            if not all(0.0 < share <= 1.0 for share in common.values()):
                raise ValueError("shares from 0 to 1")
            base = cls(heads, languages, ids, weights, bias, header.get("provenance"), header.get("metrics"), common)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise Invalid("wrong_type", f"the base is damaged: {error!r}") from None
        if base.id != header.get("id"):
            raise Invalid(
                "wrong_type", f"the base is damaged: its weights are {base.id}, its header says {header.get('id')}"
            )
        return base

    def dump(self) -> bytes:
        """The base as bytes: weights as 4-byte floats, zeros left out."""
        header = {
            "kind": "base",
            "id": self.id,
            "features": FEATURES_VERSION,
            "lexicon": lexicon.shipped().digest,
            "heads": [
                {"head": head, "labels": labels, "languages": self.languages[head]}
                for head, labels in self.heads.items()
            ],
            "bias": self.bias,
            "provenance": self.provenance,
            "metrics": self.metrics,
        }
        ids = self.ids.astype("<u8")
        arrays: dict[str, npt.NDArray[Any]] = {"ids": np.diff(ids, prepend=np.uint64(0))}
        for column in range(len(self.columns)):
            rows = np.flatnonzero(self.weights[:, column]).astype("<u4")
            arrays[f"rows/{column}"] = np.diff(rows, prepend=np.uint32(0))
            arrays[f"values/{column}"] = self.weights[rows, column].astype("<f4")
        common, shares = _common_arrays(self.common)
        arrays |= {"common/ids": np.diff(common, prepend=np.uint64(0)), "common/shares": shares}
        return pack(header, arrays)

    def logits(self, ids: list[int], values: list[float]) -> Matrix:
        """What the base says, shape (columns or more,): bias plus values times weights, added up in the ids' order."""
        return self.summed(self.products(ids, values))

    def products(self, ids: list[int], values: list[float]) -> Matrix:
        """Value times weight of every feature, shape (ids, columns or more); zeros for one that the base does not know.

        Products and sums are separate NumPy operations without BLAS, so no machine fuses or reorders them.
        """
        rows = self._kept.take(self._rows.find(np.array(ids, dtype=np.uint64)), axis=0, mode="wrap")
        return timed(rows, values)

    def summed(self, products: Matrix) -> Matrix:
        """The logits that `products` make; row after row, so that the bits are equal everywhere."""
        said: Matrix = np.add.reduce(products, axis=0) + self._bias
        return said


def _common_arrays(common: dict[int, float]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float32]]:
    """Ids in order, and their shares."""
    ids = sorted(common)
    return np.array(ids, dtype="<u8"), np.array([common[each] for each in ids], dtype="<f4")


def outputs(head: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels of a head that have a model of their own."""
    return ("yes",) if head in BINARY_HEADS else labels


def timed(rows: npt.NDArray[np.floating[Any]], values: list[float]) -> Matrix:
    """Each row times its value, as 8-byte floats."""
    products: Matrix = rows * np.array(values)[:, None]
    return products


def shipped() -> bytes:
    """The bytes of the base in the package."""
    return resources.files("agents.scoring").joinpath("data/base.tocsin").read_bytes()
