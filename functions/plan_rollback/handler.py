"""Finds the configuration that an endpoint is put back to, and takes the endpoint for this one rollback."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.endpoint_history import EndpointHistory, LineageFunction
from hallmark.aws.endpoint_rollbacks import plan
from hallmark.aws.gate_actions import GateActionsTable
from hallmark.gates.rolling_back import RollbackOrder
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.settings import Settings


class PlanningSettings(Settings):
    """What the function is told by its deployment."""

    gates_table_name: str
    query_lineage_function_name: str
    rollback_seconds: int


@cache
def settings() -> PlanningSettings:
    """Read the settings once per execution environment."""
    return PlanningSettings.from_environment()


@cache
def history() -> EndpointHistory:
    """Build the history once per execution environment."""
    lineage = LineageFunction(settings().query_lineage_function_name, client("lambda"))
    return EndpointHistory(lineage, client("sagemaker"))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return what to do: ``update`` with the configuration's name, ``fail`` or ``skip`` with the reason."""
    order = RollbackOrder.model_validate(event["order"])
    table = GateActionsTable(settings().gates_table_name, client("dynamodb"))
    lasts = timedelta(seconds=settings().rollback_seconds)
    if not table.begin_rollback(order.endpoint, order.id, datetime.now(UTC), lasts):
        logger.warning("another rollback is under way", endpoint=order.endpoint)
        return {"do": "skip", "reason": "another rollback of the endpoint is under way"}
    planned = plan(order, history())
    if planned.do == "skip":
        table.end_rollback(order.endpoint, order.id)
    logger.info("rollback planned", order=order.id, do=planned.do, config=planned.to_config, reason=planned.reason)
    return planned.to_json()
