"""Processing, training, tuning, transform and labelling jobs."""

from __future__ import annotations

from hallmark.events.resources import (
    GenericJob,
    LabelingJob,
    ProcessingJob,
    Section,
    TrainingJob,
    TransformJob,
    TuningJob,
)
from hallmark.lineage.credentials import without_secret_arguments, without_secrets
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.references import kind_of, resource_ref, sibling_ref
from hallmark.lineage.translation.draft import FactDraft
from hallmark.lineage.translation.reading import each, take, take_all, take_number, take_text, within
from hallmark.lineage.translation.sections import (
    add_channels,
    add_code,
    add_image,
    add_input,
    add_output,
    add_parent,
    add_pipeline_parent,
    as_texts,
    cluster,
    iso,
    metric_values,
    plain,
    seconds_between,
    take_source,
)


def training(draft: FactDraft, job: TrainingJob, _arn: str) -> None:
    """Add what a training job says."""
    began = job.training_start_time or job.creation_time
    algorithm = job.algorithm_specification
    experiment = take_all(job.experiment_config)
    draft.note(
        secondary_status=job.secondary_status,
        started_at=iso(job.training_start_time),
        ended_at=iso(job.training_end_time),
        duration_seconds=job.training_time_in_seconds
        or seconds_between(job.training_start_time, job.training_end_time),
        billable_seconds=job.billable_time_in_seconds,
        hyperparameters=without_secrets(job.hyper_parameters),
        environment=without_secrets(job.environment),
        entrypoint=_command(algorithm, "ContainerEntrypoint"),
        arguments=_command(algorithm, "ContainerArguments"),
        metrics=metric_values(job.final_metric_data_list),
        resources=cluster(job.resource_config),
        stopping_condition=plain(take_all(job.stopping_condition)),
        experiment=plain(experiment),
        spot=job.enable_managed_spot_training,
        mlflow=plain(take_all(job.mlflow_config)),
        algorithm=take_text(algorithm, "AlgorithmName"),
    )
    add_image(draft, take_text(algorithm, "TrainingImage"))
    add_channels(draft, job.input_data_config, began)
    add_code(draft, tags=job.tags, environment=job.environment, hyperparameters=job.hyper_parameters, as_of=began)
    add_parent(draft, job.tuning_job_arn, NodeKind.TUNING_JOB, "tuning_job")
    add_parent(draft, job.auto_ml_job_arn, NodeKind.AUTOML_JOB, "automl_job")
    add_parent(draft, job.labeling_job_arn, NodeKind.LABELING_JOB, "labeling_job")
    add_pipeline_parent(draft, job.tags, experiment)
    if draft.ended:
        add_output(draft, take_text(job.model_artifacts, "S3ModelArtifacts"), "model", job.training_end_time)
        add_output(draft, take_text(job.checkpoint_config, "S3Uri"), "checkpoints", job.training_end_time)
    if job.output_model_package_arn:
        package = resource_ref(job.output_model_package_arn, NodeKind.MODEL_PACKAGE)
        draft.flows_out(package, EdgeType.PRODUCED, "generated-by")


def _command(section: Section | None, name: str) -> list[object] | None:
    words = take(section, name)
    return without_secret_arguments(words) if isinstance(words, list) else None


def processing(draft: FactDraft, job: ProcessingJob, arn: str) -> None:
    """Add what a processing job says."""
    began = job.processing_start_time or job.creation_time
    application = job.app_specification
    experiment = take_all(job.experiment_config)
    draft.note(
        started_at=iso(job.processing_start_time),
        ended_at=iso(job.processing_end_time),
        duration_seconds=seconds_between(job.processing_start_time, job.processing_end_time),
        environment=without_secrets(job.environment),
        entrypoint=_command(application, "ContainerEntrypoint"),
        arguments=_command(application, "ContainerArguments"),
        resources=cluster(within(job.processing_resources, "ClusterConfig")),
        stopping_condition=plain(take_all(job.stopping_condition)),
        experiment=plain(experiment),
        exit_message=job.exit_message,
    )
    add_image(draft, take_text(application, "ImageUri"))
    for item in job.processing_inputs or ():
        uri = take_text(item, "S3Input", "S3Uri") or _query_output(within(item, "DatasetDefinition"))
        if uri:
            add_input(draft, uri, take_text(item, "InputName") or "input", began)
    for item in each(job.processing_output_config, "Outputs") if draft.ended else ():
        role = take_text(item, "OutputName") or "output"
        add_output(draft, take_text(item, "S3Output", "S3Uri"), role, job.processing_end_time)
        group = take_text(item, "FeatureStoreOutput", "FeatureGroupName")
        if group:
            draft.flows_out(sibling_ref(arn, NodeKind.FEATURE_GROUP, group), EdgeType.PRODUCED, role)
    add_code(draft, tags=job.tags, environment=job.environment, as_of=began)
    add_parent(draft, job.auto_ml_job_arn, NodeKind.AUTOML_JOB, "automl_job")
    add_parent(draft, job.training_job_arn, NodeKind.TRAINING_JOB, "training_job")
    add_pipeline_parent(draft, job.tags, experiment)


def _query_output(definition: Section) -> str | None:
    queries = ("AthenaDatasetDefinition", "RedshiftDatasetDefinition")
    return next((uri for query in queries if (uri := take_text(definition, query, "OutputS3Uri"))), None)


def tuning(draft: FactDraft, job: TuningJob, arn: str) -> None:
    """Add what a hyperparameter tuning job says; its children come as training jobs."""
    began = job.creation_time
    config = job.hyper_parameter_tuning_job_config
    objective = within(config, "HyperParameterTuningJobObjective")
    best = job.best_training_job
    score = within(best, "FinalHyperParameterTuningJobObjectiveMetric")
    draft.note(
        ended_at=iso(job.hyper_parameter_tuning_end_time),
        duration_seconds=seconds_between(job.creation_time, job.hyper_parameter_tuning_end_time),
        strategy=take_text(config, "Strategy"),
        objective=_filled(metric=take_text(objective, "MetricName"), type=take_text(objective, "Type")),
        ranges=plain(take(config, "ParameterRanges")),
        counters=plain(take_all(job.training_job_status_counters)),
        best_training_job=_filled(
            name=take_text(best, "TrainingJobName"),
            arn=take_text(best, "TrainingJobArn"),
            metric=take_text(score, "MetricName"),
            value=take_number(score, "Value"),
            hyperparameters=without_secrets(as_texts(take(best, "TunedHyperParameters"))),
        ),
    )
    definitions = [*([job.training_job_definition] if job.training_job_definition else [])]
    definitions += job.training_job_definitions or []
    for definition in definitions:
        static = as_texts(take(definition, "StaticHyperParameters"))
        variables = as_texts(take(definition, "Environment"))
        draft.note(
            hyperparameters=without_secrets(static),
            environment=without_secrets(variables),
            resources=cluster(within(definition, "ResourceConfig")),
            role_arn=take_text(definition, "RoleArn"),
        )
        add_image(draft, take_text(definition, "AlgorithmSpecification", "TrainingImage"))
        add_channels(draft, each(definition, "InputDataConfig"), began)
        add_code(draft, tags=job.tags, environment=variables, hyperparameters=static, as_of=began)
    for parent in each(job.warm_start_config, "ParentHyperParameterTuningJobs"):
        name = take_text(parent, "HyperParameterTuningJobName")
        if name:
            draft.flows_in(sibling_ref(arn, NodeKind.TUNING_JOB, name), EdgeType.CONTRIBUTED_TO, "warm-start")
    add_pipeline_parent(draft, job.tags)


def _filled(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def transform(draft: FactDraft, job: TransformJob, arn: str) -> None:
    """Add what a batch transform job says."""
    began = job.transform_start_time or job.creation_time
    experiment = take_all(job.experiment_config)
    draft.note(
        started_at=iso(job.transform_start_time),
        ended_at=iso(job.transform_end_time),
        duration_seconds=seconds_between(job.transform_start_time, job.transform_end_time),
        environment=without_secrets(job.environment),
        resources=cluster(job.transform_resources),
        experiment=plain(experiment),
    )
    if job.model_name:
        draft.flows_in(sibling_ref(arn, NodeKind.MODEL, job.model_name), EdgeType.CONTRIBUTED_TO, "model")
    source = take_source(within(job.transform_input, "DataSource"))
    add_input(draft, source, "input", began, take_text(job.transform_input, "ContentType"))
    if draft.ended:
        add_output(draft, take_text(job.transform_output, "S3OutputPath"), "output", job.transform_end_time)
    add_code(draft, tags=job.tags, environment=job.environment, as_of=began)
    add_parent(draft, job.auto_ml_job_arn, NodeKind.AUTOML_JOB, "automl_job")
    add_parent(draft, job.labeling_job_arn, NodeKind.LABELING_JOB, "labeling_job")
    add_pipeline_parent(draft, job.tags, experiment)


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
    manifest = take_text(job.input_config, "DataSource", "S3DataSource", "ManifestS3Uri")
    add_input(draft, manifest, "input", job.creation_time)
    if draft.ended:
        labels = take_text(job.labeling_job_output, "OutputDatasetS3Uri")
        add_output(draft, labels, "labels", job.last_modified_time)
