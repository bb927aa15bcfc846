"""Which texts of a window become vectors: so many at most, the same whoever reads them, and in whatever parts.

Each text has a key that is a hash of what tells it from all others; those with the smallest keys are kept. Keys have
nothing to do with what the texts say, so that the kept ones are a simple random sample; and the smallest keys of two
parts together are the smallest of all, so that parts merge in any order to the same sample.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.drift.statistics.arrays import Floats
from hallmark.errors import InvalidInputError

KEPT_TEXTS = 400
"""Of a window or a baseline: 550 KB of JSON with 512 columns."""
READ_CHARACTERS = 2_000
"""The beginning of a text is what it is about."""
_SEED = b"hallmark sample 1"


class Encoder(Protocol):
    """Makes vectors of texts."""

    @property
    def name(self) -> str:
        """Return what the vectors depend on."""
        ...

    def encode(self, texts: Sequence[str]) -> Any:
        """Return a row for each text."""
        ...


@dataclass(frozen=True, eq=False)
class TextSample:
    """Vectors of a sample of texts.

    Args:
        encoder: What made them; those of two encoders compare with nothing.
        texts: How many texts there were.
        keys: Of those in the sample, ascending.
        rows: Their vectors, shape ``(len(keys), k)``.
    """

    encoder: str
    texts: int
    keys: tuple[str, ...]
    rows: Floats

    @classmethod
    def of(cls, texts: Sequence[str | None], names: Sequence[str], encoder: Encoder) -> TextSample:
        """Sample texts and encode those that are kept.

        Args:
            texts: None is a missing one, and a blank one says nothing; neither is counted.
            names: What tells each text's record from others; equal names with equal texts are told apart by place.
            encoder: Makes the vectors.
        """
        seen = Counter[tuple[str, str]]()
        keyed: list[tuple[str, str]] = []
        for text, name in zip(texts, names, strict=True):
            if text is not None and text.strip():
                seen[name, text] += 1
                keyed.append((_key(name, text, seen[name, text]), text[:READ_CHARACTERS]))
        kept = sorted(keyed)[:KEPT_TEXTS]
        rows = np.asarray(encoder.encode([text for _, text in kept]), dtype=np.float16) if kept else np.empty((0, 0))
        return cls(encoder.name, len(keyed), tuple(key for key, _ in kept), rows.astype(np.float64))

    def merge(self, other: TextSample) -> TextSample:
        """Return the sample of the texts of both; associative and commutative.

        Of two encoders, the one whose name comes last: vectors of the other one compare with none of its.
        """
        texts = self.texts + other.texts
        named = [each for each in (self, other) if each.keys]
        if not named:
            return TextSample(max(self.encoder, other.encoder), texts, (), self.rows)
        last = max(each.encoder for each in named)
        same = [each for each in named if each.encoder == last]
        keys = [key for each in same for key in each.keys]
        order = sorted(range(len(keys)), key=keys.__getitem__)[:KEPT_TEXTS]
        rows = np.concatenate([each.rows for each in same])[order]
        return TextSample(last, texts, tuple(keys[place] for place in order), rows)

    def to_document(self) -> dict[str, Any]:
        """Return what JSON can hold; ``from_document`` makes the same sample of it."""
        rows = b64encode(self.rows.astype("<f2").tobytes()).decode()
        return _Document(encoder=self.encoder, texts=self.texts, keys=list(self.keys), rows=rows).model_dump()

    @classmethod
    def from_document(cls, document: object) -> TextSample:
        """Make the sample that a document tells of.

        Raises:
            InvalidInputError: It is no such document.
        """
        try:
            told = _Document.model_validate(document)
            values = np.frombuffer(b64decode(told.rows, validate=True), dtype="<f2").astype(np.float64)
            rows = values.reshape(len(told.keys), -1) if told.keys else np.empty((0, 0))
        except (ValidationError, ValueError) as error:
            raise InvalidInputError("sample", "(vectors)", "it cannot be read: capture the baseline anew") from error
        return cls(told.encoder, told.texts, tuple(told.keys), rows)


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    encoder: str
    texts: int = Field(ge=0)
    keys: list[str]
    rows: str
    """Base64 of half-precision numbers, row by row."""


def _key(name: str, text: str, place: int) -> str:
    said = "\0".join((name, text, str(place))).encode(errors="surrogatepass")
    return blake2b(said, digest_size=10, key=_SEED).hexdigest()
