"""Signs gates' verdicts and people's overrides, as the gates' table has them: when told of one, and when asked."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.attestations.keeping import Attestation
from hallmark.attestations.statements import OVERRIDE, VERIFICATION_SUMMARY
from hallmark.attestations.verdicts import override_statement, verdict_statement
from hallmark.aws.attesting import Attesting, AttestingSettings
from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.gate_verdicts import GateVerdicts
from hallmark.errors import InvalidInputError, NotFoundError
from hallmark.events.envelope import read_event_text
from hallmark.events.records import own_id
from hallmark.gates.actions import node_of
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics


class VerdictAttestingSettings(AttestingSettings):
    """What the function is told by its deployment."""

    gates_table_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> VerdictAttestingSettings:
    """Read the settings once per execution environment."""
    return VerdictAttestingSettings.from_environment()


@cache
def attesting() -> Attesting:
    """Build what signs once per execution environment."""
    return Attesting(settings())


def attest_cause(cause: str) -> Attestation:
    """Sign a verdict or an override as it is kept: whoever tells of one that is not kept gets no signature."""
    verdicts = GateVerdicts(settings().gates_table_name, client("dynamodb"))
    if cause.startswith(own_id("override", "")):
        override = verdicts.find_override(cause)
        node, at = override.lineage.node, override.overridden_at
        return attesting().attest(
            node, OVERRIDE, lambda who: override_statement(override, who), [node_of(override.model)], at
        )
    verdict = verdicts.find(cause)
    node, at = verdict.lineage.node, verdict.decided_at
    return attesting().attest(
        node, VERIFICATION_SUMMARY, lambda who: verdict_statement(verdict, who), [node_of(verdict.model)], at
    )


def attest_event(body: str) -> str | None:
    """Sign what one event tells of; None where no gate and nobody has said so: ``follow_verdict`` keeps that event."""
    event = read_event_text(body)
    detail = event.get("detail") if isinstance(event, dict) else None
    node = ((detail or {}).get("lineage") or {}).get("node") or {}
    if not isinstance(node.get("id"), str):
        raise InvalidInputError("detail.lineage.node.id", node, "send a verdict or an override as the bus delivers it")
    try:
        made = attest_cause(node["id"])
    except NotFoundError as error:
        logger.error("nothing was attested: it was only told", node=node["id"], reason=str(error))
        return None
    logger.info("attested", node=node["id"], attestation=made.id)
    return made.id


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "attest_verdict").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Sign what a batch of events tells of, or the one cause that is named; say why where nothing can be signed."""
    if "Records" in event:
        outcome = work_off(event["Records"], attest_event, refuse, maximum_receives=settings().maximum_receives)
        metrics.add_metric(
            name="VerdictsAttested", unit=MetricUnit.Count, value=sum(each is not None for each in outcome.results)
        )
        metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
        return outcome.response
    cause = str(event.get("cause", ""))
    try:
        made = attest_cause(cause)
    except (NotFoundError, InvalidInputError) as error:
        logger.warning("nothing was attested", cause=cause, reason=str(error))
        return {"attestation": None, "reason": str(error)}
    return {"attestation": made.id, "digest": made.digest, "envelope": made.envelope.to_json().decode()}
