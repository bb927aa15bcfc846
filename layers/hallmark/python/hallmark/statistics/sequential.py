"""Look as often as you like: answers that stay valid after every case, for scores that have bounds.

A gambler with one unit of money bets against "the mean is at most m", case by case, at fair odds if it is true. Money
multiplied by 1 / alpha happens with probability at most alpha, whenever one looks (Ville's inequality), so that the
money is evidence: an e-process. Nothing is estimated, so that skewed scores and rare failures cannot break it, as they
break sequential tests that plug in a standard deviation (Waudby-Smith and Ramdas, Estimating means of bounded random
variables by betting, Journal of the Royal Statistical Society B 86, 2024, sections 4 and 5; Shafer, 2021).

The money is split in advance between gamblers who each bet a fixed share of what they may (a mixture of constant
rebalanced portfolios: Cover, Universal Portfolios, 1991), so that the bets are predictable, the result does not depend
on the order of the cases, and it can be computed anew from all scores at each look.

Cases must come in random order, independent of one another: average over the epochs of a case first.
"""

from __future__ import annotations

import math

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.statistics.inputs import Floats, Values, finite
from hallmark.statistics.outcomes import Alternative, Interval
from hallmark.statistics.power import MOST_CASES
from hallmark.statistics.ranges import fraction, level, positive
from hallmark.statistics.verdicts import Answer, Verdict, judge

_BETS = np.geomspace(0.005, 0.9, 12)
"""Shares of the largest bet that cannot lose everything; the best share is about effect / variance."""
_USUAL_BET = 0.15
_BET_SPREAD = 1.1
_PRIOR = np.exp(-0.5 * (np.log(_BETS / _USUAL_BET) / _BET_SPREAD) ** 2)
_LOG_PRIOR = np.log(_PRIOR / _PRIOR.sum())
_BISECTIONS = 45
_GRID = 1 << 14


def log_e_process(
    values: object, null: float, low: float, high: float, alternative: Alternative = Alternative.TWO_SIDED
) -> Floats:
    """Logarithm of the money after each case; at least log(1 / alpha) rejects, whenever it happens.

    Args:
        values: In the order of the cases, shape ``(n,)``, or ``(runs, n)`` for several runs at once.
        null: Mean of the hypothesis: "equal to" (two-sided), "at most" (greater), "at least" (less).
        low: No value can be lower.
        high: No value can be higher.
        alternative: Which side the bets are on; two-sided splits the money in halves and needs either.

    Returns:
        Of the same shape as the values. Two-sided it is the larger half.

    Raises:
        InvalidInputError: A value is out of bounds, or the null is not strictly between them.
    """
    found = _bounded(values, low, high)
    if not low < null < high:
        raise InvalidInputError("null", null, f"give a mean strictly between the bounds {low} and {high}")
    if alternative is Alternative.GREATER:
        return _path(found, null, low)
    falling = _path(-found, -null, -high)
    if alternative is Alternative.LESS:
        return falling
    return np.asarray(np.maximum(_path(found, null, low), falling) - math.log(2))


def _bounded(values: object, low: float, high: float) -> Floats:
    if not -math.inf < low < high < math.inf:
        raise InvalidInputError("low, high", (low, high), "give finite bounds, the lower one first")
    found = np.asarray(values, dtype=np.float64)
    if not found.size:
        raise InvalidInputError("values", "0 values", "give at least 1")
    inside = (found >= low) & (found <= high)
    if not inside.all():
        place = np.argwhere(~inside)[0].tolist()
        where = f"values[{', '.join(map(str, place))}]"
        remedy = f"give values from {low} to {high}, or bounds that no value can exceed"
        raise InvalidInputError(where, float(found[tuple(place)]), remedy)
    return found


def _path(values: Floats, null: float, low: float) -> Floats:
    """Log money of the mixture that bets on means above ``null``, after each value along the last axis."""
    gains = (values - null) / (null - low)
    total = np.full(values.shape, -np.inf)
    for bet, prior in zip(_BETS, _LOG_PRIOR, strict=True):
        np.logaddexp(total, np.cumsum(np.log1p(bet * gains), axis=-1) + prior, out=total)
    return total


def anytime_p(
    values: Values, null: float, low: float, high: float, alternative: Alternative = Alternative.TWO_SIDED
) -> float:
    """p-value that may be looked at after every case: one over the most money that there ever was.

    Arguments and errors are those of ``log_e_process``, of one run.
    """
    most = float(log_e_process(finite("values", values), null, low, high, alternative).max())
    return min(1.0, math.exp(-most))


def confidence_sequence(values: Values, low: float, high: float, confidence: float = 0.95) -> Interval:
    """Interval of the mean after these cases; with this confidence it is right after every case at once.

    The means against which nobody has won 2 / alpha, alpha = 1 - confidence. It does not depend on the order.

    Args:
        values: Shape ``(n,)``.
        low: No value can be lower.
        high: No value can be higher.
        confidence: E.g. 0.95.

    Raises:
        InvalidInputError: A value is out of bounds.
    """
    finite("values", values)
    found = _bounded(values, low, high)
    threshold = math.log(2 / (1 - fraction("confidence", confidence)))
    lower = _lower_bound(*_counted(found, low, high), low, threshold)
    upper = -_lower_bound(*_counted(-found, -high, -low), -high, threshold)
    return Interval(lower, upper, confidence, "betting confidence sequence")


def _counted(values: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    """Distinct values and how often each occurs; very many are lowered to a grid, which only lowers a lower bound."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) > _GRID:
        step = (high - low) / _GRID
        places, counts = np.unique(np.floor((values - low) / step), return_counts=True)
        distinct = low + places * step
    return distinct, counts.astype(np.float64)


def _lower_bound(values: Floats, counts: Floats, low: float, threshold: float) -> float:
    """Largest mean that the money has ruled out: it falls as the mean that is bet against rises."""
    outside, inside = low, float(counts @ values / counts.sum())
    for _ in range(_BISECTIONS):
        middle = (outside + inside) / 2
        if not outside < middle < inside:
            break
        won = _log_money(_log_growth(values, counts, middle, low)) >= threshold
        outside, inside = (middle, inside) if won else (outside, middle)
    return outside


def _log_growth(values: Floats, counts: Floats, null: float, low: float) -> Floats:
    """Log of what each gambler has after all values, shape ``(bets,)``."""
    gains = (values - null) / (null - low)
    return np.asarray(np.log1p(_BETS[:, None] * gains) @ counts, dtype=np.float64)


def _log_money(growth: Floats) -> float:
    return float(np.logaddexp.reduce(growth + _LOG_PRIOR))


def decide(
    differences: Values,
    *,
    low: float = -1.0,
    high: float = 1.0,
    alpha: float = 0.05,
    margin: float | None = None,
    higher_is_better: bool = True,
) -> Verdict:
    """Say after any number of cases, as often as wanted, whether the candidate is better.

    Args:
        differences: Candidate minus baseline of the cases so far, in random order, shape ``(n,)``.
        low: No difference can be lower: -1 for scores from 0 to 1.
        high: No difference can be higher.
        alpha: Chance that any of the answers, at any look, is wrong.
        margin: The difference that nobody would mind; with it equivalence and non-inferiority are found too.
        higher_is_better: False for toxicity, failure rates and the like.

    Returns:
        A run may stop when the answer is not ``cannot_tell``; ``more_cases`` supposes that the coming cases are like
        those so far.

    Raises:
        InvalidInputError: A difference is out of bounds, or the bounds do not enclose 0 and the margin.
    """
    level("alpha", alpha)
    if not low < 0 < high:
        raise InvalidInputError("low, high", (low, high), "give bounds of a difference: one below 0, one above")
    if margin is not None and positive("margin", margin) >= min(-low, high):
        raise InvalidInputError("margin", margin, f"give a margin smaller than the bounds {low} and {high}")
    found = _bounded(finite("differences", differences), low, high)
    interval = confidence_sequence(found, low, high, 1 - alpha)
    verdict = judge(float(found.mean()), interval, len(found), margin=margin, higher_is_better=higher_is_better)
    if verdict.answer is not Answer.CANNOT_TELL:
        return verdict
    turned = (found, low, high) if higher_is_better else (-found, -high, -low)
    return Verdict(
        answer=verdict.answer,
        finding=verdict.finding,
        is_non_inferior=verdict.is_non_inferior,
        effect=verdict.effect,
        interval=verdict.interval,
        p_value=None,
        margin=margin,
        n=verdict.n,
        more_cases=_more_cases(*turned, alpha, margin),
    )


def cases_until(values: Values, boundary: float, low: float, high: float, alpha: float = 0.05) -> int | None:
    """All cases after which the confidence sequence excludes ``boundary``, if the others are like these.

    Args:
        values: The cases so far, shape ``(n,)``.
        boundary: Strictly between the bounds.
        low: No value can be lower.
        high: No value can be higher.
        alpha: One minus the confidence.

    Returns:
        None if no number of such cases would, or more than 10**12.
    """
    found = _bounded(finite("values", values), low, high)
    if not low < boundary < high:
        raise InvalidInputError("boundary", boundary, f"give a value strictly between the bounds {low} and {high}")
    if found.mean() < boundary:
        found, boundary, low = -found, -boundary, -high
    distinct, counts = np.unique(found, return_counts=True)
    growth = _log_growth(distinct, counts / len(found), boundary, low)
    threshold = math.log(2 / level("alpha", alpha))
    few, many = 0, MOST_CASES
    if growth.max() <= 0 or _log_money(growth * many) < threshold:
        return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if _log_money(growth * middle) >= threshold else (middle, many)
    return many


def _more_cases(found: Floats, low: float, high: float, alpha: float, margin: float | None) -> int | None:
    boundaries = [0.0] if margin is None or float(found.mean()) >= margin else [0.0, margin]
    needed = [cases_until(found, boundary, low, high, alpha) for boundary in boundaries]
    possible = [cases for cases in needed if cases is not None]
    return max(1, min(possible) - len(found)) if possible else None
