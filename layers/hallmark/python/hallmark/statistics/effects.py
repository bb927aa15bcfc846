"""How large a difference is, in numbers that compare across metrics."""

from __future__ import annotations

import math

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.statistics.inputs import Values, finite, paired_differences
from hallmark.statistics.intervals import paired_difference_of_rates
from hallmark.statistics.outcomes import Estimate, Interval
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.rates import clopper_pearson

_LEAST = 2


def cohens_dz(candidate: Values, baseline: Values) -> float:
    """Mean of the differences in units of their standard deviation (Cohen, 1988, section 2.3.5).

    0.2 is called small, 0.5 medium, 0.8 large. Infinite where all differences are equal and not 0.

    Raises:
        InvalidInputError: The two are not scores of the same cases, or there are fewer than two.
    """
    differences = paired_differences(candidate, baseline)
    if len(differences) < _LEAST:
        raise InvalidInputError("candidate", "1 value", "give at least two cases: one has no standard deviation")
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    if deviation == 0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / deviation


def discordant_odds_ratio(counts: PairedCounts, confidence: float = 0.95) -> tuple[float, Interval]:
    """Odds that the candidate is the one that passes, among cases that only one model passes.

    Returns:
        Only-candidate over only-baseline cases (infinite where there are none of the latter, NaN where models never
        differ), and its exact interval, from that of the binomial share (Breslow and Day, 1980, section 5.2).
    """
    if not counts.discordant:
        return math.nan, Interval(0.0, math.inf, confidence, "exact, no discordant case")
    share = clopper_pearson(counts.only_candidate, counts.discordant, confidence)
    ratio = counts.only_candidate / counts.only_baseline if counts.only_baseline else math.inf
    return ratio, Interval(_odds(share.low), _odds(share.high), confidence, "exact")


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else math.inf


def cliffs_delta(candidate: Values, baseline: Values) -> float:
    """Chance that a candidate's score is higher than a baseline's, less that it is lower (Cliff, 1993); -1 to 1.

    Of two samples, not of pairs: it compares any score with any other, in O(n log n).

    Raises:
        InvalidInputError: A score is not finite, or there is none.
    """
    first, second = finite("candidate", candidate), np.sort(finite("baseline", baseline))
    higher = int(np.searchsorted(second, first, side="left").sum())
    lower = len(first) * len(second) - int(np.searchsorted(second, first, side="right").sum())
    return (higher - lower) / (len(first) * len(second))


def risk_difference(counts: PairedCounts, confidence: float = 0.95) -> Estimate:
    """Rate of the candidate minus rate of the baseline on the same cases, with Tango's interval."""
    n, difference = counts.n, counts.difference
    error = math.sqrt(max(0.0, counts.discordant / n - difference**2) / n)
    return Estimate(difference, error, paired_difference_of_rates(counts, confidence), n)
