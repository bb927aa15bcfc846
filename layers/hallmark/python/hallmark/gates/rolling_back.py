"""Which configuration an endpoint is put back to: the last that was in service and that no verdict speaks against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from hallmark.events.gates import QualityGateDecided
from hallmark.gates.promoting import gate_of
from hallmark.gates.settings import GatesPolicy


class RollbackOrder(BaseModel):
    """What a verdict asks to be done with an endpoint. Input of the workflow."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: str
    verdict: str
    gate: str
    endpoint: str
    """ARN."""
    endpoint_name: str
    reason: str
    decided_at: datetime
    owners: tuple[str, ...] = ()


class Service(BaseModel):
    """A time in which an endpoint served a configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    config: str
    """ARN, as lineage has it."""
    since: datetime
    until: datetime | None = None


class FailedVerdict(NamedTuple):
    """A verdict against what an endpoint served at a time."""

    id: str
    at: datetime


class Candidate(NamedTuple):
    """A configuration that may be put back, and when it served last."""

    config: str
    since: datetime


def rollbacks_of(told: QualityGateDecided, policy: GatesPolicy, serving: Sequence[str]) -> list[RollbackOrder]:
    """Return the rollbacks that a verdict asks for; none where the gate passed, or does not roll back.

    Args:
        told: The verdict.
        policy: The team's.
        serving: ARNs of the endpoints that serve the model which was judged.

    Raises:
        InvalidInputError: The policy has no such gate.
    """
    if told.outcome != "failed" or gate_of(told.gate, policy).action_on_failure != "roll_back":
        return []
    return [
        RollbackOrder(
            id=_rollback_id(told.verdict, endpoint),
            verdict=told.verdict,
            gate=told.gate,
            endpoint=endpoint,
            endpoint_name=endpoint.rpartition("/")[2],
            reason=told.summary,
            decided_at=told.decided_at,
            owners=tuple(told.owners),
        )
        for endpoint in dict.fromkeys(serving)
    ]


def is_outdated(services: Sequence[Service], current: str, decided_at: datetime) -> bool:
    """Tell whether what the endpoint serves came into service after the verdict: it was not what was judged."""
    times = [service.since for service in services if _is_same(service.config, current)]
    return bool(times) and max(times) > decided_at


def candidates(services: Sequence[Service], current: str, failed: Sequence[FailedVerdict]) -> list[Candidate]:
    """Return the configurations that may be put back, the latest first.

    Args:
        services: What the endpoint served, and when, in any order.
        current: ARN of what it serves now: never put back.
        failed: Verdicts against the endpoint; each speaks against what was served at its time.
    """
    rejected = {
        service.config.lower() for service in services for verdict in failed if _was_serving(service, verdict.at)
    }
    latest: dict[str, Candidate] = {}
    for service in sorted(services, key=lambda each: each.since):
        if not _is_same(service.config, current) and service.config.lower() not in rejected:
            latest[service.config.lower()] = Candidate(service.config, service.since)
    return sorted(latest.values(), key=lambda each: each.since, reverse=True)


def _rollback_id(verdict: str, endpoint: str) -> str:
    return "rollback-" + sha256(f"{verdict}\n{endpoint}".encode()).hexdigest()[:32]


def _was_serving(service: Service, at: datetime) -> bool:
    return service.since <= at and (service.until is None or at < service.until)


def _is_same(left: str, right: str) -> bool:
    # SageMaker spells names in ARNs in lower case, some of its answers do not.
    return left.lower() == right.lower()


def judged_endpoint(told: QualityGateDecided) -> str | None:
    """Return the ARN of the endpoint that a verdict is about; None where it is about a model alone."""
    if ":endpoint/" in told.model:
        return told.model
    return told.endpoint if ":endpoint/" in told.endpoint else None


def failure_of(plan: Mapping[str, Any], endpoint: Mapping[str, Any] | None, failure: str | None) -> str | None:
    """Return why a rollback did not come about; None where the endpoint is in service with what was wanted.

    Args:
        plan: What was to be done.
        endpoint: What SageMaker says of the endpoint in the end.
        failure: What went wrong on the way.
    """
    if plan["do"] == "fail":
        return str(plan["reason"])
    if failure:
        return failure
    if endpoint is None:
        return "the endpoint was not updated"
    status, config = endpoint.get("EndpointStatus"), str(endpoint.get("EndpointConfigName"))
    if status == "InService" and config.lower() == str(plan["to_config"]).lower():
        return None
    why = endpoint.get("FailureReason")
    return f"the endpoint is {status} with {config}" + (f": {why}" if why else "")
