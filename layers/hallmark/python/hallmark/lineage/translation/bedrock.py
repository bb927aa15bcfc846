"""Bedrock's model customization and batch inference jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hallmark.events.resources import BatchInferenceJob, CustomizationJob
from hallmark.lineage.model import EdgeType, NodeKind, NodeRef
from hallmark.lineage.references import kind_of, parse_arn, resource_ref
from hallmark.lineage.translation.draft import DataUse, FactDraft
from hallmark.lineage.translation.sections import add_output, iso, plain, seconds_between


def customization(draft: FactDraft, job: CustomizationJob, arn: str) -> None:
    """Add what a model customization job says."""
    draft.note(
        ended_at=iso(job.end_time),
        duration_seconds=seconds_between(job.creation_time, job.end_time),
        failure_reason=job.failure_message,
        base_model=job.base_model_arn,
        custom_model=job.output_model_arn or job.output_model_name,
        customization_type=job.customization_type,
        hyperparameters=job.hyper_parameters,
        metrics=_numbers(job.training_metrics),
    )
    if job.base_model_arn:
        draft.flows_in(_model_ref(arn, job.base_model_arn), EdgeType.CONTRIBUTED_TO, "model")
    for role, section in (("training", job.training_data_config), ("validation", job.validation_data_config)):
        for uri in _uris(section):
            draft.data.append(DataUse(uri=uri, role=role, produced=False, as_of=job.creation_time, listed="inputs"))
    add_output(draft, (job.output_data_config or {}).get("s3Uri"), "output", job.end_time)
    if job.output_model_arn and draft.status == "Completed":
        made = resource_ref(job.output_model_arn, NodeKind.CUSTOM_MODEL)
        draft.flows_out(made, EdgeType.PRODUCED, "model", valid_from=job.end_time or draft.at)


def batch_inference(draft: FactDraft, job: BatchInferenceJob, arn: str) -> None:
    """Add what a batch inference job says."""
    model = job.model_id or job.batch_model_id
    draft.note(
        ended_at=iso(job.end_time),
        duration_seconds=seconds_between(job.submit_time, job.end_time),
        failure_reason=job.failure_message or job.message,
        base_model=model,
    )
    if model:
        draft.flows_in(_model_ref(arn, model), EdgeType.CONTRIBUTED_TO, "model")
    source = ((job.input_data_config or {}).get("s3InputDataConfig") or {}).get("s3Uri")
    if source:
        draft.data.append(
            DataUse(
                uri=source, role="input", produced=False, as_of=job.submit_time or job.creation_time, listed="inputs"
            )
        )
    target = ((job.output_data_config or {}).get("s3OutputDataConfig") or {}).get("s3Uri")
    add_output(draft, target, "output", job.end_time)


def _uris(section: Mapping[str, Any] | None) -> list[str]:
    found = section or {}
    listed = [str(item["s3Uri"]) for item in found.get("validators") or () if item.get("s3Uri")]
    return [*([str(found["s3Uri"])] if found.get("s3Uri") else []), *listed]


def _model_ref(arn: str, model: str) -> NodeRef:
    """Return the node of a model that is given by ARN or, for a foundation model, by its id."""
    if parse_arn(model) is not None:
        return resource_ref(model, kind_of(model) or NodeKind.FOUNDATION_MODEL)
    parsed = parse_arn(arn)
    prefix = f"arn:{parsed.partition}:bedrock:{parsed.region}::" if parsed else "arn:aws:bedrock:::"
    return resource_ref(f"{prefix}foundation-model/{model}", NodeKind.FOUNDATION_MODEL)


def _numbers(metrics: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: plain(value) for name, value in (metrics or {}).items() if isinstance(value, int | float)}
