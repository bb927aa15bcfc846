"""Takes an attestation back in the name of a person; whose name it is, STS says."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.attestations.keeping import read_attestation, revoke
from hallmark.attestations.revoking import read_revocation, revocation_statement
from hallmark.attestations.statements import read_statement
from hallmark.attestations.telling import attestation_revoked
from hallmark.aws.attesting import Attesting, AttestingSettings
from hallmark.aws.caller_proof import verify_caller
from hallmark.aws.clients import client
from hallmark.aws.eventbridge import EventPublisher
from hallmark.events.attestations import ATTESTATION_REVOKED
from hallmark.runtime.observability import logger


class RevokingSettings(AttestingSettings):
    """What the function is told by its deployment."""

    account_id: str


@cache
def settings() -> RevokingSettings:
    """Read the settings once per execution environment."""
    return RevokingSettings.from_environment()


@cache
def attesting() -> Attesting:
    """Build what signs once per execution environment."""
    return Attesting(settings())


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Sign that somebody takes an attestation back, and tell of it; the first revocation counts."""
    asked = read_revocation(event.get("message"))
    person = verify_caller(event["message"], event.get("proof"), client("sts"), settings().account_id)
    kept = read_attestation(asked.attestation, attesting().files)
    statement = revocation_statement(kept, person, asked.reason, datetime.now(UTC), settings().attestor)
    made = revoke(kept.digest, lambda: statement, attesting().files, attesting().signer)
    told = attestation_revoked(kept, read_statement(made.envelope.payload), attesting().place)
    entry = told.to_entry(settings().event_bus_name, ATTESTATION_REVOKED)
    EventPublisher(client("events")).publish([entry])
    logger.warning("attestation revoked", attestation=kept.id, by=told.by)
    return {"revoked": kept.id, "by": told.by, "reason": told.reason, "envelope": made.envelope.to_json().decode()}
