"""Ends the wait for a person's word when its time is over; whoever decided in the last moment has decided."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.gate_actions import GateActionsTable
from hallmark.events.gates import APPROVAL_EXPIRED
from hallmark.gates.actions import approval_expired
from hallmark.gates.approvals import approval_id
from hallmark.gates.promoting import Order
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.settings import Settings


class ExpiringSettings(Settings):
    """What the function is told by its deployment."""

    gates_table_name: str
    event_bus_name: str


@cache
def settings() -> ExpiringSettings:
    """Read the settings once per execution environment."""
    return ExpiringSettings.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return how the question stands in the end."""
    order = Order.model_validate(event["order"])
    table = GateActionsTable(settings().gates_table_name, client("dynamodb"))
    approval, _ = table.approval(approval_id(order.verdict, order.cause))
    expired = approval.model_copy(update={"state": "expired"})
    if approval.state == "pending" and not table.settle(expired):
        approval, _ = table.approval(approval.id)
    elif approval.state == "pending":
        approval = expired
    if approval.state == "expired":
        entry = approval_expired(approval).to_entry(settings().event_bus_name, APPROVAL_EXPIRED)
        EventPublisher(client("events")).publish([entry])
    logger.info("approval over", approval=approval.id, state=approval.state)
    return approval.to_answer()
