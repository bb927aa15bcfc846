"""From the results of a run to its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hallmark.evaluation.comparison.clustering import find_clustering
from hallmark.evaluation.comparison.comparing import Contest
from hallmark.evaluation.comparison.corpora import CorpusMetrics
from hallmark.evaluation.comparison.estimating import cover, estimate_all, judge_fairness
from hallmark.evaluation.comparison.evidence import EvaluationResults
from hallmark.evaluation.comparison.gathering import Gathered, gather
from hallmark.evaluation.comparison.headlines import make_headline
from hallmark.evaluation.comparison.matrix import MatrixMaker
from hallmark.evaluation.comparison.report import Comparison, Coverage, Estimate, Report
from hallmark.evaluation.comparison.robustness import judge_robustness
from hallmark.evaluation.comparison.showing import pick_cases
from hallmark.evaluation.comparison.trusting import find_trust
from hallmark.evaluation.comparison.weighting import Weighting
from hallmark.evaluation.metrics import MetricKind


def make_report(evidence: EvaluationResults, corpora: CorpusMetrics | None = None) -> Report:
    """Say what a run shows.

    The order of the results, and results that come again, change nothing: not a byte.

    Args:
        evidence: The run.
        corpora: How metrics of the corpus are computed, from ``corpus_metrics``; one that is not among them has
            neither estimate nor comparison, and the report says so.
    """
    computed: CorpusMetrics = {} if corpora is None else corpora
    gathered = gather(evidence)
    weighting = Weighting.of(evidence, gathered)
    contest = Contest(evidence, gathered, weighting, computed)
    coverage = tuple(cover(evidence, gathered))
    estimates = tuple(estimate_all(evidence, gathered, weighting, computed))
    comparisons = contest.compare()
    fairness = tuple(judge_fairness(evidence, gathered))
    flaws = judge_robustness(evidence)
    whole = {(each.model, each.metric): each for each in estimates if each.part is None}
    return Report(
        suite=evidence.suite,
        run=evidence.run,
        template=evidence.template,
        champion=evidence.champion,
        primary=evidence.primary.name,
        settings=evidence.settings,
        started_at=evidence.started_at,
        completed_at=evidence.completed_at,
        cost_usd=evidence.cost_usd,
        budget_usd=evidence.budget_usd,
        stopped=evidence.stopped,
        headline=make_headline(evidence, comparisons, fairness),
        models=evidence.models,
        metrics=evidence.metrics,
        data=evidence.data,
        coverage=coverage,
        estimates=estimates,
        fairness=fairness,
        robustness=flaws.findings,
        robustness_comparisons=flaws.comparisons,
        comparisons=comparisons,
        matrix=MatrixMaker(evidence, gathered, weighting, contest, whole).make(coverage),
        judges=tuple(find_trust(evidence, gathered, judge) for judge in evidence.judges),
        cases=tuple(pick_cases(evidence, gathered, computed)),
        notes=tuple(_notes(evidence, gathered, computed, coverage, whole, comparisons)),
    )


def _notes(
    evidence: EvaluationResults,
    gathered: Gathered,
    corpora: CorpusMetrics,
    coverage: Sequence[Coverage],
    whole: Mapping[tuple[str, str], Estimate],
    comparisons: Sequence[Comparison],
) -> Iterator[str]:
    yield from evidence.notes
    for dataset in evidence.data:
        for note in dataset.notes:
            yield f"{dataset.name}: {note}"
    yield from _notes_on_coverage(evidence, coverage)
    for measured in evidence.metrics:
        name = measured.metric.name
        if measured.metric.kind is MetricKind.CORPUS and name not in corpora:
            yield f"{name} is computed over the whole corpus, and no scorer told how: it has no value here."
        failed = sum(whole[model.name, name].scorer_failures for model in evidence.models)
        if failed:
            yield f"{name}: the scorer failed on {failed:,} answers, which are left out of it."
    if evidence.strata is not None:
        yield f"Estimates stand for the population: strata by {evidence.strata.by} count by their shares in it."
    yield from _notes_on_dependence(gathered)
    if gathered.repeated:
        yield f"{gathered.repeated:,} results came twice with different content: the answered one counts."
    refused = [each for each in comparisons if each.incomparable and each.part is None and each.is_primary]
    for each in refused:
        yield f"{each.candidate} and {each.baseline} are not compared: {'; '.join(each.incomparable)}."


def _notes_on_dependence(gathered: Gathered) -> Iterator[str]:
    if any(scores.has_repeats for scores in gathered.scores.values()):
        yield "Cases were asked several times: each counts once, and its repeats are not taken for independent."
    if gathered.clusters is None:
        return
    clustering = find_clustering(gathered.clusters, gathered.weights)
    if clustering is None:
        return
    yield (
        f"{len(gathered.keys):,} cases are in {clustering.count:,} clusters (a common context, or what the dataset "
        f"names), worth {clustering.effective:,.1f} of equal size: intervals and tests count clusters, not cases."
    )
    if not clustering.is_enough:
        yield f"{clustering.reason}: there are no intervals, and no answers."


def _notes_on_coverage(evidence: EvaluationResults, coverage: Sequence[Coverage]) -> Iterator[str]:
    for each in coverage:
        if each.planned and not each.answered:
            why = ", ".join(f"{count:,} {kind}" for kind, count in each.failures.items()) or "nothing was asked"
            yield f"{each.model} answered nothing ({why}): it is in no estimate and no comparison."
        elif sum(each.failures.values()):
            failed = sum(each.failures.values())
            yield (
                f"{each.model} has no answer to {failed:,} of {each.planned:,} calls: comparisons rest on the cases "
                "that both models answered; if those that failed are harder, estimates flatter it."
            )
    if evidence.stopped is not None:
        yield f"The run ended before all was asked: {evidence.stopped}"
