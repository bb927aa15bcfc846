"""What SageMaker's and Bedrock's events say of a resource, and what Describe answers for it: one tolerant model a kind.

An event's detail resembles the Describe answer of its resource (the fields have the same names), so one model reads
both. Fields that no rule reads stay in ``model_extra``; sections are copies of the resource's own, from which the rules
take what they read, so that what nobody read is left over. Nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel, to_pascal

from hallmark.errors import InvalidInputError
from hallmark.events.spelling import Status, spell_all
from hallmark.events.tags import Tags
from hallmark.events.times import AwsTime

Section = dict[str, Any]

MAXIMUM_DEPTH = 32
"""SageMaker's deepest Describe answer has 10 levels (botocore's service model)."""


class Resource(BaseModel):
    """Base: field names are AWS's in snake case; everything may be missing."""

    model_config = ConfigDict(
        frozen=True, extra="allow", alias_generator=to_pascal, populate_by_name=True, defer_build=True
    )
    operation: ClassVar[str] = ""
    """The operation whose answer this resembles, in botocore's service model."""

    creation_time: AwsTime = None
    last_modified_time: AwsTime = None
    failure_reason: str | None = None
    role_arn: str | None = None
    tags: Tags = None
    created_by: Section | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _null_section_is_missing(cls, value: object) -> object:
        return None if value == {} else value


class _Job(Resource):
    hyper_parameters: dict[str, str] | None = None
    environment: dict[str, str] | None = None
    stopping_condition: Section | None = None
    experiment_config: Section | None = None
    vpc_config: Section | None = None

    @field_validator("hyper_parameters", "environment", mode="before")
    @classmethod
    def _values_are_text(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return {str(key): item if isinstance(item, str) else str(item) for key, item in value.items()} or None
        return value


class TrainingJob(_Job):
    """A training job."""

    operation = "DescribeTrainingJob"

    training_job_name: str | None = None
    training_job_arn: str | None = None
    training_job_status: Status = None
    secondary_status: Status = None
    algorithm_specification: Section | None = None
    input_data_config: list[Section] | None = None
    output_data_config: Section | None = None
    checkpoint_config: Section | None = None
    resource_config: Section | None = None
    model_artifacts: Section | None = None
    training_start_time: AwsTime = None
    training_end_time: AwsTime = None
    secondary_status_transitions: list[Section] | None = None
    final_metric_data_list: list[Section] | None = None
    training_time_in_seconds: float | None = None
    billable_time_in_seconds: float | None = None
    tuning_job_arn: str | None = None
    auto_ml_job_arn: str | None = Field(default=None, alias="AutoMLJobArn")
    labeling_job_arn: str | None = None
    enable_managed_spot_training: bool | None = None
    output_model_package_arn: str | None = None
    mlflow_config: Section | None = None


class ProcessingJob(_Job):
    """A processing job."""

    operation = "DescribeProcessingJob"

    processing_job_name: str | None = None
    processing_job_arn: str | None = None
    processing_job_status: Status = None
    processing_inputs: list[Section] | None = None
    processing_output_config: Section | None = None
    processing_resources: Section | None = None
    app_specification: Section | None = None
    network_config: Section | None = None
    exit_message: str | None = None
    processing_start_time: AwsTime = None
    processing_end_time: AwsTime = None
    auto_ml_job_arn: str | None = Field(default=None, alias="AutoMLJobArn")
    training_job_arn: str | None = None

    @field_validator("processing_inputs", "processing_output_config", mode="before")
    @classmethod
    def _spell(cls, value: object) -> object:
        return spell_all(value)


class TuningJob(Resource):
    """A hyperparameter tuning job."""

    operation = "DescribeHyperParameterTuningJob"

    hyper_parameter_tuning_job_name: str | None = None
    hyper_parameter_tuning_job_arn: str | None = None
    hyper_parameter_tuning_job_status: Status = None
    hyper_parameter_tuning_job_config: Section | None = None
    hyper_parameter_tuning_end_time: AwsTime = None
    training_job_definition: Section | None = None
    training_job_definitions: list[Section] | None = None
    training_job_status_counters: Section | None = None
    objective_status_counters: Section | None = None
    best_training_job: Section | None = None
    warm_start_config: Section | None = None
    consumed_resources: Section | None = None


class TransformJob(_Job):
    """A batch transform job."""

    operation = "DescribeTransformJob"

    transform_job_name: str | None = None
    transform_job_arn: str | None = None
    transform_job_status: Status = None
    model_name: str | None = None
    transform_input: Section | None = None
    transform_output: Section | None = None
    transform_resources: Section | None = None
    transform_start_time: AwsTime = None
    transform_end_time: AwsTime = None
    labeling_job_arn: str | None = None
    auto_ml_job_arn: str | None = Field(default=None, alias="AutoMLJobArn")


class GenericJob(Resource):
    """A job of the CreateJob API (agent tuning, agent evaluation)."""

    operation = "DescribeJob"

    job_name: str | None = None
    job_arn: str | None = None
    job_category: str | None = None
    job_status: Status = None
    secondary_status: Status = None
    secondary_status_transitions: list[Section] | None = None
    end_time: AwsTime = None


class LabelingJob(Resource):
    """A labelling job; the event carries nothing but the status."""

    operation = "DescribeLabelingJob"

    labeling_job_name: str | None = None
    labeling_job_arn: str | None = None
    labeling_job_status: Status = None
    input_config: Section | None = None
    output_config: Section | None = None
    labeling_job_output: Section | None = None


class Model(Resource):
    """A model; a deletion is told by ``ModelStatus``, where it is told."""

    operation = "DescribeModel"

    model_name: str | None = None
    model_arn: str | None = None
    model_status: Status = None
    primary_container: Section | None = None
    containers: list[Section] | None = None
    execution_role_arn: str | None = None
    vpc_config: Section | None = None


class ModelPackage(Resource):
    """A model package."""

    operation = "DescribeModelPackage"

    model_package_name: str | None = None
    model_package_group_name: str | None = None
    model_package_version: int | None = None
    model_package_arn: str | None = None
    model_package_description: str | None = None
    model_package_status: Status = None
    model_approval_status: Status = None
    approval_description: str | None = None
    inference_specification: Section | None = None
    source_algorithm_specification: Section | None = None
    metadata_properties: Section | None = None
    model_metrics: Section | None = None
    drift_check_baselines: Section | None = None
    model_life_cycle: Section | None = None
    updated_model_package_fields: list[str] | None = None
    customer_metadata_properties: dict[str, str] | None = None
    source_uri: str | None = None
    last_modified_by: Section | None = None
    previous_model_approval_status: str | None = Field(default=None, alias="previousModelApprovalStatus")


class ModelPackageGroup(Resource):
    """A model package group."""

    operation = "DescribeModelPackageGroup"

    model_package_group_name: str | None = None
    model_package_group_arn: str | None = None
    model_package_group_status: Status = None
    model_package_group_description: str | None = None


class ModelCard(Resource):
    """A model card; the event has no ARN in its detail."""

    operation = "DescribeModelCard"

    model_card_name: str | None = None
    model_card_arn: str | None = None
    model_card_version: int | None = None
    model_card_status: Status = None
    model_id: str | None = None
    last_modified_by: Section | None = None
    security_config: Section | None = None
    content: str | None = None


class EndpointConfig(Resource):
    """An endpoint configuration."""

    operation = "DescribeEndpointConfig"

    endpoint_config_name: str | None = None
    endpoint_config_arn: str | None = None
    endpoint_config_status: Status = None
    production_variants: list[Section] | None = None
    shadow_production_variants: list[Section] | None = None
    data_capture_config: Section | None = None


class Endpoint(Resource):
    """An endpoint, also within its deployment events."""

    operation = "DescribeEndpoint"

    endpoint_name: str | None = None
    endpoint_arn: str | None = None
    endpoint_config_name: str | None = None
    endpoint_status: Status = None
    production_variants: list[Section] | None = None
    pending_deployment_summary: Section | None = None
    last_deployment_config: Section | None = None


class FeatureGroup(Resource):
    """A feature group."""

    operation = "DescribeFeatureGroup"

    feature_group_name: str | None = None
    feature_group_arn: str | None = None
    feature_group_status: Status = None
    record_identifier_feature_name: str | None = None
    event_time_feature_name: str | None = None
    feature_definitions: list[Section] | None = None
    online_store_config: Section | None = None
    offline_store_config: Section | None = None
    offline_store_status: Section | None = None
    description: str | None = None


class _CamelCase(Resource):
    model_config = ConfigDict(alias_generator=to_camel, defer_build=True)


class PipelineExecution(_CamelCase):
    """A pipeline execution's event; Describe answers the same in Pascal case (see ``from_description``)."""

    operation = "DescribePipelineExecution"

    pipeline_arn: str | None = None
    pipeline_execution_arn: str | None = None
    pipeline_execution_display_name: str | None = None
    pipeline_execution_description: str | None = None
    current_pipeline_execution_status: Status = None
    execution_start_time: AwsTime = None
    execution_end_time: AwsTime = None
    pipeline_experiment_config: Section | None = None


class PipelineStep(_CamelCase):
    """A step's event."""

    operation = "ListPipelineExecutionSteps"

    pipeline_arn: str | None = None
    pipeline_execution_arn: str | None = None
    step_name: str | None = None
    step_type: str | None = None
    current_step_status: Status = None
    step_start_time: AwsTime = None
    step_end_time: AwsTime = None
    cache_hit_result: Section | None = None
    metadata: Section | None = None


class CustomizationJob(_CamelCase):
    """A Bedrock model customization job."""

    operation = "GetModelCustomizationJob"

    job_name: str | None = None
    job_arn: str | None = None
    job_status: Status = Field(default=None, alias="jobStatus")
    status: Status = None
    failure_message: str | None = None
    output_model_name: str | None = None
    output_model_arn: str | None = None
    base_model_arn: str | None = None
    hyper_parameters: dict[str, str] | None = None
    training_data_config: Section | None = None
    validation_data_config: Section | None = None
    output_data_config: Section | None = None
    training_metrics: Section | None = None
    validation_metrics: list[Section] | None = None
    customization_type: str | None = None
    end_time: AwsTime = None


class BatchInferenceJob(_CamelCase):
    """A Bedrock batch inference job: the event's names (``batchJobArn``) and the API's (``jobArn``)."""

    operation = "GetModelInvocationJob"

    batch_job_name: str | None = None
    batch_job_arn: str | None = None
    batch_model_id: str | None = None
    job_name: str | None = None
    job_arn: str | None = None
    model_id: str | None = None
    status: Status = None
    failure_message: str | None = None
    message: str | None = None
    submit_time: AwsTime = None
    end_time: AwsTime = None
    input_data_config: Section | None = None
    output_data_config: Section | None = None


class Evaluation(_CamelCase):
    """A run of one of Hallmark's suites, as ``EvaluationCompleted`` tells of it."""

    execution: str | None = None
    run: str | None = None
    suite: str | None = None
    status: Status = None
    trigger: str | None = None
    source: str | None = None
    started_at: AwsTime = None
    completed_at: AwsTime = None
    champion: str | None = None
    primary: str | None = None
    models: list[Section] | None = None
    datasets: list[Section] | None = None
    coverage: float | None = None
    cost_usd: float | None = None
    stopped: str | None = None
    report: str | None = None
    owners: list[str] | None = None
    changed_judges: list[str] | None = None


MODELS: Mapping[str, type[Resource]] = {
    "training-job": TrainingJob,
    "processing-job": ProcessingJob,
    "hyper-parameter-tuning-job": TuningJob,
    "transform-job": TransformJob,
    "job": GenericJob,
    "labeling-job": LabelingJob,
    "model": Model,
    "model-package": ModelPackage,
    "model-package-group": ModelPackageGroup,
    "model-card": ModelCard,
    "endpoint-config": EndpointConfig,
    "endpoint": Endpoint,
    "feature-group": FeatureGroup,
    "pipeline-execution": PipelineExecution,
    "pipeline-step": PipelineStep,
    "model-customization-job": CustomizationJob,
    "model-invocation-job": BatchInferenceJob,
    "evaluation": Evaluation,
}


def read_resource(resource: str, values: Mapping[str, Any]) -> Resource:
    """Read an event's detail or a Describe answer.

    A field whose value no rule can read does not refuse the rest: it is kept in ``model_extra`` under ``Unreadable``.

    Raises:
        InvalidInputError: It is nested deeper than anything that AWS sends.
    """
    model = MODELS[resource]
    own = {name: _copy(value, MAXIMUM_DEPTH) for name, value in values.items()}
    try:
        return model.model_validate(own)
    except ValidationError as error:
        faulty = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}
        readable = {name: value for name, value in own.items() if name not in faulty}
        return model.model_validate({**readable, "Unreadable": {name: own.get(name) for name in sorted(faulty)}})


def _copy(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, str):
        return value
    if depth == 0:
        raise InvalidInputError("detail", value, f"send a detail that is nested {MAXIMUM_DEPTH} levels deep at most")
    if isinstance(value, dict):
        return {name: _copy(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_copy(item, depth - 1) for item in value]
    return value
