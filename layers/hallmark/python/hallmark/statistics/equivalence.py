"""Is it not worse, and is it the same? Both need a margin: the difference that nobody would mind.

That a test finds no difference never means that there is none. Non-inferiority rejects "worse by the margin or more";
equivalence rejects that and "better by the margin or more" (two one-sided tests: Schuirmann, Journal of
Pharmacokinetics and Biopharmaceutics 15, 1987).
"""

from __future__ import annotations

from dataclasses import dataclass

from hallmark.statistics.distributions import normal_cdf, t_tail
from hallmark.statistics.inputs import Labels, Values, paired_differences
from hallmark.statistics.intervals import (
    gather_units,
    paired_difference_of_rates,
    paired_score,
    standard_error,
    t_interval,
)
from hallmark.statistics.outcomes import Interval
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.ranges import level, positive


@dataclass(frozen=True, slots=True)
class MarginTest:
    """What a test against a margin found."""

    holds: bool
    """Shown at this level; False means not shown, not the contrary."""
    p_value: float
    effect: float
    """Candidate minus baseline."""
    margin: float
    alpha: float
    interval: Interval
    """Of confidence 1 - 2 alpha: it holds if, and only if, the interval lies within the margin (above minus it)."""
    n: int
    method: str


def non_inferiority_of_means(
    candidate: Values, baseline: Values, margin: float, *, alpha: float = 0.05, clusters: Labels | None = None
) -> MarginTest:
    """Show that the candidate's mean is not lower by ``margin`` or more: one-sided t test of the differences.

    Args:
        candidate: Scores of which higher is better, shape ``(n,)``.
        baseline: Scores of the same cases in the same order.
        margin: Above 0, in the unit of the scores.
        alpha: Chance of showing it wrongly.
        clusters: Cases with the same label are not independent.

    Returns:
        Nothing is shown (p is 1) where all differences are equal: ``sequential.decide`` can, if scores have bounds.

    Raises:
        InvalidInputError: The two are not scores of the same cases, or the margin is not above 0.
    """
    return _of_means(candidate, baseline, margin, alpha, clusters, both_sides=False)


def equivalence_of_means(
    candidate: Values, baseline: Values, margin: float, *, alpha: float = 0.05, clusters: Labels | None = None
) -> MarginTest:
    """Show that the means differ by less than ``margin``: two one-sided t tests of the differences.

    Arguments and errors are those of ``non_inferiority_of_means``.
    """
    return _of_means(candidate, baseline, margin, alpha, clusters, both_sides=True)


def _of_means(
    candidate: Values, baseline: Values, margin: float, alpha: float, clusters: Labels | None, *, both_sides: bool
) -> MarginTest:
    positive("margin", margin)
    level("alpha", alpha)
    units = gather_units(paired_differences(candidate, baseline), None, clusters)
    error, mean, degrees = standard_error(units), units.mean, len(units.sums) - 1

    def tail(distance: float) -> float:
        if error == 0:
            # All units say the same: how far others would be is unknown, so that nothing is shown.
            return 1.0
        return t_tail(distance / error, degrees)

    kind = "paired t" if clusters is None else "paired t over clusters"
    interval = t_interval(mean, error, degrees, 1 - 2 * alpha, kind)
    p_value = max(tail(mean + margin), tail(margin - mean)) if both_sides else tail(mean + margin)
    return _decided(p_value, mean, margin, alpha, interval, units.n, kind, both_sides=both_sides)


def non_inferiority_of_rates(counts: PairedCounts, margin: float, *, alpha: float = 0.05) -> MarginTest:
    """Show that the candidate's rate is not lower by ``margin`` or more: one-sided score test (Tango, 1998).

    Args:
        counts: Of the cases that both pass, one passes, none passes.
        margin: Above 0 and below 1, e.g. 0.02 for two percentage points.
        alpha: Chance of showing it wrongly.

    Raises:
        InvalidInputError: The margin is not above 0.
    """
    return _of_rates(counts, margin, alpha, both_sides=False)


def equivalence_of_rates(counts: PairedCounts, margin: float, *, alpha: float = 0.05) -> MarginTest:
    """Show that the rates differ by less than ``margin``: two one-sided score tests (Tango, 1998)."""
    return _of_rates(counts, margin, alpha, both_sides=True)


def _of_rates(counts: PairedCounts, margin: float, alpha: float, *, both_sides: bool) -> MarginTest:
    positive("margin", margin)
    level("alpha", alpha)
    p_value = normal_cdf(-paired_score(counts, -margin)) if margin < 1 else 0.0
    if both_sides:
        p_value = max(p_value, normal_cdf(paired_score(counts, margin)) if margin < 1 else 0.0)
    interval = paired_difference_of_rates(counts, 1 - 2 * alpha)
    return _decided(
        p_value, counts.difference, margin, alpha, interval, counts.n, "paired score (Tango)", both_sides=both_sides
    )


def _decided(
    p_value: float,
    effect: float,
    margin: float,
    alpha: float,
    interval: Interval,
    n: int,
    kind: str,
    *,
    both_sides: bool,
) -> MarginTest:
    question = "equivalence, two one-sided tests" if both_sides else "non-inferiority, one-sided"
    return MarginTest(
        holds=p_value < alpha,
        p_value=p_value,
        effect=effect,
        margin=margin,
        alpha=alpha,
        interval=interval,
        n=n,
        method=f"{question}, {kind}",
    )
