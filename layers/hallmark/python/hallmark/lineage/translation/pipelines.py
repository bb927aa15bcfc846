"""Pipeline executions and their steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hallmark.events.resources import PipelineExecution, PipelineStep
from hallmark.lineage.model import EdgeType, NodeKind, NodeRef
from hallmark.lineage.references import kind_of, resource_ref
from hallmark.lineage.translation.draft import FactDraft
from hallmark.lineage.translation.sections import iso, plain, seconds_between


def execution(draft: FactDraft, found: PipelineExecution, _arn: str) -> None:
    """Add what a pipeline execution says."""
    draft.note(
        display_name=found.pipeline_execution_display_name,
        description=found.pipeline_execution_description,
        pipeline=found.pipeline_arn,
        started_at=iso(found.execution_start_time),
        ended_at=iso(found.execution_end_time),
        duration_seconds=seconds_between(found.execution_start_time, found.execution_end_time),
        experiment=plain(found.pipeline_experiment_config),
    )
    if found.pipeline_arn:
        draft.flows_in(resource_ref(found.pipeline_arn, NodeKind.PIPELINE), EdgeType.ASSOCIATED_WITH, "pipeline")


def step(draft: FactDraft, found: PipelineStep, _arn: str) -> None:
    """Add what a step says: to the execution that it belongs to, and an edge to what it started."""
    name = found.step_name or "step"
    started = sorted(resources_of(found.metadata or {}), key=lambda ref: ref.id)
    described = {
        "status": found.current_step_status,
        "type": found.step_type,
        "started_at": iso(found.step_start_time),
        "ended_at": iso(found.step_end_time),
        "cache_hit": (found.cache_hit_result or {}).get("sourcePipelineExecutionArn"),
        "failure_reason": found.failure_reason,
        "arn": started[0].id if started else None,
    }
    draft.note(steps={name: {key: value for key, value in described.items() if value}})
    if found.pipeline_arn:
        draft.note(pipeline=found.pipeline_arn)
    for resource in started:
        draft.flows_out(resource, EdgeType.ASSOCIATED_WITH, name)


def resources_of(metadata: Mapping[str, Any]) -> Iterator[NodeRef]:
    """Yield what a step's metadata names: every ARN of a kind that the graph has, at any depth."""
    for value in metadata.values():
        if isinstance(value, Mapping):
            yield from resources_of(value)
        elif isinstance(value, str):
            kind = kind_of(value)
            if kind is not None and kind not in {NodeKind.PIPELINE, NodeKind.PIPELINE_EXECUTION}:
                yield resource_ref(value, kind)
