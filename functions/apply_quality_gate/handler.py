"""Looks for a model's evidence, asks for what is missing, and judges once it is there or the wait is over."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.gating import make_ports
from hallmark.aws.pipeline_steps import fail_step
from hallmark.gates.applying import apply_gate, give_up, looks_of
from hallmark.gates.requests import GateRequest
from hallmark.gates.settings import GatesPolicy
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class ApplySettings(Settings):
    """What the function is told by its deployment."""

    gate_table_name: str
    evaluation_table_name: str
    query_lineage_function_name: str
    event_bus_name: str
    look_seconds: int


@cache
def settings() -> ApplySettings:
    """Read the settings once per execution environment."""
    return ApplySettings.from_environment()


@cache
def policy() -> GatesPolicy:
    """Read the policy once per execution environment."""
    return GatesPolicy.model_validate_json(read_policy_section("gates"))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Look once, or record that the workflow failed; a repeat finds the verdict that is kept."""
    request, now = GateRequest.model_validate(event["request"]), datetime.now(UTC)
    told = settings()
    ports = make_ports(
        gate_table=told.gate_table_name,
        evaluation_table=told.evaluation_table_name,
        query_lineage=told.query_lineage_function_name,
        bus=told.event_bus_name,
    )
    if "failure" in event:
        reason = str(event["failure"].get("cause") or event["failure"].get("error"))
        give_up(request, ports, reason, now)
        if request.callback_token:
            fail_step(client("sagemaker"), request.callback_token, f"the gate could not judge: {reason}")
        logger.error("gate failed", gate=request.gate, model=request.model, reason=reason)
        return {"decided": True, "outcome": "error"}
    looks = looks_of(policy(), request.gate, told.look_seconds)
    applied = apply_gate(request, policy(), ports, look=int(event["look"]), looks=looks, now=now)
    if applied.verdict is None:
        logger.info("evidence awaited", gate=request.gate, model=request.model, suites=applied.waits_for)
        return {"decided": False, "waits_for": list(applied.waits_for)}
    metrics.add_metric(name=f"Gate{applied.verdict.outcome.capitalize()}", unit=MetricUnit.Count, value=1)
    logger.info("gate applied", verdict=applied.verdict.id, outcome=applied.verdict.outcome)
    return {"decided": True, "outcome": applied.verdict.outcome, "verdict": applied.verdict.id}
