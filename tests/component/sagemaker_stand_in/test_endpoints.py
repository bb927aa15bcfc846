from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def config(cloud: Any) -> Any:
    """Create a model and a configuration that serves it, both of one name."""

    def go(name: str, data: str | None = None, *, variant: dict[str, Any] | None = None, **more: Any) -> None:
        url = data or cloud.put(f"{name}.tar.gz", b"weights")
        cloud.client.create_model(
            ModelName=name, PrimaryContainer={"Image": cloud.image, "ModelDataUrl": url}, ExecutionRoleArn=cloud.role
        )
        described = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large"}
        cloud.client.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {**described, "InitialInstanceCount": 2, "InitialVariantWeight": 0.5, **(variant or {})}
            ],
            **more,
        )

    return go


def wait(cloud: Any, *statuses: str) -> dict[str, Any]:
    found: dict[str, Any] = cloud.wait(
        lambda: cloud.client.describe_endpoint(EndpointName="Live"), "EndpointStatus", *statuses
    )
    return found


def told(cloud: Any) -> list[str]:
    """The states of the endpoint, a state that lasts over several changes once."""
    states = [c.description["EndpointStatus"] for c in cloud.changes if c.kind == "endpoint" and not c.deleted]
    return [state for i, state in enumerate(states) if i == 0 or state != states[i - 1]]


def test_an_endpoint_serves_its_configuration_with_resolved_images(cloud: Any, config: Any) -> None:
    config("one")

    cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName="one")

    endpoint = wait(cloud, "InService")
    variant = endpoint["ProductionVariants"][0]
    assert (endpoint["EndpointConfigName"], variant["VariantName"]) == ("one", "AllTraffic")
    assert (variant["CurrentInstanceCount"], variant["DesiredWeight"]) == (2, 0.5)
    image = variant["DeployedImages"][0]
    assert image["SpecifiedImage"] == cloud.image
    assert image["ResolvedImage"].startswith(f"{cloud.image.partition(':')[0]}@sha256:")
    assert told(cloud) == ["Creating", "InService"]


def test_an_update_serves_the_old_configuration_until_the_new_one_is_in_service(cloud: Any, config: Any) -> None:
    config("one")
    config("two", variant={"InitialInstanceCount": 3})
    cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName="one")
    wait(cloud, "InService")

    cloud.client.update_endpoint(EndpointName="Live", EndpointConfigName="two")

    during = [c.description for c in cloud.changes if c.description.get("EndpointStatus") == "Updating"]
    assert {each["EndpointConfigName"] for each in during} == {"one"}
    assert during[0]["PendingDeploymentSummary"]["EndpointConfigName"] == "two"
    cloud.wait(lambda: cloud.client.describe_endpoint(EndpointName="Live"), "EndpointConfigName", "two")
    after = wait(cloud, "InService")
    assert "PendingDeploymentSummary" not in after
    assert after["ProductionVariants"][0]["CurrentInstanceCount"] == 3
    phases = [
        c.description["PendingDeploymentSummary"]["ProductionVariants"][0]["VariantStatus"][0]["Status"]
        for c in cloud.changes
        if "PendingDeploymentSummary" in c.description
    ]
    assert phases == ["Creating", "ActivatingTraffic", "Baking"]


def test_an_endpoint_whose_model_data_is_not_there_fails_and_says_where_it_looked(cloud: Any, config: Any) -> None:
    config("broken", "s3://data/nothing/model.tar.gz")

    cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName="broken")

    assert "s3://data/nothing/model.tar.gz" in wait(cloud, "Failed")["FailureReason"]


def test_a_failed_update_rolls_back_to_what_was_served(cloud: Any, config: Any) -> None:
    config("one")
    config("broken", "s3://data/nothing")
    cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName="one")
    wait(cloud, "InService")

    cloud.client.update_endpoint(EndpointName="Live", EndpointConfigName="broken")

    cloud.wait(
        lambda: {"has": str("FailureReason" in cloud.client.describe_endpoint(EndpointName="Live"))}, "has", "True"
    )
    endpoint = wait(cloud, "InService")
    assert endpoint["EndpointConfigName"] == "one"
    assert "s3://data/nothing" in endpoint["FailureReason"]
    assert "PendingDeploymentSummary" not in endpoint
    assert told(cloud) == ["Creating", "InService", "Updating", "RollingBack", "InService"]


def test_a_package_is_served_once_it_is_approved(cloud: Any) -> None:
    data = cloud.put("m.tar.gz", b"x")
    cloud.client.create_model_package_group(ModelPackageGroupName="rings")
    arn = cloud.client.create_model_package(
        ModelPackageGroupName="rings",
        InferenceSpecification={
            "Containers": [{"Image": cloud.image, "ModelDataUrl": data}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    cloud.client.create_model(ModelName="m", Containers=[{"ModelPackageName": arn}], ExecutionRoleArn=cloud.role)
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    cloud.client.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName="c")
    assert arn in wait(cloud, "Failed")["FailureReason"]
    cloud.client.delete_endpoint(EndpointName="Live")
    cloud.wait_until_gone(lambda: cloud.client.describe_endpoint(EndpointName="Live"))
    cloud.client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")

    cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName="c")

    images = wait(cloud, "InService")["ProductionVariants"][0]["DeployedImages"]
    assert [image["SpecifiedImage"] for image in images] == [cloud.image]


def test_weights_and_capacities_change_without_another_configuration(cloud: Any, config: Any) -> None:
    config("one")
    cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName="one")
    wait(cloud, "InService")

    cloud.client.update_endpoint_weights_and_capacities(
        EndpointName="Live",
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredWeight": 1.0, "DesiredInstanceCount": 4}],
    )

    def serving() -> dict[str, str]:
        variant = cloud.client.describe_endpoint(EndpointName="Live")["ProductionVariants"][0]
        return {"instances": str(variant["CurrentInstanceCount"])}

    cloud.wait(serving, "instances", "4")
    variant = wait(cloud, "InService")["ProductionVariants"][0]
    assert (variant["CurrentWeight"], variant["DesiredInstanceCount"]) == (1.0, 4)


def test_retained_properties_stay_over_an_update(cloud: Any, config: Any) -> None:
    config("one")
    config("two", variant={"InitialInstanceCount": 7, "InitialVariantWeight": 0.25})
    cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName="one")
    wait(cloud, "InService")

    cloud.client.update_endpoint(
        EndpointName="Live",
        EndpointConfigName="two",
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}],
    )

    cloud.wait(lambda: cloud.client.describe_endpoint(EndpointName="Live"), "EndpointConfigName", "two")
    variant = wait(cloud, "InService")["ProductionVariants"][0]
    assert (variant["CurrentInstanceCount"], variant["CurrentWeight"]) == (2, 0.25)


def test_an_endpoint_that_changes_takes_no_other_change(make_cloud: Any) -> None:
    cloud = make_cloud(state_seconds=0.5)
    data = cloud.put("m", b"")
    cloud.client.create_model(ModelName="m", PrimaryContainer={"Image": cloud.image, "ModelDataUrl": data})
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    cloud.client.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName="c")

    changes: tuple[Callable[[], object], ...] = (
        lambda: cloud.client.update_endpoint(EndpointName="Live", EndpointConfigName="c"),
        lambda: cloud.client.delete_endpoint(EndpointName="Live"),
        lambda: cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName="c"),
    )
    for change in changes:
        with pytest.raises(ClientError, match=r"Cannot (update in-progress|create already existing) endpoint"):
            change()


def test_data_capture_is_told_by_the_endpoint(cloud: Any, config: Any) -> None:
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 20,
        "DestinationS3Uri": "s3://data/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    config("one", DataCaptureConfig=capture)
    cloud.client.create_endpoint(EndpointName="Live", EndpointConfigName="one")

    found = wait(cloud, "InService")["DataCaptureConfig"]

    assert (found["CaptureStatus"], found["CurrentSamplingPercentage"]) == ("Started", 20)
    assert cloud.client.describe_endpoint_config(EndpointConfigName="one")["DataCaptureConfig"] == capture


def test_what_is_not_there_is_named_by_its_arn(cloud: Any, config: Any) -> None:
    calls: dict[str, Callable[[], object]] = {
        'Could not find model "': lambda: cloud.client.describe_model(ModelName="no"),
        'Could not find endpoint configuration "': lambda: cloud.client.create_endpoint(
            EndpointName="Live", EndpointConfigName="no"
        ),
        'Could not find endpoint "': lambda: cloud.client.delete_endpoint(EndpointName="no"),
    }
    for words, call in calls.items():
        with pytest.raises(ClientError, match="ValidationException") as refusal:
            call()
        message = refusal.value.response["Error"]["Message"]
        assert message.startswith(f"{words}arn:aws:sagemaker:{cloud.region}:{cloud.account}:")
    config("one")
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        config("one")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({}, "either PrimaryContainer or Containers"),
        ({"PrimaryContainer": {"Mode": "SingleModel"}}, "an Image or a ModelPackageName"),
        ({"PrimaryContainer": {"ModelPackageName": "none"}}, "ModelPackage none does not exist"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(cloud: Any, model: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        cloud.client.create_model(ModelName="m", ExecutionRoleArn=cloud.role, **model)
