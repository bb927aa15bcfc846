"""Repeats of a case: the chance that one of k attempts passes, that all do, and means over epochs."""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.statistics.inputs import (
    Floats,
    Labels,
    Values,
    coded,
    finite,
    zero_or_one,
)
from hallmark.statistics.intervals import estimate_mean
from hallmark.statistics.outcomes import Estimate, Interval
from hallmark.statistics.ranges import whole
from hallmark.statistics.rates import wilson


def pass_at_k(passed: int, attempts: int, k: int) -> float:
    """Chance that at least one of ``k`` attempts passes, without bias from ``attempts`` that were made.

    1 - C(n - c, k) / C(n, k): Chen et al., Evaluating Large Language Models Trained on Code, arXiv 2107.03374, eq. 1.

    Raises:
        InvalidInputError: ``passed`` is not from 0 to ``attempts``, or ``k`` not from 1 to ``attempts``.
    """
    _refuse_impossible(passed, attempts, k)
    return 1 - math.comb(attempts - passed, k) / math.comb(attempts, k)


def pass_hat_k(passed: int, attempts: int, k: int) -> float:
    """Chance that all of ``k`` attempts pass (pass^k), without bias: C(c, k) / C(n, k).

    Yao et al., tau-bench, arXiv 2406.12045, section 5.

    Raises:
        InvalidInputError: ``passed`` is not from 0 to ``attempts``, or ``k`` not from 1 to ``attempts``.
    """
    _refuse_impossible(passed, attempts, k)
    return math.comb(passed, k) / math.comb(attempts, k)


def _refuse_impossible(passed: int, attempts: int, k: int) -> None:
    whole("attempts", attempts, least=1)
    whole("passed", passed, most=attempts)
    whole("k", k, least=1, most=attempts)


def estimate_pass_at_k(
    passes: Values, cases: Labels, k: int, confidence: float = 0.95, *, clusters: Labels | None = None
) -> Estimate:
    """Mean of pass@k over cases, with a t interval over cases: attempts of one case are not independent cases.

    Where all cases agree the interval is Wilson's on the number of cases.

    Args:
        passes: 0 or 1 per attempt, shape ``(n,)``.
        cases: The case of each attempt.
        k: At most the attempts of any case.
        confidence: E.g. 0.95.
        clusters: Of each attempt; cases of one cluster are not independent.

    Raises:
        InvalidInputError: A score is neither 0 nor 1, or a case has fewer than ``k`` attempts.
    """
    passed, attempts = _attempts(passes, cases, k)
    chances = [pass_at_k(c, n, k) for c, n in zip(passed, attempts, strict=True)]
    return _over_cases(chances, len(passes), confidence, _of_cases(cases, clusters))


def estimate_pass_hat_k(
    passes: Values, cases: Labels, k: int, confidence: float = 0.95, *, clusters: Labels | None = None
) -> Estimate:
    """Mean of pass^k over cases; arguments and errors are those of ``estimate_pass_at_k``."""
    passed, attempts = _attempts(passes, cases, k)
    chances = [pass_hat_k(c, n, k) for c, n in zip(passed, attempts, strict=True)]
    return _over_cases(chances, len(passes), confidence, _of_cases(cases, clusters))


def _attempts(passes: Values, cases: Labels, k: int) -> tuple[list[int], list[int]]:
    found = zero_or_one("passes", passes)
    labelled = coded("cases", cases, len(found), "passes")
    attempts = np.bincount(labelled.codes)
    few = np.flatnonzero(attempts < whole("k", k, least=1))
    if len(few):
        case = labelled.labels[few[0]]
        raise InvalidInputError(
            f"cases[{case!r}]", f"{attempts[few[0]]} attempts", f"make at least k = {k}, or lower k"
        )
    passed = np.bincount(labelled.codes, weights=found).astype(np.int64)
    return passed.tolist(), attempts.tolist()


def _of_cases(cases: Labels, clusters: Labels | None) -> list[Hashable] | None:
    """Return the cluster of each case, in the order in which cases first appear."""
    if clusters is None:
        return None
    found: dict[Hashable, Hashable] = {}
    for case, cluster in zip(cases, clusters, strict=True):
        found.setdefault(case, cluster)
    return list(found.values())


def _over_cases(values: list[float], n: int, confidence: float, clusters: list[Hashable] | None) -> Estimate:
    found = estimate_mean(values, clusters=clusters, confidence=confidence)
    if found.standard_error == 0:
        # No chance scatters more from case to case than one that is 0 or 1.
        units = len(values) if found.clusters is None else found.clusters
        interval = wilson(found.value * units, units, confidence)
    else:
        plain = found.interval
        interval = Interval(max(0.0, plain.low), min(1.0, plain.high), confidence, plain.method)
    return Estimate(found.value, found.standard_error, interval, n, found.clusters or len(values))


def mean_over_epochs(values: Values, cases: Labels, confidence: float = 0.95) -> Estimate:
    """Mean over all epochs with the case as cluster: more epochs make a case surer, not the choice of cases.

    Args:
        values: One per case and epoch, shape ``(n,)``.
        cases: The case of each.
        confidence: E.g. 0.95.

    Raises:
        InvalidInputError: See ``gather_units``; there are fewer than two cases.
    """
    return estimate_mean(values, clusters=cases, confidence=confidence)


def case_means(values: Values, cases: Labels) -> tuple[Floats, tuple[object, ...]]:
    """Mean of the epochs of each case, and the cases in that order: what paired tests take.

    Raises:
        InvalidInputError: There is not one case for each value.
    """
    found = finite("values", values)
    labelled = coded("cases", cases, len(found))
    sums = np.bincount(labelled.codes, weights=found)
    return np.asarray(sums / np.bincount(labelled.codes), dtype=np.float64), labelled.labels
