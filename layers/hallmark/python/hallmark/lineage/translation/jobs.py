"""Processing, training, tuning, transform and labelling jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hallmark.events.resources import GenericJob, LabelingJob, ProcessingJob, TrainingJob, TransformJob, TuningJob
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.references import kind_of, resource_ref, sibling_ref
from hallmark.lineage.translation.draft import DataUse, FactDraft
from hallmark.lineage.translation.sections import (
    add_channels,
    add_code,
    add_image,
    add_output,
    add_parent,
    add_pipeline_parent,
    cluster,
    iso,
    metric_values,
    plain,
    s3_uri_of,
    seconds_between,
    without_secrets,
)


def training(draft: FactDraft, job: TrainingJob, _arn: str) -> None:
    """Add what a training job says."""
    began = job.training_start_time or job.creation_time
    algorithm = job.algorithm_specification or {}
    draft.note(
        secondary_status=job.secondary_status,
        started_at=iso(job.training_start_time),
        ended_at=iso(job.training_end_time),
        duration_seconds=job.training_time_in_seconds
        or seconds_between(job.training_start_time, job.training_end_time),
        billable_seconds=job.billable_time_in_seconds,
        hyperparameters=without_secrets(job.hyper_parameters),
        environment=without_secrets(job.environment),
        entrypoint=algorithm.get("ContainerEntrypoint"),
        arguments=algorithm.get("ContainerArguments"),
        metrics=metric_values(job.final_metric_data_list),
        resources=cluster(job.resource_config),
        stopping_condition=job.stopping_condition,
        experiment=job.experiment_config,
        spot=job.enable_managed_spot_training,
        mlflow=plain(job.mlflow_config),
    )
    add_image(draft, algorithm.get("TrainingImage"))
    if algorithm.get("AlgorithmName"):
        draft.note(algorithm=algorithm["AlgorithmName"])
    add_channels(draft, job.input_data_config, began)
    add_code(draft, tags=job.tags, environment=job.environment, hyperparameters=job.hyper_parameters, as_of=began)
    add_parent(draft, job.tuning_job_arn, NodeKind.TUNING_JOB, "tuning_job")
    add_parent(draft, job.auto_ml_job_arn, NodeKind.AUTOML_JOB, "automl_job")
    add_parent(draft, job.labeling_job_arn, NodeKind.LABELING_JOB, "labeling_job")
    add_pipeline_parent(draft, job.tags)
    add_output(draft, (job.model_artifacts or {}).get("S3ModelArtifacts"), "model", job.training_end_time)
    if job.checkpoint_config:
        add_output(draft, job.checkpoint_config.get("S3Uri"), "checkpoints", job.training_end_time)
    if job.output_model_package_arn:
        package = resource_ref(job.output_model_package_arn, NodeKind.MODEL_PACKAGE)
        draft.flows_out(package, EdgeType.PRODUCED, "generated-by")


def processing(draft: FactDraft, job: ProcessingJob, arn: str) -> None:
    """Add what a processing job says."""
    began = job.processing_start_time or job.creation_time
    application = job.app_specification or {}
    draft.note(
        started_at=iso(job.processing_start_time),
        ended_at=iso(job.processing_end_time),
        duration_seconds=seconds_between(job.processing_start_time, job.processing_end_time),
        environment=without_secrets(job.environment),
        entrypoint=application.get("ContainerEntrypoint"),
        arguments=application.get("ContainerArguments"),
        resources=cluster((job.processing_resources or {}).get("ClusterConfig")),
        stopping_condition=job.stopping_condition,
        experiment=job.experiment_config,
        exit_message=job.exit_message,
    )
    add_image(draft, application.get("ImageUri"))
    for item in job.processing_inputs or ():
        uri = (item.get("S3Input") or {}).get("S3Uri") or _query_output(item.get("DatasetDefinition"))
        if uri:
            role = str(item.get("InputName") or "input")
            draft.data.append(DataUse(uri=uri, role=role, produced=False, as_of=began, listed="inputs"))
    for item in (job.processing_output_config or {}).get("Outputs") or ():
        role = str(item.get("OutputName") or "output")
        add_output(draft, (item.get("S3Output") or {}).get("S3Uri"), role, job.processing_end_time)
        group = (item.get("FeatureStoreOutput") or {}).get("FeatureGroupName")
        if group and draft.ended:
            draft.flows_out(sibling_ref(arn, NodeKind.FEATURE_GROUP, group), EdgeType.PRODUCED, role)
    add_code(draft, tags=job.tags, environment=job.environment, as_of=began)
    add_parent(draft, job.auto_ml_job_arn, NodeKind.AUTOML_JOB, "automl_job")
    add_parent(draft, job.training_job_arn, NodeKind.TRAINING_JOB, "training_job")
    add_pipeline_parent(draft, job.tags)


def _query_output(definition: Mapping[str, Any] | None) -> str | None:
    for query in ("AthenaDatasetDefinition", "RedshiftDatasetDefinition"):
        found = (definition or {}).get(query) or {}
        if found.get("OutputS3Uri"):
            return str(found["OutputS3Uri"])
    return None


def tuning(draft: FactDraft, job: TuningJob, arn: str) -> None:
    """Add what a hyperparameter tuning job says; its children come as training jobs."""
    began = job.creation_time
    config = job.hyper_parameter_tuning_job_config or {}
    objective = config.get("HyperParameterTuningJobObjective") or {}
    best = job.best_training_job or {}
    score = best.get("FinalHyperParameterTuningJobObjectiveMetric") or {}
    draft.note(
        ended_at=iso(job.hyper_parameter_tuning_end_time),
        duration_seconds=seconds_between(job.creation_time, job.hyper_parameter_tuning_end_time),
        strategy=config.get("Strategy"),
        objective=_filled(metric=objective.get("MetricName"), type=objective.get("Type")),
        ranges=plain(config.get("ParameterRanges")),
        counters=plain(job.training_job_status_counters),
        best_training_job=_filled(
            name=best.get("TrainingJobName"),
            arn=best.get("TrainingJobArn"),
            metric=score.get("MetricName"),
            value=score.get("Value"),
            hyperparameters=without_secrets(best.get("TunedHyperParameters")),
        ),
    )
    definitions = [*([job.training_job_definition] if job.training_job_definition else [])]
    definitions += job.training_job_definitions or []
    for definition in definitions:
        static = definition.get("StaticHyperParameters") or {}
        draft.note(
            hyperparameters=without_secrets(static),
            environment=without_secrets(definition.get("Environment")),
            resources=cluster(definition.get("ResourceConfig")),
        )
        if definition.get("RoleArn"):
            draft.note(role_arn=definition["RoleArn"])
        add_image(draft, (definition.get("AlgorithmSpecification") or {}).get("TrainingImage"))
        add_channels(draft, definition.get("InputDataConfig"), began)
        add_code(draft, tags=job.tags, environment=definition.get("Environment"), hyperparameters=static, as_of=began)
    for parent in (job.warm_start_config or {}).get("ParentHyperParameterTuningJobs") or ():
        name = parent.get("HyperParameterTuningJobName")
        if name:
            draft.flows_in(sibling_ref(arn, NodeKind.TUNING_JOB, name), EdgeType.CONTRIBUTED_TO, "warm-start")
    add_pipeline_parent(draft, job.tags)


def _filled(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def transform(draft: FactDraft, job: TransformJob, arn: str) -> None:
    """Add what a batch transform job says."""
    began = job.transform_start_time or job.creation_time
    draft.note(
        started_at=iso(job.transform_start_time),
        ended_at=iso(job.transform_end_time),
        duration_seconds=seconds_between(job.transform_start_time, job.transform_end_time),
        environment=without_secrets(job.environment),
        resources=cluster(job.transform_resources),
        experiment=job.experiment_config,
    )
    if job.model_name:
        draft.flows_in(sibling_ref(arn, NodeKind.MODEL, job.model_name), EdgeType.CONTRIBUTED_TO, "model")
    uri = s3_uri_of((job.transform_input or {}).get("DataSource"))
    if uri:
        draft.data.append(DataUse(uri=uri, role="input", produced=False, as_of=began, listed="inputs"))
    add_output(draft, (job.transform_output or {}).get("S3OutputPath"), "output", job.transform_end_time)
    add_code(draft, tags=job.tags, environment=job.environment, as_of=began)
    add_parent(draft, job.auto_ml_job_arn, NodeKind.AUTOML_JOB, "automl_job")
    add_parent(draft, job.labeling_job_arn, NodeKind.LABELING_JOB, "labeling_job")
    add_pipeline_parent(draft, job.tags)


def generic(draft: FactDraft, job: GenericJob, _arn: str) -> None:
    """Add what a job of the CreateJob API says; what it reads and writes stands in its own configuration document."""
    draft.note(category=job.job_category, secondary_status=job.secondary_status, ended_at=iso(job.end_time))
    add_code(draft, tags=job.tags)
    add_pipeline_parent(draft, job.tags)
    for name in ("OutputModelPackageArn", "SourceModelPackageArn"):
        found = (job.model_extra or {}).get(name)
        if isinstance(found, str) and kind_of(found) is NodeKind.MODEL_PACKAGE:
            package = resource_ref(found, NodeKind.MODEL_PACKAGE)
            if name.startswith("Output"):
                draft.flows_out(package, EdgeType.PRODUCED, "generated-by")
            else:
                draft.flows_in(package, EdgeType.CONTRIBUTED_TO, "model")


def labeling(draft: FactDraft, job: LabelingJob, _arn: str) -> None:
    """Add what a labelling job says."""
    manifest = (((job.input_config or {}).get("DataSource") or {}).get("S3DataSource") or {}).get("ManifestS3Uri")
    if manifest:
        draft.data.append(DataUse(uri=manifest, role="input", produced=False, as_of=job.creation_time, listed="inputs"))
    add_output(draft, (job.labeling_job_output or {}).get("OutputDatasetS3Uri"), "labels", job.last_modified_time)
