"""Takes a person's word: approves or rejects what waits for it, or overrides a verdict. Whose word it is, STS says."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.caller_proof import verify_caller
from hallmark.aws.clients import client
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.gate_actions import GateActionsTable
from hallmark.aws.gate_verdicts import GateVerdicts
from hallmark.aws.model_registry import ModelRegistry
from hallmark.aws.workflows import tell_task
from hallmark.events.gates import APPROVAL_DECIDED, GATE_OVERRIDDEN
from hallmark.gates.actions import approval_decided, gate_overridden
from hallmark.gates.approvals import Rules, check_overridable, check_person, check_reason, decide
from hallmark.gates.deciding import DecideRequest, ListRequest, OverrideRequest, read_request
from hallmark.gates.promoting import gate_of, is_package
from hallmark.gates.settings import GatesPolicy
from hallmark.people import Person
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class DecidingSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    gates_table_name: str
    event_bus_name: str


@cache
def settings() -> DecidingSettings:
    """Read the settings once per execution environment."""
    return DecidingSettings.from_environment()


@cache
def policy() -> GatesPolicy:
    """Read the policy once per execution environment."""
    return GatesPolicy.model_validate_json(read_policy_section("gates"))


def publish(event: Any, detail_type: str) -> None:
    """Publish one event on the hallmark bus."""
    EventPublisher(client("events")).publish([event.to_entry(settings().event_bus_name, detail_type)])


def answer(request: DecideRequest, person: Person) -> dict[str, Any]:
    """Record a person's decision, tell of it, and let the workflow go on; the same again does no more."""
    table = GateActionsTable(settings().gates_table_name, client("dynamodb"))
    before, token = table.approval(request.approval)
    after = decide(before, person, request.decision, request.reason, datetime.now(UTC))
    if after is not before and not table.settle(after):
        before, token = table.approval(request.approval)
        after = decide(before, person, request.decision, request.reason, datetime.now(UTC))
    publish(approval_decided(after), APPROVAL_DECIDED)
    waited = tell_task(client("stepfunctions"), token, after.to_answer())
    logger.info("approval decided", approval=after.id, state=after.state, by=after.by, waited=waited)
    return {"approval": after.model_dump(mode="json")}


def override(request: OverrideRequest, person: Person) -> dict[str, Any]:
    """Let a model pass against a verdict: what follows is the path of one that passed."""
    reason = check_reason(request.reason)
    verdicts = GateVerdicts(settings().gates_table_name, client("dynamodb"))
    verdict = verdicts.find(request.verdict)
    check_overridable(verdict)
    rules = gate_of(verdict.gate, policy()).approval
    packaged = is_package(verdict.model)
    registry = ModelRegistry(client("sagemaker"))
    authors = registry.authors(verdict.model) if packaged else ()
    forbidden = rules.author_may_not_approve and packaged
    check_person(person, Rules(approvers=rules.approvers, author_may_not_approve=forbidden, authors=authors))
    package = registry.find(verdict.model) if packaged else None
    digest = package.fingerprint if package is not None else ""
    # Kept before it is told: only what is kept is followed.
    told = verdicts.keep_override(gate_overridden(verdict, person, reason, datetime.now(UTC), model_digest=digest))
    publish(told, GATE_OVERRIDDEN)
    logger.warning("gate overridden", verdict=verdict.verdict, by=person.arn)
    return {"override": told.model_dump(mode="json", by_alias=True)}


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one request; who asks proves who they are."""
    request = read_request(event.get("message"))
    if isinstance(request, ListRequest):
        table = GateActionsTable(settings().gates_table_name, client("dynamodb"))
        return {"approvals": [each.model_dump(mode="json") for each in table.approvals(request.limit)]}
    person = verify_caller(event["message"], event.get("proof"), client("sts"), settings().account_id)
    return answer(request, person) if isinstance(request, DecideRequest) else override(request, person)
