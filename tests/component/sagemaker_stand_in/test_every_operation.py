"""Every operation answers at least once, and each answer is held against botocore's shape (see conftest)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from local.sagemaker import lineage
from local.sagemaker.contract import Operation
from tests.patience import PATIENCE_SECONDS

INSTANCE = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
ENDED = ("Completed", "Failed", "Stopped", "Succeeded", "InService", "Created")


class Tour:
    """Calls operations by their API names and waits for what they start."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self.cloud.client, xform_name(operation))(**parameters)
        return answer

    def wait(self, operation: str, member: str, **parameters: Any) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.cloud.wait(lambda: self(operation, **parameters), member, *ENDED)
        return found


def visit_jobs(tour: Tour) -> None:
    cloud = tour.cloud
    loop = "while :; do sleep 0.01; done"
    cloud.train("t", loop)
    cloud.process("p", loop)
    for name, key in (("TrainingJob", "t"), ("ProcessingJob", "p")):
        tour(f"Stop{name}", **{f"{name}Name": key})
        tour.wait(f"Describe{name}", f"{name}Status", **{f"{name}Name": key})
        tour(f"List{name}s")
        tour(f"Delete{name}", **{f"{name}Name": key})
    definition = {
        "AlgorithmSpecification": {"TrainingImage": cloud.image, "TrainingInputMode": "File"},
        "RoleArn": cloud.role,
        "OutputDataConfig": {"S3OutputPath": "s3://data/out"},
        "ResourceConfig": INSTANCE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 9},
    }
    config = {
        "Strategy": "Grid",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "m"},
        "ResourceLimits": {"MaxParallelTrainingJobs": 1},
        "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1"] * 9}]},
    }
    named = {"HyperParameterTuningJobName": "h"}
    tour(
        "CreateHyperParameterTuningJob",
        **named,
        HyperParameterTuningJobConfig=config,
        TrainingJobDefinition=definition,
    )
    tour("StopHyperParameterTuningJob", **named)
    tour.wait("DescribeHyperParameterTuningJob", "HyperParameterTuningJobStatus", **named)
    tour("ListHyperParameterTuningJobs")
    tour("ListTrainingJobsForHyperParameterTuningJob", **named)
    tour("DeleteHyperParameterTuningJob", **named)
    job = {"JobName": "j", "JobCategory": "AgentRFT"}
    tour("CreateJob", **job, RoleArn=cloud.role, JobConfigSchemaVersion="1.0.0", JobConfigDocument="{}")
    tour("StopJob", **job)
    tour.wait("DescribeJob", "JobStatus", **job)
    tour("ListJobs", JobCategory="AgentRFT")
    tour("DeleteJob", **job)


def visit_models(tour: Tour) -> None:
    cloud = tour.cloud
    data = cloud.put("m.tar.gz", b"")
    arn = tour("CreateModel", ModelName="m", PrimaryContainer={"Image": cloud.image, "ModelDataUrl": data})["ModelArn"]
    tour("AddTags", ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    tour("ListTags", ResourceArn=arn)
    tour("DeleteTags", ResourceArn=arn, TagKeys=["a"])
    tour("DescribeModel", ModelName="m")
    tour("ListModels")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data}}
    tour(
        "CreateTransformJob",
        TransformJobName="b",
        ModelName="m",
        TransformInput={"DataSource": source},
        TransformOutput={"S3OutputPath": "s3://data/o"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    tour("StopTransformJob", TransformJobName="b")
    tour.wait("DescribeTransformJob", "TransformJobStatus", TransformJobName="b")
    tour("ListTransformJobs")
    group = {"ModelPackageGroupName": "g"}
    tour("CreateModelPackageGroup", **group)
    specification = {
        "Containers": [{"Image": cloud.image}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    package = tour("CreateModelPackage", **group, InferenceSpecification=specification)["ModelPackageArn"]
    tour.wait("DescribeModelPackage", "ModelPackageStatus", ModelPackageName=package)
    tour("UpdateModelPackage", ModelPackageArn=package, ModelApprovalStatus="Approved")
    tour("BatchDescribeModelPackage", ModelPackageArnList=[package])
    tour("ListModelPackages", **group)
    tour("DescribeModelPackageGroup", **group)
    tour("ListModelPackageGroups")
    tour("DeleteModelPackage", ModelPackageName=package)
    tour("DeleteModelPackageGroup", **group)


def visit_endpoints(tour: Tour) -> None:
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    tour("CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=[variant])
    tour("DescribeEndpointConfig", EndpointConfigName="c")
    tour("ListEndpointConfigs")
    for operation, parameters in (
        ("CreateEndpoint", {"EndpointConfigName": "c"}),
        ("UpdateEndpoint", {"EndpointConfigName": "c"}),
        ("UpdateEndpointWeightsAndCapacities", {"DesiredWeightsAndCapacities": [{"VariantName": "v"}]}),
    ):
        tour(operation, EndpointName="e", **parameters)
        tour.wait("DescribeEndpoint", "EndpointStatus", EndpointName="e")
    tour("ListEndpoints")
    tour("DeleteEndpoint", EndpointName="e")
    tour.cloud.wait_until_gone(lambda: tour("DescribeEndpoint", EndpointName="e"))
    tour("DeleteEndpointConfig", EndpointConfigName="c")
    tour("DeleteModel", ModelName="m")


def visit_definitions(tour: Tour) -> None:
    role = tour.cloud.role
    features = [{"FeatureName": name, "FeatureType": "Integral"} for name in ("id", "at")]
    tour(
        "CreateFeatureGroup",
        FeatureGroupName="f",
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=features,
        OnlineStoreConfig={"EnableOnlineStore": True},
    )
    tour.wait("DescribeFeatureGroup", "FeatureGroupStatus", FeatureGroupName="f")
    tour("UpdateFeatureGroup", FeatureGroupName="f", FeatureAdditions=[{"FeatureName": "x", "FeatureType": "String"}])
    tour("ListFeatureGroups")
    tour("DeleteFeatureGroup", FeatureGroupName="f")
    tour("ListLabelingJobs")
    with pytest.raises(ClientError, match="does not exist"):
        tour("DescribeLabelingJob", LabelingJobName="l")
    tour("CreateModelCard", ModelCardName="k", Content="{}", ModelCardStatus="Draft")
    tour("UpdateModelCard", ModelCardName="k", ModelCardStatus="Approved")
    tour("DescribeModelCard", ModelCardName="k")
    tour("ListModelCards")
    tour("ListModelCardVersions", ModelCardName="k")
    tour("DeleteModelCard", ModelCardName="k")
    tour("CreateExperiment", ExperimentName="x", Description="d")
    tour("UpdateExperiment", ExperimentName="x", DisplayName="X")
    tour("CreateTrial", TrialName="y", ExperimentName="x")
    tour("UpdateTrial", TrialName="y", DisplayName="Y")
    assert tour("DescribeTrial", TrialName="y")["DisplayName"] == "Y"
    assert [trial["TrialName"] for trial in tour("ListTrials", ExperimentName="x")["TrialSummaries"]] == ["y"]
    with pytest.raises(ClientError, match="trials"):
        tour("DeleteExperiment", ExperimentName="x")
    tour("DeleteTrial", TrialName="y")
    assert tour("DescribeExperiment", ExperimentName="x")["Description"] == "d"
    tour("ListExperiments")
    tour("DeleteExperiment", ExperimentName="x")
    step = {
        "Name": "s",
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": "i", "ContainerEntrypoint": ["sleep", "30"]},
            "RoleArn": role,
            "ProcessingResources": {"ClusterConfig": INSTANCE},
        },
    }
    definition = {"Version": "2020-12-01", "Steps": [step]}
    tour("CreatePipeline", PipelineName="p", PipelineDefinition=json.dumps(definition), RoleArn=role)
    tour("UpdatePipeline", PipelineName="p", PipelineDescription="d")
    tour("DescribePipeline", PipelineName="p")
    execution = {"PipelineExecutionArn": tour("StartPipelineExecution", PipelineName="p")["PipelineExecutionArn"]}
    tour("UpdatePipelineExecution", **execution, PipelineExecutionDescription="d")
    tour("StopPipelineExecution", **execution)
    tour.wait("DescribePipelineExecution", "PipelineExecutionStatus", **execution)
    tour("ListPipelineExecutionSteps", **execution)
    tour("ListPipelineParametersForExecution", **execution)
    tour("DescribePipelineDefinitionForExecution", **execution)
    tour("ListPipelines")
    tour("ListPipelineExecutions", PipelineName="p")
    tour("DeletePipeline", PipelineName="p")
    _visit_callbacks(tour, role)


def _visit_callbacks(tour: Tour, role: str) -> None:
    for operation in ("SendPipelineExecutionStepSuccess", "SendPipelineExecutionStepFailure"):
        step = {"Name": "s", "Type": "Callback", "SqsQueueUrl": "https://sqs", "Arguments": {}}
        definition = {"Version": "2020-12-01", "Steps": [step]}
        tour("CreatePipeline", PipelineName=operation, PipelineDefinition=json.dumps(definition), RoleArn=role)
        before = len(tour.cloud.sent)
        execution = {
            "PipelineExecutionArn": tour("StartPipelineExecution", PipelineName=operation)["PipelineExecutionArn"]
        }
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(tour.cloud.sent) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        tour(operation, CallbackToken=json.loads(tour.cloud.sent[-1][1])["token"])
        tour.wait("DescribePipelineExecution", "PipelineExecutionStatus", **execution)


class _Host:
    """What lineage needs of a service: tells its own operations apart."""

    def __init__(self) -> None:
        self.operations: dict[str, Operation] = {}
        self.listeners: list[Any] = []
        self.reset_hooks: list[Any] = []


def test_every_operation_answers_as_botocore_says(cloud: Any) -> None:
    tour = Tour(cloud)

    visit_jobs(tour)
    visit_models(tour)
    visit_endpoints(tour)
    visit_definitions(tour)

    host = _Host()
    lineage.register(host)
    of_lineage = set(host.operations) - {"AddTags", "ListTags", "DeleteTags"}
    answered = {operation for operation, _ in cloud.answers}
    refuses_always = {"DescribeLabelingJob"}  # there are none, and none can be made
    assert set(cloud.service.operations) - of_lineage - refuses_always - answered == set()
    assert cloud.faults() == []
