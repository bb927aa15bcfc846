from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.sagemaker.contract import ResourceChanged
from local.sagemaker.lineage import LineageLimits

TRAINING = ResourceChanged(
    kind="training-job",
    arn="arn:aws:sagemaker:eu-west-1:123456789012:training-job/churn",
    account="123456789012",
    region="eu-west-1",
    partition="aws",
    description={
        "TrainingJobName": "churn",
        "TrainingJobStatus": "InProgress",
        "CreationTime": datetime(2026, 1, 2, tzinfo=UTC),
        "AlgorithmSpecification": {"TrainingImage": "image:1"},
        "InputDataConfig": [{"DataSource": {"S3DataSource": {"S3Uri": f"s3://bucket/{i}"}}} for i in range(3)],
    },
)


def test_the_limits_are_those_that_aws_documents() -> None:
    assert LineageLimits() == LineageLimits(actions=3000, artifacts=6000, associations=6000, contexts=500)


def requests_for(kind: str, client: Any, arns: list[str]) -> Callable[[int], Any]:
    return {
        "artifacts": lambda i: client.create_artifact(Source={"SourceUri": f"s3://b/{i}"}, ArtifactType="DataSet"),
        "actions": lambda i: client.create_action(ActionName=f"a{i}", Source={"SourceUri": "x"}, ActionType="T"),
        "contexts": lambda i: client.create_context(ContextName=f"c{i}", Source={"SourceUri": "x"}, ContextType="T"),
        "associations": lambda i: client.add_association(SourceArn=arns[i], DestinationArn=arns[i + 1]),
    }[kind]


@pytest.mark.parametrize("kind", ["artifacts", "actions", "contexts", "associations"])
def test_what_users_make_is_limited_until_something_is_deleted(make_host: Callable[..., Any], kind: str) -> None:
    host = make_host(**{kind: 2})
    client = host.client()
    arns = [host.action() for _ in range(5)] if kind == "associations" else []
    make = requests_for(kind, client, arns)
    make(0)
    make(1)

    with pytest.raises(client.exceptions.ResourceLimitExceeded, match=r"is 2, with 2 made"):
        make(2)

    gone = {
        "artifacts": lambda: client.delete_artifact(Source={"SourceUri": "s3://b/0"}),
        "actions": lambda: client.delete_action(ActionName="a0"),
        "contexts": lambda: client.delete_context(ContextName="c0"),
        "associations": lambda: client.delete_association(SourceArn=arns[0], DestinationArn=arns[1]),
    }
    gone[kind]()
    make(2)
    with pytest.raises(client.exceptions.ResourceLimitExceeded):
        make(3)


def test_a_limit_is_of_one_account_and_region(make_host: Callable[..., Any]) -> None:
    host = make_host(artifacts=1)

    for client in (host.client(), host.client(account="111111111111"), host.client(region="us-east-1")):
        requests_for("artifacts", client, [])(0)
        with pytest.raises(ClientError, match="ResourceLimitExceeded"):
            requests_for("artifacts", client, [])(1)


def test_what_sagemaker_makes_by_itself_does_not_count(make_host: Callable[..., Any]) -> None:
    host = make_host(artifacts=1, associations=1)
    host.tell(TRAINING)

    uri = "s3://bucket/mine"
    mine = host.client().create_artifact(Source={"SourceUri": uri}, ArtifactType="DataSet")["ArtifactArn"]
    component = host.client().list_trial_components()["TrialComponentSummaries"][0]["TrialComponentArn"]
    host.client().add_association(SourceArn=mine, DestinationArn=component)

    assert len(host.client().list_artifacts()["ArtifactSummaries"]) == 5


def test_sagemaker_goes_on_when_the_user_is_at_the_limit(make_host: Callable[..., Any]) -> None:
    host = make_host(artifacts=0, associations=0)

    host.tell(TRAINING)

    assert len(host.client().list_associations()["AssociationSummaries"]) == 4


def test_deleting_what_sagemaker_made_makes_no_room(make_host: Callable[..., Any]) -> None:
    host = make_host(artifacts=1)
    client = host.client()
    host.tell(TRAINING)
    image = client.list_artifacts(SourceUri="image:1")["ArtifactSummaries"][0]["ArtifactArn"]
    for each in client.list_associations(SourceArn=image)["AssociationSummaries"]:
        client.delete_association(SourceArn=image, DestinationArn=each["DestinationArn"])

    client.delete_artifact(ArtifactArn=image)

    requests_for("artifacts", client, [])(0)
    with pytest.raises(client.exceptions.ResourceLimitExceeded):
        requests_for("artifacts", client, [])(1)
