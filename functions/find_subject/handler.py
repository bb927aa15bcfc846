"""Finds the snapshots, and the models, that saw a person's data."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.lineage_service import LineageService
from hallmark.aws.mac_keys import MacKey
from hallmark.aws.subject_tokens import SubjectDescent, SubjectFiles
from hallmark.runtime.observability import logger
from hallmark.runtime.settings import Settings
from hallmark.subjects.finding import find_subject, read_question
from hallmark.subjects.tokens import KEY_MESSAGE


class FindingSettings(Settings):
    """What the function is told by its deployment."""

    subject_bucket_name: str
    subject_key_id: str
    query_lineage_function_name: str


@cache
def settings() -> FindingSettings:
    """Read the settings once per execution environment."""
    return FindingSettings.from_environment()


@cache
def key() -> bytes:
    """Derive the key of tokens once per execution environment."""
    return MacKey(settings().subject_key_id, client("kms")).sign(KEY_MESSAGE)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer; neither the answer nor the log names the person."""
    files = SubjectFiles(settings().subject_bucket_name, client("s3"))
    descent = SubjectDescent(LineageService(settings().query_lineage_function_name, client("lambda")))
    answer = find_subject(read_question(event), files, descent, key())
    logger.info("subject looked for", snapshots=len(answer.snapshots), checked=answer.checked)
    found: dict[str, Any] = answer.model_dump(mode="json")
    return found
