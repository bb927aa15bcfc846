"""Asks a question in place of whoever wants to know, and signs the answer with the ledger's checkpoint."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.attestations.answers import answer_statement, read_asked
from hallmark.attestations.envelopes import seal
from hallmark.aws.asked_functions import AskedFunctions
from hallmark.aws.attestation_keys import KmsStatementKey
from hallmark.aws.clients import client
from hallmark.errors import NotFoundError
from hallmark.runtime.observability import logger
from hallmark.runtime.settings import Settings

_LEDGER = "ledger"


class AnswerSigningSettings(Settings):
    """What the function is told by its deployment."""

    attestation_key_id: str
    attestor: str
    question_functions: str
    """Names of the functions that answer, by what they are about, as JSON."""


@cache
def settings() -> AnswerSigningSettings:
    """Read the settings once per execution environment."""
    return AnswerSigningSettings.from_environment()


@cache
def functions() -> AskedFunctions:
    """Build what asks once per execution environment."""
    return AskedFunctions(json.loads(settings().question_functions), client("lambda"))


@cache
def signer() -> KmsStatementKey:
    """Build what signs once per execution environment."""
    return KmsStatementKey(settings().attestation_key_id, client("kms"))


def ledger_now() -> dict[str, Any] | None:
    """Return how the ledger stands; None while it has no entries."""
    try:
        found: dict[str, Any] = functions().ask(_LEDGER, {"ask": "status"})
    except NotFoundError:
        return None
    return found


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Ask, and sign what was answered; the ledger is read before, so that the answer is not older than it."""
    asked = read_asked(event)
    ledger = ledger_now()
    answer = functions().ask(asked.source, asked.question)
    statement = answer_statement(asked, answer, ledger, datetime.now(UTC), settings().attestor)
    envelope = seal(statement.content, signer())
    logger.info("answer signed", source=asked.source, ask=asked.question.get("ask"), digest=statement.digest)
    return {"digest": statement.digest, "envelope": envelope.to_json().decode()}
