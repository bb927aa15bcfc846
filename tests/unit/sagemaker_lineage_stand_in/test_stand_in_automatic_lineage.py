"""What SageMaker makes by itself, held against the guide and the published answers of the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.sagemaker.contract import Description, ResourceChanged

MADE_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EPOCH = int(MADE_AT.timestamp())
PREFIX = "arn:aws:sagemaker:eu-west-1:123456789012:"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/xgboost:1.7"
SERVING_IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/serving:2"
MODEL = "s3://bucket/out/churn-1/output/model.tar.gz"
PACKAGE = f"{PREFIX}model-package/churn/1"


def changed(resource: str, description: Description, **more: Any) -> ResourceChanged:
    return ResourceChanged(
        **{
            "kind": resource.partition("/")[0],
            "arn": PREFIX + resource,
            "account": "123456789012",
            "region": "eu-west-1",
            "partition": "aws",
            "description": {"CreationTime": MADE_AT, "LastModifiedTime": MADE_AT, **description},
            **more,
        }
    )


def training(status: str = "Completed", **more: Any) -> ResourceChanged:
    channels = [
        {
            "ChannelName": name,
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{name}"}},
        }
        for name in ("train", "validation")
    ]
    return changed(
        "training-job/churn-1",
        {
            "TrainingJobName": "churn-1",
            "TrainingJobStatus": status,
            "AlgorithmSpecification": {"TrainingImage": IMAGE},
            "InputDataConfig": channels,
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ModelArtifacts": {"S3ModelArtifacts": MODEL},
            **more,
        },
    )


def group(**more: Any) -> ResourceChanged:
    description = {"ModelPackageGroupName": "churn", "ModelPackageGroupStatus": "Completed"}
    return changed("model-package-group/churn", description, **more)


def package(approval: str = "PendingManualApproval", modified_after: int = 0, **more: Any) -> ResourceChanged:
    return changed(
        "model-package/churn/1",
        {
            "ModelPackageGroupName": "churn",
            "ModelPackageVersion": 1,
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": approval,
            "InferenceSpecification": {"Containers": [{"Image": SERVING_IMAGE, "ModelDataUrl": MODEL}]},
            "LastModifiedTime": MADE_AT + timedelta(seconds=modified_after),
            **more,
        },
    )


def model(name: str, **container: Any) -> ResourceChanged:
    return changed(f"model/{name}", {"ModelName": name, "PrimaryContainer": container})


def config(name: str, *models: str, made_after: int = 0) -> ResourceChanged:
    variants = [{"VariantName": f"v{i}", "ModelName": each} for i, each in enumerate(models)]
    made_at = MADE_AT + timedelta(seconds=made_after)
    description = {"EndpointConfigName": name, "ProductionVariants": variants, "CreationTime": made_at}
    return changed(f"endpoint-config/{name}", description)


def endpoint(status: str, config_name: str = "first", modified_after: int = 0, **more: Any) -> ResourceChanged:
    return changed(
        "endpoint/churn",
        {
            "EndpointName": "churn",
            "EndpointConfigName": config_name,
            "EndpointStatus": status,
            "LastModifiedTime": MADE_AT + timedelta(seconds=modified_after),
            **more,
        },
    )


def tell(host: Any, *changes: ResourceChanged) -> None:
    for change in changes:
        host.tell(change)


def source_of(client: Any, arn: str) -> str:
    """Return what an entity stands for: the last part of the name of a job's component, else its SourceUri."""
    word = arn.split(":")[5].partition("/")[0]
    if word == "artifact":
        uri: str = client.describe_artifact(ArtifactArn=arn)["Source"]["SourceUri"]
        return uri
    return arn.rpartition("/")[2]


def edges(client: Any) -> set[tuple[str, str, str, str, str]]:
    """Return all associations: source and its type, type, destination and its type."""
    found = set()
    for page in client.get_paginator("list_associations").paginate(PaginationConfig={"PageSize": 100}):
        for each in page["AssociationSummaries"]:
            assert each["CreatedBy"] == {}
            found.add(
                (
                    source_of(client, each["SourceArn"]),
                    each["SourceType"],
                    each["AssociationType"],
                    source_of(client, each["DestinationArn"]),
                    each["DestinationType"],
                )
            )
    return found


def test_a_training_job_uses_image_and_channels_and_produces_a_model(host: Any, client: Any) -> None:
    tell(host, training())

    job = ("churn-1-aws-training-job", "SageMakerTrainingJob")
    assert edges(client) == {
        (IMAGE, "Image", "ContributedTo", *job),
        ("s3://bucket/train", "DataSet", "ContributedTo", *job),
        ("s3://bucket/validation", "DataSet", "ContributedTo", *job),
        (*job, "Produced", MODEL, "Model"),
    }


def test_checkpoints_and_tensorboard_are_produced_too(host: Any, client: Any) -> None:
    tell(
        host,
        training(
            CheckpointConfig={"S3Uri": "s3://bucket/checkpoints"},
            TensorBoardOutputConfig={"S3OutputPath": "s3://bucket/board"},
        ),
    )

    produced = {(uri, entity_type) for _, _, kind, uri, entity_type in edges(client) if kind == "Produced"}
    assert produced == {
        (MODEL, "Model"),
        ("s3://bucket/checkpoints", "Checkpoint"),
        ("s3://bucket/board", "TensorBoard"),
    }


@pytest.mark.parametrize(("status", "has_model"), [("InProgress", 0), ("Failed", 0), ("Stopped", 1), ("Completed", 1)])
def test_a_job_has_produced_something_once_it_ended_well(host: Any, client: Any, status: str, has_model: int) -> None:
    tell(host, training(status))

    assert len(client.list_artifacts(SourceUri=MODEL)["ArtifactSummaries"]) == has_model
    assert len(client.list_artifacts(ArtifactType="DataSet")["ArtifactSummaries"]) == 2


def test_a_processing_job_uses_its_inputs_and_produces_its_outputs(host: Any, client: Any) -> None:
    description = {
        "ProcessingJobName": "split",
        "ProcessingJobStatus": "Completed",
        "AppSpecification": {"ImageUri": IMAGE},
        "ProcessingInputs": [
            {"InputName": "raw", "S3Input": {"S3Uri": "s3://bucket/raw"}},
            {"InputName": "code", "S3Input": {"S3Uri": "s3://bucket/code/split.py"}},
            {"InputName": "athena", "DatasetDefinition": {"LocalPath": "/opt/ml"}},
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": "train", "S3Output": {"S3Uri": "s3://bucket/train"}},
                {"OutputName": "features", "FeatureStoreOutput": {"FeatureGroupName": "customers"}},
            ]
        },
    }
    tell(host, changed("processing-job/split", description))

    job = ("split-aws-processing-job", "SageMakerProcessingJob")
    assert edges(client) == {
        (IMAGE, "Image", "ContributedTo", *job),
        ("s3://bucket/raw", "DataSet", "ContributedTo", *job),
        ("s3://bucket/code/split.py", "DataSet", "ContributedTo", *job),
        (*job, "Produced", "s3://bucket/train", "DataSet"),
    }


def test_a_transform_job_uses_its_input_and_produces_its_output(host: Any, client: Any) -> None:
    description = {
        "TransformJobName": "score",
        "TransformJobStatus": "Completed",
        "ModelName": "churn",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}},
        "TransformOutput": {"S3OutputPath": "s3://bucket/scores"},
    }
    tell(host, changed("transform-job/score", description))

    job = ("score-aws-transform-job", "SageMakerTransformJob")
    assert edges(client) == {
        ("s3://bucket/in", "DataSet", "ContributedTo", *job),
        (*job, "Produced", "s3://bucket/scores", "DataSet"),
    }


def test_a_trial_component_tells_its_job_and_how_it_went(host: Any, client: Any) -> None:
    tell(host, training("InProgress"))
    tell(host, training("Failed", FailureReason="AlgorithmError", TrainingStartTime=MADE_AT, TrainingEndTime=MADE_AT))

    described = client.describe_trial_component(TrialComponentName="churn-1-aws-training-job")
    listed = client.list_trial_components(SourceArn=f"{PREFIX}training-job/churn-1")["TrialComponentSummaries"]

    assert described["TrialComponentArn"] == f"{PREFIX}experiment-trial-component/churn-1-aws-training-job"
    assert described["Source"] == {"SourceArn": f"{PREFIX}training-job/churn-1", "SourceType": "SageMakerTrainingJob"}
    assert described["Status"] == {"PrimaryStatus": "Failed", "Message": "AlgorithmError"}
    assert (described["StartTime"], described["EndTime"]) == (MADE_AT, MADE_AT)
    assert [each["TrialComponentArn"] for each in listed] == [described["TrialComponentArn"]]
    assert client.list_trial_components(SourceArn=f"{PREFIX}training-job/other")["TrialComponentSummaries"] == []
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.describe_trial_component(TrialComponentName="churn-1")


def test_a_query_calls_the_component_by_the_type_of_its_job(host: Any, client: Any) -> None:
    tell(host, training())
    start = client.list_artifacts(SourceUri=MODEL)["ArtifactSummaries"][0]["ArtifactArn"]

    found = client.query_lineage(
        StartArns=[start],
        Direction="Ascendants",
        Filters={"Types": ["TrainingJob"], "LineageTypes": ["TrialComponent"]},
    )

    component = f"{PREFIX}experiment-trial-component/churn-1-aws-training-job"
    assert found["Vertices"] == [{"Arn": component, "Type": "TrainingJob", "LineageType": "TrialComponent"}]


def test_a_model_package_joins_its_group_and_what_it_was_made_of(host: Any, client: Any) -> None:
    tell(host, training(), group(), package())

    own = {edge for edge in edges(client) if PACKAGE in edge}
    assert own == {
        (SERVING_IMAGE, "Image", "ContributedTo", PACKAGE, "Model"),
        (MODEL, "Model", "ContributedTo", PACKAGE, "Model"),
        (
            f"churn-1-PendingManualApproval-{EPOCH}-aws-model-package",
            "Approval",
            "ContributedTo",
            PACKAGE,
            "Model",
        ),
        (PACKAGE, "Model", "AssociatedWith", f"churn-{EPOCH}-aws-model-group", "ModelGroup"),
    }


def test_the_context_of_a_group_is_found_by_the_groups_arn(host: Any, client: Any) -> None:
    execution = f"{PREFIX}pipeline/churn/execution/abc"
    tell(host, group(tags={"sagemaker:pipeline-execution-arn": execution}))

    summary = client.list_contexts(SourceUri=f"{PREFIX}model-package-group/churn")["ContextSummaries"][0]
    described = client.describe_context(ContextName=summary["ContextName"])

    assert summary["Source"] == {
        "SourceUri": f"{PREFIX}model-package-group/churn",
        "SourceType": "ARN",
        "SourceId": "Wed Mar 04 05:06:07 UTC 2026",
    }
    assert described["Properties"] == {"PipelineExecutionArn": execution}
    assert described["CreatedBy"] == {}


def test_each_approval_status_has_an_action_of_its_own(host: Any, client: Any) -> None:
    tell(
        host, group(), package(), package(), package("Approved", 60), package("Approved", 90), package("Rejected", 120)
    )

    actions = client.list_actions(SourceUri=PACKAGE, SortOrder="Ascending")["ActionSummaries"]

    assert [action["ActionName"] for action in actions] == [
        f"churn-1-PendingManualApproval-{EPOCH}-aws-model-package",
        f"churn-1-Approved-{EPOCH + 60}-aws-model-package",
        f"churn-1-Rejected-{EPOCH + 120}-aws-model-package",
    ]
    assert {action["ActionType"] for action in actions} == {"Approval"}


def test_the_first_version_of_a_group_made_anew_has_its_own_approval(host: Any, client: Any) -> None:
    tell(host, group(), package("Approved"))

    tell(host, package("Approved", CreationTime=MADE_AT + timedelta(hours=1)))

    assert len(client.list_actions(SourceUri=PACKAGE)["ActionSummaries"]) == 2


def test_algorithms_and_further_containers_contribute_to_a_package(host: Any, client: Any) -> None:
    tell(
        host,
        group(),
        package(
            InferenceSpecification={"Containers": [{"Image": SERVING_IMAGE}]},
            AdditionalInferenceSpecifications=[
                {"Name": "gpu", "Containers": [{"Image": IMAGE, "ModelDataSource": {"S3DataSource": {"S3Uri": MODEL}}}]}
            ],
            SourceAlgorithmSpecification={
                "SourceAlgorithms": [{"AlgorithmName": "trees", "ModelDataUrl": "s3://bucket/trees.tar.gz"}]
            },
        ),
    )

    contributed = {edge[:2] for edge in edges(client) if edge[2] == "ContributedTo" and edge[1] != "Approval"}
    assert contributed == {
        (SERVING_IMAGE, "Image"),
        (IMAGE, "Image"),
        (MODEL, "Model"),
        ("trees", "Algorithm"),
        ("s3://bucket/trees.tar.gz", "Model"),
    }


def test_a_package_of_no_group_has_an_artifact_alone(host: Any, client: Any) -> None:
    description = {"ModelPackageName": "sold", "ModelPackageStatus": "Completed"}
    tell(host, changed("model-package/sold", description))

    assert len(client.list_artifacts(SourceUri=f"{PREFIX}model-package/sold")["ArtifactSummaries"]) == 1
    assert client.list_contexts()["ContextSummaries"] == client.list_actions()["ActionSummaries"] == []


def test_metadata_of_a_package_is_that_of_its_artifact(host: Any, client: Any) -> None:
    tell(host, group(), package(MetadataProperties={"CommitId": "4f1c"}))

    arn = client.list_artifacts(SourceUri=PACKAGE)["ArtifactSummaries"][0]["ArtifactArn"]
    assert client.describe_artifact(ArtifactArn=arn)["MetadataProperties"] == {"CommitId": "4f1c"}


def test_an_endpoint_belongs_to_the_deployment_of_its_models(host: Any, client: Any) -> None:
    tell(
        host,
        model("churn-m", Image=SERVING_IMAGE, ModelDataUrl=MODEL),
        model("churn-p", ModelPackageName=PACKAGE),
        config("first", "churn-m", "churn-p"),
        endpoint("Creating"),
        endpoint("InService", ProductionVariants=[{"DeployedImages": [{"SpecifiedImage": IMAGE}]}]),
    )

    action = (f"churn-1-{EPOCH}-aws-endpoint", "ModelDeployment")
    assert edges(client) == {
        (SERVING_IMAGE, "Image", "ContributedTo", *action),
        (IMAGE, "Image", "ContributedTo", *action),
        (MODEL, "Model", "ContributedTo", *action),
        (PACKAGE, "Model", "ContributedTo", *action),
        (*action, "AssociatedWith", f"churn-{EPOCH}-aws-endpoint", "Endpoint"),
    }
    summary = client.list_actions()["ActionSummaries"][0]
    assert summary["Source"] == {"SourceUri": f"{PREFIX}endpoint/churn", "SourceType": "ARN", "SourceId": "1"}
    assert summary["Status"] == "Completed"


@pytest.mark.parametrize(
    ("endpoint_status", "action_status"),
    [("Creating", "InProgress"), ("InService", "Completed"), ("Failed", "Failed"), ("Deleting", "InProgress")],
)
def test_the_deployment_goes_as_the_endpoint_does(
    host: Any, client: Any, endpoint_status: str, action_status: str
) -> None:
    tell(host, endpoint("Creating"), endpoint(endpoint_status))

    assert client.list_actions()["ActionSummaries"][0]["Status"] == action_status


def deployments(client: Any) -> list[tuple[str, set[str]]]:
    found = []
    for action in client.list_actions(ActionType="ModelDeployment", SortOrder="Ascending")["ActionSummaries"]:
        associations = client.list_associations(DestinationArn=action["ActionArn"])["AssociationSummaries"]
        found.append((action["ActionName"], {source_of(client, each["SourceArn"]) for each in associations}))
    return found


def test_an_update_is_a_deployment_of_its_own_once_it_serves(host: Any, client: Any) -> None:
    tell(
        host,
        model("old", ModelDataUrl="s3://bucket/old"),
        model("new", ModelDataUrl="s3://bucket/new"),
        config("first", "old"),
        config("second", "new"),
        endpoint("Creating"),
        endpoint("InService"),
        endpoint("Updating", modified_after=50),
    )
    assert len(deployments(client)) == 1

    tell(host, endpoint("InService", "second", 60), endpoint("InService", "second", 70))

    assert deployments(client) == [
        (f"churn-1-{EPOCH}-aws-endpoint", {"s3://bucket/old"}),
        (f"churn-2-{EPOCH + 60}-aws-endpoint", {"s3://bucket/new"}),
    ]
    assert len(client.list_contexts(ContextType="Endpoint")["ContextSummaries"]) == 1


def test_an_update_that_rolls_back_is_no_deployment(host: Any, client: Any) -> None:
    tell(host, endpoint("Creating"), endpoint("InService"), endpoint("Updating"), endpoint("RollingBack"))
    tell(host, endpoint("InService", modified_after=90), endpoint("Failed", modified_after=99))

    assert [each["Status"] for each in client.list_actions()["ActionSummaries"]] == ["Completed"]


def test_a_config_made_anew_under_an_old_name_is_another_deployment(host: Any, client: Any) -> None:
    tell(host, model("old", ModelDataUrl="s3://bucket/old"), config("first", "old"), endpoint("InService"))
    tell(host, model("new", ModelDataUrl="s3://bucket/new"), config("first", "new", made_after=30))

    tell(host, endpoint("InService", modified_after=60))

    assert [uses for _, uses in deployments(client)] == [{"s3://bucket/old"}, {"s3://bucket/new"}]


def test_models_and_configs_may_be_deleted_before_the_endpoint_serves(host: Any, client: Any) -> None:
    parts = [model("old", ModelDataUrl="s3://bucket/old"), config("first", "old")]
    tell(host, *parts, *(replace(part, deleted=True) for part in parts), endpoint("InService"))

    assert [uses for _, uses in deployments(client)] == [{"s3://bucket/old"}]


def test_an_endpoint_made_anew_has_a_context_of_its_own(host: Any, client: Any) -> None:
    tell(host, endpoint("InService"), replace(endpoint("Deleting"), deleted=True))

    tell(host, endpoint("InService", CreationTime=MADE_AT + timedelta(days=1)))

    contexts = client.list_contexts(SourceUri=f"{PREFIX}endpoint/churn")["ContextSummaries"]
    assert [each["ContextName"] for each in contexts] == [
        f"churn-{EPOCH + 86400}-aws-endpoint",
        f"churn-{EPOCH}-aws-endpoint",
    ]


def everything() -> list[ResourceChanged]:
    return [
        training("InProgress"),
        training(),
        group(),
        package(),
        package("Approved", 60),
        model("m", ModelPackageName=PACKAGE),
        config("first", "m"),
        endpoint("Creating"),
        endpoint("InService"),
    ]


def everything_listed(client: Any) -> list[Any]:
    lists = ("artifacts", "actions", "contexts", "associations", "trial_components")
    answers = [getattr(client, f"list_{each}")(MaxResults=100) for each in lists]
    return [{name: value for name, value in answer.items() if name != "ResponseMetadata"} for answer in answers]


def test_repeats_change_nothing(host: Any, client: Any) -> None:
    tell(host, *everything())
    before = everything_listed(client)

    tell(host, *(change for change in everything()[1:] for _ in range(2)))

    assert everything_listed(client) == before


def test_a_deletion_makes_no_lineage(host: Any, client: Any) -> None:
    tell(host, replace(training(), deleted=True))

    assert client.list_trial_components()["TrialComponentSummaries"] == []


def test_the_published_answers_of_the_lineage_notebook_come_out(host: Any, client: Any) -> None:
    """amazon-sagemaker-examples, sagemaker-lineage-multihop-queries, with its outputs."""
    tell(host, *everything())
    context = client.list_contexts(SourceUri=f"{PREFIX}endpoint/churn")["ContextSummaries"][0]["ContextArn"]
    package_artifact = client.list_artifacts(SourceUri=PACKAGE)["ArtifactSummaries"][0]["ArtifactArn"]
    dataset = client.list_artifacts(SourceUri="s3://bucket/train")["ArtifactSummaries"][0]["ArtifactArn"]

    def query(start: str, direction: str, lineage_type: str, *types: str) -> list[str]:
        found = client.query_lineage(
            StartArns=[start], Direction=direction, Filters={"LineageTypes": [lineage_type], "Types": list(types)}
        )
        return [source_of(client, vertex["Arn"]) for vertex in found["Vertices"]]

    assert query(context, "Ascendants", "Artifact", "DataSet") == ["s3://bucket/train", "s3://bucket/validation"]
    assert query(context, "Ascendants", "Artifact", "Model") == [PACKAGE, MODEL]
    assert query(context, "Ascendants", "TrialComponent", "TrainingJob") == ["churn-1-aws-training-job"]
    assert query(package_artifact, "Ascendants", "Artifact", "Endpoint", "Model", "DataSet", "TrainingJob") == [
        MODEL,
        "s3://bucket/train",
        "s3://bucket/validation",
    ]
    assert query(package_artifact, "Descendants", "Artifact", "Endpoint", "Model", "DataSet", "TrainingJob") == []
    assert query(dataset, "Descendants", "Context", "Endpoint") == [f"churn-{EPOCH}-aws-endpoint"]


def test_what_the_user_made_before_is_used(host: Any, client: Any) -> None:
    mine = client.create_artifact(Source={"SourceUri": "s3://bucket/train"}, ArtifactType="Customers")["ArtifactArn"]

    tell(host, training())

    summaries = client.list_artifacts(SourceUri="s3://bucket/train")["ArtifactSummaries"]
    assert [(each["ArtifactArn"], each["ArtifactType"]) for each in summaries] == [(mine, "Customers")]
    assert len(client.list_associations(SourceArn=mine)["AssociationSummaries"]) == 1


def test_lineage_comes_after_its_delay_and_survives_the_job(make_host: Callable[..., Any]) -> None:
    host = make_host(delay_seconds=0.1)
    client = host.client()
    for listener in host.listeners:
        listener(training())
        listener(replace(training(), deleted=True))

    assert client.list_artifacts()["ArtifactSummaries"] == []
    assert host.automatic.flush()
    assert len(client.list_artifacts()["ArtifactSummaries"]) == 4


def test_a_reset_forgets_what_was_to_come(make_host: Callable[..., Any]) -> None:
    host = make_host(delay_seconds=0.1)
    for listener in host.listeners:
        listener(training())

    for hook in host.reset_hooks:
        hook()

    assert host.automatic.flush()
    assert host.client().list_trial_components()["TrialComponentSummaries"] == []


def test_other_resources_have_no_lineage(host: Any, client: Any) -> None:
    tell(host, changed("feature-group/customers", {}), changed("hyper-parameter-tuning-job/t", {}))

    assert client.list_artifacts()["ArtifactSummaries"] == client.list_lineage_groups()["LineageGroupSummaries"] == []


def test_lineage_is_of_the_partition_region_and_account_of_its_resource(host: Any) -> None:
    arn = "arn:aws-us-gov:sagemaker:us-gov-west-1:111111111111:training-job/churn-1"
    tell(
        host,
        replace(training(), arn=arn, account="111111111111", region="us-gov-west-1", partition="aws-us-gov"),
    )

    there = host.client(account="111111111111", region="us-gov-west-1", partition="aws-us-gov")
    arns = [each["ArtifactArn"] for each in there.list_artifacts()["ArtifactSummaries"]]
    assert len(arns) == 4
    assert all(each.startswith("arn:aws-us-gov:sagemaker:us-gov-west-1:111111111111:") for each in arns)
    assert host.client().list_artifacts()["ArtifactSummaries"] == []
