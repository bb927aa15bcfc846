"""How much worse models get when prompts have small flaws.

A case is held against its own copies, so that what is hard about it cancels out. The copies of a case are not
independent of one another: they count by their mean, and cases are what intervals and tests are made of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from hallmark.evaluation.comparison.clustering import CaseKey, Clustering, find_clustering, number_clusters
from hallmark.evaluation.comparison.comparing import correct
from hallmark.evaluation.comparison.evidence import EvaluationResults
from hallmark.evaluation.comparison.report import RobustnessComparison, RobustnessFinding
from hallmark.evaluation.comparison.spans import as_span
from hallmark.evaluation.metrics import Direction, Metric, MetricKind
from hallmark.evaluation.results import CaseResult
from hallmark.statistics.outcomes import Alternative
from hallmark.statistics.paired import paired_t, sign_flip
from hallmark.statistics.verdicts import Finding

_LEAST = 2
"""Cases that a test needs."""


class Robustness(NamedTuple):
    """All that a run shows of it; nothing where it had no copies with flaws."""

    findings: tuple[RobustnessFinding, ...] = ()
    comparisons: tuple[RobustnessComparison, ...] = ()


class _Loss(NamedTuple):
    """One case without flaws, and with them."""

    value: float
    loss: float
    copies: int


def judge_robustness(evidence: EvaluationResults) -> Robustness:
    """Return what flaws take from each model, of each metric that single cases have, together and by kind.

    Whether a model loses is tested one-sided, and corrected over models and metrics (and over kinds of flaws among
    themselves); whether it loses more than another, two-sided.
    """
    if not evidence.copies:
        return Robustness()
    metrics = [each.metric for each in evidence.metrics if each.metric.kind is not MetricKind.CORPUS]
    copies, originals = _by_model(evidence.copies), _by_model(evidence.results)
    kinds = sorted({result.perturbation or "" for result in evidence.copies})
    together: list[RobustnessFinding] = []
    by_kind: list[RobustnessFinding] = []
    losses: dict[tuple[str, str], Mapping[CaseKey, _Loss]] = {}
    shared = _clusters(evidence.results)
    for metric in metrics:
        for model in (model.name for model in evidence.models):
            values = _values(originals[model], metric)
            losses[model, metric.name] = _losses(metric, values, copies[model])
            together.append(_finding(evidence, model, metric, None, losses[model, metric.name], copies[model], shared))
            for kind in kinds:
                some = [result for result in copies[model] if result.perturbation == kind]
                by_kind.append(_finding(evidence, model, metric, kind, _losses(metric, values, some), some, shared))
    compared = [
        found
        for metric in metrics
        for candidate, baseline in evidence.pairs
        if (found := _compare(evidence, metric, candidate, baseline, losses, shared)) is not None
    ]
    return Robustness(
        (*_corrected(evidence, together), *_corrected(evidence, by_kind)), tuple(_concluded(evidence, compared))
    )


def _clusters(results: Iterable[CaseResult]) -> Mapping[CaseKey, str]:
    """Return the cluster of each case that names one."""
    return {(each.dataset, each.case): each.cluster for each in results if each.cluster is not None}


def _clustering_of(keys: Sequence[CaseKey], shared: Mapping[CaseKey, str]) -> Clustering | None:
    """Return how cases cluster; None where no two of them share a cluster."""
    return find_clustering(number_clusters(keys, shared))


def _by_model(results: Iterable[CaseResult]) -> Mapping[str, Sequence[CaseResult]]:
    """Return results by model, each once, in an order that does not depend on theirs."""
    unique = {(each.model, each.dataset, each.case, each.epoch): each for each in sorted(results, key=_rank)}
    found: defaultdict[str, list[CaseResult]] = defaultdict(list)
    for key in sorted(unique):
        found[key[0]].append(unique[key])
    return found


def _rank(result: CaseResult) -> tuple[bool, str]:
    # Of two that differ the answered one comes last, and stays.
    return result.answer is not None, result.model_dump_json()


def _value(result: CaseResult, metric: Metric) -> float | None:
    return next((score.value for score in result.scores if score.metric == metric.name), None)


def _values(results: Iterable[CaseResult], metric: Metric) -> Mapping[CaseKey, float]:
    """Return the mean over repeats of each case that has a score."""
    found: defaultdict[CaseKey, list[float]] = defaultdict(list)
    for result in results:
        value = _value(result, metric)
        if value is not None:
            found[result.dataset, result.case].append(value)
    return {key: fmean(values) for key, values in found.items()}


def _losses(metric: Metric, values: Mapping[CaseKey, float], copies: Iterable[CaseResult]) -> Mapping[CaseKey, _Loss]:
    """Return what flaws took from each case that has a score with them and without."""
    found: defaultdict[CaseKey, list[float]] = defaultdict(list)
    for result in copies:
        value = _value(result, metric)
        if value is not None and (result.dataset, result.copy_of) in values:
            found[result.dataset, result.copy_of or ""].append(value)
    sign = 1 if metric.direction is Direction.HIGHER else -1
    return {
        key: _Loss(values[key], sign * (values[key] - fmean(flawed)), len(flawed))
        for key, flawed in sorted(found.items())
    }


def _finding(
    evidence: EvaluationResults,
    model: str,
    metric: Metric,
    perturbation: str | None,
    losses: Mapping[CaseKey, _Loss],
    copies: Sequence[CaseResult],
    shared: Mapping[CaseKey, str],
) -> RobustnessFinding:
    counted = sum(each.copies for each in losses.values())
    finding = RobustnessFinding(
        model=model,
        metric=metric.name,
        perturbation=perturbation,
        cases=len(losses),
        copies=counted,
        missing=len(copies) - counted,
        value=fmean(each.value for each in losses.values()) if losses else None,
        loss=fmean(each.loss for each in losses.values()) if losses else None,
        span=None,
    )
    clustering = _clustering_of(list(losses), shared)
    if len(losses) < _LEAST or (clustering is not None and not clustering.is_enough):
        return finding
    clusters = None if clustering is None else clustering.labels
    lost = [each.loss for each in losses.values()]
    nothing = [0.0] * len(lost)
    by_t = paired_t(lost, nothing, clusters=clusters, confidence=evidence.settings.confidence)
    test = sign_flip(lost, nothing, clusters=clusters, alternative=Alternative.GREATER)
    span = as_span(by_t.interval) if by_t.interval is not None else None
    return finding.model_copy(update={"span": span, "p_value": test.p_value, "method": test.method})


def _compare(
    evidence: EvaluationResults,
    metric: Metric,
    candidate: str,
    baseline: str,
    losses: Mapping[tuple[str, str], Mapping[CaseKey, _Loss]],
    shared: Mapping[CaseKey, str],
) -> RobustnessComparison | None:
    """Return whether one model loses more than another; None where they have fewer than two cases in common."""
    first, second = losses[candidate, metric.name], losses[baseline, metric.name]
    common = [key for key in first if key in second]
    if len(common) < _LEAST:
        return None
    clustering = _clustering_of(common, shared)
    clusters = None if clustering is None else clustering.labels
    lost, lost_by_baseline = [first[key].loss for key in common], [second[key].loss for key in common]
    known = RobustnessComparison(
        metric=metric.name,
        candidate=candidate,
        baseline=baseline,
        cases=len(common),
        difference=fmean(lost) - fmean(lost_by_baseline),
        span=None,
        p_value=None,
        adjusted_p=None,
        finding=Finding.CANNOT_TELL,
    )
    if clustering is not None and not clustering.is_enough:
        return known
    by_t = paired_t(lost, lost_by_baseline, clusters=clusters, confidence=evidence.settings.confidence)
    return known.model_copy(
        update={
            "difference": by_t.effect,
            "span": as_span(by_t.interval) if by_t.interval is not None else None,
            "p_value": sign_flip(lost, lost_by_baseline, clusters=clusters).p_value,
        }
    )


def _adjusted(evidence: EvaluationResults, p_values: Sequence[float | None]) -> Sequence[float | None]:
    tested = [place for place, value in enumerate(p_values) if value is not None]
    found: list[float | None] = [None] * len(p_values)
    corrected = correct([p_values[place] or 0.0 for place in tested], evidence.settings.correction) if tested else []
    for place, value in zip(tested, corrected, strict=True):
        found[place] = value
    return found


def _corrected(evidence: EvaluationResults, findings: Sequence[RobustnessFinding]) -> Iterable[RobustnessFinding]:
    alpha = 1 - evidence.settings.confidence
    for each, adjusted in zip(findings, _adjusted(evidence, [each.p_value for each in findings]), strict=True):
        shown = adjusted is not None and adjusted <= alpha
        yield each.model_copy(update={"adjusted_p": adjusted, "is_shown": shown})


def _concluded(evidence: EvaluationResults, compared: Sequence[RobustnessComparison]) -> Iterable[RobustnessComparison]:
    alpha = 1 - evidence.settings.confidence
    for each, adjusted in zip(compared, _adjusted(evidence, [each.p_value for each in compared]), strict=True):
        finding = Finding.CANNOT_TELL
        if adjusted is not None and adjusted <= alpha:
            finding = Finding.WORSE if each.difference > 0 else Finding.BETTER
        yield each.model_copy(update={"adjusted_p": adjusted, "finding": finding})
