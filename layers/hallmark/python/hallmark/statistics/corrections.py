"""p-values that stay honest when many questions are asked at once: metrics times models times groups.

Bonferroni, Holm and Hommel bound the chance of one false finding among all; Benjamini-Hochberg (independent or
positively dependent tests) and Benjamini-Yekutieli (any dependence) bound the expected share of false findings.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.statistics.inputs import Floats, Values, finite


class Correction(StrEnum):
    """How p-values are adjusted."""

    NONE = "none"
    BONFERRONI = "bonferroni"
    HOLM = "holm"
    HOMMEL = "hommel"
    BENJAMINI_HOCHBERG = "benjamini_hochberg"
    BENJAMINI_YEKUTIELI = "benjamini_yekutieli"


def adjust(p_values: Values, correction: Correction = Correction.HOLM) -> Floats:
    """Return adjusted p-values in the order of the given ones: each is compared with the level as it stands.

    Args:
        p_values: Shape ``(tests,)``; none give none.
        correction: Which error is bounded; see the module.

    Returns:
        Shape ``(tests,)``, from 0 to 1. Equal to R's ``p.adjust``.

    Raises:
        InvalidInputError: One is not from 0 to 1.
    """
    given = finite("p_values", p_values, least=0)
    wrong = np.flatnonzero((given < 0) | (given > 1))
    if len(wrong):
        raise InvalidInputError(f"p_values[{wrong[0]}]", float(given[wrong[0]]), "give a probability from 0 to 1")
    if not len(given):
        return given
    order = np.argsort(given, kind="stable")
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(_ADJUSTMENTS[correction](given[order]), 1.0)
    return adjusted


def _unchanged(ascending: Floats) -> Floats:
    return ascending


def _bonferroni(ascending: Floats) -> Floats:
    return ascending * len(ascending)


def _holm(ascending: Floats) -> Floats:
    """Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979)."""
    count = len(ascending)
    return np.asarray(np.maximum.accumulate(ascending * np.arange(count, 0, -1)))


def _hommel(ascending: Floats) -> Floats:
    """Hommel, Biometrika 75 (1988); adjusted p-values by Wright, Biometrics 48 (1992)."""
    count = len(ascending)
    ranks = np.arange(1, count + 1)
    best: Floats = np.full(count, float(np.min(count * ascending / ranks)))
    adjusted: Floats = best.copy()
    for size in range(count - 1, 1, -1):
        lower, upper = ascending[: count - size + 1], ascending[count - size + 1 :]
        smallest = float(np.min(size * upper / np.arange(2, size + 1)))
        best[: count - size + 1] = np.minimum(size * lower, smallest)
        best[count - size + 1 :] = best[count - size]
        adjusted = np.maximum(adjusted, best)
    return np.asarray(np.maximum(adjusted, ascending))


def _benjamini_hochberg(ascending: Floats) -> Floats:
    """Benjamini and Hochberg, Journal of the Royal Statistical Society B 57 (1995)."""
    count = len(ascending)
    scaled = ascending * count / np.arange(1, count + 1)
    return np.asarray(np.minimum.accumulate(scaled[::-1])[::-1])


def _benjamini_yekutieli(ascending: Floats) -> Floats:
    """Benjamini and Yekutieli, Annals of Statistics 29 (2001)."""
    return _benjamini_hochberg(ascending) * float(np.sum(1 / np.arange(1, len(ascending) + 1)))


_ADJUSTMENTS = {
    Correction.NONE: _unchanged,
    Correction.BONFERRONI: _bonferroni,
    Correction.HOLM: _holm,
    Correction.HOMMEL: _hommel,
    Correction.BENJAMINI_HOCHBERG: _benjamini_hochberg,
    Correction.BENJAMINI_YEKUTIELI: _benjamini_yekutieli,
}
