"""Answers questions about the ledger: how it stands, and proofs."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.ledger_files import LeafIndex, S3LogFiles
from hallmark.aws.ledger_keys import KmsSigner
from hallmark.ledger.asking import answer, read_ledger_question
from hallmark.ledger.notes import VerifierKey
from hallmark.runtime.observability import logger
from hallmark.runtime.settings import Settings


class LedgerQuerySettings(Settings):
    """What the function is told by its deployment."""

    ledger_bucket_name: str
    ledger_table_name: str
    ledger_origin: str
    ledger_key_ids: str


@cache
def settings() -> LedgerQuerySettings:
    """Read the settings once per execution environment."""
    return LedgerQuerySettings.from_environment()


@cache
def files() -> S3LogFiles:
    """Build the log's files once per execution environment."""
    return S3LogFiles(settings().ledger_bucket_name, client("s3"))


@cache
def index() -> LeafIndex:
    """Build the index once per execution environment."""
    return LeafIndex(settings().ledger_table_name, client("dynamodb"))


@cache
def keys() -> tuple[VerifierKey, ...]:
    """Read the public keys once per execution environment."""
    names = settings().ledger_key_ids.split(",")
    return tuple(KmsSigner(name, settings().ledger_origin, client("kms")).key for name in names)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one question; one that cannot be understood raises an error with field, value and remedy."""
    question = read_ledger_question(event)
    said = answer(question, files(), index(), settings().ledger_origin, keys())
    logger.info("question answered", ask=question.ask)
    return said
