"""Arrays that come in: of finite numbers, and labels that fit them; the rest is refused by name."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hallmark.errors import InvalidInputError
from hallmark.statistics.ranges import same_length

Floats = npt.NDArray[np.float64]
"""An array of double-precision numbers."""
Integers = npt.NDArray[np.int64]
"""An array of whole numbers."""
Values = Sequence[float] | npt.NDArray[Any]
"""What callers may give where numbers are wanted: ``True`` counts 1."""
Labels = Sequence[Hashable] | npt.NDArray[Any]
"""One label per value: the cluster, stratum or group that it belongs to."""


def finite(field: str, values: Values, *, least: int = 1) -> Floats:
    """Return the values as an array of shape ``(n,)``.

    Raises:
        InvalidInputError: They are not one-dimensional numbers, one is NaN or infinite, or there are fewer than
            ``least`` of them.
    """
    found = _numbers(field, values)
    if found.ndim != 1:
        raise InvalidInputError(field, found.shape, "give a one-dimensional sequence of numbers")
    _refuse_few(field, len(found), least)
    _refuse_nonfinite(field, found)
    return found


def finite_rows(field: str, rows: object, *, least: int = 1) -> Floats:
    """Return the rows as an array of shape ``(n, k)``.

    Raises:
        InvalidInputError: They are no table of finite numbers with at least ``least`` rows and a column.
    """
    found = _numbers(field, rows)
    if found.ndim != 2 or (len(found) and not found.shape[1]):  # noqa: PLR2004 - rows and columns
        raise InvalidInputError(field, found.shape, "give a row per case, all of the same length, as shape (n, k)")
    _refuse_few(field, len(found), least)
    _refuse_nonfinite(field, found)
    return found


def _numbers(field: str, values: object) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            field, values, "give numbers; leave out cases without a score and say how many"
        ) from error


def _refuse_few(field: str, count: int, least: int) -> None:
    if count < least:
        raise InvalidInputError(field, f"{count} values", f"give at least {least}")


def _refuse_nonfinite(field: str, found: Floats) -> None:
    usable = np.isfinite(found)
    if not usable.all():
        place = np.argwhere(~usable)[0].tolist()
        where = f"{field}[{', '.join(map(str, place))}]"
        raise InvalidInputError(where, float(found[tuple(place)]), "leave out cases without a score and say how many")


def paired_differences(candidate: Values, baseline: Values) -> Floats:
    """Return ``candidate - baseline``, case by case, shape ``(n,)``.

    Raises:
        InvalidInputError: A score is not finite, or the two are not scores of the same cases.
    """
    first, second = finite("candidate", candidate), finite("baseline", baseline)
    same_length("candidate", len(first), len(second), "baseline")
    return first - second


def zero_or_one(field: str, values: Values) -> Floats:
    """Return the values, each of which is 0 or 1.

    Raises:
        InvalidInputError: One is neither.
    """
    found = finite(field, values)
    wrong = np.flatnonzero((found != 0) & (found != 1))
    if len(wrong):
        raise InvalidInputError(
            f"{field}[{wrong[0]}]", float(found[wrong[0]]), "give 0 or 1, or a test for any numbers"
        )
    return found


class Codes(NamedTuple):
    """Labels as numbers from 0, in the order in which they first appear."""

    codes: Integers
    labels: tuple[Hashable, ...]


def coded(field: str, labels: Labels, count: int, like: str = "values") -> Codes:
    """Number the labels of ``count`` values.

    Raises:
        InvalidInputError: There is not one for each value, or one is missing (None).
    """
    listed: list[Hashable] = labels.tolist() if isinstance(labels, np.ndarray) else list(labels)
    same_length(field, len(listed), count, like)
    numbers: dict[Hashable, int] = {}
    codes = np.fromiter((numbers.setdefault(label, len(numbers)) for label in listed), dtype=np.int64, count=count)
    if None in numbers:
        raise InvalidInputError(f"{field}[{listed.index(None)}]", None, "give every value a label, or leave it out")
    return Codes(codes, tuple(numbers))


def positive_weights(field: str, weights: Values, count: int) -> Floats:
    """Return the weights of ``count`` values.

    Raises:
        InvalidInputError: There is not one for each value, or one is not above 0.
    """
    found = finite(field, weights)
    same_length(field, len(found), count, "values")
    wrong = np.flatnonzero(found <= 0)
    if len(wrong):
        raise InvalidInputError(f"{field}[{wrong[0]}]", float(found[wrong[0]]), "give weights above 0")
    return found
