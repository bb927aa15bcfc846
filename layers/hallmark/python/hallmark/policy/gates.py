"""What gates name in other sections of the policy must be there, and must be able to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from hallmark.errors import InvalidInputError
from hallmark.evaluation.metrics import Direction, Metric
from hallmark.gates.criteria import (
    PRIMARY,
    AbsoluteCriterion,
    Criterion,
    RelativeCriterion,
    SafetyCriterion,
    metric_of,
    suite_of,
)
from hallmark.gates.settings import Gate
from hallmark.policy.models import Policy
from hallmark.statistics.directions import REPORT_METRICS

Measured = Mapping[str, Sequence[Metric]]
"""What each suite measures."""


def check_gates(policy: Policy, measured: Measured) -> None:
    """Check what gates say against the suites.

    Raises:
        InvalidInputError: A suite, metric or champion is not there, or a threshold contradicts the metric's direction.
    """
    for name, gate in policy.gates.gates.items():
        place = f"gates.gates.{name}"
        for number, suite in enumerate(gate.suites):
            if suite not in policy.evaluation.suites:
                known = sorted(policy.evaluation.suites)
                raise InvalidInputError(f"{place}.suites[{number}]", suite, _instead(suite, known, "suite"))
        for label, criterion in gate.criteria.items():
            _check_criterion(f"{place}.criteria.{label}", criterion, gate, policy, measured)


def _check_criterion(place: str, criterion: Criterion, gate: Gate, policy: Policy, measured: Measured) -> None:
    suites = gate.suites if suite_of(criterion) is None else (str(suite_of(criterion)),)
    metric = metric_of(criterion)
    if criterion.kind in {"coverage", "operational"} and not suites:
        raise InvalidInputError(place, criterion.kind, "only a suite measures this: name one in the gate's suites")
    if metric is not None and metric != PRIMARY and criterion.kind != "operational":
        _check_metric(place, metric, criterion, gate, {suite: measured[suite] for suite in suites})
    if metric == PRIMARY and not suites:
        raise InvalidInputError(
            f"{place}.metric", PRIMARY, "only a suite has a primary metric: name suites, or a metric"
        )
    if isinstance(criterion, RelativeCriterion) and criterion.champion is not None:
        variants = [name for suite in suites for name in policy.evaluation.suites[suite].model_variants]
        if criterion.champion not in variants:
            raise InvalidInputError(
                f"{place}.champion", criterion.champion, _instead(criterion.champion, variants, "variant")
            )


def _check_metric(place: str, metric: str, criterion: Criterion, gate: Gate, suites: Measured) -> None:
    found = [each for metrics in suites.values() for each in metrics if each.name == metric]
    reported = {*REPORT_METRICS, *gate.report_metrics} if gate.models.model_package_groups else set()
    if suite_of(criterion) is not None:
        reported = set()
    if not found and metric not in reported:
        known = sorted({each.name for metrics in suites.values() for each in metrics} | reported)
        raise InvalidInputError(f"{place}.metric", metric, _instead(metric, known, "metric"))
    for each in found:
        lower = each.direction is Direction.LOWER
        if isinstance(criterion, AbsoluteCriterion) and (criterion.at_most if lower else criterion.at_least) is None:
            wanted = "at_most" if lower else "at_least"
            raise InvalidInputError(place, criterion.kind, f"a {_better(lower)} {metric} is better: give {wanted}")
        if isinstance(criterion, SafetyCriterion) and not lower:
            raise InvalidInputError(f"{place}.metric", metric, "a higher one is better: use kind: absolute")


def _better(lower: bool) -> str:
    return "lower" if lower else "higher"


def _instead(asked: str, known: Sequence[str], what: str) -> str:
    close = get_close_matches(asked, known, 3) or list(known)
    return f"there is no such {what}: name one of {', '.join(close)}" if close else f"there is no {what} here to name"
