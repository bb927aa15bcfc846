"""Answers questions about lineage from the graph that it holds in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.graph_snapshots import GraphSnapshots
from hallmark.aws.kept_manifests import KeptManifests
from hallmark.aws.person_table import PersonSettings, PersonTable
from hallmark.lineage.answering import Answerer
from hallmark.lineage.questions import Answer, Question
from hallmark.lineage.refreshing import refresh
from hallmark.lineage.revealing import answer_asked, revealed_text, with_known_tokens
from hallmark.lineage.rows import GraphRows
from hallmark.people import HumanRules
from hallmark.runtime.observability import MetricUnit, logger, metrics


class QuerySettings(PersonSettings):
    """What the function is told by its deployment."""

    lineage_table_name: str
    lineage_bucket_name: str
    machines: str = ""
    """Patterns of users that no person works as, separated by commas."""
    authors_may_approve: str = ""
    """Patterns of model package groups, separated by commas."""
    reasons_required: bool = False

    def people(self, persons: PersonTable) -> HumanRules:
        """What the policy says of people, in tokens too."""
        return HumanRules(
            machines=with_known_tokens(filter(None, self.machines.split(",")), persons),
            revealed=lambda text: revealed_text(text, persons),
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
def persons() -> PersonTable:
    """Build the table of people once per execution environment."""
    return QuerySettings.from_environment().person_table()


@cache
def answerer() -> Answerer:
    """Build the answerer once per execution environment."""
    settings = QuerySettings.from_environment()
    return Answerer(
        rows(),
        table(),
        clock=lambda: datetime.now(UTC),
        people=settings.people(persons()),
        manifests=KeptManifests(settings.lineage_bucket_name, client("s3")),
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one question; a question that cannot be understood raises an error with field, value and remedy."""

    def answer(question: Question) -> Answer:
        new = refresh(rows(), table(), snapshots())
        metrics.add_metric(name="FactsLearned", unit=MetricUnit.Count, value=new)
        return answerer().answer(question)

    told = answer_asked(event, answer, persons())
    logger.info("question answered", ask=event["ask"], answer=told["answer"], nodes=len(rows()))
    return told
