"""How each model does: estimates with intervals that fit what the scores look like."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from hallmark.evaluation.comparison.clustering import Clustering
from hallmark.evaluation.comparison.corpora import CorpusMetrics, jackknife
from hallmark.evaluation.comparison.evidence import EvaluationResults
from hallmark.evaluation.comparison.gathering import (
    DIMENSIONS,
    LATENCY,
    Gathered,
    Scores,
    Tally,
)
from hallmark.evaluation.comparison.report import (
    Attempts,
    Coverage,
    Estimate,
    Fairness,
    GroupGap,
    GroupLeftOut,
    Quantile,
    Slice,
)
from hallmark.evaluation.comparison.spans import as_span
from hallmark.evaluation.comparison.weighting import Weighting
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.statistics.bootstrap import BootstrapInterval, bootstrap_mean, bootstrap_metric
from hallmark.statistics.groups import compare_groups
from hallmark.statistics.inputs import Floats, Integers
from hallmark.statistics.intervals import (
    estimate_mean,
    estimate_quantile,
    estimate_rate,
    estimate_stratified_mean,
)
from hallmark.statistics.outcomes import Interval
from hallmark.statistics.passing import estimate_pass_at_k, estimate_pass_hat_k
from hallmark.statistics.rates import wilson
from hallmark.statistics.resampling import MetricOfSums, apply_metric
from hallmark.statistics.sequential import confidence_sequence

PERCENTILES = (0.5, 0.95, 0.99)
_FEWEST_TO_RESAMPLE = 15
"""Below, the bootstrap is too sure of itself and Student's t is used."""
_MOST_TO_RESAMPLE = 1_000
"""Above, the mean of bounded scores is normal enough, and Student's t gives the same."""
_RESAMPLES = 4_000
_CORPUS_RESAMPLES = 2_000
_GROUP_RESAMPLES = 1_000
_MOST_REASONS = 5
_LEAST = 2
_FEWER_ATTEMPTS = 0.1
"""The share of cases that may have fewer attempts than the k of pass@k; they are left out of it."""


def estimate_all(
    evidence: EvaluationResults, gathered: Gathered, weighting: Weighting, corpora: CorpusMetrics
) -> Iterator[Estimate]:
    """Yield the estimate of each model on each metric: over all cases, then over each part of them."""
    for measured in evidence.metrics:
        estimator = Estimator(measured.metric, corpora.get(measured.metric.name), weighting, evidence)
        for model in evidence.models:
            key = (model.name, measured.metric.name)
            tally = gathered.tallies.get(key, Tally())
            scores = gathered.scores.get(key)
            whole = estimator.estimate(model.name, scores, None)
            yield whole.model_copy(
                update={
                    "not_applicable": tally.not_applicable,
                    "scorer_failures": tally.failures.total(),
                    "reasons": _most_frequent(tally),
                    **_bounds_if_scored(measured.metric, whole, evidence.planned, tally),
                }
            )
            if scores is None:
                continue
            for dimension in DIMENSIONS:
                for name, cases in gathered.parts(dimension).items():
                    yield estimator.estimate(model.name, scores.at(cases), Slice(dimension=dimension, value=name))


def _most_frequent(tally: Tally) -> dict[str, int]:
    ordered = sorted(tally.failures.items(), key=lambda item: (-item[1], item[0]))
    return dict(ordered[:_MOST_REASONS])


def _bounds_if_scored(metric: Metric, whole: Estimate, planned: int, tally: Tally) -> dict[str, float]:
    """Between what the estimate would lie whatever the missing calls had scored (Manski, 1990)."""
    expected = planned - tally.not_applicable
    missing = expected - whole.attempts
    bounded = metric.kind in {MetricKind.BINARY, MetricKind.BOUNDED} and None not in {metric.low, metric.high}
    if whole.value is None or missing <= 0 or not bounded:
        return {}
    low, high = float(metric.low or 0.0), float(metric.high or 0.0)
    share = whole.attempts / expected
    ends = sorted(share * whole.value + (1 - share) * end for end in (low, high))
    if metric.direction is Direction.LOWER:
        ends.reverse()
    return {"worst_case": ends[0], "best_case": ends[1]}


class Estimator:
    """Estimates one metric of any model."""

    def __init__(
        self, metric: Metric, corpus: MetricOfSums | None, weighting: Weighting, evidence: EvaluationResults
    ) -> None:
        self._metric = metric
        self._corpus = corpus
        self._weighting = weighting
        self._confidence = evidence.settings.confidence

    def estimate(self, model: str, scores: Scores | None, part: Slice | None) -> Estimate:
        """Return the estimate of a model on some cases; without a value where it has no score on any."""
        if scores is None or not len(scores.cases) or (scores.rows is not None and self._corpus is None):
            return Estimate(
                model=model, metric=self._metric.name, part=part, value=None, span=None, cases=0, attempts=0
            )
        clustering = scores.clustering(self._weighting.weights(scores.cases))
        value, interval = self._value(scores, clustering, is_whole=part is None)
        deviation = float(scores.means.std(ddof=1)) if scores.rows is None and len(scores.means) >= _LEAST else None
        is_open = self._metric.kind is MetricKind.UNBOUNDED
        return Estimate(
            model=model,
            metric=self._metric.name,
            part=part,
            value=value,
            span=None if interval is None else as_span(interval, self._metric.low, self._metric.high),
            deviation=deviation,
            cases=len(scores.cases),
            attempts=len(scores.values),
            clusters=None if clustering is None else clustering.count,
            effective_clusters=None if clustering is None else clustering.effective,
            quantiles=quantiles_of(scores.values, self._confidence) if is_open and part is None else (),
            repeated=self._repeated(scores) if part is None else None,
        )

    def _repeated(self, scores: Scores) -> Attempts | None:
        """Return what k attempts come to, k being what nine of ten cases have; an attempt may lack a score."""
        if self._metric.kind is not MetricKind.BINARY or self._metric.direction is not Direction.HIGHER:
            return None
        k = int(np.quantile(scores.attempts, _FEWER_ATTEMPTS, method="lower"))
        often = scores.at(scores.cases[scores.attempts >= k])
        if k < _LEAST or len(often.cases) < _LEAST:
            return None
        clustering = often.clustering()
        if clustering is not None and not clustering.is_enough:
            return None
        cases = np.repeat(often.cases, often.attempts).tolist()
        clusters = None if clustering is None else np.repeat(clustering.labels, often.attempts).tolist()
        any_passes = estimate_pass_at_k(often.values, cases, k, self._confidence, clusters=clusters)
        all_pass = estimate_pass_hat_k(often.values, cases, k, self._confidence, clusters=clusters)
        return Attempts(
            k=k,
            cases=len(often.cases),
            any_passes=any_passes.value,
            any_span=as_span(any_passes.interval),
            all_pass=all_pass.value,
            all_span=as_span(all_pass.interval),
        )

    def _value(self, scores: Scores, clustering: Clustering | None, *, is_whole: bool) -> tuple[float, Interval | None]:
        if scores.rows is not None and self._corpus is not None:
            return self._of_corpus(scores.rows, self._corpus, clustering, is_whole=is_whole)
        if clustering is not None:
            return self._of_clusters(scores, clustering)
        strata = self._weighting.strata_of(scores.cases)
        if strata is not None and _varies(scores.means):
            labels, shares = strata
            found = estimate_stratified_mean(scores.means, labels, shares, confidence=self._confidence)
            return found.value, found.interval
        weights = self._weighting.weights(scores.cases)
        if self._metric.kind is MetricKind.BINARY:
            return self._of_rate(scores, weights)
        return self._of_mean(scores.means, weights)

    def _of_clusters(self, scores: Scores, clustering: Clustering) -> tuple[float, Interval | None]:
        """Strata are used as weights here: a cluster may lie in several of them."""
        means, weights = scores.means, self._weighting.weights(scores.cases)
        if not clustering.is_enough:
            return float(np.average(means, weights=weights)), None
        if self._metric.kind is MetricKind.BINARY:
            own = np.ones(len(means)) if weights is None else weights
            rate = estimate_rate(
                scores.values,
                weights=np.repeat(own / scores.attempts, scores.attempts),
                clusters=np.repeat(clustering.labels, scores.attempts),
                confidence=self._confidence,
            )
            return rate.value, rate.interval
        if not _varies(means):
            return float(means[0]), self._of_constant(means[: math.floor(clustering.effective)])
        found = estimate_mean(means, weights=weights, clusters=clustering.labels, confidence=self._confidence)
        if found.standard_error > 0 and _FEWEST_TO_RESAMPLE <= clustering.count <= _MOST_TO_RESAMPLE:
            found = bootstrap_mean(
                means, weights=weights, clusters=clustering.labels, confidence=self._confidence, resamples=_RESAMPLES
            )
        return found.value, found.interval

    def _of_rate(self, scores: Scores, weights: Floats | None) -> tuple[float, Interval]:
        n = len(scores.cases)
        if n < _LEAST:
            rate = float(scores.means[0])
            return rate, wilson(rate, n, self._confidence)
        if weights is None and not scores.has_repeats:
            found = estimate_rate(scores.values, confidence=self._confidence)
        else:
            # Each case counts once, however often it was asked; its repeats are not independent of one another.
            own = np.ones(n) if weights is None else weights
            found = estimate_rate(
                scores.values,
                weights=np.repeat(own / scores.attempts, scores.attempts),
                clusters=np.repeat(scores.cases, scores.attempts),
                confidence=self._confidence,
            )
        return found.value, found.interval

    def _of_mean(self, means: Floats, weights: Floats | None) -> tuple[float, Interval | None]:
        n = len(means)
        if n < _LEAST or not _varies(means):
            return float(means[0]), self._of_constant(means)
        if _FEWEST_TO_RESAMPLE <= n <= _MOST_TO_RESAMPLE:
            found = bootstrap_mean(means, weights=weights, confidence=self._confidence, resamples=_RESAMPLES)
        else:
            found = estimate_mean(means, weights=weights, confidence=self._confidence)
        return found.value, found.interval

    def _of_constant(self, means: Floats) -> Interval | None:
        """Scores that are all equal tell how they scatter only where they have bounds."""
        low, high = self._metric.low, self._metric.high
        if low is None or high is None or not low < high:
            return None
        return confidence_sequence(means, low, high, self._confidence)

    def _of_corpus(
        self, rows: Floats, metric: MetricOfSums, clustering: Clustering | None, *, is_whole: bool
    ) -> tuple[float, Interval | None]:
        value = float(apply_metric(metric, rows.sum(axis=0, keepdims=True))[0])
        if len(rows) < _LEAST or (clustering is not None and not clustering.is_enough):
            return value, None
        clusters = None if clustering is None else clustering.labels
        if not is_whole:
            interval = jackknife(rows, metric, self._confidence, clusters)
            return value, interval if interval.width > 0 else None
        found = bootstrap_metric(
            rows,
            metric,
            clusters=clusters,
            method=BootstrapInterval.EXPANDED,
            confidence=self._confidence,
            resamples=_CORPUS_RESAMPLES,
        )
        return value, found.interval if found.interval.width > 0 else None


def _varies(values: Floats) -> bool:
    return bool(values.min() < values.max())


def quantiles_of(values: Floats, confidence: float) -> tuple[Quantile, ...]:
    """Return p50, p95 and p99 with intervals of order statistics."""
    found = [(probability, estimate_quantile(values, probability, confidence)) for probability in PERCENTILES]
    return tuple(
        Quantile(probability=probability, value=each.value, span=as_span(each.interval)) for probability, each in found
    )


def cover(evidence: EvaluationResults, gathered: Gathered) -> Iterator[Coverage]:
    """Yield how much of what was planned each model answered."""
    for model in evidence.models:
        outcomes = gathered.outcomes[model.name]
        answered = outcomes[""]
        failures = {kind: count for kind, count in sorted(outcomes.items()) if kind}
        planned = max(evidence.planned, outcomes.total())
        yield Coverage(
            model=model.name,
            planned=planned,
            answered=answered,
            failures=failures,
            not_asked=planned - outcomes.total(),
            share=answered / planned if planned else None,
        )


def judge_fairness(evidence: EvaluationResults, gathered: Gathered) -> Iterator[Fairness]:
    """Yield how far groups are apart, for each model and each metric that is a mean over cases."""
    parts = gathered.parts("group")
    if not parts:
        return
    labels = gathered.labels["group"]
    for measured in evidence.metrics:
        for model in evidence.models:
            scores = gathered.scores.get((model.name, measured.metric.name))
            if scores is None or scores.rows is not None:
                continue
            grouped = scores.at(_with_group(scores, labels))
            if not len(grouped.cases):
                continue
            found = compare_groups(
                grouped.means,
                [labels[case] for case in grouped.cases.tolist()],
                clusters=None if grouped.clustering() is None else grouped.clusters,
                expected_groups=tuple(parts),
                confidence=evidence.settings.confidence,
                resamples=_GROUP_RESAMPLES,
            )
            yield Fairness(
                model=model.name,
                metric=measured.metric.name,
                gaps=tuple(
                    GroupGap(
                        higher=str(gap.higher),
                        lower=str(gap.lower),
                        difference=gap.difference,
                        span=as_span(gap.interval),
                        is_shown=gap.is_shown,
                    )
                    for gap in found.gaps
                ),
                left_out=tuple(
                    GroupLeftOut(group=str(each.group), cases=each.n, reason=each.reason) for each in found.left_out
                ),
                method=found.method,
            )


def _with_group(scores: Scores, labels: tuple[str | None, ...]) -> Integers:
    return np.array([case for case in scores.cases.tolist() if labels[case] is not None], dtype=np.int64)


def latency_quantiles(gathered: Gathered, model: str, confidence: float) -> tuple[Quantile, ...]:
    """Return the percentiles of a model's latency; none where it gave no answer."""
    scores = gathered.scores.get((model, LATENCY.name))
    return () if scores is None else quantiles_of(scores.values, confidence)
