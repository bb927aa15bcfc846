"""Bedrock's model customization and batch inference jobs."""

from __future__ import annotations

from hallmark.events.resources import BatchInferenceJob, CustomizationJob, Section
from hallmark.lineage.credentials import without_secrets
from hallmark.lineage.model import EdgeType, NodeKind, NodeRef
from hallmark.lineage.references import kind_of, parse_arn, resource_ref
from hallmark.lineage.translation.draft import FactDraft
from hallmark.lineage.translation.reading import each, take_number, take_text
from hallmark.lineage.translation.sections import add_input, add_output, iso, seconds_between


def customization(draft: FactDraft, job: CustomizationJob, arn: str) -> None:
    """Add what a model customization job says."""
    draft.note(
        ended_at=iso(job.end_time),
        duration_seconds=seconds_between(job.creation_time, job.end_time),
        failure_reason=job.failure_message,
        base_model=job.base_model_arn,
        custom_model=job.output_model_arn or job.output_model_name,
        customization_type=job.customization_type,
        hyperparameters=without_secrets(job.hyper_parameters),
        metrics=_numbers(job.training_metrics),
    )
    if job.base_model_arn:
        draft.flows_in(model_ref(arn, job.base_model_arn), EdgeType.CONTRIBUTED_TO, "model")
    for role, section in (("training", job.training_data_config), ("validation", job.validation_data_config)):
        for uri in _uris(section):
            add_input(draft, uri, role, job.creation_time)
    add_output(draft, take_text(job.output_data_config, "s3Uri"), "output", job.end_time)
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
        draft.flows_in(model_ref(arn, model), EdgeType.CONTRIBUTED_TO, "model")
    source = take_text(job.input_data_config, "s3InputDataConfig", "s3Uri")
    add_input(draft, source, "input", job.submit_time or job.creation_time)
    target = take_text(job.output_data_config, "s3OutputDataConfig", "s3Uri")
    add_output(draft, target, "output", job.end_time)


def _uris(section: Section | None) -> list[str]:
    found = [take_text(section, "s3Uri"), *(take_text(item, "s3Uri") for item in each(section, "validators"))]
    return [uri for uri in found if uri]


def model_ref(arn: str, model: str) -> NodeRef:
    """Return the node of a model that is given by ARN or, for a foundation model, by its id."""
    if parse_arn(model) is not None:
        return resource_ref(model, kind_of(model) or NodeKind.FOUNDATION_MODEL)
    parsed = parse_arn(arn)
    prefix = f"arn:{parsed.partition}:bedrock:{parsed.region}::" if parsed else "arn:aws:bedrock:::"
    return resource_ref(f"{prefix}foundation-model/{model}", NodeKind.FOUNDATION_MODEL)


def _numbers(metrics: Section | None) -> dict[str, float]:
    return {name: value for name in list(metrics or ()) if (value := take_number(metrics, name)) is not None}
