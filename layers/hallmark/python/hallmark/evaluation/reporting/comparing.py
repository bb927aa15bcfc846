"""From the results of all cases to a report: paired comparisons, corrected for how many there are."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.evaluation.plans import Plan
from hallmark.evaluation.reporting.letters import front_of, letters_of
from hallmark.evaluation.reporting.report import (
    Bounds,
    Comparison,
    Coverage,
    GroupEstimate,
    GroupGap,
    MetricEstimate,
    ModelReport,
    Report,
)
from hallmark.evaluation.results import CaseResult, Score
from hallmark.evaluation.scorers.contract import CorpusScorer, Scorer
from hallmark.evaluation.statistics.bootstrap import bootstrap_corpora, bootstrap_metric
from hallmark.evaluation.statistics.corrections import Correction, adjust
from hallmark.evaluation.statistics.groups import compare_groups
from hallmark.evaluation.statistics.intervals import estimate_mean, estimate_quantile, estimate_rate
from hallmark.evaluation.statistics.outcomes import Estimate, Interval, Significance
from hallmark.evaluation.statistics.paired import mcnemar, paired_t, sign_flip
from hallmark.evaluation.statistics.pairs import PairedCounts
from hallmark.evaluation.statistics.resampling import bleu_of_sums, row_by_row
from hallmark.evaluation.statistics.verdicts import judge_significance

CaseKey = tuple[str, str, int]
"""Dataset, case, epoch: what pairs the answers of two models."""
_RESAMPLES = 2000
_LEAST_PAIRS = 2
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class _Measured(NamedTuple):
    """A metric, and how a corpus's value comes from sums, where it has one."""

    metric: Metric
    combine: Callable[[Any], Any] | None


@dataclass(frozen=True)
class _Scores:
    """Scores of one model by one metric, with the case that each belongs to."""

    by_case: Mapping[CaseKey, Score]
    weights: Mapping[CaseKey, float]

    def values(self, keys: Sequence[CaseKey]) -> list[float]:
        return [self.by_case[key].value or 0.0 for key in keys]

    def rows(self, keys: Sequence[CaseKey]) -> list[tuple[float, ...]]:
        return [self.by_case[key].statistics for key in keys]


def make_report(
    plan: Plan,
    scorers: Sequence[Scorer],
    results: Iterable[CaseResult],
    *,
    completed_at: datetime,
    stopped: str | None = None,
    extra_metrics: Sequence[Metric] = (),
) -> Report:
    """Make the report of a run.

    Args:
        plan: What was to be asked.
        scorers: What the answers were scored with.
        results: Of all models, in any order; a case that comes twice counts once.
        completed_at: Now.
        stopped: Why it ended before all was asked.
        extra_metrics: Metrics of judges, whose scores are among the results.

    Raises:
        InvalidInputError: The suite's primary metric is measured by none of its scorers.
    """
    measured = [*_measured(scorers), *(_Measured(metric, None) for metric in extra_metrics)]
    primary = _primary(plan, measured)
    by_model: dict[str, dict[CaseKey, CaseResult]] = {name: {} for name in plan.asked}
    for result in results:
        by_model[result.model][_key(result)] = result
    settings = plan.settings.comparison
    scores = {(model, each.metric.name): _scores(by_model[model], each) for model in plan.asked for each in measured}
    comparisons, distinct = _compare(plan, measured, scores, primary)
    models = [
        _model_report(plan, model, by_model[model], measured, primary, settings.confidence) for model in plan.asked
    ]
    models = _ranked(models, primary, distinct)
    return Report(
        run=plan.run,
        suite=plan.suite,
        description=plan.settings.description,
        template=plan.settings.template.value,
        trigger=plan.trigger,
        started_at=plan.started_at,
        completed_at=completed_at,
        champion=plan.settings.champion,
        primary=primary.name,
        confidence=settings.confidence,
        correction=settings.correction,
        margin=settings.margin,
        metrics=tuple(each.metric for each in measured),
        signatures=tuple(scorer.signature for scorer in scorers),
        datasets=plan.datasets,
        forecast=plan.forecast,
        models=tuple(models),
        comparisons=comparisons,
        cost_usd=sum(model.cost_usd or 0.0 for model in models),
        stopped=stopped,
        owners=plan.settings.owners,
    )


def metrics_of(scorers: Sequence[Scorer]) -> tuple[Metric, ...]:
    """Return what scorers measure."""
    return tuple(each.metric for each in _measured(scorers))


def paired_differences_of(results: Iterable[CaseResult], metric: Metric, candidate: str, baseline: str) -> list[float]:
    """Return candidate minus baseline of the cases that both were scored on, in the order of the cases."""
    by_model: dict[str, dict[CaseKey, CaseResult]] = {candidate: {}, baseline: {}}
    for result in results:
        if result.model in by_model:
            by_model[result.model][_key(result)] = result
    each = _Measured(metric, None)
    first, second = (_scores(by_model[name], each) for name in (candidate, baseline))
    keys = sorted(first.by_case.keys() & second.by_case.keys())
    return [a - b for a, b in zip(first.values(keys), second.values(keys), strict=True)]


def _measured(scorers: Sequence[Scorer]) -> list[_Measured]:
    found: dict[str, _Measured] = {}
    for scorer in scorers:
        for metric in scorer.metrics:
            found[metric.name] = _Measured(metric, _combine(scorer, metric) if _is_corpus(metric) else None)
    return list(found.values())


def _combine(scorer: Scorer, metric: Metric) -> Callable[[Any], Any]:
    if metric.name == "bleu":
        return bleu_of_sums
    corpus: CorpusScorer = scorer  # type: ignore[assignment]  # a scorer of a corpus's metric is one
    return row_by_row(lambda sums: corpus.combine(metric.name, sums))


def _is_corpus(metric: Metric) -> bool:
    return metric.kind is MetricKind.CORPUS


def _primary(plan: Plan, measured: Sequence[_Measured]) -> Metric:
    wanted = plan.settings.comparison.primary
    if not measured:
        raise InvalidInputError("scorers", plan.settings.scorers, "name a scorer that measures something")
    if wanted is None:
        return measured[0].metric
    for each in measured:
        if each.metric.name == wanted:
            return each.metric
    there = ", ".join(each.metric.name for each in measured)
    raise InvalidInputError("comparison.primary", wanted, f"name a metric of the suite's scorers ({there})")


def _key(result: CaseResult) -> CaseKey:
    return (result.dataset, result.case, result.epoch)


def _scores(results: Mapping[CaseKey, CaseResult], each: _Measured) -> _Scores:
    by_case: dict[CaseKey, Score] = {}
    for key, result in results.items():
        for score in result.scores:
            usable = score.statistics if _is_corpus(each.metric) else score.value is not None
            if score.metric == each.metric.name and usable:
                by_case[key] = score
    return _Scores(by_case, {key: results[key].weight for key in by_case})


def _clusters(keys: Sequence[CaseKey]) -> list[str] | None:
    """Return the case of each answer, where cases were asked more than once: repeats are not independent."""
    cases = [f"{dataset}\n{case}" for dataset, case, _ in keys]
    return cases if len(set(cases)) < len(cases) else None


def _weights(scores: _Scores, keys: Sequence[CaseKey]) -> list[float] | None:
    weights = [scores.weights[key] for key in keys]
    return weights if len(set(weights)) > 1 else None


# --- one model --------------------------------------------------------------------------------------------------------


def _model_report(
    plan: Plan,
    model: str,
    results: Mapping[CaseKey, CaseResult],
    measured: Sequence[_Measured],
    primary: Metric,
    confidence: float,
) -> ModelReport:
    answers = [result.answer for result in results.values() if result.answer is not None]
    costs = [answer.cost_usd for answer in answers if answer.cost_usd is not None]
    groups, gap = _groups(results, next(each for each in measured if each.metric == primary), confidence)
    latencies = [answer.latency_ms for answer in answers]
    variant = plan.models[model]
    return ModelReport(
        model=model,
        model_id=variant.model_id,
        coverage=_coverage(plan, results),
        estimates=tuple(_estimate(results, each, confidence) for each in measured),
        groups=groups,
        gap=gap,
        cost_usd=sum(costs) if costs else None,
        cost_per_1000_usd=1000 * sum(costs) / len(costs) if costs else None,
        latency_ms={name: float(np.quantile(latencies, share)) for name, share in _QUANTILES.items()}
        if latencies
        else {},
        mean_output_tokens=sum(answer.output_tokens for answer in answers) / len(answers) if answers else None,
        facts={name: value for name, value in variant.facts.model_dump().items() if value},
    )


def _coverage(plan: Plan, results: Mapping[CaseKey, CaseResult]) -> Coverage:
    failures = [result.failure for result in results.values() if result.failure is not None]
    kinds = Counter(failure.kind.value for failure in failures)
    missing = plan.planned - len(results)
    reasons = {failure.kind.value: failure.reason for failure in reversed(failures)}
    if missing > 0:
        kinds["missing"] += missing
        reasons.setdefault("missing", "the batch has no results: it was not asked, or failed after all attempts")
    return Coverage(planned=plan.planned, answered=len(results) - len(failures), failures=dict(kinds), reasons=reasons)


def _estimate(results: Mapping[CaseKey, CaseResult], each: _Measured, confidence: float) -> MetricEstimate:
    metric, scores = each.metric, _scores(results, each)
    told = [score for result in results.values() for score in result.scores if score.metric == metric.name]
    failures = [score.failure for score in told if score.failure is not None]
    keys = sorted(scores.by_case)
    common = {
        "metric": metric.name,
        "n": len(keys),
        "failed": len(failures),
        "not_applicable": len(told) - len(failures) - len(keys),
    }
    why = failures[0] if failures else None
    if len(keys) < _LEAST_PAIRS:
        value = scores.by_case[keys[0]].value if keys else None
        return MetricEstimate(**common, value=value, why=why or "fewer than two cases could be judged")
    found = _estimate_of(each, scores, keys, confidence)
    return MetricEstimate(**common, value=found.value, bounds=_bounds(found.interval), why=why)


def _estimate_of(each: _Measured, scores: _Scores, keys: Sequence[CaseKey], confidence: float) -> Estimate:
    clusters = _clusters(keys)
    if each.combine is not None:
        return bootstrap_metric(
            scores.rows(keys), each.combine, clusters=clusters, confidence=confidence, resamples=_RESAMPLES
        )
    values, weights = scores.values(keys), _weights(scores, keys)
    if each.metric.kind is MetricKind.BINARY:
        return estimate_rate(values, weights=weights, clusters=clusters, confidence=confidence)
    if each.metric.kind is MetricKind.UNBOUNDED and each.metric.unit == "ms":
        return estimate_quantile(values, 0.5, confidence)
    return estimate_mean(values, weights=weights, clusters=clusters, confidence=confidence)


def _bounds(interval: Interval) -> Bounds:
    return Bounds(
        low=interval.low if math.isfinite(interval.low) else None,
        high=interval.high if math.isfinite(interval.high) else None,
        confidence=interval.confidence,
        method=interval.method,
    )


def _groups(
    results: Mapping[CaseKey, CaseResult], primary: _Measured, confidence: float
) -> tuple[tuple[GroupEstimate, ...], GroupGap | None]:
    members: dict[str, dict[CaseKey, CaseResult]] = defaultdict(dict)
    for key, result in results.items():
        if result.group is not None:
            members[result.group][key] = result
    estimates = tuple(
        GroupEstimate(group=name, estimate=_estimate(part, primary, confidence))
        for name, part in sorted(members.items())
    )
    if len(members) < _LEAST_PAIRS or _is_corpus(primary.metric):
        return estimates, None
    scores = _scores(results, primary)
    keys = [key for key in sorted(scores.by_case) if results[key].group is not None]
    labels = [str(results[key].group) for key in keys]
    if len(set(labels)) < _LEAST_PAIRS or _clusters(keys) is not None:
        return estimates, None
    found = compare_groups(scores.values(keys), labels, confidence=confidence)
    if found.largest is None:
        return estimates, None
    gap = found.largest
    return estimates, GroupGap(
        best=str(gap.higher), worst=str(gap.lower), value=gap.difference, bounds=_bounds(gap.interval)
    )


# --- comparisons ------------------------------------------------------------------------------------------------------

_Pair = tuple[str, str]


def _compare(
    plan: Plan,
    measured: Sequence[_Measured],
    scores: Mapping[tuple[str, str], _Scores],
    primary: Metric,
) -> tuple[tuple[Comparison, ...], list[_Pair]]:
    """Compare with the champion, or all with all; and say which pairs the primary metric tells apart."""
    champion = plan.settings.champion
    every = [(second, first) for first, second in combinations(plan.asked, 2)]
    pairs = [(name, champion) for name in plan.asked if name != champion] if champion else every
    settings = plan.settings.comparison
    found = {
        (pair, each.metric.name): _test(each, scores, pair, settings.confidence) for pair in pairs for each in measured
    }
    adjusted = _adjusted(found, settings.correction)
    margins = {primary.name: settings.margin or None}
    comparisons = tuple(
        _comparison(pair, each.metric, found[pair, each.metric.name], adjusted, margins.get(each.metric.name))
        for pair in pairs
        for each in measured
    )
    which = next(each for each in measured if each.metric == primary)
    tests = {(pair, primary.name): _test(which, scores, pair, settings.confidence) for pair in every}
    told = _adjusted(tests, settings.correction)
    return comparisons, [pair for (pair, _), p_value in told.items() if p_value <= 1 - settings.confidence]


def _test(
    each: _Measured, scores: Mapping[tuple[str, str], _Scores], pair: _Pair, confidence: float
) -> Significance | None:
    """Test a pair on the cases that both have; None where there are too few."""
    candidate, baseline = (scores[name, each.metric.name] for name in pair)
    keys = sorted(candidate.by_case.keys() & baseline.by_case.keys())
    if len(keys) < _LEAST_PAIRS:
        return None
    clusters = _clusters(keys)
    if each.combine is not None:
        (found,) = bootstrap_corpora(
            [candidate.rows(keys)],
            baseline.rows(keys),
            each.combine,
            clusters=clusters,
            confidence=confidence,
            resamples=_RESAMPLES,
        )
        return found
    first, second, weights = candidate.values(keys), baseline.values(keys), _weights(candidate, keys)
    if each.metric.kind is MetricKind.BINARY and clusters is None and weights is None:
        return mcnemar(PairedCounts.of(first, second), confidence=confidence)
    interval = paired_t(first, second, weights=weights, clusters=clusters, confidence=confidence)
    flipped = sign_flip(first, second, weights=weights, clusters=clusters)
    return Significance(
        statistic=flipped.statistic,
        p_value=flipped.p_value,
        effect=interval.effect,
        interval=interval.interval,
        n=flipped.n,
        method=f"{flipped.method}; interval: {interval.method}",
    )


def _adjusted(
    found: Mapping[tuple[_Pair, str], Significance | None], correction: str
) -> dict[tuple[_Pair, str], float]:
    tested = {key: test.p_value for key, test in found.items() if test is not None}
    if not tested:
        return {}
    return dict(
        zip(tested, map(float, adjust(list(tested.values()), Correction(correction.replace("-", "_")))), strict=True)
    )


def _comparison(
    pair: _Pair,
    metric: Metric,
    test: Significance | None,
    adjusted: Mapping[tuple[_Pair, str], float],
    margin: float | None,
) -> Comparison:
    candidate, baseline = pair
    names = {"candidate": candidate, "baseline": baseline, "metric": metric.name}
    if test is None:
        sentence = "cannot tell: fewer than two cases were answered by both"
        return Comparison(**names, effect=None, n=0, finding="cannot_tell", sentence=sentence)
    adjusted_p = adjusted[pair, metric.name]
    verdict = judge_significance(
        test, margin=margin, adjusted_p=adjusted_p, higher_is_better=metric.direction is Direction.HIGHER
    )
    return Comparison(
        **names,
        effect=test.effect,
        bounds=_bounds(test.interval) if test.interval is not None else None,
        p_value=test.p_value,
        adjusted_p=adjusted_p,
        method=test.method,
        n=test.n,
        finding=verdict.finding.value,
        more_cases=verdict.more_cases,
        sentence=verdict.sentence,
    )


def _ranked(models: Sequence[ModelReport], primary: Metric, distinct: Sequence[_Pair]) -> list[ModelReport]:
    """Order the models from best to worst by the primary metric, with letters and the front of quality and cost."""
    sign = 1 if primary.direction is Direction.HIGHER else -1

    def quality(model: ModelReport) -> float:
        value = next(each.value for each in model.estimates if each.metric == primary.name)
        return -math.inf if value is None else sign * value

    ordered = sorted(models, key=lambda model: (-quality(model), model.model))
    letters = letters_of([model.model for model in ordered], distinct)
    costs = {model.model: model.cost_per_1000_usd for model in ordered if model.cost_per_1000_usd is not None}
    front = front_of({model.model: quality(model) for model in ordered}, costs, distinct)
    return [
        model.model_copy(update={"letters": letters[model.model], "on_front": model.model in front})
        for model in ordered
    ]
