"""Kinds of alerts: how severe each is by stage, when it ends by itself, and what the policy says of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from hallmark.alerts.conditions import Observation, Tuning
from hallmark.alerts.settings import AlertsPolicy, RulePolicy
from hallmark.events.alerts import Severity


class Kind(NamedTuple):
    """A kind of alert: its severity by stage, and after what time without news it ends by itself."""

    severity: Mapping[str, Severity]
    """``default`` stands for every other stage."""
    expires: timedelta | None = None


_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_BY_STAGE: Mapping[str, Severity] = {
    "development": "info",
    "staging": "error",
    "production": "critical",
    "default": "error",
}


def _all(severity: Severity) -> Mapping[str, Severity]:
    return {"default": severity}


KINDS: Mapping[str, Kind] = {
    "QualityGateNotPassed": Kind(_BY_STAGE, _DAY),
    "ApprovalPending": Kind(_all("warning")),
    "ApprovalExpired": Kind({"production": "error", "default": "warning"}, _DAY),
    "GateOverridden": Kind({"development": "info", "production": "error", "default": "warning"}, _DAY),
    "PromotionRefused": Kind({"production": "critical", "default": "error"}, _WEEK),
    "EndpointRolledBack": Kind(_all("critical"), _DAY),
    "RollbackFailed": Kind(_all("critical"), _WEEK),
    "TrainingHalted": Kind(_all("warning"), _DAY),
    "DriftDetected": Kind(_all("error")),
    "MonitorFailed": Kind(_all("warning"), _DAY),
    "RetrainingSkipped": Kind(_all("info"), _DAY),
    "ReviewScoreLow": Kind(_all("warning")),
    "EvaluationFailed": Kind(_all("warning"), _WEEK),
    "ModelWorse": Kind(_all("warning")),
    "CoverageLow": Kind(_all("warning")),
    "JudgeChanged": Kind(_all("warning"), _WEEK),
    "EndpointDown": Kind(_all("critical")),
    "DeliveryFailed": Kind(_all("error"), timedelta(hours=1)),
    "CloudWatchAlarm": Kind(_all("error")),
}

LABELS = frozenset({"gate", "stage", "subject", "watch", "monitor", "program", "suite", "channel"})
"""Labels of alerts, beside ``name``, ``severity`` and those that the policy gives to alarms."""


def severity_of(seen: Observation, policy: AlertsPolicy) -> Severity:
    """Return how severe an observation is at its stage: as the policy says, else as the table says."""
    if seen.name == "CloudWatchAlarm":
        return seen.severity
    stage = seen.labels.get("stage", "default")
    told = rule_of(seen.name, policy).severity
    if isinstance(told, str):
        return told
    for table in (told or {}, KINDS[seen.name].severity):
        if stage in table or "default" in table:
            return table.get(stage) or table["default"]
    raise AssertionError("every kind has a severity for every other stage")


def tuning_of(name: str, policy: AlertsPolicy) -> Tuning:
    """Return how observations of a condition become an alert."""
    rule, flapping = rule_of(name, policy), policy.flapping
    expires = KINDS[name].expires if rule.expires is None else rule.expires
    return Tuning(
        times=rule.fires_after.times if rule.fires_after else 1,
        of=rule.fires_after.of if rule.fires_after else 1,
        clears_after=rule.clears_after or 1,
        expires=expires if isinstance(expires, timedelta) else None,
        flap_changes=flapping.changes,
        flap_within=flapping.within,
        flap_hold=flapping.hold,
    )


def rule_of(name: str, policy: AlertsPolicy) -> RulePolicy:
    """Return what the policy says of a kind of alert."""
    return policy.rules.get(name, RulePolicy())
