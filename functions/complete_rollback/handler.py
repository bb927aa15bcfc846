"""Tells how a rollback ended, and gives the endpoint free again."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.gate_actions import GateActionsTable
from hallmark.events.gates import ENDPOINT_ROLLED_BACK, ROLLBACK_FAILED
from hallmark.gates.actions import endpoint_rolled_back, rollback_failed
from hallmark.gates.rolling_back import RollbackOrder, failure_of
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class CompletingSettings(Settings):
    """What the function is told by its deployment."""

    gates_table_name: str
    event_bus_name: str


@cache
def settings() -> CompletingSettings:
    """Read the settings once per execution environment."""
    return CompletingSettings.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Publish ``EndpointRolledBack``, or ``RollbackFailed`` with the reason; a repeat tells the same."""
    order, plan = RollbackOrder.model_validate(event["order"]), event["plan"]
    at = datetime.fromisoformat(event["at"])
    reason = failure_of(plan, event.get("endpoint"), event.get("failure"))
    bus = settings().event_bus_name
    if reason is None:
        told = endpoint_rolled_back(
            order,
            from_config=plan["from_config"],
            to_config=plan["to_config"],
            config_arns=(plan["from_arn"], plan["to_arn"]),
            at=at,
        )
        entry, name = told.to_entry(bus, ENDPOINT_ROLLED_BACK), ENDPOINT_ROLLED_BACK
    else:
        failed = rollback_failed(order, plan["from_config"], reason, at)
        entry, name = failed.to_entry(bus, ROLLBACK_FAILED), ROLLBACK_FAILED
    EventPublisher(client("events")).publish([entry])
    GateActionsTable(settings().gates_table_name, client("dynamodb")).end_rollback(order.endpoint, order.id)
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
    logger.info("rollback over", order=order.id, outcome=name, reason=reason)
    return {"rolled_back": reason is None, "reason": reason or ""}
