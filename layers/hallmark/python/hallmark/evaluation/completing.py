"""The end of a run: its report, its verdict in words, and what the hallmark bus is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hallmark.evaluation.plans import Plan
from hallmark.evaluation.reporting.comparing import make_report
from hallmark.evaluation.reporting.report import Report
from hallmark.evaluation.results import CaseResult, FailureKind
from hallmark.evaluation.runs import RunStatus
from hallmark.evaluation.scorers.registry import make_scorer
from hallmark.events.published import EvaluatedDataset, EvaluatedModel, EvaluationCompleted


def complete(plan: Plan, results: Sequence[CaseResult], *, asked_batches: int, completed_at: datetime) -> Report:
    """Make the report of a run.

    Args:
        plan: What was to be asked.
        results: Of all models.
        asked_batches: How many batches were asked of each model; fewer than planned where the question was decided.
        completed_at: Now.
    """
    scorers = [make_scorer(choice, labels=plan.labels) for choice in plan.settings.scorers]
    decided = asked_batches < plan.batches
    if decided:
        asked = {(result.dataset, result.case, result.epoch) for result in results}
        plan = plan.model_copy(update={"planned": len(asked)})
    spent = any(result.failure is not None and result.failure.kind is FailureKind.BUDGET for result in results)
    stopped = None
    if spent:
        reasons = [result.failure.reason for result in results if result.failure is not None]
        stopped = next(reason for reason in reasons if "not asked, because" in reason).removeprefix(
            "not asked, because "
        )
    elif decided:
        stopped = f"the question was decided after {asked_batches} of {plan.batches} batches"
    return make_report(plan, scorers, results, completed_at=completed_at, stopped=stopped)


def status_of(report: Report) -> RunStatus:
    """Tell whether a run has completed, or was stopped by its budget."""
    refused = any(model.coverage.failures.get(FailureKind.BUDGET.value) for model in report.models)
    return RunStatus.STOPPED if refused else RunStatus.COMPLETED


def verdict_of(report: Report) -> str:
    """Return the findings by the primary metric in one line."""
    told = [each for each in report.comparisons if each.metric == report.primary]
    return "; ".join(f"{each.candidate}: {each.finding.replace('_', ' ')}" for each in told) or "nothing to compare"


def completed_event(report: Report, execution: str, uri: str) -> EvaluationCompleted:
    """Return what the hallmark bus is told."""
    return EvaluationCompleted(
        execution=execution,
        run=report.run,
        suite=report.suite,
        trigger=report.trigger.kind,
        source=report.trigger.source,
        started_at=report.started_at,
        completed_at=report.completed_at,
        champion=report.champion,
        primary=report.primary,
        models=[
            EvaluatedModel(
                name=model.model,
                model_id=model.model_id,
                answered=model.coverage.answered,
                planned=model.coverage.planned,
                metrics={each.metric: each.value for each in model.estimates},
                verdict=_finding(report, model.model),
            )
            for model in report.models
        ],
        datasets=[
            EvaluatedDataset(name=each.name, location=each.location, digest=each.digest, cases=each.drawn)
            for each in report.datasets
        ],
        coverage=report.coverage,
        cost_usd=report.cost_usd,
        stopped=report.stopped,
        report=uri,
        owners=list(report.owners),
    )


def _finding(report: Report, model: str) -> str | None:
    found = report.comparison(model, report.primary)
    return found.finding if found is not None and report.champion is not None else None
