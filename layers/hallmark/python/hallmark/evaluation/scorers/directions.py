"""Which way is better, and between which bounds, of every metric that can stand in a report: one table.

Ours say it themselves; this table has those that others measure. Bedrock writes names with or without the prefix
``Builtin.``; robustness and toxicity of automatic evaluations, and harmfulness, stereotyping and refusal of judges, are
better where they are less (Amazon Bedrock user guide, model-evaluation-metrics and
model-evaluation-report-programmatic).
"""

from __future__ import annotations

import re

from hallmark.errors import InvalidInputError
from hallmark.evaluation.metrics import Direction, Metric, MetricKind

_PREFIX = re.compile(r"^builtin[.:_-]", re.IGNORECASE)

_HIGHER = (
    "Accuracy",
    "CitationCoverage",
    "CitationPrecision",
    "Coherence",
    "Completeness",
    "ContextCoverage",
    "ContextRelevance",
    "Correctness",
    "Faithfulness",
    "FollowingInstructions",
    "Helpfulness",
    "LogicalCoherence",
    "ProfessionalStyleAndTone",
    "Relevance",
)
_LOWER = ("Harmfulness", "Refusal", "Robustness", "Stereotyping", "Toxicity")
_UNBOUNDED = frozenset({"Robustness"})
"""A change in percent, or a word error rate: it may pass 1."""


def _title(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def _metric(name: str, direction: Direction) -> Metric:
    is_open = name in _UNBOUNDED
    return Metric(
        name=f"Builtin.{name}",
        title=_title(name),
        direction=direction,
        kind=MetricKind.UNBOUNDED if is_open else MetricKind.BOUNDED,
        low=0.0,
        high=None if is_open else 1.0,
    )


BEDROCK_METRICS = {
    name.casefold(): _metric(name, direction)
    for direction, names in ((Direction.HIGHER, _HIGHER), (Direction.LOWER, _LOWER))
    for name in names
}
"""Bedrock's built-in metrics by name, in lower case and without their prefix."""


def bedrock_metric(name: str) -> Metric | None:
    """Return one of Bedrock's built-in metrics, by its name with or without ``Builtin.``; None for a custom one."""
    return BEDROCK_METRICS.get(_PREFIX.sub("", name.strip()).casefold())


def find_bedrock_metric(name: str, field: str) -> Metric:
    """Return one of Bedrock's built-in metrics, named as a suite names it.

    Args:
        name: With ``Builtin.``.
        field: Where the name stands, for errors.

    Raises:
        InvalidInputError: There is no such metric.
    """
    metric = bedrock_metric(name)
    if metric is None or metric.name != name:
        there = ", ".join(sorted(each.name for each in BEDROCK_METRICS.values()))
        raise InvalidInputError(field, name, f"Bedrock's metrics are {there}")
    return metric


def normalised_name(name: str) -> str:
    """Return the name of a metric as reports write it: Bedrock's with ``Builtin.``, any other as it is."""
    metric = bedrock_metric(name)
    return metric.name if metric else name.strip()
