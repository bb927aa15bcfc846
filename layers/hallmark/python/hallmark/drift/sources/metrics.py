"""CloudWatch's metrics: what is asked of GetMetricData, and its answer as records, one a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hallmark.drift.settings import CloudWatchMetrics, MetricQuery
from hallmark.drift.sources.records import AT, ID, Reading


def metric_queries(source: CloudWatchMetrics, subject: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return ``MetricDataQueries`` (CloudWatch API reference, GetMetricData).

    Args:
        source: Of the monitor.
        subject: The dimension that names the subject.
    """
    dimensions = [{"Name": name, "Value": value} for name, value in {**subject, **source.dimensions}.items()]
    queries = []
    for place, query in enumerate(source.queries.values()):
        queries.append(_query(f"q{place}", source, dimensions, query.metric, query.statistic))
        if query.per is not None:
            queries.append(_query(f"d{place}", source, dimensions, query.per, "Sum"))
    return queries


def _query(
    name: str, source: CloudWatchMetrics, dimensions: list[dict[str, str]], metric: str, statistic: str
) -> dict[str, Any]:
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {"Namespace": source.namespace, "MetricName": metric, "Dimensions": dimensions},
            "Period": int(source.period.total_seconds()),
            "Stat": statistic,
        },
        "ReturnData": True,
    }


def read_metrics(source: CloudWatchMetrics, results: Sequence[Mapping[str, Any]]) -> Reading:
    """Read the answer's ``MetricDataResults`` (of all its pages).

    Returns:
        Records with ``at`` and the queries that have a point then. A ratio has none where its divisor is 0; where only
        its numerator is missing it is 0, as no error is no point.
    """
    series: dict[str, dict[datetime, float]] = {}
    for result in results:
        points = series.setdefault(str(result["Id"]), {})
        points |= {_aware(at): float(value) for at, value in zip(result["Timestamps"], result["Values"], strict=True)}
    found: dict[datetime, dict[str, float]] = {}
    for place, (name, query) in enumerate(source.queries.items()):
        for at, value in _points(query, series.get(f"q{place}", {}), series.get(f"d{place}", {})).items():
            found.setdefault(at, {})[name] = value
    return Reading([{AT: at, ID: at.isoformat(), **values} for at, values in sorted(found.items())])


def _points(
    query: MetricQuery, values: Mapping[datetime, float], divisors: Mapping[datetime, float]
) -> Mapping[datetime, float]:
    if query.per is None:
        return values
    return {at: values.get(at, 0.0) / divisor for at, divisor in divisors.items() if divisor > 0}


def _aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
