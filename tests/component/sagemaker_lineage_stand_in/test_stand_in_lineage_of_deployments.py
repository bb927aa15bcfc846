"""From data to an endpoint through the model registry, and what a second version changes."""

from __future__ import annotations

from typing import Any

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:"
SERVING_IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/serving:2"


def register(account: Any, model_data: str) -> str:
    """Register a version, approve it, and return its ARN."""
    arn: str = account.client.create_model_package(
        ModelPackageGroupName="churn",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": SERVING_IMAGE, "ModelDataUrl": model_data}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    account.client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    account.wait_for("model-package", arn.partition("model-package/")[2], "Approved")
    return arn


def configure(account: Any, name: str, package: str) -> None:
    account.client.create_model(
        ModelName=name, ExecutionRoleArn=account.role, PrimaryContainer={"ModelPackageName": package}
    )
    account.client.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {"VariantName": "all", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        ],
    )


def train(account: Any, name: str) -> str:
    data = account.put(f"{name}/a.csv", "1\n").rpartition("/")[0]
    account.train(name, "cp /opt/ml/input/data/train/* /opt/ml/model/", data)
    uri: str = account.client.describe_training_job(TrainingJobName=name)["ModelArtifacts"]["S3ModelArtifacts"]
    return uri


def endpoint_context(account: Any) -> str:
    (summary,) = account.client.list_contexts(SourceUri=f"{ARN}endpoint/churn")["ContextSummaries"]
    arn: str = summary["ContextArn"]
    return arn


def test_the_endpoint_leads_back_to_the_data_of_the_version_that_it_serves(account: Any) -> None:
    account.client.create_model_package_group(ModelPackageGroupName="churn")
    model = train(account, "first")
    package = register(account, model)
    configure(account, "first", package)

    account.client.create_endpoint(EndpointName="churn", EndpointConfigName="first")
    account.wait_for("endpoint", "churn", "InService")

    upstream = account.sources(endpoint_context(account), "Ascendants", "Model", "DataSet", "TrainingJob")
    assert upstream == [package, model, f"{ARN}training-job/first", "s3://data/first"]
    assert account.sources(account.artifact_of(package), "Ascendants", "Approval") == [package, package]
    assert account.sources(account.artifact_of(package), "Descendants", "ModelGroup") == [
        f"{ARN}model-package-group/churn"
    ]


def test_an_update_brings_the_second_version_beside_the_first(account: Any) -> None:
    account.client.create_model_package_group(ModelPackageGroupName="churn")
    packages = []
    for name in ("first", "second"):
        packages.append(register(account, train(account, name)))
        configure(account, name, packages[-1])
    account.client.create_endpoint(EndpointName="churn", EndpointConfigName="first")
    account.wait_for("endpoint", "churn", "InService")

    account.client.update_endpoint(EndpointName="churn", EndpointConfigName="second")
    account.wait_for("endpoint", "churn", "second")

    actions = account.client.list_actions(ActionType="ModelDeployment", SortOrder="Ascending")["ActionSummaries"]
    deployed = [account.sources(action["ActionArn"], "Ascendants", "Model")[0] for action in actions]
    assert deployed == packages
    assert [action["Status"] for action in actions] == ["Completed", "Completed"]
    assert [action["Source"]["SourceId"] for action in actions] == ["1", "2"]
    datasets = account.sources(endpoint_context(account), "Ascendants", "DataSet")
    assert sorted(datasets) == ["s3://data/first", "s3://data/second"]
