"""The end of a run: what it shows, its verdict in words, and what the hallmark bus is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from hallmark.evaluation.cases import Case
from hallmark.evaluation.comparison.corpora import corpus_metrics
from hallmark.evaluation.comparison.evidence import (
    Anchor,
    EvaluatedData,
    EvaluatedModel,
    EvaluationResults,
    JudgeAnchors,
    MeasuredMetric,
    Strata,
)
from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.report import Comparison, Report
from hallmark.evaluation.comparison.stopping import Decision, decide_continuation
from hallmark.evaluation.jobs.evaluation_metrics import human_metric, job_scorer
from hallmark.evaluation.judging import human_score, judge_metric, judge_signature, read_rubric
from hallmark.evaluation.plans import Batch, Plan
from hallmark.evaluation.results import CaseResult, FailureKind
from hallmark.evaluation.runs import RunStatus
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.registry import make_scorer
from hallmark.evaluation.suites import BEDROCK_PREFIX, Engine
from hallmark.events import published

_ESTIMATED = "costs are estimated by the length of texts: evaluation jobs count no tokens"


def complete(
    plan: Plan,
    results: Sequence[CaseResult],
    batches: Iterable[Batch],
    *,
    asked_batches: int,
    completed_at: datetime,
    rubrics: Path | None = None,
    anchors: JudgeAnchors | None = None,
    spent_usd: float = 0.0,
) -> Report:
    """Make the report of a run.

    Args:
        plan: What was to be asked.
        results: Of all models.
        batches: Batches whose questions may be shown beside answers.
        asked_batches: How many batches were asked of each model; fewer than planned where the question was decided.
        completed_at: Now.
        rubrics: Folder of the team's rubrics.
        anchors: What the judges said of answers that people have scored.
        spent_usd: What the run's purse has paid, judges included; answers alone may come to less.
    """
    scorers = scorers_of(plan)
    stopped = _stopped(plan, results, asked_batches)
    evidence = evidence_of(plan, scorers, results, completed_at=completed_at, rubrics=rubrics)
    cases: dict[str, dict[str, Case]] = {}
    for batch in batches:
        cases.setdefault(batch.dataset, {}).update({case.id: case for case in batch.cases})
    judges = (anchors,) if anchors is not None and anchors.anchors else ()
    update = {
        "cost_usd": max(evidence.cost_usd, spent_usd),
        "stopped": stopped,
        "judges": judges,
        "cases": {name: tuple(found.values()) for name, found in cases.items()},
    }
    return make_report(evidence.model_copy(update=update), corpus_metrics(scorers))


def anchors_of(
    plan: Plan,
    cases: Sequence[Case],
    judged: Iterable[CaseResult],
    previous: Iterable[CaseResult],
    previous_run: str | None,
    rubrics: Path | None = None,
) -> JudgeAnchors | None:
    """Return what the judges said of answers that people have scored, now and in the run before.

    Args:
        plan: The run.
        cases: The anchors.
        judged: What the judges say of them now.
        previous: What they said in the run before.
        previous_run: Its name.
        rubrics: Folder of the team's rubrics.
    """
    judge = plan.settings.judge
    if judge is None or not cases:
        return None
    metric = judge_metric(judge.rubric, read_rubric(judge.rubric, rubrics)).name
    now, before = _values(judged, metric), _values(previous, metric)
    anchors = [
        Anchor(
            case=case.id,
            human=human,
            judge=now[case.id],
            previous=before.get(case.id),
            model=next((name for name in plan.asked if {name, plan.models[name].model_id} & {*case.answers}), None),
        )
        for case in cases
        if (human := human_score(case)) is not None and case.id in now
    ]
    return JudgeAnchors(metric=metric, anchors=tuple(anchors), previous_run=previous_run if before else None)


def _values(results: Iterable[CaseResult], metric: str) -> dict[str, float]:
    return {
        result.case: score.value
        for result in results
        for score in result.scores
        if score.metric == metric and score.value is not None
    }


def look(plan: Plan, results: Sequence[CaseResult], at: datetime, rubrics: Path | None = None) -> Decision:
    """Say, after a round of a suite that may stop early, whether another is worth its money."""
    return decide_continuation(evidence_of(plan, scorers_of(plan), results, completed_at=at, rubrics=rubrics))


def is_spent(results: Iterable[CaseResult]) -> bool:
    """Tell whether the budget came first."""
    return any(result.failure is not None and result.failure.kind is FailureKind.BUDGET for result in results)


def scorers_of(plan: Plan) -> tuple[Scorer, ...]:
    """Return the scorers of a run, with those of Bedrock's jobs."""
    managed = plan.settings.managed
    evaluator = plan.models[managed.evaluator].model_id if managed.evaluator is not None else None
    return tuple(
        job_scorer(choice.name, managed.task, evaluator)
        if choice.name.startswith(BEDROCK_PREFIX)
        else make_scorer(choice, labels=plan.labels)
        for choice in plan.settings.scorers
    )


def evidence_of(
    plan: Plan,
    scorers: Sequence[Scorer],
    results: Sequence[CaseResult],
    *,
    completed_at: datetime,
    rubrics: Path | None = None,
) -> EvaluationResults:
    """Return everything that a comparison rests on."""
    suite = plan.settings
    metrics = [
        MeasuredMetric(metric=metric, signature=scorer.signature) for scorer in scorers for metric in scorer.metrics
    ]
    metrics.extend(_measured_by_jobs(plan, rubrics))
    if suite.judge is not None:
        rubric = read_rubric(suite.judge.rubric, rubrics)
        signature = judge_signature(plan, suite.judge, rubric)
        metrics.append(MeasuredMetric(metric=judge_metric(suite.judge.rubric, rubric), signature=signature))
    return EvaluationResults(
        suite=plan.suite,
        run=plan.run,
        template=suite.template,
        settings=suite.comparison,
        champion=suite.champion,
        models=tuple(
            EvaluatedModel(
                name=name,
                model_id=plan.models[name].model_id,
                prompts=sha256(system.encode()).hexdigest() if (system := plan.models[name].system) else "",
                facts=plan.models[name].facts,
            )
            for name in plan.asked
        ),
        metrics=tuple(metrics),
        data=tuple(
            EvaluatedData(
                name=each.name,
                digest=each.digest,
                prompts=_prompts_digest(plan),
                cases=each.cases,
                drawn=each.drawn,
                notes=each.notes,
            )
            for each in plan.datasets
        ),
        strata=Strata(by=plan.strata.by, shares=plan.strata.shares) if plan.strata is not None else None,
        results=tuple(result for result in results if result.copy_of is None),
        copies=tuple(result for result in results if result.copy_of is not None),
        planned=plan.planned,
        started_at=plan.started_at,
        completed_at=completed_at,
        cost_usd=sum(result.answer.cost_usd or 0.0 for result in results if result.answer is not None),
        budget_usd=suite.budget.usd,
        notes=(
            *(f"{name} has no price: its calls count as free" for name in plan.forecast.unpriced),
            *([_ESTIMATED] if suite.engine is Engine.MANAGED else []),
            *_reasons(results),
        ),
    )


def _measured_by_jobs(plan: Plan, rubrics: Path | None) -> Iterator[MeasuredMetric]:
    """Yield what evaluation jobs measure besides Bedrock's own metrics: by rubrics, and by people."""
    managed = plan.settings.managed
    for name in managed.rubrics:
        rubric = read_rubric(name, rubrics)
        evaluator = plan.models[managed.evaluator or ""].model_id
        signature = f"bedrock|evaluator:{evaluator}|rubric:{name}@{rubric.digest[:12]}|v1"
        yield MeasuredMetric(metric=judge_metric(name, rubric), signature=signature)
    for asked in managed.workers.metrics if managed.workers is not None else ():
        signature = f"people|{managed.workers.flow_definition}|{asked.rating_method}|v1" if managed.workers else ""
        yield MeasuredMetric(metric=human_metric(asked), signature=signature)


def _reasons(results: Iterable[CaseResult]) -> Iterator[str]:
    """Yield, of each model and kind of failure, how many calls have no answer, and the first reason."""
    found: dict[tuple[str, FailureKind], list[str]] = {}
    for result in results:
        if result.failure is not None:
            found.setdefault((result.model, result.failure.kind), []).append(result.failure.reason)
    for (model, kind), reasons in sorted(found.items()):
        yield f"{model}: {len(reasons)} calls without an answer ({kind.value}); the first: {reasons[0]}"


def _prompts_digest(plan: Plan) -> str:
    """Return the digest of what surrounds the cases besides their own text: the champion's system prompt."""
    first = plan.settings.champion or plan.asked[0]
    return sha256((plan.models[first].system or "").encode()).hexdigest()


def _stopped(plan: Plan, results: Sequence[CaseResult], asked_batches: int) -> str | None:
    for result in results:
        if result.failure is not None and result.failure.kind is FailureKind.BUDGET:
            return result.failure.reason.removeprefix("not asked, because ")
    if asked_batches < plan.batches:
        return f"the question was decided after {asked_batches} of {plan.batches} batches"
    return None


def status_of(report: Report) -> RunStatus:
    """Tell whether a run has completed, or was stopped by its budget."""
    refused = any(coverage.failures.get(FailureKind.BUDGET.value) for coverage in report.coverage)
    return RunStatus.STOPPED if refused else RunStatus.COMPLETED


def verdict_of(report: Report) -> str:
    """Return the findings by the primary metric in one line."""
    told = [f"{each.candidate}: {each.finding.value.replace('_', ' ')}" for each in _primary(report)]
    return "; ".join(told) or "nothing to compare"


def coverage_of(report: Report) -> float:
    """Return the share of all planned calls that were answered."""
    planned = sum(each.planned for each in report.coverage)
    return sum(each.answered for each in report.coverage) / planned if planned else 0.0


def estimates_of(report: Report) -> dict[str, dict[str, float | None]]:
    """Return what each model reached, by metric, over all cases."""
    found: dict[str, dict[str, float | None]] = {model.name: {} for model in report.models}
    for each in report.estimates:
        if each.part is None:
            found[each.model][each.metric] = each.value
    return found


def completed_event(plan: Plan, report: Report, execution: str, uri: str) -> published.EvaluationCompleted:
    """Return what the hallmark bus is told."""
    estimates, coverage = estimates_of(report), {each.model: each for each in report.coverage}
    compared = {each.candidate: each for each in _primary(report)} if report.champion else {}
    return published.EvaluationCompleted(
        execution=execution,
        run=report.run,
        suite=report.suite,
        trigger=plan.trigger.kind,
        source=plan.trigger.source,
        started_at=report.started_at,
        completed_at=report.completed_at,
        champion=report.champion,
        primary=report.primary,
        models=[
            published.EvaluatedModel(
                name=model.name,
                model_id=model.model_id,
                answered=coverage[model.name].answered,
                planned=coverage[model.name].planned,
                metrics=estimates[model.name],
                verdict=compared[model.name].finding.value if model.name in compared else None,
                difference=_difference_of(compared.get(model.name)),
            )
            for model in report.models
        ],
        datasets=[
            published.EvaluatedDataset(name=each.name, location=each.location, digest=each.digest, cases=each.drawn)
            for each in plan.datasets
        ],
        coverage=coverage_of(report),
        cost_usd=report.cost_usd,
        stopped=report.stopped,
        report=uri,
        owners=list(plan.settings.owners),
        changed_judges=[each.metric for each in report.judges if each.has_drifted]
        if any(each.compared for each in report.judges)
        else None,
    )


def _difference_of(compared: Comparison | None) -> published.MeasuredDifference | None:
    if compared is None or compared.difference is None or compared.span is None:
        return None
    return published.MeasuredDifference(
        value=compared.difference,
        low=compared.span.low,
        high=compared.span.high,
        confidence=compared.span.confidence,
        margin=compared.margin,
        cases=compared.cases,
    )


def output_tokens_of(results: Iterable[CaseResult]) -> dict[str, float]:
    """Return the mean output tokens per answer, by variant: what the next forecast rests on."""
    found: dict[str, list[int]] = {}
    for result in results:
        if result.answer is not None and result.answer.output_tokens is not None:
            found.setdefault(result.model, []).append(result.answer.output_tokens)
    return {model: sum(tokens) / len(tokens) for model, tokens in found.items()}


def spreads_of(plan: Plan, report: Report) -> dict[str, float]:
    """Return the standard deviation of the primary metric by stratum, the mean over models: for Neyman's allocation."""
    sampling = plan.settings.sampling
    found: dict[str, list[float]] = {}
    for each in report.estimates:
        is_stratum = each.part is not None and sampling is not None and each.part.dimension == sampling.by
        if is_stratum and each.part is not None and each.metric == report.primary and each.deviation is not None:
            found.setdefault(each.part.value, []).append(each.deviation)
    return {stratum: sum(values) / len(values) for stratum, values in found.items()}


def _primary(report: Report) -> list[Comparison]:
    return [each for each in report.comparisons if each.is_primary and each.part is None]
