"""Whether what monitors name elsewhere in the policy is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hallmark.drift.settings import EvaluateAction, EvaluationHistory, GateAction, Monitor, read_selector
from hallmark.errors import InvalidInputError
from hallmark.evaluation.metrics import Metric
from hallmark.policy.models import Policy


def check_monitors(policy: Policy, measured: Mapping[str, Sequence[Metric]]) -> None:
    """Check the suites, variants, metrics and gates that monitors name.

    Args:
        policy: The whole of it.
        measured: What each suite measures.

    Raises:
        InvalidInputError: Something is not there; the field says where it is named.
    """
    for name, monitor in policy.drift.monitors.items():
        place = f"drift.monitors.{name}"
        if monitor.suite is not None:
            _check_suite(policy, f"{place}.suite", monitor.suite)
            _check_history(policy, place, monitor, measured)
        for number, action in enumerate(monitor.actions):
            if isinstance(action, EvaluateAction):
                _check_suite(policy, f"{place}.actions[{number}]", action.suite)
            if isinstance(action, GateAction) and action.gate not in policy.gates.gates:
                known = ", ".join(sorted(policy.gates.gates)) or "none yet"
                raise InvalidInputError(f"{place}.actions[{number}]", action.gate, f"there is no such gate: {known}")


def _check_suite(policy: Policy, field: str, suite: str) -> None:
    if suite not in policy.evaluation.suites:
        known = ", ".join(sorted(policy.evaluation.suites)) or "none yet"
        raise InvalidInputError(field, suite, f"there is no such suite: {known}")


def _check_history(policy: Policy, place: str, monitor: Monitor, measured: Mapping[str, Sequence[Metric]]) -> None:
    source, suite = monitor.source, monitor.suite or ""
    if not isinstance(source, EvaluationHistory):
        return
    variants = policy.evaluation.suites[suite].model_variants
    if source.variant not in variants:
        remedy = f"the suite {suite} evaluates {', '.join(variants)}"
        raise InvalidInputError(f"{place}.source.variant", source.variant, remedy)
    names = [metric.name for metric in measured.get(suite, ())]
    for feature, setting in monitor.features.items():
        metric = str(read_selector(setting.select)[0])
        if metric not in names:
            remedy = f"the suite {suite} measures {', '.join(names)}"
            raise InvalidInputError(f"{place}.features.{feature}.select", setting.select, remedy)
