"""Tells how monitors stand and what they found, and lets one look now."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.drift_files import DriftFiles
from hallmark.aws.drift_memory import DynamoMemory
from hallmark.aws.workflows import Workflow
from hallmark.drift.answering import DriftDesk
from hallmark.drift.questions import read_question
from hallmark.drift.settings import DriftPolicy
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class QueryDriftSettings(Settings):
    """What the function is told by its deployment."""

    drift_table_name: str
    drift_bucket_name: str
    workflow_arn: str


@cache
def desk() -> DriftDesk:
    """Build what answers once per execution environment."""
    settings = QueryDriftSettings.from_environment()
    return DriftDesk(
        DriftPolicy.model_validate_json(read_policy_section("drift")),
        DynamoMemory(settings.drift_table_name, client("dynamodb")),
        DriftFiles(settings.drift_bucket_name, client("s3")),
        Workflow(settings.workflow_arn, client("stepfunctions")),
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one question; one that cannot be understood raises an error with field, value and remedy."""
    question = read_question(event)
    answer = desk().answer(question)
    logger.info("question answered", ask=question.ask)
    return answer
