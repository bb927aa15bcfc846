"""Pipeline executions and their steps."""

from __future__ import annotations

from collections.abc import Iterator

from hallmark.events.resources import PipelineExecution, PipelineStep, Section
from hallmark.lineage.model import EdgeType, NodeKind, NodeRef
from hallmark.lineage.references import kind_of, resource_ref
from hallmark.lineage.translation.draft import FactDraft
from hallmark.lineage.translation.reading import each, take_all, take_text
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
        experiment=plain(take_all(found.pipeline_experiment_config)),
    )
    if found.pipeline_arn and kind_of(found.pipeline_arn) is NodeKind.PIPELINE:
        draft.flows_in(resource_ref(found.pipeline_arn, NodeKind.PIPELINE), EdgeType.ASSOCIATED_WITH, "pipeline")


def step(draft: FactDraft, found: PipelineStep, _arn: str) -> None:
    """Add what a step says: to the execution that it belongs to, and an edge to what it started."""
    name = found.step_name or "step"
    started = sorted(set(take_resources(found.metadata or {})), key=lambda ref: ref.id)
    described = {
        "status": found.current_step_status,
        "type": found.step_type,
        "started_at": iso(found.step_start_time),
        "ended_at": iso(found.step_end_time),
        "cache_hit": take_text(found.cache_hit_result, "sourcePipelineExecutionArn"),
        "failure_reason": found.failure_reason,
        "arn": started[0].id if started else None,
    }
    draft.note(steps={name: {key: value for key, value in described.items() if value}})
    if found.pipeline_arn:
        draft.note(pipeline=found.pipeline_arn)
    for resource in started:
        draft.flows_out(resource, EdgeType.ASSOCIATED_WITH, name)


def take_resources(metadata: Section) -> Iterator[NodeRef]:
    """Yield what a step's metadata names: every ARN of a kind that the graph has, at any depth."""
    for name, value in list(metadata.items()):
        if isinstance(value, dict):
            yield from take_resources(value)
        elif isinstance(value, list):
            for item in each(value):
                yield from take_resources(item)
        elif isinstance(value, str):
            kind = kind_of(value)
            if kind is not None and kind not in {NodeKind.PIPELINE, NodeKind.PIPELINE_EXECUTION}:
                del metadata[name]
                yield resource_ref(value, kind)
