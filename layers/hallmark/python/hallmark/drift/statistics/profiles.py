"""What one feature is like in a window of production: all that later comparisons need, and no value of a person.

A profile grows with the number of distinct values, up to a bound, and not with the number of values: the window of an
hour is made from the files of that hour, the baseline is made once, and parts are merged in any order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.drift.statistics.arrays import Anything, Floats
from hallmark.drift.statistics.categories import Categories, count_categories
from hallmark.drift.statistics.histograms import Histogram, doubles_of, keys_of
from hallmark.errors import InvalidInputError


class Kind(StrEnum):
    """What values a feature has."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


@dataclass(frozen=True, eq=False)
class Profile:
    """One feature of one window.

    Args:
        kind: What values the feature has.
        missing: How many values were not there (None).
        nan: How many were no number (NaN).
        infinite: How many were infinite; they are compared with nothing.
        numbers: Finite values, of a numeric feature.
        mean: Of the finite values; NaN without any. Merged means agree up to rounding whatever the order.
        squares: Sum of squared deviations from the mean.
        categories: Counts, of a categorical feature.
    """

    kind: Kind
    missing: int = 0
    nan: int = 0
    infinite: int = 0
    numbers: Histogram | None = None
    mean: float = math.nan
    squares: float = 0.0
    categories: Categories | None = None

    @classmethod
    def of(cls, values: Sequence[object] | Anything, kind: Kind | str, like: Profile | None = None) -> Profile:
        """Summarise values.

        Args:
            values: Numbers (``True`` counts 1) or categories (told apart by their text); None is a missing one.
            kind: What they are.
            like: Another profile of this feature, e.g. the baseline: it must be of the same kind, and buckets finer
                than its buckets are not kept. It is never needed: profiles compare and merge without.

        Raises:
            InvalidInputError: A value of a numeric feature is no number, or ``like`` is of another kind.
        """
        kind = Kind(kind)
        if like is not None and like.kind is not kind:
            raise InvalidInputError("kind", kind.value, f"give a profile of the same kind as this one: {like.kind}")
        if kind is Kind.CATEGORICAL:
            listed = values.tolist() if isinstance(values, np.ndarray) else values
            categories, missing, nan = count_categories(listed)
            return cls(kind, missing=missing, nan=nan, categories=categories)
        missing, found = _numbers(values)
        finite = found[np.isfinite(found)]
        nan = int(np.count_nonzero(np.isnan(found)))
        least = like.numbers.shift if like is not None and like.numbers is not None else 0
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(finite.mean()) if len(finite) else math.nan
            squares = float(np.square(finite - mean).sum()) if len(finite) else 0.0
        return cls(
            kind,
            missing=missing,
            nan=nan - missing,
            infinite=len(found) - len(finite) - nan,
            numbers=Histogram.of(finite, least),
            mean=mean,
            squares=squares,
        )

    @property
    def count(self) -> int:
        """All values, with those that are missing."""
        return self.present + self.missing + self.nan + self.infinite

    @property
    def present(self) -> int:
        """Values that can be compared: finite numbers, or categories."""
        if self.numbers is not None:
            return self.numbers.total
        return self.categories.total if self.categories is not None else 0

    @property
    def absent(self) -> int:
        """Values that are missing or NaN."""
        return self.missing + self.nan

    @property
    def deviation(self) -> float:
        """Standard deviation of the finite values (n - 1); NaN for fewer than two."""
        return math.sqrt(self.squares / (self.present - 1)) if self.present > 1 else math.nan

    def merge(self, other: Profile) -> Profile:
        """Return the profile of the values of both; associative and commutative (moments up to rounding).

        Raises:
            InvalidInputError: They are of different kinds.
        """
        if other.kind is not self.kind:
            raise InvalidInputError("kind", other.kind.value, f"merge it with a profile of the same kind: {self.kind}")
        counted = replace(
            self,
            missing=self.missing + other.missing,
            nan=self.nan + other.nan,
            infinite=self.infinite + other.infinite,
        )
        if self.numbers is not None and other.numbers is not None:
            mean, squares = _merged_moments(self, other)
            return replace(counted, numbers=self.numbers.merge(other.numbers), mean=mean, squares=squares)
        if self.categories is not None and other.categories is not None:
            return replace(counted, categories=self.categories.merge(other.categories))
        return counted

    def to_document(self) -> dict[str, Any]:
        """Return what JSON can hold; ``from_document`` makes the same profile of it."""
        document = _Document(kind=self.kind, missing=self.missing, nan=self.nan, infinite=self.infinite)
        if self.numbers is not None:
            document.values = doubles_of(self.numbers.keys << self.numbers.shift).tolist()
            document.counts = self.numbers.counts.tolist()
            document.shift = self.numbers.shift
            document.mean = self.mean if math.isfinite(self.mean) else None
            document.squares = self.squares if math.isfinite(self.squares) else None
        if self.categories is not None:
            document.categories = dict(sorted(self.categories.counts.items()))
            document.other = self.categories.other
        return document.model_dump(mode="json", exclude_none=True)

    @classmethod
    def from_document(cls, document: object) -> Profile:
        """Make the profile that a document tells of.

        Raises:
            InvalidInputError: It is no such document, or one of another version.
        """
        try:
            told = _Document.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(["profile", *map(str, first["loc"])])
            raise InvalidInputError(field, first["input"], f"{first['msg']}; capture the baseline anew") from error
        counted = cls(told.kind, missing=told.missing, nan=told.nan, infinite=told.infinite)
        if told.kind is Kind.CATEGORICAL:
            return replace(counted, categories=Categories(told.categories or {}, told.other))
        values = np.array(told.values or [], dtype=np.float64)
        counts = np.array(told.counts or [], dtype=np.int64)
        if len(values) != len(counts) or np.any(values[1:] <= values[:-1]) or np.any(counts <= 0):
            remedy = "give ascending values and a count above 0 for each; capture the baseline anew"
            raise InvalidInputError("profile.values", f"{len(values)} values, {len(counts)} counts", remedy)
        return replace(
            counted,
            numbers=Histogram(keys_of(values) >> told.shift, counts, told.shift),
            mean=math.nan if told.mean is None else told.mean,
            squares=math.inf if told.squares is None else told.squares,
        )


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    version: Literal[1] = 1
    kind: Kind
    missing: int = Field(ge=0)
    nan: int = Field(ge=0)
    infinite: int = Field(ge=0)
    values: list[float] | None = None
    """Lower ends of the buckets, ascending; the values themselves for shift 0."""
    counts: list[int] | None = None
    shift: int = Field(default=0, ge=0, le=63)
    mean: float | None = None
    squares: float | None = None
    categories: dict[str, int] | None = None
    other: int = Field(default=0, ge=0)


def _numbers(values: Sequence[object] | Anything) -> tuple[int, Floats]:
    """Return how many are None, and all as doubles (None as NaN), shape ``(n,)``."""
    missing = 0
    if not isinstance(values, np.ndarray) or values.dtype == object:
        missing = sum(value is None for value in values)
        texts = [(place, value) for place, value in enumerate(values) if isinstance(value, str | bytes)]
        if texts:
            remedy = "give numbers, or watch the feature as a categorical one"
            raise InvalidInputError(f"values[{texts[0][0]}]", texts[0][1], remedy)
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        remedy = "give numbers, or watch the feature as a categorical one"
        raise InvalidInputError("values", values, remedy) from error
    if found.ndim != 1:
        raise InvalidInputError("values", found.shape, "give a one-dimensional sequence")
    return missing, found


def _merged_moments(one: Profile, other: Profile) -> tuple[float, float]:
    if not one.present or not other.present:
        kept = one if one.present else other
        return kept.mean, kept.squares
    total = one.present + other.present
    mean = (one.present * one.mean + other.present * other.mean) / total
    apart = one.mean - other.mean
    return mean, one.squares + other.squares + apart * apart * (one.present * other.present / total)
