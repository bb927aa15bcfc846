"""Asks gates for a verdict where an event concerns them: a package, an endpoint, a run, drift, a pipeline, a person."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.pipeline_steps import fail_step
from hallmark.aws.workflows import Workflow
from hallmark.errors import InvalidInputError
from hallmark.events.envelope import read_event_text
from hallmark.gates.requests import StoppedStep, requests_of
from hallmark.gates.settings import GatesPolicy
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class RequestSettings(Settings):
    """What the function is told by its deployment."""

    workflow_arn: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> RequestSettings:
    """Read the settings once per execution environment."""
    return RequestSettings.from_environment()


@cache
def policy() -> GatesPolicy:
    """Read the policy once per execution environment."""
    return GatesPolicy.model_validate_json(read_policy_section("gates"))


def start_gates(body: str) -> int:
    """Start what one message asks for; return how many requests are new."""
    message = read_event_text(body)
    if not isinstance(message, dict):
        raise InvalidInputError("the message", message, "send the event as EventBridge delivers it")
    workflow = Workflow(settings().workflow_arn, client("stepfunctions"))
    started = 0
    for request in requests_of(message, policy()):
        if isinstance(request, StoppedStep):
            fail_step(client("sagemaker"), request.token, "the pipeline is being stopped")
            continue
        new = workflow.start(request.execution, {"request": request.model_dump()})
        logger.info("gate asked" if new else "request known", gate=request.gate, model=request.model)
        started += new
    return started


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "request_quality_gate").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle each message of a batch."""
    outcome = work_off(event["Records"], start_gates, refuse, maximum_receives=settings().maximum_receives)
    metrics.add_metric(name="GatesAsked", unit=MetricUnit.Count, value=sum(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
