"""The words in which documents for people say what lineage knows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hallmark.lineage.exports.material import Material
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import NodeSummary

_STARTING_OTHERS = frozenset({NodeKind.TUNING_JOB, NodeKind.AUTOML_JOB, NodeKind.PIPELINE_EXECUTION})
_WORDS = {NodeKind.TUNING_JOB: "tuning job", NodeKind.BATCH_INFERENCE_JOB: "batch inference job"}
_LONGEST_VALUE = 400


def word_of(kind: NodeKind) -> str:
    """Return what a kind is called in a sentence."""
    return _WORDS.get(kind, kind.value.replace("-", " "))


def status_of(node: NodeSummary) -> str:
    """Return the status of a node; nothing where it has none."""
    return "Deleted" if node.deleted else node.status or ""


def with_status(node: NodeSummary) -> str:
    """Return the label of a node with its status."""
    return f"{node.label} ({status_of(node)})" if status_of(node) else node.label


def listed(names: Iterable[str], most: int = 4) -> str:
    """Return the first of some names, and how many more there are."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def moment(time: datetime | None) -> str:
    """Return a time in UTC to the minute."""
    return f"{time:%Y-%m-%d %H:%M}" if time is not None else ""


def counted(value: Any) -> str:
    """Return a number of objects."""
    return f"{value:,}" if isinstance(value, int) else "not known"


_KIBI = 1024


def size_of(value: Any) -> str:
    """Return a number of bytes as people read it."""
    if not isinstance(value, int):
        return "not known"
    size, units = float(value), ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while size >= _KIBI and len(units) > 1:
        size, units = size / _KIBI, units[1:]
    return f"{value:,} bytes" if units[0] == "bytes" else f"{size:.1f} {units[0]}"


def plain(value: Any) -> str:
    """Return a JSON value as text; a long one is cut, and says so."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        text = ", ".join(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(text):,} characters)"


def uses_of(material: Material, node: NodeSummary) -> str:
    """Return what a node flowed into."""
    uses = [
        f"{material.by_key[edge.target].label}{f' as {edge.role}' if edge.role else ''}"
        for edge in material.out_of(node.key)
        if edge.target in material.by_key
    ]
    return listed(uses)


def source_of(material: Material, node: NodeSummary, kind: NodeKind, nothing: str) -> str:
    """Return the ids of the images or commits that ran; a run that only starts others has none of its own."""
    keys = {edge.source for edge in material.into(node.key)}
    found = listed(source.key for source in material.of_kind(kind) if source.key in keys)
    return found or ("" if node.kind in _STARTING_OTHERS else nothing)


def machines(attributes: Mapping[str, Any]) -> str:
    """Return the machines of a run."""
    resources = attributes.get("resources") or {}
    if not resources.get("instance_type"):
        return ""
    return f"{resources.get('instance_count', 1)} x {resources['instance_type']}"


def span(attributes: Mapping[str, Any]) -> str:
    """Return when a run ran."""
    times = [attributes.get(name) for name in ("started_at", "ended_at")]
    told = [datetime.fromisoformat(time) for time in times if isinstance(time, str)]
    if len(told) == len(times) and told[0].date() == told[-1].date():
        return f"{moment(told[0])} to {told[-1]:%H:%M}"
    return " to ".join(map(moment, told))


def share_answered(model: Mapping[str, Any]) -> str:
    """Return how many of the planned cases were answered."""
    answered, planned = model.get("answered"), model.get("planned")
    return f"{answered} of {planned}" if answered is not None and planned is not None else plain(answered)


def metrics_of(metrics: Any) -> str:
    """Return metrics with their intervals."""
    if not isinstance(metrics, Mapping):
        return plain(metrics)
    told = []
    for name, value in sorted(metrics.items()):
        estimate = value
        if isinstance(value, Mapping):
            estimate = next((value[word] for word in ("estimate", "value", "mean") if word in value), value)
        interval = f" [{interval_of(value)}]" if isinstance(value, Mapping) and interval_of(value) else ""
        told.append(f"{name} {plain(estimate)}{interval}")
    return ", ".join(told)


def interval_of(found: Mapping[str, Any]) -> str:
    """Return an interval; nothing where it is not known."""
    low, high = found.get("low"), found.get("high")
    return f"{plain(low)} … {plain(high)}" if low is not None and high is not None else ""
