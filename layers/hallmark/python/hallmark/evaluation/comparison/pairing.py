"""Two models on the cases that both have a score for: the difference, the test that fits, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hallmark.evaluation.comparison.clustering import Clustering
from hallmark.evaluation.comparison.corpora import influences
from hallmark.evaluation.comparison.gathering import Scores
from hallmark.evaluation.comparison.weighting import Weighting
from hallmark.evaluation.metrics import Metric, MetricKind
from hallmark.statistics.bootstrap import bootstrap_corpora
from hallmark.statistics.effects import cohens_dz, discordant_odds_ratio
from hallmark.statistics.inputs import Floats, Integers
from hallmark.statistics.intervals import gather_units, standard_error
from hallmark.statistics.outcomes import Interval, Significance
from hallmark.statistics.paired import mcnemar, paired_t, sign_flip
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.power import detectable_difference_of_rates, detectable_mean_difference
from hallmark.statistics.resampling import MetricOfSums, apply_metric
from hallmark.statistics.sequential import confidence_sequence, log_e_process

_MOST_TO_SWAP = 300
"""Up to so many differing cases the p-value is a permutation's; above, Student's t gives the same in less time."""
_RESAMPLES = 2_000
_LEAST = 2
_FEW_EXTREME = 10


Pairs = Sequence[tuple[str, str]]
"""Candidate and baseline."""


@dataclass(frozen=True, slots=True)
class Paired:
    """What a paired test found."""

    cases: int
    candidate_value: float
    baseline_value: float
    difference: float
    interval: Interval | None
    p_value: float | None
    method: str
    effect_size: float | None = None
    effect_size_name: str = ""
    detectable: float | None = None
    clustering: Clustering | None = None
    """Where some cases share a cluster."""


def common_cases(candidate: Scores, baseline: Scores) -> tuple[Scores, Scores]:
    """Return the scores of both on the cases that both have."""
    common: Integers = np.intersect1d(candidate.cases, baseline.cases, assume_unique=True)
    return candidate.at(common), baseline.at(common)


def compare_means(
    metric: Metric, candidate: Scores, baseline: Scores, weighting: Weighting, confidence: float
) -> Paired | None:
    """Compare two models on a metric that is a mean over cases; None where they have no case in common.

    Args:
        metric: Not of the corpus.
        candidate: Of the cases that both have, as ``common_cases`` gives them.
        baseline: Of the same cases.
        weighting: Of the run.
        confidence: Of the interval.

    Returns:
        Without interval and p-value where cases share clusters, and those are too few.
    """
    if not len(candidate.cases):
        return None
    weights = weighting.weights(candidate.cases)
    clustering = candidate.clustering(weights)
    if clustering is not None:
        return _of_clusters(metric, candidate.means, baseline.means, weights, clustering, confidence)
    if metric.kind is MetricKind.BINARY and weights is None and not (candidate.has_repeats or baseline.has_repeats):
        return _of_rates(candidate.means, baseline.means, confidence)
    return _of_means(metric, candidate.means, baseline.means, weights, confidence)


def _of_rates(candidate: Floats, baseline: Floats, confidence: float) -> Paired:
    counts = PairedCounts.of(candidate, baseline)
    found = mcnemar(counts, confidence=confidence)
    odds, _ = discordant_odds_ratio(counts, confidence)
    discordance = counts.discordant / counts.n
    detectable = detectable_difference_of_rates(counts.n, discordance, alpha=1 - confidence) if discordance else None
    return Paired(
        cases=counts.n,
        candidate_value=(counts.both + counts.only_candidate) / counts.n,
        baseline_value=(counts.both + counts.only_baseline) / counts.n,
        difference=found.effect,
        interval=found.interval,
        p_value=found.p_value,
        method=found.method,
        effect_size=odds if math.isfinite(odds) else None,
        effect_size_name="odds ratio of discordant cases",
        detectable=detectable if detectable is not None and math.isfinite(detectable) else None,
    )


def _of_means(metric: Metric, candidate: Floats, baseline: Floats, weights: Floats | None, confidence: float) -> Paired:
    differences = candidate - baseline
    n = len(differences)
    values = [float(np.average(each, weights=weights)) for each in (candidate, baseline)]
    varies = bool(differences.min() < differences.max())
    if n < _LEAST or not varies:
        return _of_constant(metric, values, differences, confidence)
    by_t = paired_t(candidate, baseline, weights=weights, confidence=confidence)
    found = by_t
    if np.count_nonzero(differences) <= _MOST_TO_SWAP:
        found = sign_flip(candidate, baseline, weights=weights)
    dz = cohens_dz(candidate, baseline)
    deviation = float(differences.std(ddof=1))
    return Paired(
        cases=n,
        candidate_value=values[0],
        baseline_value=values[1],
        difference=by_t.effect,
        interval=_clipped(by_t.interval, metric),
        p_value=found.p_value,
        method=found.method,
        effect_size=dz,
        effect_size_name="Cohen's d_z",
        detectable=detectable_mean_difference(n, deviation, alpha=1 - confidence),
    )


def _of_clusters(
    metric: Metric,
    candidate: Floats,
    baseline: Floats,
    weights: Floats | None,
    clustering: Clustering,
    confidence: float,
) -> Paired:
    """Swap whole clusters, and let clusters scatter: of rates too, whose discordant cases are not independent."""
    values = [float(np.average(each, weights=weights)) for each in (candidate, baseline)]
    known = _unjudged(len(candidate), values, clustering)
    if not clustering.is_enough:
        return known
    labels, differences = clustering.labels, candidate - baseline
    if not differences.min() < differences.max():
        few = _of_constant(metric, values, differences[: math.floor(clustering.effective)], confidence)
        return replace(few, cases=len(differences), clustering=clustering)
    by_t = paired_t(candidate, baseline, weights=weights, clusters=labels, confidence=confidence)
    units = gather_units(differences, weights, labels)
    found = by_t
    if np.count_nonzero(units.sums) <= _MOST_TO_SWAP:
        found = sign_flip(candidate, baseline, weights=weights, clusters=labels)
    # As much as independent cases would have to scatter for the mean to be as unsure as it is.
    deviation = standard_error(units) * math.sqrt(len(differences))
    return replace(
        known,
        difference=by_t.effect,
        interval=_clipped(by_t.interval, metric),
        p_value=found.p_value,
        method=found.method,
        effect_size=cohens_dz(candidate, baseline),
        effect_size_name="Cohen's d_z",
        detectable=detectable_mean_difference(len(differences), deviation, alpha=1 - confidence) if deviation else None,
    )


def _unjudged(cases: int, values: list[float], clustering: Clustering) -> Paired:
    """Two values beside each other, of which no test has said anything."""
    candidate, baseline = values
    return Paired(
        cases=cases,
        candidate_value=candidate,
        baseline_value=baseline,
        difference=candidate - baseline,
        interval=None,
        p_value=None,
        method="",
        clustering=clustering,
    )


def _clipped(interval: Interval | None, metric: Metric) -> Interval | None:
    bounds = difference_bounds(metric)
    if interval is None or bounds is None:
        return interval
    return replace(interval, low=max(interval.low, bounds[0]), high=min(interval.high, bounds[1]))


def difference_bounds(metric: Metric) -> tuple[float, float] | None:
    """Between what a difference of two scores must lie; None where the metric has no bounds."""
    if metric.kind not in {MetricKind.BINARY, MetricKind.BOUNDED} or metric.low is None or metric.high is None:
        return None
    width = metric.high - metric.low
    return (-width, width) if width > 0 else None


def _of_constant(metric: Metric, values: list[float], differences: Floats, confidence: float) -> Paired:
    """All differences are equal: how far others would scatter is known only where scores have bounds."""
    bounds = difference_bounds(metric)
    interval = None if bounds is None else confidence_sequence(differences, *bounds, confidence)
    found = sign_flip(differences, np.zeros(len(differences)))
    return Paired(
        cases=len(differences),
        candidate_value=values[0],
        baseline_value=values[1],
        difference=float(differences[0]),
        interval=interval,
        p_value=found.p_value,
        method=found.method,
    )


def compare_anytime(metric: Metric, candidate: Scores, baseline: Scores, confidence: float) -> Paired | None:
    """Compare two models so that the answer holds however often one has looked; None without a case or bounds.

    The e-value is taken after all cases so far, which does not depend on their order (see ``sequential``).
    """
    bounds = difference_bounds(metric)
    if bounds is None or not len(candidate.cases):
        return None
    differences = candidate.means - baseline.means
    evidence = float(log_e_process(differences, 0.0, *bounds)[-1])
    return Paired(
        cases=len(differences),
        candidate_value=float(candidate.means.mean()),
        baseline_value=float(baseline.means.mean()),
        difference=float(differences.mean()),
        interval=confidence_sequence(differences, *bounds, confidence),
        p_value=min(1.0, math.exp(-evidence)),
        method="betting e-process, valid after any number of looks",
    )


def compare_influences(
    metric: MetricOfSums, scores: Callable[[str], Scores | None], pairs: Pairs, confidence: float
) -> dict[tuple[str, str], Paired]:
    """Compare pairs of models on a metric of the corpus by the jackknife alone: quicker than ``compare_corpora``.

    Arguments are those of ``compare_corpora``.
    """
    known: dict[tuple[str, bytes], Floats] = {}
    found: dict[tuple[str, str], Paired] = {}
    for candidate, baseline in pairs:
        first, second = scores(candidate), scores(baseline)
        if first is None or second is None:
            continue
        both = common_cases(first, second)
        cases = both[0].cases.tobytes()
        if len(both[0].cases) < _LEAST:
            continue
        clustering = both[0].clustering()
        if clustering is not None and not clustering.is_enough:
            continue
        for name, one in zip((candidate, baseline), both, strict=True):
            if (name, cases) not in known:
                known[name, cases] = influences(_rows(one), metric, None if clustering is None else clustering.labels)
        test = paired_t(known[candidate, cases], known[baseline, cases], confidence=confidence)
        values = [float(apply_metric(metric, _rows(one).sum(axis=0, keepdims=True))[0]) for one in both]
        found[candidate, baseline] = Paired(
            cases=len(both[0].cases),
            candidate_value=values[0],
            baseline_value=values[1],
            difference=values[0] - values[1],
            interval=None,
            p_value=test.p_value,
            method=f"{test.method}, of the jackknife",
            clustering=clustering,
        )
    return found


def compare_corpora(
    metric: MetricOfSums, scores: Callable[[str], Scores | None], pairs: Pairs, confidence: float
) -> dict[tuple[str, str], Paired]:
    """Compare pairs of models on a metric of the corpus; pairs without two cases in common are left out.

    Pairs that share baseline and cases share their resamples. Where no resample is as extreme as what was observed, its
    p-value is only known to be small; Student's t of the jackknife's pseudo-values then says how small.

    Args:
        metric: Computes the metric from sums.
        scores: The scores of a model, by name.
        pairs: Who is compared with whom.
        confidence: Of the intervals.
    """
    batches: dict[tuple[str, bytes], list[tuple[str, Scores, Scores]]] = {}
    for candidate, baseline in pairs:
        first, second = scores(candidate), scores(baseline)
        if first is None or second is None:
            continue
        one, other = common_cases(first, second)
        if len(one.cases) >= _LEAST:
            batches.setdefault((baseline, one.cases.tobytes()), []).append((candidate, one, other))
    known: dict[tuple[str, bytes], Floats] = {}
    found: dict[tuple[str, str], Paired] = {}
    for (baseline, cases), batch in batches.items():
        own = _rows(batch[0][2])
        clustering = batch[0][2].clustering()
        if clustering is not None and not clustering.is_enough:
            found |= {
                (candidate, baseline): _too_few_clusters(metric, _rows(one), own, clustering)
                for candidate, one, _ in batch
            }
            continue
        labels = None if clustering is None else clustering.labels
        tests = bootstrap_corpora(
            [_rows(one) for _, one, _ in batch],
            own,
            metric,
            clusters=labels,
            confidence=confidence,
            resamples=_RESAMPLES,
        )
        for (candidate, one, _), test in zip(batch, tests, strict=True):
            for name, rows in ((candidate, _rows(one)), (baseline, own)):
                if (name, cases) not in known:
                    known[name, cases] = influences(rows, metric, labels)
            pseudo = [known[candidate, cases], known[baseline, cases]]
            paired = _of_corpora(metric, one, own, test, pseudo, confidence)
            found[candidate, baseline] = replace(paired, clustering=clustering)
    return found


def _too_few_clusters(metric: MetricOfSums, candidate: Floats, own: Floats, clustering: Clustering) -> Paired:
    values = [float(apply_metric(metric, rows.sum(axis=0, keepdims=True))[0]) for rows in (candidate, own)]
    return _unjudged(len(own), values, clustering)


def _rows(scores: Scores) -> Floats:
    return scores.rows if scores.rows is not None else scores.means[:, None]


def _of_corpora(
    metric: MetricOfSums, candidate: Scores, own: Floats, test: Significance, pseudo: list[Floats], confidence: float
) -> Paired:
    values = [float(apply_metric(metric, rows.sum(axis=0, keepdims=True))[0]) for rows in (_rows(candidate), own)]
    differences = pseudo[0] - pseudo[1]
    deviation = float(differences.std(ddof=1))
    p_value, method = test.p_value, test.method
    if p_value <= _FEW_EXTREME / _RESAMPLES and deviation > 0:
        p_value, method = paired_t(*pseudo).p_value, f"{method}; p beyond them by t of the jackknife"
    return Paired(
        cases=test.n,
        candidate_value=values[0],
        baseline_value=values[1],
        difference=test.effect,
        interval=test.interval if test.interval is not None and test.interval.width > 0 else None,
        p_value=p_value,
        method=method,
        effect_size=float(differences.mean()) / deviation if deviation > 0 else None,
        effect_size_name="d_z of the jackknife",
        detectable=detectable_mean_difference(len(differences), deviation, alpha=1 - confidence)
        if deviation > 0
        else None,
    )
