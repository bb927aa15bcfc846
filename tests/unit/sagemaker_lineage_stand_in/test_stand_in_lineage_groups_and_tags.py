from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.sagemaker import lineage
from local.sagemaker.contract import Call, Description

GROUP = "sagemaker-default-lineage-group"


def test_the_group_comes_with_the_first_entity(host: Any, client: Any) -> None:
    assert client.list_lineage_groups()["LineageGroupSummaries"] == []
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.describe_lineage_group(LineageGroupName=GROUP)

    host.artifact()

    described = client.describe_lineage_group(LineageGroupName=GROUP)
    summary = client.list_lineage_groups()["LineageGroupSummaries"][0]
    assert described["LineageGroupArn"] == f"arn:aws:sagemaker:eu-west-1:123456789012:lineage-group/{GROUP}"
    assert summary["LineageGroupArn"] == described["LineageGroupArn"]
    assert described["CreationTime"] == summary["CreationTime"]


def test_the_policy_of_the_group_is_asked_by_name_and_by_arn(host: Any, client: Any) -> None:
    host.artifact()
    arn = client.describe_lineage_group(LineageGroupName=GROUP)["LineageGroupArn"]

    for name in (GROUP, arn):
        assert client.get_lineage_group_policy(LineageGroupName=name)["LineageGroupArn"] == arn
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.get_lineage_group_policy(LineageGroupName="another")


def tags_of(client: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in client.list_tags(ResourceArn=arn)["Tags"]}


def test_tags_are_given_with_the_entity_and_later(client: Any) -> None:
    arn = client.create_context(
        ContextName="team",
        Source={"SourceUri": "x"},
        ContextType="Team",
        Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
    )["ContextArn"]

    client.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "3"}, {"Key": "c", "Value": "4"}])
    client.delete_tags(ResourceArn=arn, TagKeys=["a", "never there"])

    assert tags_of(client, arn) == {"b": "3", "c": "4"}


def test_an_entity_has_at_most_fifty_tags(host: Any, client: Any) -> None:
    arn = host.artifact()
    client.add_tags(ResourceArn=arn, Tags=[{"Key": f"k{i}", "Value": ""} for i in range(50)])

    with pytest.raises(ClientError, match="50") as error:
        client.add_tags(ResourceArn=arn, Tags=[{"Key": "one-more", "Value": ""}])

    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert len(tags_of(client, arn)) == 50


def test_tags_of_other_resources_are_left_to_the_service(make_host: Callable[..., Any]) -> None:
    host = make_host()
    endpoint = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/churn"
    with pytest.raises(ClientError, match="endpoint/churn"):
        host.client().list_tags(ResourceArn=endpoint)

    def list_tags(call: Call) -> Description:
        return {"Tags": [{"Key": "of", "Value": call.parameters["ResourceArn"]}]}

    host.operations = {"ListTags": list_tags}
    lineage.register(host)

    assert tags_of(host.client(), endpoint) == {"of": endpoint}
    assert tags_of(host.client(), host.artifact()) == {}
