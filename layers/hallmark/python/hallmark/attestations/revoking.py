"""Taking an attestation back: a named person says so, for a reason, and that is signed, too."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.attestations.keeping import Attestation
from hallmark.attestations.statements import REVOCATION, Statement, Subject, timestamp
from hallmark.errors import InvalidInputError
from hallmark.people import Person

_REASON = range(10, 1_001)
"""Characters: a word explains nothing."""


class Revocation(BaseModel):
    """What a person asks."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    attestation: str = Field(min_length=1, max_length=2000)
    reason: str


def read_revocation(message: object) -> Revocation:
    """Read what a person asks.

    Raises:
        InvalidInputError: It is no revocation.
    """
    try:
        return Revocation.model_validate(message)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(("message", *map(str, fault["loc"])))
        raise InvalidInputError(field, fault["input"], fault["msg"]) from None


def revocation_statement(
    attestation: Attestation, person: Person, reason: str, at: datetime, attestor: str
) -> Statement:
    """Return what is signed where somebody takes an attestation back.

    Args:
        attestation: What is taken back.
        person: Who does, as STS says.
        reason: Why.
        at: When.
        attestor: Who records it.

    Raises:
        InvalidInputError: The reason is too short or too long.
    """
    told = reason.strip()
    if len(told) not in _REASON:
        raise InvalidInputError("reason", reason, "say in 10 to 1,000 characters why it is taken back")
    return Statement(
        subject=(Subject(name=attestation.id, digest={"sha256": attestation.digest}),),
        predicate_type=REVOCATION,
        predicate={
            "recorder": {"id": attestor},
            "revokes": attestation.id,
            "predicateType": attestation.statement.predicate_type,
            "by": person.arn,
            "reason": told,
            "revokedAt": timestamp(at),
        },
    )
