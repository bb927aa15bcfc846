"""Answers questions about lineage from the graph that it holds in memory."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from hallmark.aws.clients import client
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.person_table import PersonSettings, PersonTable
from hallmark.lineage.questions import Answer, Question
from hallmark.lineage.revealing import answer_asked, revealed_text, with_known_tokens
from hallmark.people import HumanRules
from hallmark.runtime.observability import MetricUnit, logger, metrics

if TYPE_CHECKING:
    from hallmark.aws.graph_in_memory import GraphInMemory


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
def persons() -> PersonTable:
    """Build the table of people once per execution environment."""
    return QuerySettings.from_environment().person_table()


@cache
def graph() -> GraphInMemory:
    """Load the graph once per execution environment, with the first question; each adds what was recorded since."""
    # numpy comes with it. A start would wait for it no less: at this memory both have a whole processor.
    from hallmark.aws.graph_in_memory import GraphInMemory  # noqa: PLC0415

    settings = QuerySettings.from_environment()
    table = DynamoLineageTable(settings.lineage_table_name, client("dynamodb"))
    return GraphInMemory(table, settings.lineage_bucket_name, client("s3"), settings.people(persons()))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one question; a question that cannot be understood raises an error with field, value and remedy."""

    def answer(question: Question) -> Answer:
        new = graph().refresh()
        metrics.add_metric(name="FactsLearned", unit=MetricUnit.Count, value=new)
        return graph().answer(question)

    told = answer_asked(event, answer, persons())
    logger.info("question answered", ask=event["ask"], answer=told["answer"], nodes=len(graph()))
    return told
