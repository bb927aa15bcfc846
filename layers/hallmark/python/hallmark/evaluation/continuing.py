"""Whether a run's question is decided already: by a test that stays valid however often one looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hallmark.evaluation.metrics import Direction, MetricKind
from hallmark.evaluation.plans import Plan
from hallmark.evaluation.reporting.comparing import metrics_of, paired_differences_of
from hallmark.evaluation.results import CaseResult, FailureKind
from hallmark.evaluation.scorers.registry import make_scorer
from hallmark.evaluation.statistics.sequential import decide
from hallmark.evaluation.statistics.verdicts import Answer


class Decision(NamedTuple):
    """Whether another round is asked, and why."""

    goes_on: bool
    reason: str


def continues(plan: Plan, results: Sequence[CaseResult]) -> Decision:
    """Decide after a round whether more cases are worth their money.

    Each challenger is compared with the champion by a betting confidence sequence (Waudby-Smith and Ramdas, JRSS B 86,
    2024), each at an equal part of the error that is allowed (Bonferroni); the run ends when all of them are decided.

    Args:
        plan: The run.
        results: Of all rounds so far.
    """
    if any(result.failure is not None and result.failure.kind is FailureKind.BUDGET for result in results):
        return Decision(False, "the budget is spent")
    settings, champion = plan.settings.comparison, plan.settings.champion
    if not settings.early_stopping or champion is None:
        return Decision(True, "nobody looks")
    scorers = [make_scorer(choice, labels=plan.labels) for choice in plan.settings.scorers]
    measured = metrics_of(scorers)
    metric = next((each for each in measured if each.name == settings.primary), measured[0])
    if metric.kind in {MetricKind.CORPUS, MetricKind.UNBOUNDED} or metric.low is None or metric.high is None:
        return Decision(True, f"{metric.name} has no bounds per case: only the whole sample decides")
    span = metric.high - metric.low
    challengers = [name for name in plan.asked if name != champion]
    alpha = (1 - settings.confidence) / max(len(challengers), 1)
    undecided = []
    for name in challengers:
        differences = paired_differences_of(results, metric, name, champion)
        if not differences:
            undecided.append(name)
            continue
        verdict = decide(
            differences,
            low=-span,
            high=span,
            alpha=alpha,
            margin=settings.margin or None,
            higher_is_better=metric.direction is Direction.HIGHER,
        )
        if verdict.answer is Answer.CANNOT_TELL:
            undecided.append(name)
    if undecided:
        return Decision(True, f"cannot tell yet: {', '.join(undecided)}")
    return Decision(False, f"decided by {metric.name}: {', '.join(challengers)}")
