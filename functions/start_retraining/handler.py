"""Starts the pipeline that a monitor names for drift, as often as policy allows."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.drift_memory import DynamoMemory
from hallmark.aws.drift_sources import SageMakerPipelines
from hallmark.aws.eventbridge import EventPublisher
from hallmark.drift.planning import find_monitor
from hallmark.drift.retraining import RetrainingOrder, start_retraining
from hallmark.drift.settings import DriftPolicy
from hallmark.errors import InvalidInputError
from hallmark.events.drift import RETRAINING_SKIPPED, RETRAINING_STARTED, RetrainingStarted
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class RetrainingSettings(Settings):
    """What the function is told by its deployment."""

    drift_table_name: str
    event_bus_name: str


@cache
def settings() -> RetrainingSettings:
    """Read the settings once per execution environment."""
    return RetrainingSettings.from_environment()


@cache
def policy() -> DriftPolicy:
    """Read the policy once per execution environment."""
    return DriftPolicy.model_validate_json(read_policy_section("drift"))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Start the pipeline once for a report, and say so; or say why policy does not allow it."""
    monitor = find_monitor(policy(), event["monitor"])
    action = monitor.retraining()
    if action is None:
        raise InvalidInputError("monitor", event["monitor"], "it has no action retrain")
    order = RetrainingOrder(event["monitor"], event["report"], event["window"], monitor.owners)
    ledgers = DynamoMemory(settings().drift_table_name, client("dynamodb"))
    told = start_retraining(order, action, ledgers, SageMakerPipelines(client("sagemaker")), datetime.now(UTC))
    started = isinstance(told, RetrainingStarted)
    kind = RETRAINING_STARTED if started else RETRAINING_SKIPPED
    EventPublisher(client("events")).publish([told.to_entry(settings().event_bus_name, kind)])
    metrics.add_metric(name=kind, unit=MetricUnit.Count, value=1)
    logger.info("retraining decided", monitor=order.monitor, pipeline=action.pipeline, started=started)
    if isinstance(told, RetrainingStarted):
        return {"started": True, "execution": told.execution}
    return {"started": False, "reason": told.reason}
