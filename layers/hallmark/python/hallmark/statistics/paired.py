"""Tests of two models on the same cases: McNemar, sign, sign-flip permutation, paired t, approximate randomisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from hallmark.statistics.bootstrap import stacked
from hallmark.statistics.distributions import (
    binomial_at_least,
    binomial_at_most,
    binomial_probability,
    chi_square_tail,
    t_tail,
    t_two_sided,
)
from hallmark.statistics.inputs import Floats, Labels, Values, paired_differences
from hallmark.statistics.intervals import (
    gather_units,
    paired_difference_of_rates,
    standard_error,
    t_interval,
)
from hallmark.statistics.outcomes import Alternative, Significance
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.ranges import whole
from hallmark.statistics.resampling import (
    MetricOfSums,
    apply_metric,
    chunk_lengths,
    generator,
    randomly_chosen_sums,
)

EXACT_BELOW = 25
"""With fewer discordant cases than this, chi-square does not approximate McNemar's statistic well enough."""

_MOST_ENUMERATED = 20
_MOST_MAGNITUDES = 32
_LEAST_TRIALS = 100
_ROUNDING = 1e-12


class McNemar(StrEnum):
    """How McNemar's p-value is computed."""

    AUTOMATIC = "automatic"
    """Exact with fewer than 25 discordant cases, chi-square with continuity correction otherwise."""
    EXACT = "exact"
    MID_P = "mid-p"
    """Exact less half the probability of what was seen (Fagerland, Lydersen and Laake, 2013): less cautious."""
    CORRECTED = "chi-square, continuity corrected"
    UNCORRECTED = "chi-square"


def mcnemar(counts: PairedCounts, method: McNemar = McNemar.AUTOMATIC, confidence: float = 0.95) -> Significance:
    """Test whether two models pass equally often (McNemar, Psychometrika 12, 1947; Edwards' correction, 1948).

    Args:
        counts: Of the cases that both pass, one passes, none passes.
        method: How; the result says which was used.
        confidence: Of the interval of the difference of the rates (Tango).

    Returns:
        ``statistic`` is the smaller discordant count (exact, mid-p) or chi-square; p is 1 without discordant cases.
    """
    used = method
    if method is McNemar.AUTOMATIC:
        used = McNemar.EXACT if counts.discordant < EXACT_BELOW else McNemar.CORRECTED
    statistic, p_value = _mcnemar(counts.only_candidate, counts.only_baseline, used)
    return Significance(
        statistic=statistic,
        p_value=p_value,
        effect=counts.difference,
        interval=paired_difference_of_rates(counts, confidence),
        n=counts.n,
        method=f"McNemar, {used.value}, {counts.discordant} discordant",
    )


def _mcnemar(more: int, fewer: int, method: McNemar) -> tuple[float, float]:
    discordant = more + fewer
    if method in {McNemar.EXACT, McNemar.MID_P}:
        smaller = min(more, fewer)
        p_value = min(1.0, 2 * binomial_at_most(smaller, discordant, 0.5))
        if method is McNemar.MID_P:
            seen = binomial_probability(smaller, discordant, 0.5)
            p_value = min(1.0, 2 * binomial_at_most(smaller, discordant, 0.5) - seen)
        return float(smaller), p_value
    if not discordant:
        return 0.0, 1.0
    gap = abs(more - fewer) - (1 if method is McNemar.CORRECTED else 0)
    statistic = max(0, gap) ** 2 / discordant
    return statistic, chi_square_tail(statistic, 1)


def sign_test(candidate: Values, baseline: Values, alternative: Alternative = Alternative.TWO_SIDED) -> Significance:
    """Test whether the candidate is higher as often as lower; ties are left out (Dixon and Mood, 1946).

    Returns:
        ``statistic`` is the number of cases where the candidate is higher, ``effect`` the mean difference, ``n`` the
        cases that are no ties.

    Raises:
        InvalidInputError: The two are not scores of the same cases.
    """
    differences = paired_differences(candidate, baseline)
    higher, lower = int((differences > 0).sum()), int((differences < 0).sum())
    n = higher + lower
    return Significance(
        statistic=float(higher),
        p_value=_binomial_p(higher, n, alternative),
        effect=float(differences.mean()),
        interval=None,
        n=n,
        method=f"sign test, exact, {len(differences) - n} ties left out",
        alternative=alternative,
    )


def _binomial_p(higher: int, n: int, alternative: Alternative) -> float:
    if alternative is Alternative.GREATER:
        return binomial_at_least(higher, n, 0.5)
    if alternative is Alternative.LESS:
        return binomial_at_most(higher, n, 0.5)
    return min(1.0, 2 * binomial_at_most(min(higher, n - higher), n, 0.5))


def paired_t(
    candidate: Values,
    baseline: Values,
    *,
    weights: Values | None = None,
    clusters: Labels | None = None,
    alternative: Alternative = Alternative.TWO_SIDED,
    confidence: float = 0.95,
) -> Significance:
    """Student's t of the differences (Student, Biometrika 6, 1908), with clustered standard errors where needed.

    Args:
        candidate: Scores, shape ``(n,)``.
        baseline: Scores of the same cases in the same order.
        weights: How much each case counts, above 0.
        clusters: Cases with the same label are not independent; clusters less one are the degrees of freedom.
        alternative: What is looked for.
        confidence: Of the interval of the mean difference, which is two-sided whatever is looked for.

    Raises:
        InvalidInputError: The two are not scores of the same cases, or there are fewer than two units.
    """
    units = gather_units(paired_differences(candidate, baseline), weights, clusters)
    error, mean, degrees = standard_error(units), units.mean, len(units.sums) - 1
    if error > 0:
        t = mean / error
        p_value = _t_p(t, degrees, alternative)
    else:
        # All units say the same: the scatter is unknown, not zero, so that swaps say how surprising it is.
        t = math.copysign(math.inf, mean) if mean else 0.0
        agreeing = len(units.sums) if mean else 0
        p_value = _binomial_p(agreeing if mean > 0 else 0, agreeing, alternative)
    kind = "t" if clusters is None else "t over clusters"
    return Significance(
        statistic=t,
        p_value=p_value,
        effect=mean,
        interval=t_interval(mean, error, degrees, confidence, kind),
        n=units.n,
        method=f"paired {kind}, {degrees} degrees of freedom",
        alternative=alternative,
    )


def _t_p(t: float, degrees: int, alternative: Alternative) -> float:
    if alternative is Alternative.TWO_SIDED:
        return t_two_sided(t, degrees)
    return t_tail(t if alternative is Alternative.GREATER else -t, degrees)


def sign_flip(
    candidate: Values,
    baseline: Values,
    *,
    weights: Values | None = None,
    clusters: Labels | None = None,
    alternative: Alternative = Alternative.TWO_SIDED,
    resamples: int = 10_000,
    seed: int = 0,
) -> Significance:
    """Permutation test of the mean difference: swap the two models' scores case by case, or cluster by cluster.

    Fisher, The Design of Experiments, 1935, section 21. Exact for any distribution if the models are exchangeable.
    All 2**n swaps are tried for up to 20 units that differ, the binomial distribution is used where all differences
    are of one size (0/1 scores), else random swaps, of which the observed one is one (Phipson and Smyth, 2010).

    Args:
        candidate: Scores, shape ``(n,)``.
        baseline: Scores of the same cases in the same order.
        weights: How much each case counts, above 0.
        clusters: Cases with the same label are swapped together.
        alternative: What is looked for.
        resamples: How many random swaps, at least 100.
        seed: The same seed gives the same answer.

    Raises:
        InvalidInputError: The two are not scores of the same cases.
    """
    units = gather_units(paired_differences(candidate, baseline), weights, clusters)
    whole("resamples", resamples, least=_LEAST_TRIALS)
    sums = units.sums[units.sums != 0]
    magnitudes, counts = np.unique(np.abs(sums), return_counts=True)
    if len(magnitudes) <= 1:
        p_value, how = _binomial_p(int((sums > 0).sum()), len(sums), alternative), "exact"
    elif len(sums) <= _MOST_ENUMERATED:
        p_value, how = _share_as_extreme(_all_flips(sums), sums, alternative), f"exact, {2 ** len(sums):,} swaps"
    else:
        drawn = _drawn_flips(sums, magnitudes, counts, resamples, generator(seed))
        share = _share_as_extreme(drawn, sums, alternative)
        p_value, how = (share * resamples + 1) / (resamples + 1), f"{resamples:,} random swaps"
    return Significance(
        statistic=units.mean,
        p_value=p_value,
        effect=units.mean,
        interval=None,
        n=units.n,
        method=f"sign flip{'' if clusters is None else ' of clusters'}, {how}",
        alternative=alternative,
    )


def _all_flips(sums: Floats) -> Floats:
    totals = np.zeros(1)
    for value in sums:
        totals = np.concatenate((totals + value, totals - value))
    return totals


def _drawn_flips(
    sums: Floats,
    magnitudes: Floats,
    counts: np.ndarray[tuple[int, ...], np.dtype[np.intp]],
    resamples: int,
    random: np.random.Generator,
) -> Floats:
    if len(magnitudes) <= min(_MOST_MAGNITUDES, len(sums) // 2):
        # Of equal differences only the number that is positive matters.
        heads = random.binomial(counts, 0.5, size=(resamples, len(counts)))
        return np.asarray((2 * heads - counts) @ magnitudes, dtype=np.float64)
    parts = []
    for some in chunk_lengths(resamples, len(sums)):
        bits = np.frombuffer(random.bytes((some * len(sums) + 7) // 8), dtype=np.uint8)
        chosen = np.unpackbits(bits, count=some * len(sums)).reshape(some, len(sums)).astype(np.float64)
        parts.append(2 * (chosen @ sums) - sums.sum())
    return np.concatenate(parts)


def _share_as_extreme(found: Floats, sums: Floats, alternative: Alternative) -> float:
    observed = float(sums.sum())
    slack = _ROUNDING * float(np.abs(sums).sum())
    if alternative is Alternative.TWO_SIDED:
        return float((np.abs(found) >= abs(observed) - slack).mean())
    direction = 1 if alternative is Alternative.GREATER else -1
    return float((direction * found >= direction * observed - slack).mean())


def approximate_randomisation(
    candidates: Sequence[object],
    baseline: object,
    metric: MetricOfSums,
    *,
    clusters: Labels | None = None,
    trials: int = 10_000,
    seed: int = 0,
) -> tuple[Significance, ...]:
    """Compare several systems with one baseline by a metric of the corpus, swapping their outputs case by case.

    Noreen, Computer Intensive Methods for Testing Hypotheses, 1989; Riezler and Maxwell, 2005. Two-sided.

    Args:
        candidates: Per system what is summed over the cases, shape ``(n, k)`` each.
        baseline: The same of the baseline, shape ``(n, k)``.
        metric: Computes the metric from sums.
        clusters: Cases with the same label (sentences of one document) are swapped together.
        trials: How many random swaps, at least 100.
        seed: The same seed gives the same answer; all candidates share the swaps.

    Returns:
        One result per candidate, in their order.

    Raises:
        InvalidInputError: The tables are not of the same cases, or the metric gives something else.
    """
    whole("trials", trials, least=_LEAST_TRIALS)
    rows, n = stacked(candidates, baseline, clusters)
    width = rows.shape[1] // (len(candidates) + 1)
    own = rows[:, :width]
    gaps = rows[:, width:] - np.tile(own, len(candidates))
    moved = randomly_chosen_sums(gaps, trials, generator(seed))
    own_sums, all_sums = own.sum(axis=0), rows.sum(axis=0)
    own_score = float(apply_metric(metric, own_sums[None, :])[0])
    found = []
    for place in range(len(candidates)):
        theirs = all_sums[(place + 1) * width : (place + 2) * width]
        effect = float(apply_metric(metric, theirs[None, :])[0]) - own_score
        swapped = moved[:, place * width : (place + 1) * width]
        differences = apply_metric(metric, theirs - swapped) - apply_metric(metric, own_sums + swapped)
        slack = _ROUNDING * float(np.abs(differences).max(initial=abs(effect)))
        extreme = int((np.abs(differences) >= abs(effect) - slack).sum())
        method = f"approximate randomisation, two-sided, {trials:,} trials"
        found.append(Significance(effect, (extreme + 1) / (trials + 1), effect, None, n, method))
    return tuple(found)
