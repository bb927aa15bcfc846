"""Starts what follows a verdict, or an override of it: a promotion, a rejection, a rollback."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import ValidationError

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.endpoint_history import EndpointHistory, LineageFunction
from hallmark.aws.gate_verdicts import GateVerdicts
from hallmark.aws.workflows import Workflow
from hallmark.errors import InvalidInputError, NotFoundError
from hallmark.events.envelope import read_event_text
from hallmark.events.gates import GATE_OVERRIDDEN, GateOverridden, QualityGateDecided
from hallmark.gates.promoting import order_of
from hallmark.gates.rolling_back import RollbackOrder, judged_endpoint, rollbacks_of
from hallmark.gates.settings import GatesPolicy
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class FollowingSettings(Settings):
    """What the function is told by its deployment."""

    gates_table_name: str
    promotion_workflow_arn: str
    rollback_workflow_arn: str
    query_lineage_function_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> FollowingSettings:
    """Read the settings once per execution environment."""
    return FollowingSettings.from_environment()


@cache
def policy() -> GatesPolicy:
    """Read the policy once per execution environment."""
    return GatesPolicy.model_validate_json(read_policy_section("gates"))


def follow(body: str) -> int:
    """Start what one event asks for; return how many executions are new."""
    told = kept(read_verdict(read_event_text(body)))
    orders = rollbacks(told) if isinstance(told, QualityGateDecided) else []
    order = order_of(told, policy())
    started = 0
    if order is not None:
        promotions = Workflow(settings().promotion_workflow_arn, client("stepfunctions"))
        started += promotions.start(order.id, {"order": order.model_dump(mode="json")})
    for rollback in orders:
        workflow = Workflow(settings().rollback_workflow_arn, client("stepfunctions"))
        started += workflow.start(rollback.id, {"order": rollback.model_dump(mode="json")})
    logger.info("verdict followed", verdict=told.verdict, move=order and order.move, rollbacks=len(orders))
    return started


def read_verdict(event: Any) -> QualityGateDecided | GateOverridden:
    """Read what one event says.

    Raises:
        InvalidInputError: It is no verdict and no override.
    """
    if not isinstance(event, dict):
        raise InvalidInputError("the message", event, "send the event as EventBridge delivers it")
    model = GateOverridden if event.get("detail-type") == GATE_OVERRIDDEN else QualityGateDecided
    try:
        return model.model_validate(event.get("detail"))
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(("detail", *map(str, fault["loc"])))
        raise InvalidInputError(field, fault["input"], f"{fault['msg']}; see docs/events.md") from None


def kept(told: QualityGateDecided | GateOverridden) -> QualityGateDecided | GateOverridden:
    """Return what the gates' own table holds of what the bus was told: that counts, and nothing else is acted on.

    Raises:
        InvalidInputError: It holds nothing: no gate and no person of Hallmark's has said so.
    """
    verdicts = GateVerdicts(settings().gates_table_name, client("dynamodb"))
    try:
        if isinstance(told, GateOverridden):
            return verdicts.find_override(told.lineage.node.id)
        verdict = verdicts.find(told.verdict)
    except NotFoundError as error:
        remedy = f"{error}; find out who put this event on the bus"
        raise InvalidInputError("detail.verdict", told.verdict, remedy) from error
    verdicts.place(verdict)
    return verdict


def rollbacks(told: QualityGateDecided) -> list[RollbackOrder]:
    """Return the rollbacks that a verdict asks for: of the endpoint that it names, or of all that serve its model."""
    named = judged_endpoint(told)
    if not rollbacks_of(told, policy(), [named or told.model]):
        return []
    history = EndpointHistory(
        LineageFunction(settings().query_lineage_function_name, client("lambda")), client("sagemaker")
    )
    return rollbacks_of(told, policy(), [named] if named else history.serving(told.model))


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "follow_verdict").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle each message of a batch."""
    outcome = work_off(event["Records"], follow, refuse, maximum_receives=settings().maximum_receives)
    metrics.add_metric(name="ActionsStarted", unit=MetricUnit.Count, value=sum(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
