"""Seals facts in the ledger: those of the lineage table's stream, and, on schedule, those that the stream missed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dynamodb import DynamoLineageTable, recorded_fact
from hallmark.aws.ledger_files import LeafIndex, S3LogFiles
from hallmark.aws.ledger_keys import KmsSigner
from hallmark.ledger.sealing import Ledger, Recorded
from hallmark.ledger.sequencing import Sequencer
from hallmark.lineage.model import RecordedFact, canonical_fact
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings

_SWEEP = timedelta(hours=26)
"""How far back a sweep looks: longer than a stream keeps its records (24 hours)."""


class SealingSettings(Settings):
    """What the function is told by its deployment."""

    ledger_bucket_name: str
    ledger_table_name: str
    ledger_origin: str
    ledger_key_ids: str
    """Of KMS, separated by commas: the ledger's own first."""
    lineage_table_name: str


@cache
def settings() -> SealingSettings:
    """Read the settings once per execution environment."""
    return SealingSettings.from_environment()


@cache
def ledger() -> Ledger:
    """Build the ledger once per execution environment."""
    files = S3LogFiles(settings().ledger_bucket_name, client("s3"))
    signers = [KmsSigner(key, settings().ledger_origin, client("kms")) for key in settings().ledger_key_ids.split(",")]
    sequencer = Sequencer(files, settings().ledger_origin, signers)
    return Ledger(files, sequencer, LeafIndex(settings().ledger_table_name, client("dynamodb")))


def facts_of(event: Mapping[str, Any], now: datetime) -> Iterable[RecordedFact]:
    """Return the facts to seal: those of the stream's records; those of the last day, or all, where a sweep is due."""
    if "Records" in event:
        return [recorded_fact(record["dynamodb"]["NewImage"]) for record in event["Records"]]
    since = None if event.get("full") else now - _SWEEP
    return DynamoLineageTable(settings().lineage_table_name, client("dynamodb")).since(since)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Seal a batch; a failure leaves all of it in the stream, and what was sealed before it is not sealed again."""
    now = datetime.now(UTC)
    recorded = (
        Recorded(fact.fact.id, fact.recorded_at, canonical_fact(fact.fact).body) for fact in facts_of(event, now)
    )
    sealed = ledger().seal(recorded, int(now.timestamp()))
    metrics.add_metric(name="EntriesSealed", unit=MetricUnit.Count, value=sealed.new)
    logger.info("sealed", new=sealed.new, size=sealed.size)
    return {"new": sealed.new, "size": sealed.size}
