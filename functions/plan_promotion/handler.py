"""Looks at the registry before anything is done with a model: what is to be done next, and why not more."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.gate_verdicts import GateVerdicts
from hallmark.aws.model_registry import ModelRegistry
from hallmark.gates.promoting import Order, is_package, next_step
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.settings import Settings


class PlanningSettings(Settings):
    """What the function is told by its deployment."""

    gates_table_name: str


@cache
def settings() -> PlanningSettings:
    """Read the settings once per execution environment."""
    return PlanningSettings.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return the next step, and what the package consists of now."""
    order = Order.model_validate(event["order"])
    newer = GateVerdicts(settings().gates_table_name, client("dynamodb")).newer(order)
    if not is_package(order.model):
        step = "none" if newer else ("ask" if order.asks_approval else "record")
        reason = f"a newer verdict decides: {newer}" if newer else ""
        logger.info("promotion planned", order=order.id, step=step, reason=reason)
        return {"step": step, "reason": reason, "fingerprint": "", "from_stage": ""}
    package = ModelRegistry(client("sagemaker")).find(order.model)
    planned = next_step(order, package, newer)
    logger.info("promotion planned", order=order.id, step=planned.step, reason=planned.reason)
    return {
        "step": planned.step,
        "reason": planned.reason,
        "fingerprint": package.fingerprint if package is not None else "",
        "from_stage": package.stage if package is not None else "",
    }
