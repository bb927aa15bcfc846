"""Records whose data a snapshot holds, as tokens; the people themselves are kept nowhere."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.eventbridge import BusPublisher
from hallmark.aws.mac_keys import MacKey
from hallmark.aws.subject_tokens import SubjectFiles
from hallmark.events.subjects import SUBJECTS_RECORDED
from hallmark.runtime.observability import logger
from hallmark.runtime.settings import Settings
from hallmark.subjects.finding import SubjectPart, complete_subjects, read_message, record_part
from hallmark.subjects.tokens import KEY_MESSAGE


class RecordingSettings(Settings):
    """What the function is told by its deployment."""

    subject_bucket_name: str
    subject_key_id: str
    event_bus_name: str


@cache
def settings() -> RecordingSettings:
    """Read the settings once per execution environment."""
    return RecordingSettings.from_environment()


@cache
def files() -> SubjectFiles:
    """Build the files once per execution environment."""
    return SubjectFiles(settings().subject_bucket_name, client("s3"))


@cache
def key() -> bytes:
    """Derive the key of tokens once per execution environment."""
    return MacKey(settings().subject_key_id, client("kms")).sign(KEY_MESSAGE)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Record a part, or say that all parts are there."""
    message = read_message(event)
    if isinstance(message, SubjectPart):
        tokens = record_part(message, files(), key())
        logger.info("part recorded", snapshot=message.snapshot, part=message.part, tokens=tokens)
        return {"snapshot": message.snapshot, "part": message.part, "tokens": tokens}
    told = complete_subjects(message, files(), datetime.now(UTC))
    BusPublisher(settings().event_bus_name, client("events")).publish(SUBJECTS_RECORDED, told)
    logger.info("subjects recorded", snapshot=told.snapshot, tokens=told.tokens)
    return {"snapshot": told.snapshot, "tokens": told.tokens, **told.lineage.attributes["subjects"]}
