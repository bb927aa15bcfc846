"""Writes the graph in its compact form: the last snapshot and what was recorded since."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from hallmark.aws.clients import client
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings

if TYPE_CHECKING:
    from hallmark.aws.graph_snapshots import GraphSnapshots


class CompactionSettings(Settings):
    """What the function is told by its deployment."""

    lineage_table_name: str
    lineage_bucket_name: str


@cache
def table() -> DynamoLineageTable:
    """Build the table once per execution environment."""
    return DynamoLineageTable(CompactionSettings.from_environment().lineage_table_name, client("dynamodb"))


@cache
def snapshots() -> GraphSnapshots:
    """Build the snapshots once per execution environment; with them comes numpy, which a start need not wait for."""
    from hallmark.aws.graph_snapshots import GraphSnapshots  # noqa: PLC0415

    return GraphSnapshots(CompactionSettings.from_environment().lineage_bucket_name, client("s3"))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Write a new snapshot where there are new facts."""
    rows = snapshots().load()
    if snapshots().damage:
        logger.warning("the snapshot is written anew", damage=snapshots().damage)
    new = rows.add(table().since(rows.watermark))
    size = snapshots().save(rows) if new else 0
    metrics.add_metric(name="FactsCompacted", unit=MetricUnit.Count, value=new)
    metrics.add_metric(name="CompactionsOvertaken", unit=MetricUnit.Count, value=int(size is None))
    logger.info("graph compacted", new=new, nodes=len(rows), bytes=size or 0, overtaken=size is None)
    return {"new": new, "nodes": len(rows), "bytes": size or 0, "overtaken": size is None}
