"""The events against AWS's published samples: the same keys, and values of the same JSON types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.sagemaker.settings import EventQuirks

SAMPLES = Path(__file__).parents[2] / "payloads" / "aws"
INSTANCE = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
VPC = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}

# What a sample lacks and the schema registry, AWS's fixtures or the guide's text name.
ALSO_DOCUMENTED = {
    "SageMaker Training Job State Change": {"TuningJobArn", "FailureReason"},
    "SageMaker HyperParameter Tuning Job State Change": {
        "FailureReason", "HyperParameterTuningEndTime", "TrainingJobDefinitions",
    },
    "SageMaker Processing Job State Change": {"ExitMessage"},
    "SageMaker Model Package State Change": {
        "ModelPackageDescription", "CustomerMetadataProperties", "SourceUri", "ApprovalDescription",
    },
    "SageMaker Endpoint State Change": {"FailureReason"},
    "SageMaker Endpoint Deployment State Change": {"FailureReason"},
    "SageMaker Feature Group State Change": {"OfflineStoreStatus", "FailureReason"},
    "SageMaker Job State Change": {"EndTime", "FailureReason"},
    "SageMaker Model Building Pipeline Execution Step Status Change": {"failureReason"},
}  # fmt: skip
# Present in the sample for the state that it shows, and absent in other states.
DEPENDS_ON_STATE = {
    "FailureReason", "TrainingStartTime", "TrainingEndTime", "ProcessingStartTime", "ProcessingEndTime",
    "TransformStartTime", "TransformEndTime", "executionEndTime", "stepEndTime", "previousStepStatus",
    "previousPipelineExecutionStatus", "UpdatedModelPackageFields",
}  # fmt: skip


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return found


def family(value: Any) -> str:
    """The JSON type; whole and broken numbers are one type in JSON, and told apart in the samples."""
    if isinstance(value, bool):
        return "boolean"
    return type(value).__name__


def run_training(cloud: Any) -> None:
    channel = {
        "ChannelName": "train",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": cloud.put("in/x.gz", b""),
                "S3DataDistributionType": "FullyReplicated",
            }
        },
        "ContentType": "text/csv",
        "CompressionType": "None",
        "RecordWrapperType": "None",
    }  # fmt: skip
    cloud.train(
        "job",
        "echo score=1",
        AlgorithmSpecification={"MetricDefinitions": [{"Name": "score", "Regex": "score=(.*)"}]},
        HyperParameters={"a": "1"},
        Environment={"B": "2"},
        InputDataConfig=[channel],
        OutputDataConfig={"S3OutputPath": "s3://data/out", "KmsKeyId": "key"},
        ResourceConfig={**INSTANCE, "VolumeKmsKeyId": "key"},
    )
    cloud.wait_for_training("job")


def run_tuning(cloud: Any) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": cloud.put("in/x", b""), "S3DataDistributionType": "FullyReplicated"}
    cloud.client.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="tune",
        HyperParameterTuningJobConfig={
            "Strategy": "Grid",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
            "ResourceLimits": {"MaxParallelTrainingJobs": 1},
            "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1"]}]},
        },
        TrainingJobDefinition={
            "StaticHyperParameters": {"a": "b"},
            "AlgorithmSpecification": {
                "TrainingImage": cloud.image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "score", "Regex": "(.*)"}],
            },
            "RoleArn": cloud.role,
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {"S3DataSource": source},
                    "ContentType": "text/csv",
                    "CompressionType": "None",
                    "RecordWrapperType": "None",
                }
            ],
            "VpcConfig": VPC,
            "OutputDataConfig": {"S3OutputPath": "s3://data/out", "KmsKeyId": "key"},
            "ResourceConfig": {**INSTANCE, "VolumeKmsKeyId": "key"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
    )
    cloud.wait(
        lambda: cloud.client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune"),
        "HyperParameterTuningJobStatus", "Completed", "Failed",
    )  # fmt: skip


def run_transform(cloud: Any) -> None:
    cloud.client.create_model(ModelName="m", PrimaryContainer={"Image": cloud.image}, ExecutionRoleArn=cloud.role)
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": cloud.put("in/x", b"")}}
    cloud.client.create_transform_job(
        TransformJobName="batch",
        ModelName="m",
        MaxConcurrentTransforms=5,
        MaxPayloadInMB=6,
        BatchStrategy="SingleRecord",
        Environment={"a": "b"},
        TransformInput={
            "DataSource": source,
            "ContentType": "text/csv",
            "CompressionType": "None",
            "SplitType": "Line",
        },
        TransformOutput={
            "S3OutputPath": "s3://data/o",
            "Accept": "text/csv",
            "AssembleWith": "Line",
            "KmsKeyId": "key",
        },
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    cloud.wait(lambda: cloud.client.describe_transform_job(TransformJobName="batch"), "TransformJobStatus", "Failed")


def run_processing(cloud: Any) -> None:
    place = {"LocalPath": "/opt/ml/processing/input", "S3DataType": "ManifestFile", "S3InputMode": "File"}
    cloud.put("pool/x", b"")
    manifest = cloud.put("manifest", '[{"prefix": "s3://data/pool/"}, "x"]')
    output = {"S3Uri": "s3://data/o", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    cloud.process(
        "job",
        "exit 1",
        ProcessingInputs=[
            {"InputName": "in", "S3Input": {**place, "S3Uri": manifest, "S3DataDistributionType": "FullyReplicated"}}
        ],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "o", "S3Output": output}], "KmsKeyId": "key"},
        ProcessingResources={"ClusterConfig": {**INSTANCE, "VolumeKmsKeyId": "key"}},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        NetworkConfig={
            "EnableInterContainerTrafficEncryption": True, "EnableNetworkIsolation": False, "VpcConfig": VPC,
        },
        Environment={"secret": "of-the-job"},
        ExperimentConfig={},
    )  # fmt: skip
    cloud.wait_for_processing("job")


def run_package(cloud: Any) -> None:
    cloud.client.create_model_package_group(ModelPackageGroupName="group")
    arn = cloud.client.create_model_package(
        ModelPackageGroupName="group",
        InferenceSpecification={
            "Containers": [{"Image": cloud.image, "ModelDataUrl": cloud.put("m", b"")}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        MetadataProperties={"GeneratedBy": "someone"},
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://data/e"}}},
        ModelLifeCycle={"Stage": "Development", "StageStatus": "InProgress", "StageDescription": "first"},
    )["ModelPackageArn"]
    cloud.wait(lambda: cloud.client.describe_model_package(ModelPackageName=arn), "ModelPackageStatus", "Completed")
    cloud.client.update_model_package(
        ModelPackageArn=arn, ModelLifeCycle={"Stage": "Development", "StageStatus": "Approved", "StageDescription": "x"}
    )


def run_endpoint(cloud: Any) -> None:
    data = cloud.put("m", b"")
    cloud.client.create_model(ModelName="m", PrimaryContainer={"Image": cloud.image, "ModelDataUrl": data})
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    for name in ("one", "two"):
        cloud.client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    cloud.client.create_endpoint(EndpointName="live", EndpointConfigName="one")
    cloud.wait(lambda: cloud.client.describe_endpoint(EndpointName="live"), "EndpointStatus", "InService")
    cloud.client.update_endpoint(EndpointName="live", EndpointConfigName="two")
    cloud.wait(lambda: cloud.client.describe_endpoint(EndpointName="live"), "EndpointConfigName", "two")
    cloud.wait(lambda: cloud.client.describe_endpoint(EndpointName="live"), "EndpointStatus", "InService")


def run_feature_group(cloud: Any) -> None:
    cloud.client.create_feature_group(
        FeatureGroupName="group",
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=[
            {"FeatureName": "id", "FeatureType": "Integral"}, {"FeatureName": "at", "FeatureType": "Fractional"},
        ],
        OnlineStoreConfig={"EnableOnlineStore": True},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": "s3://data/offline"}},
        RoleArn=cloud.role,
    )  # fmt: skip
    cloud.wait(lambda: cloud.client.describe_feature_group(FeatureGroupName="group"), "FeatureGroupStatus", "Created")


def run_card(cloud: Any) -> None:
    content = json.dumps({"model_overview": {"model_id": "example-model"}})
    cloud.client.create_model_card(ModelCardName="card", Content=content, ModelCardStatus="Draft")


def run_job(cloud: Any) -> None:
    cloud.client.create_job(
        JobName="agent", JobCategory="AgentRFT", RoleArn=cloud.role, JobConfigSchemaVersion="1.0.0",
        JobConfigDocument="{}",
    )  # fmt: skip
    cloud.wait(lambda: cloud.client.describe_job(JobName="agent", JobCategory="AgentRFT"), "JobStatus", "Failed")


def run_pipeline(cloud: Any) -> None:
    step = {
        "Name": "only",
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": cloud.image, "ContainerEntrypoint": ["true"]},
            "RoleArn": cloud.role,
            "ProcessingResources": {"ClusterConfig": INSTANCE},
        },
    }
    cloud.client.create_pipeline(
        PipelineName="p", RoleArn=cloud.role, PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": [step]})
    )
    arn = cloud.client.start_pipeline_execution(
        PipelineName="p", PipelineExecutionDisplayName="name", PipelineExecutionDescription="words"
    )["PipelineExecutionArn"]
    cloud.wait(
        lambda: cloud.client.describe_pipeline_execution(PipelineExecutionArn=arn),
        "PipelineExecutionStatus", "Succeeded", "Failed",
    )  # fmt: skip


RUNS = {
    "sm-training-job-state-change": run_training,
    "sm-hpo-tuning-job-state-change": run_tuning,
    "sm-transform-job-state-change": run_transform,
    "sm-processing-job-state-change-failed": run_processing,
    "sm-model-package-state-change": run_package,
    "sm-endpoint-state-change": run_endpoint,
    "sm-endpoint-deployment-blue-green-canary": run_endpoint,
    "sm-feature-group-state-change": run_feature_group,
    "sm-model-card-state-change": run_card,
    "sm-job-state-change-agentrft": run_job,
    "sm-pipeline-execution-status-change": run_pipeline,
    "sm-pipeline-step-status-change": run_pipeline,
}


@pytest.mark.parametrize("name", RUNS)
def test_an_event_has_the_keys_and_types_of_aws_s_sample(cloud: Any, name: str) -> None:
    published = sample(name)
    detail_type, expected = published["detail-type"], published["detail"]

    RUNS[name](cloud)

    events = cloud.events(detail_type)
    assert events
    allowed = set(expected) | ALSO_DOCUMENTED.get(detail_type, set())
    for event in events:
        detail = event["Detail"]
        assert set(detail) <= allowed, sorted(set(detail) - allowed)
        missing = set(expected) - set(detail) - DEPENDS_ON_STATE
        assert not missing, missing
        for key in set(detail) & set(expected):
            assert family(detail[key]) == family(expected[key]), (key, detail[key], expected[key])
        assert len(event["Resources"]) == len(published["resources"])
        assert all(arn.startswith(f"arn:aws:sagemaker:{cloud.region}:{cloud.account}:") for arn in event["Resources"])
        assert event["Source"] == "aws.sagemaker"


# Samples whose inner structures the stand-in's request fills with the same members.
@pytest.mark.parametrize(
    "name",
    [
        "sm-training-job-state-change",
        "sm-hpo-tuning-job-state-change",
        "sm-processing-job-state-change-failed",
        "sm-model-package-state-change",
        "sm-endpoint-deployment-blue-green-canary",
        "sm-feature-group-state-change",
    ],
)
def test_every_member_deep_in_the_sample_is_in_one_of_the_events(cloud: Any, name: str) -> None:
    published = sample(name)

    RUNS[name](cloud)

    seen = {path for event in cloud.events(published["detail-type"]) for path in paths(event["Detail"])}
    unseen = {path for path in paths(published["detail"]) if path not in seen}
    # The user's own names in maps, messages that only a real fleet has, and what only a real failure tells.
    assert {path for path in unseen if not path.startswith(("HyperParameters.", "TrainingJobDefinition.Static"))} <= {
        "PendingDeploymentSummary.ProductionVariants[].VariantStatus[].StatusMessage"
    }


def paths(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {deep for key, item in value.items() for deep in paths(item, f"{path}.{key}" if path else key)} | {path}
    if isinstance(value, list):
        return {deep for item in value for deep in paths(item, f"{path}[]")} | {path}
    return {path}


def test_endpoint_and_processing_values_are_spelled_as_events_spell_them(cloud: Any) -> None:
    run_endpoint(cloud)
    run_processing(cloud)

    statuses = [event["Detail"]["EndpointStatus"] for event in cloud.events("SageMaker Endpoint State Change")]
    assert statuses == ["CREATING", "IN_SERVICE", "UPDATING", "IN_SERVICE"]
    deployments = cloud.events("SageMaker Endpoint Deployment State Change")
    assert [event["Detail"]["EndpointStatus"] for event in deployments] == ["UPDATING"] * 3
    processing = cloud.events("SageMaker Processing Job State Change")[0]["Detail"]
    given = processing["ProcessingInputs"][0]["S3Input"]
    spelled = (given["S3DataType"], given["S3InputMode"], given["S3DataDistributionType"])
    assert spelled == ("MANIFEST_FILE", "FILE", "FULLYREPLICATED")
    assert processing["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] == "END_OF_JOB"


def test_a_training_event_tells_neither_metrics_nor_environment(cloud: Any) -> None:
    run_training(cloud)

    last = cloud.events("SageMaker Training Job State Change")[-1]["Detail"]
    assert last["SecondaryStatus"] == "Completed"
    assert not {"FinalMetricDataList", "Environment", "BillableTimeInSeconds", "ExperimentConfig"} & set(last)
    assert last["TrainingEndTime"].isdigit()
    assert len(last["TrainingEndTime"]) == 13


def test_a_package_s_update_names_the_fields_that_changed(cloud: Any) -> None:
    run_package(cloud)
    arn = cloud.client.list_model_packages(ModelPackageGroupName="group")["ModelPackageSummaryList"][0][
        "ModelPackageArn"
    ]
    cloud.client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good")
    cloud.client.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"a": "b"})

    events = [event["Detail"] for event in cloud.events("SageMaker Model Package State Change")]

    told = [event.get("UpdatedModelPackageFields") for event in events]
    assert told == [
        None,
        None,
        None,
        ["ModelLifeCycle"],
        ["ModelApprovalStatus", "ApprovalDescription"],
        ["CustomerMetadataProperties"],
    ]
    assert events[-1]["ModelApprovalStatus"] == "Approved"


def test_models_and_configurations_are_told_when_made_and_when_deleted(cloud: Any) -> None:
    run_endpoint(cloud)
    cloud.client.delete_endpoint_config(EndpointConfigName="one")
    cloud.client.delete_model(ModelName="m")

    configs = cloud.events("SageMaker Endpoint Config State Change")
    models = cloud.events("SageMaker Model State Change")

    assert [event["Detail"]["EndpointConfigName"] for event in configs] == ["one", "two", "one"]
    assert [event["Detail"]["ModelName"] for event in models] == ["m", "m"]
    assert set(models[0]["Detail"]) <= {
        "ModelName", "ModelArn", "PrimaryContainer", "Containers", "ExecutionRoleArn", "CreationTime", "Tags",
    }  # fmt: skip


def test_tags_are_told_as_a_map(cloud: Any) -> None:
    cloud.client.create_model(
        ModelName="m", PrimaryContainer={"Image": cloud.image}, Tags=[{"Key": "team", "Value": "rings"}]
    )

    assert cloud.events("SageMaker Model State Change")[0]["Detail"]["Tags"] == {"team": "rings"}


def test_quirks_tell_some_changes_twice_in_other_shapes_and_out_of_order(make_cloud: Any) -> None:
    cloud = make_cloud(quirks=EventQuirks(seed=1, vary_shapes=0.5, duplicate=0.3, reorder=0.3))
    for number in range(60):
        cloud.client.create_model(
            ModelName=f"m{number:02d}", PrimaryContainer={"Image": cloud.image}, Tags=[{"Key": "a", "Value": "b"}]
        )

    details = [event["Detail"] for event in cloud.events()]

    names = [detail["ModelName"] for detail in details]
    assert set(names) == {f"m{number:02d}" for number in range(60)}
    assert 65 < len(names) < 100
    assert {family(detail["Tags"]) for detail in details} == {"dict", "list"}
    assert any(detail.get("Containers", 0) is None for detail in details)
    twice = {name for name in names if names.count(name) == 2}
    assert len(twice) == len(names) - 60


def test_the_same_seed_varies_the_same_way(make_cloud: Any) -> None:
    def told() -> list[list[str]]:
        cloud = make_cloud(quirks=EventQuirks(seed=5, reorder=0))
        for number in range(30):
            cloud.client.create_model(ModelName=f"m{number}", PrimaryContainer={"Image": cloud.image})
        return [[*sorted(event["Detail"]), family(event["Detail"]["Tags"])] for event in cloud.events()]

    assert told() == told()


def test_a_bus_that_cannot_be_reached_loses_events_and_nothing_else(cloud: Any) -> None:
    def refuse(_entry: object, _account: str, _region: str) -> None:
        raise ConnectionRefusedError

    cloud.service.events._publish = refuse
    cloud.client.create_model(ModelName="m", PrimaryContainer={"Image": cloud.image})

    assert cloud.service.events.flush()
    assert cloud.client.list_models()["Models"][0]["ModelName"] == "m"
