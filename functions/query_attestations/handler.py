"""Shows an attestation with what took it back, and the public key that verifies them all."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.attestations.asking import answer, read_attestation_question
from hallmark.aws.attestation_keys import KmsStatementKey
from hallmark.aws.clients import client
from hallmark.aws.ledger_files import S3LogFiles
from hallmark.runtime.observability import logger
from hallmark.runtime.settings import Settings


class AttestationQuerySettings(Settings):
    """What the function is told by its deployment."""

    attestation_bucket_name: str
    attestation_key_id: str


@cache
def settings() -> AttestationQuerySettings:
    """Read the settings once per execution environment."""
    return AttestationQuerySettings.from_environment()


@cache
def key() -> KmsStatementKey:
    """Build the key once per execution environment."""
    return KmsStatementKey(settings().attestation_key_id, client("kms"))


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one question; one that cannot be understood raises an error with field, value and remedy."""
    question = read_attestation_question(event)
    said = answer(question, S3LogFiles(settings().attestation_bucket_name, client("s3")), lambda: key().key)
    logger.info("question answered", ask=question.ask)
    return said
