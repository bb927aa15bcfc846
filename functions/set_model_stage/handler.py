"""Moves a model in the registry, and tells of it. No other function may: its role alone can update a model package."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.gate_verdicts import GateVerdicts
from hallmark.aws.model_registry import ModelRegistry
from hallmark.events.gates import MODEL_PROMOTED, MODEL_REJECTED
from hallmark.gates.actions import model_moved
from hallmark.gates.promoting import (
    Order,
    PackageState,
    check_unchanged,
    describe_move,
    is_done,
    is_package,
    refusal_of,
)
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class MovingSettings(Settings):
    """What the function is told by its deployment."""

    gates_table_name: str
    event_bus_name: str


@cache
def settings() -> MovingSettings:
    """Read the settings once per execution environment."""
    return MovingSettings.from_environment()


def move(order: Order, fingerprint: str, by: str, reason: str) -> tuple[str | None, PackageState | None]:
    """Move a package, unless it is where it should be; return why it may not be moved, and how it stood before."""
    if not is_package(order.model):
        return None, None
    registry = ModelRegistry(client("sagemaker"))
    package = registry.find(order.model)
    newer = GateVerdicts(settings().gates_table_name, client("dynamodb")).newer(order)
    refusal = refusal_of(order, package, newer) or check_unchanged(fingerprint, package)
    if refusal is None and package is not None and not is_done(order, package):
        registry.move(order, describe_move(order, by, reason))
    return refusal, package


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Re-read the registry, refuse where in doubt, write once, tell of it; a repeat tells the same."""
    order = Order.model_validate(event["order"])
    answer = event.get("answer") or {}
    if answer.get("state") == "rejected":
        order = order.to_rejection()
    by, reason = answer.get("by") or order.by, answer.get("reason") or order.reason
    refusal, before = move(order, event.get("fingerprint", ""), by, reason)
    if refusal is not None:
        logger.warning("model not moved", order=order.id, reason=refusal)
        return {"moved": False, "reason": refusal}
    if before is not None:  # a repeat finds the package where the first try has put it
        before = before.model_copy(update={"stage": event.get("from_stage", "")})
    told = model_moved(
        order, before, by=by, reason=reason, at=datetime.fromisoformat(event["at"]), approval=answer.get("approval", "")
    )
    detail_type = MODEL_PROMOTED if order.move == "promote" else MODEL_REJECTED
    EventPublisher(client("events")).publish([told.to_entry(settings().event_bus_name, detail_type)])
    metrics.add_metric(name=detail_type, unit=MetricUnit.Count, value=1)
    logger.info("model moved", order=order.id, move=order.move, stage=order.to_stage)
    return {"moved": True, "reason": reason}
