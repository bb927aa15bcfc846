"""Asks a gate for a verdict, tells how the request stands, and shows gates and verdicts."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.gate_table import DynamoVerdicts
from hallmark.aws.workflows import Workflow
from hallmark.gates.questions import GateDesk, read_question
from hallmark.gates.settings import GatesPolicy
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class QueryGatesSettings(Settings):
    """What the function is told by its deployment."""

    gate_table_name: str
    workflow_arn: str


@cache
def settings() -> QueryGatesSettings:
    """Read the settings once per execution environment."""
    return QueryGatesSettings.from_environment()


@cache
def desk() -> GateDesk:
    """Build what answers once per execution environment."""
    workflow = Workflow(settings().workflow_arn, client("stepfunctions"))
    return GateDesk(
        policy=GatesPolicy.model_validate_json(read_policy_section("gates")),
        listing=DynamoVerdicts(settings().gate_table_name, client("dynamodb")),
        start=lambda request: workflow.start(request.execution, {"request": request.model_dump()}),
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one question; one that cannot be understood raises an error with field, value and remedy."""
    question = read_question(event)
    answer = desk().answer(question)
    logger.info("question answered", ask=question.ask)
    return answer
