"""Answers questions about lineage from the graph that it holds in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.graph_snapshots import GraphSnapshots
from hallmark.aws.kept_manifests import KeptManifests
from hallmark.lineage.answering import Answerer
from hallmark.lineage.questions import answer_json, read_question
from hallmark.lineage.refreshing import refresh
from hallmark.lineage.rows import GraphRows
from hallmark.people import HumanRules
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class QuerySettings(Settings):
    """What the function is told by its deployment."""

    lineage_table_name: str
    lineage_bucket_name: str
    machines: str = ""
    """Patterns of users that no person works as, separated by commas."""
    authors_may_approve: str = ""
    """Patterns of model package groups, separated by commas."""
    reasons_required: bool = False

    @property
    def people(self) -> HumanRules:
        """What the policy says of people."""
        return HumanRules(
            machines=tuple(filter(None, self.machines.split(","))),
            authors_may_approve=tuple(filter(None, self.authors_may_approve.split(","))),
            reasons_required=self.reasons_required,
        )


@cache
def table() -> DynamoLineageTable:
    """Build the table once per execution environment."""
    return DynamoLineageTable(QuerySettings.from_environment().lineage_table_name, client("dynamodb"))


@cache
def snapshots() -> GraphSnapshots:
    """Build the snapshots once per execution environment."""
    return GraphSnapshots(QuerySettings.from_environment().lineage_bucket_name, client("s3"))


@cache
def rows() -> GraphRows:
    """Load the compact graph once per execution environment; each question adds what was recorded since."""
    return snapshots().load()


@cache
def answerer() -> Answerer:
    """Build the answerer once per execution environment."""
    settings = QuerySettings.from_environment()
    return Answerer(
        rows(),
        table(),
        clock=lambda: datetime.now(UTC),
        people=settings.people,
        manifests=KeptManifests(settings.lineage_bucket_name, client("s3")),
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one question; a question that cannot be understood raises an error with field, value and remedy."""
    question = read_question(event)
    new = refresh(rows(), table(), snapshots())
    metrics.add_metric(name="FactsLearned", unit=MetricUnit.Count, value=new)
    answer = answer_json(answerer().answer(question))
    logger.info("question answered", ask=question.ask, answer=answer["answer"], nodes=len(rows()))
    return answer
