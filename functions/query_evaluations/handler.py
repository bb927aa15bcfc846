"""Starts runs, tells how they stand, and what they found; asks a few cases at once where someone waits."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.bedrock import BedrockModels, bedrock_runtime
from hallmark.aws.clients import client
from hallmark.aws.evaluation_files import RunFiles
from hallmark.aws.evaluation_runs import DynamoRuns
from hallmark.aws.workflows import Workflow
from hallmark.evaluation.answering import EvaluationDesk
from hallmark.evaluation.questions import read_question
from hallmark.evaluation.suites import EvaluationPolicy
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class QueryEvaluationSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    aws_region: str
    evaluation_table_name: str
    evaluation_bucket_name: str
    workflow_arn: str


@cache
def settings() -> QueryEvaluationSettings:
    """Read the settings once per execution environment."""
    return QueryEvaluationSettings.from_environment()


@cache
def desk() -> EvaluationDesk:
    """Build what answers once per execution environment."""
    text = read_policy_section("evaluation").replace("{account}", settings().account_id)
    return EvaluationDesk(
        policy=EvaluationPolicy.model_validate_json(text.replace("{region}", settings().aws_region)),
        runs=DynamoRuns(settings().evaluation_table_name, client("dynamodb")),
        files=lambda suite, run: RunFiles(settings().evaluation_bucket_name, client("s3"), suite, run),
        workflow=Workflow(settings().workflow_arn, client("stepfunctions")),
        models=BedrockModels(bedrock_runtime()),
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one question; one that cannot be understood raises an error with field, value and remedy."""
    question = read_question(event)
    answer = desk().answer(question)
    logger.info("question answered", ask=question.ask)
    return answer
