"""Asks a person to approve or reject, and leaves word which task waits for the answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.gate_actions import GateActionsTable
from hallmark.aws.model_registry import ModelRegistry
from hallmark.aws.workflows import tell_task
from hallmark.events.gates import APPROVAL_REQUESTED
from hallmark.gates.actions import approval_requested
from hallmark.gates.approvals import Approval, Rules, approval_id
from hallmark.gates.promoting import Order, gate_of, is_package
from hallmark.gates.settings import GatesPolicy
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class RequestingSettings(Settings):
    """What the function is told by its deployment."""

    gates_table_name: str
    event_bus_name: str


@cache
def settings() -> RequestingSettings:
    """Read the settings once per execution environment."""
    return RequestingSettings.from_environment()


@cache
def policy() -> GatesPolicy:
    """Read the policy once per execution environment."""
    return GatesPolicy.model_validate_json(read_policy_section("gates"))


def question(order: Order, asked_at: datetime) -> Approval:
    """Return the question to a person."""
    rules = gate_of(order.gate, policy()).approval
    authors = ModelRegistry(client("sagemaker")).authors(order.model) if is_package(order.model) else ()
    return Approval(
        id=approval_id(order.verdict, order.cause),
        gate=order.gate,
        stage=order.stage,
        model=order.model,
        model_name=order.model_name,
        verdict=order.verdict,
        rules=Rules(
            approvers=rules.approvers,
            # Who made a model that is not in the registry cannot be told, and is nobody of this account's.
            author_may_not_approve=rules.author_may_not_approve and is_package(order.model),
            authors=authors,
        ),
        asked_at=asked_at,
        expires_at=asked_at + timedelta(seconds=order.approval_seconds),
        owners=order.owners,
        summary=order.summary,
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> None:
    """Keep the question and publish it; one that was answered already lets the task go on."""
    order = Order.model_validate(event["order"])
    approval = question(order, datetime.fromisoformat(event["asked_at"]))
    table = GateActionsTable(settings().gates_table_name, client("dynamodb"))
    if not table.ask(approval, event["token"]):
        answered, _ = table.approval(approval.id)
        tell_task(client("stepfunctions"), event["token"], answered.to_answer())
        return
    entry = approval_requested(approval).to_entry(settings().event_bus_name, APPROVAL_REQUESTED)
    EventPublisher(client("events")).publish([entry])
    logger.info("approval requested", approval=approval.id, model=order.model_name)
