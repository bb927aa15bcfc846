"""Adds to SageMaker Lineage what SageMaker itself does not record, within a budget."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.lineage_mirror import MirrorBudget, SageMakerLineage
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.events.envelope import read_event_text
from hallmark.lineage.mirroring import Entity, Mirrored, may_add, mirror
from hallmark.lineage.model import NodeKind
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings

_KINDS = {kind.value: kind for kind in NodeKind}
_RESERVE_SECONDS = 10
"""Kept for what follows the facts: dead letters, metrics, the answer."""


class MirrorSettings(Settings):
    """What the function is told by its deployment."""

    lineage_table_name: str
    dead_letter_queue_url: str
    mirror_artifact_budget: int
    mirror_association_budget: int
    maximum_receives: int = 5


@cache
def settings() -> MirrorSettings:
    """Read the settings once per execution environment."""
    return MirrorSettings.from_environment()


@cache
def table() -> DynamoLineageTable:
    """Build the table once per execution environment."""
    return DynamoLineageTable(settings().lineage_table_name, client("dynamodb"))


@cache
def budget() -> MirrorBudget:
    """Build the budget once per execution environment."""
    limits: dict[Entity, int] = {
        "artifact": settings().mirror_artifact_budget,
        "association": settings().mirror_association_budget,
    }
    return MirrorBudget(settings().lineage_table_name, client("dynamodb"), limits)


def mirror_fact(body: str) -> Mirrored:
    """Mirror the fact that one ``LineageRecorded`` tells of."""
    event = read_event_text(body)
    detail = event.get("detail") if isinstance(event, dict) else None
    fact_id = detail.get("factId") if isinstance(detail, dict) else None
    if not isinstance(detail, dict) or not isinstance(fact_id, str):
        raise InvalidInputError("detail.factId", fact_id, "send LineageRecorded, as the hallmark bus delivers it")
    kind = _KINDS.get(str(detail.get("kind")))
    if kind is not None and not may_add(kind, detail.get("status")):
        return Mirrored()
    recorded = table().fact(fact_id)
    if recorded is None:
        # While a lost table is made anew from the ledger, its facts come back one after another.
        raise UnavailableError(f"fact {fact_id} is not in the lineage table")
    done = mirror(recorded, SageMakerLineage(client("sagemaker")), budget(), datetime.now(UTC))
    log = logger.warning if done.spent else logger.info
    log("budget spent" if done.spent else "fact mirrored", node=recorded.fact.subject.key, **done._asdict())
    return done


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "mirror_lineage").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Mirror each message of a batch."""
    outcome = work_off(
        event["Records"],
        mirror_fact,
        refuse,
        maximum_receives=settings().maximum_receives,
        seconds=context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS,
    )
    made = sum(done.artifacts + done.associations for done in outcome.results)
    spent = sum(done.spent for done in outcome.results)
    metrics.add_metric(name="MirrorEntities", unit=MetricUnit.Count, value=made)
    metrics.add_metric(name="MirrorBudgetSpent", unit=MetricUnit.Count, value=spent)
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    if made or spent:
        metrics.add_metric(name="MirrorHeadroom", unit=MetricUnit.Count, value=min(budget().left().values()))
    return outcome.response
