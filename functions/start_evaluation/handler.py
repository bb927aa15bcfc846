"""Starts the suites that an event concerns: a new model package, a custom model, changed data or words, a request."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.workflows import Workflow
from hallmark.errors import InvalidInputError
from hallmark.evaluation.suites import EvaluationPolicy
from hallmark.evaluation.triggering import starts_of
from hallmark.events.envelope import read_event_text
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class StartingSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    aws_region: str
    workflow_arn: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> StartingSettings:
    """Read the settings once per execution environment."""
    return StartingSettings.from_environment()


@cache
def policy() -> EvaluationPolicy:
    """Read the policy once per execution environment; its datasets lie in this account and Region."""
    text = read_policy_section("evaluation").replace("{account}", settings().account_id)
    return EvaluationPolicy.model_validate_json(text.replace("{region}", settings().aws_region))


def start_runs(body: str) -> int:
    """Start what one event asks for; return how many runs are new."""
    event = read_event_text(body)
    if not isinstance(event, dict):
        raise InvalidInputError("the message", event, "send the event as EventBridge delivers it")
    workflow = Workflow(settings().workflow_arn, client("stepfunctions"))
    started = 0
    for start in starts_of(event, policy()):
        new = workflow.start(start.name, start.to_input())
        logger.info("run started" if new else "run known", run=start.name, trigger=start.trigger.kind)
        started += new
    return started


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "start_evaluation").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle each message of a batch."""
    outcome = work_off(event["Records"], start_runs, refuse, maximum_receives=settings().maximum_receives)
    metrics.add_metric(name="RunsStarted", unit=MetricUnit.Count, value=sum(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
