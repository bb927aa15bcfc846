"""Begins to watch a training job that runs, where the policy has a watch for it."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.workflows import Workflow
from hallmark.events.envelope import read_event_text
from hallmark.gates.settings import GatesPolicy
from hallmark.gates.watch_starts import starts_of
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class StartingSettings(Settings):
    """What the function is told by its deployment."""

    watch_workflow_arn: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> StartingSettings:
    """Read the settings once per execution environment."""
    return StartingSettings.from_environment()


@cache
def policy() -> GatesPolicy:
    """Read the policy once per execution environment."""
    return GatesPolicy.model_validate_json(read_policy_section("gates"))


def start_watches(body: str) -> int:
    """Start the watches of one job; return how many are new."""
    workflow = Workflow(settings().watch_workflow_arn, client("stepfunctions"))
    started = 0
    for start in starts_of(read_event_text(body), policy().watches):
        new = workflow.start(start.name, start.to_input())
        logger.info("watch started" if new else "watch known", watch=start.watch, job=start.job)
        started += new
    return started


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "start_watch").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle each message of a batch."""
    outcome = work_off(event["Records"], start_watches, refuse, maximum_receives=settings().maximum_receives)
    metrics.add_metric(name="WatchesStarted", unit=MetricUnit.Count, value=sum(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
