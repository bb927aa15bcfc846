"""Metrics that are computed from sums over cases: how to compute many at once, and what each case adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from hallmark.evaluation.metrics import MetricKind
from hallmark.evaluation.scorers.contract import CorpusScorer, Scorer
from hallmark.statistics.inputs import Floats, Integers
from hallmark.statistics.intervals import estimate_mean
from hallmark.statistics.outcomes import Interval
from hallmark.statistics.resampling import (
    MetricOfSums,
    apply_metric,
    bleu_of_sums,
    row_by_row,
    summed_by_cluster,
)

CorpusMetrics = Mapping[str, MetricOfSums]
"""How each metric of the corpus is computed, by name."""

_BLEU_STATISTICS = 10
_PROBES = 200


def corpus_metrics(scorers: Iterable[Scorer]) -> CorpusMetrics:
    """Return how the scorers' metrics of the corpus are computed.

    BLEU is computed for all resamples at once where that gives what the scorer gives.
    """
    return {
        metric.name: _fastest(scorer, metric.name)
        for scorer in scorers
        for metric in scorer.metrics
        if metric.kind is MetricKind.CORPUS and _combines(scorer)
    }


def _combines(scorer: Scorer) -> bool:
    return callable(getattr(scorer, "combine", None))


def _fastest(scorer: object, name: str) -> MetricOfSums:
    combine = _combine_of(scorer, name)
    return bleu_of_sums if name.startswith("bleu") and _is_bleu(combine) else row_by_row(combine)


def _combine_of(scorer: object, name: str) -> Callable[[Sequence[float]], float]:
    def combine(sums: Sequence[float]) -> float:
        corpus: CorpusScorer = scorer  # type: ignore[assignment]  # it has ``combine``: _combines said so
        return corpus.combine(name, sums)

    return combine


def _is_bleu(combine: Callable[[Sequence[float]], float]) -> bool:
    """Tell whether a function gives what ``bleu_of_sums`` gives, on corpora of all sizes and some without a match."""
    probes = _bleu_probes()
    try:
        theirs = np.array([combine(row) for row in probes.tolist()])
    except (ValueError, IndexError, TypeError):
        return False
    return bool(np.allclose(theirs, bleu_of_sums(probes), rtol=1e-9, atol=1e-9))


def _bleu_probes() -> Floats:
    random = np.random.default_rng(0)
    lengths = random.integers(1, 4_000, size=_PROBES)
    lengths[:20] = np.arange(1, 21)
    sums = np.zeros((_PROBES, _BLEU_STATISTICS))
    sums[:, 0] = lengths
    sums[:, 1] = np.maximum(1, (lengths * random.uniform(0.5, 1.5, size=_PROBES)).astype(int))
    for order in range(4):
        total = np.maximum(0, lengths - order)
        sums[:, 6 + order] = total
        sums[:, 2 + order] = (total * random.choice([0.0, 0.1, 0.5, 1.0], size=_PROBES)).astype(int)
    return sums


def jackknife(rows: Floats, metric: MetricOfSums, confidence: float, clusters: Integers | None = None) -> Interval:
    """Interval of a metric of the corpus by Student's t of the pseudo-values: quick, for metrics that are smooth.

    Arguments are those of ``influences``.
    """
    value = float(apply_metric(metric, rows.sum(axis=0, keepdims=True))[0])
    half = estimate_mean(influences(rows, metric, clusters), confidence=confidence).interval.width / 2
    return Interval(
        value - half, value + half, confidence, "t of the jackknife" + ("" if clusters is None else " of clusters")
    )


def influences(rows: Floats, metric: MetricOfSums, clusters: Integers | None = None) -> Floats:
    """Jackknife pseudo-values: what each case, or cluster, adds to the metric; their mean is about the metric itself.

    Quenouille, 1956; Tukey, 1958; Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 11.

    Args:
        rows: Statistics of each case, shape ``(n, k)``, at least two cases.
        metric: Computes the metric from sums.
        clusters: Cases with the same number, shape ``(n,)``, are left out together; at least two clusters.

    Returns:
        Shape ``(n,)``, or one for each cluster.
    """
    if clusters is not None:
        found, codes = np.unique(clusters, return_inverse=True)
        rows = summed_by_cluster(rows, codes.astype(np.int64), len(found))
    total = rows.sum(axis=0)
    n = len(rows)
    whole = float(apply_metric(metric, total[None, :])[0])
    without = apply_metric(metric, total - rows)
    return np.asarray(n * whole - (n - 1) * without, dtype=np.float64)
