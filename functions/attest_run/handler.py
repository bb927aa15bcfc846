"""Signs what evaluations and training jobs were, as their own records tell: when they have ended, and when asked."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.attestations.evaluations import evaluation_statement
from hallmark.attestations.keeping import Attestation
from hallmark.attestations.statements import PROVENANCE, TEST_RESULT
from hallmark.attestations.training import training_statement
from hallmark.aws.attested_runs import measured_run, shown_node, trained_model
from hallmark.aws.attesting import Attesting, AttestingSettings
from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.evaluation_runs import DynamoRuns
from hallmark.aws.lineage_service import LineageService
from hallmark.errors import InvalidInputError
from hallmark.events.envelope import read_event_text
from hallmark.events.published import EVALUATION_COMPLETED, LINEAGE_RECORDED
from hallmark.events.records import LineageNode
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import ShowAnswer
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics


class RunAttestingSettings(AttestingSettings):
    """What the function is told by its deployment."""

    evaluation_table_name: str
    query_lineage_function_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> RunAttestingSettings:
    """Read the settings once per execution environment."""
    return RunAttestingSettings.from_environment()


@cache
def attesting() -> Attesting:
    """Build what signs once per execution environment."""
    return Attesting(settings())


def lineage() -> LineageService:
    """Return what answers questions about lineage."""
    return LineageService(settings().query_lineage_function_name, client("lambda"), people="tokens")


def attest_evaluation(name: str) -> Attestation:
    """Sign a run of a suite, by its name."""
    run = DynamoRuns(settings().evaluation_table_name, client("dynamodb")).find(name)
    measured = measured_run(run, client("s3"))
    node = LineageNode(kind="evaluation", id=measured.execution)
    return attesting().attest(
        node, TEST_RESULT, lambda who: evaluation_statement(measured, who), [], measured.completed_at
    )


def attest_training(shown: ShowAnswer) -> Attestation:
    """Sign a training job."""
    job = trained_model(shown, lineage())
    # Edges name a job by its ARN, and lineage finds by the time which one of that name is meant.
    node = LineageNode(kind="training-job", id=job.arn)
    return attesting().attest(
        node, PROVENANCE, lambda who: training_statement(job, who), [], job.recorded_at, name=shown.node.key
    )


def attest_event(body: str) -> str | None:
    """Sign what one event tells of; None for a job of whose products nobody knows the content."""
    event = read_event_text(body)
    kind, detail = (event.get("detail-type"), event.get("detail")) if isinstance(event, dict) else (None, None)
    if not isinstance(detail, dict) or kind not in {EVALUATION_COMPLETED, LINEAGE_RECORDED}:
        raise InvalidInputError("detail-type", kind, f"send {EVALUATION_COMPLETED} or {LINEAGE_RECORDED}")
    if kind == EVALUATION_COMPLETED:
        return attest_evaluation(str(detail.get("run", ""))).id
    try:
        return attest_training(shown_node(lineage(), str(detail.get("node", "")))).id
    except InvalidInputError as error:
        logger.warning("nothing was attested", node=detail.get("node"), reason=str(error))
        return None


def attest_node(node: str) -> Attestation:
    """Sign what a person names."""
    shown = shown_node(lineage(), node)
    if shown.node.kind is NodeKind.EVALUATION:
        return attest_evaluation(str(shown.attributes.get("report", "")).rstrip("/").rpartition("/")[2])
    return attest_training(shown)


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "attest_run").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Sign what a batch of events tells of, or the one node that is named."""
    if "Records" in event:
        outcome = work_off(event["Records"], attest_event, refuse, maximum_receives=settings().maximum_receives)
        signed = [each for each in outcome.results if each is not None]
        metrics.add_metric(name="RunsAttested", unit=MetricUnit.Count, value=len(signed))
        metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
        logger.info("attested", attestations=signed)
        return outcome.response
    made = attest_node(str(event.get("node", "")))
    return {"attestation": made.id, "digest": made.digest, "envelope": made.envelope.to_json().decode()}
