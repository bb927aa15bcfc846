from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


def make_models(cloud: Any, *names: str) -> None:
    for name in names:
        cloud.client.create_model(ModelName=name, PrimaryContainer={"Image": cloud.image})


def names(cloud: Any, **wanted: Any) -> list[str]:
    return [model["ModelName"] for model in cloud.client.list_models(**wanted)["Models"]]


def test_pages_join_to_the_whole_list_in_order(cloud: Any) -> None:
    made = [f"m-{number:02d}" for number in range(25)]
    make_models(cloud, *made)

    pages = list(
        cloud.client.get_paginator("list_models").paginate(
            SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 4}
        )
    )

    assert [len(answer["Models"]) for answer in pages] == [4, 4, 4, 4, 4, 4, 1]
    assert [model["ModelName"] for answer in pages for model in answer["Models"]] == made


def test_a_page_has_ten_unless_the_caller_says_otherwise(cloud: Any) -> None:
    make_models(cloud, *(f"m{number}" for number in range(12)))

    assert len(names(cloud)) == 10
    assert len(names(cloud, MaxResults=100)) == 12


def test_a_token_is_good_for_the_same_filters_alone(cloud: Any) -> None:
    make_models(cloud, "a", "b", "c")
    token = cloud.client.list_models(MaxResults=1)["NextToken"]

    assert len(names(cloud, MaxResults=5, NextToken=token)) == 2
    for wanted in ({"NextToken": token, "NameContains": "a"}, {"NextToken": "made-up"}, {"NextToken": "bnVsbA=="}):
        with pytest.raises(ClientError, match="ValidationException"):
            cloud.client.list_models(**wanted)


def test_lists_are_filtered_by_name_and_time(cloud: Any) -> None:
    make_models(cloud, "Rings-a", "rings-b", "other")
    middle = cloud.client.describe_model(ModelName="rings-b")["CreationTime"]

    assert set(names(cloud, NameContains="rings")) == {"Rings-a", "rings-b"}
    assert names(cloud, CreationTimeAfter=middle.replace(year=middle.year + 1)) == []
    assert len(names(cloud, CreationTimeBefore=middle.replace(year=middle.year + 1))) == 3


def test_jobs_are_listed_by_status_and_in_the_order_asked_for(cloud: Any) -> None:
    for name, script in (("b-bad", "exit 1"), ("c-good", "true"), ("a-good", "true")):
        cloud.train(name, script)
        cloud.wait_for_training(name)

    def listed(**wanted: Any) -> list[str]:
        return [job["TrainingJobName"] for job in cloud.client.list_training_jobs(**wanted)["TrainingJobSummaries"]]

    assert listed() == ["b-bad", "c-good", "a-good"]
    assert listed(StatusEquals="Completed", SortBy="Name") == ["a-good", "c-good"]
    assert listed(SortBy="Status", SortOrder="Descending")[0] == "b-bad"
    assert listed(SortOrder="Descending") == ["a-good", "c-good", "b-bad"]


def test_regions_and_accounts_do_not_see_each_other(cloud: Any) -> None:
    make_models(cloud, "here")
    elsewhere = cloud.client_in("us-east-1")

    assert elsewhere.list_models()["Models"] == []
    elsewhere.create_model(ModelName="here", PrimaryContainer={"Image": cloud.image})


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_arns_are_of_the_partition_of_the_region(cloud: Any, region: str, partition: str) -> None:
    client = cloud.client_in(region)

    arn = client.create_model_package_group(ModelPackageGroupName="g")["ModelPackageGroupArn"]

    assert arn == f"arn:{partition}:sagemaker:{region}:{cloud.account}:model-package-group/g"


def test_tags_are_added_changed_listed_and_deleted(cloud: Any) -> None:
    arn = cloud.client.create_model(
        ModelName="m", PrimaryContainer={"Image": cloud.image}, Tags=[{"Key": "a", "Value": "1"}]
    )["ModelArn"]

    cloud.client.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    cloud.client.delete_tags(ResourceArn=arn, TagKeys=["missing"])

    listed = cloud.client.get_paginator("list_tags").paginate(ResourceArn=arn).build_full_result()["Tags"]
    assert listed == [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    cloud.client.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert cloud.client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": ""}]


def test_a_resource_has_at_most_fifty_tags(cloud: Any) -> None:
    make_models(cloud, "m")
    arn = cloud.client.describe_model(ModelName="m")["ModelArn"]
    cloud.client.add_tags(ResourceArn=arn, Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(50)])

    with pytest.raises(ClientError, match="50"):
        cloud.client.add_tags(ResourceArn=arn, Tags=[{"Key": "one-more", "Value": "v"}])


def test_tags_of_what_is_not_there_are_refused(cloud: Any) -> None:
    with pytest.raises(ClientError, match="does not exist"):
        cloud.client.list_tags(ResourceArn=f"arn:aws:sagemaker:{cloud.region}:{cloud.account}:model/none")


def request(cloud: Any, target: str, body: bytes, method: str = "POST") -> tuple[int, dict[str, Any], dict[str, str]]:
    status, headers, content = cloud.service.handle(
        method, "/", {"x-amz-target": target}, body, account=cloud.account, region=cloud.region, caller_arn=""
    )
    return status, json.loads(content), headers


def test_an_operation_that_nobody_implements_is_refused_by_its_name(cloud: Any) -> None:
    status, error, headers = request(cloud, "SageMaker.CreateApp", b"{}")

    assert (status, error["__type"]) == (501, "UnknownOperationException")
    assert "CreateApp" in error["message"]
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert headers["x-amzn-RequestId"]
    with pytest.raises(ClientError) as refusal:
        cloud.client.list_apps()
    assert refusal.value.response["Error"]["Code"] == "UnknownOperationException"


@pytest.mark.parametrize(
    ("target", "body", "method", "status", "code"),
    [
        ("SageMaker.NoSuchThing", b"{}", "POST", 404, "UnknownOperationException"),
        ("", b"{}", "POST", 404, "UnknownOperationException"),
        ("SageMaker.ListModels", b"", "GET", 404, "UnknownOperationException"),
        ("SageMaker.ListModels", b"{", "POST", 400, "SerializationException"),
        ("SageMaker.ListModels", b"[]", "POST", 400, "SerializationException"),
        ("SageMaker.ListModels", b'{"MaxResults": 0}', "POST", 400, "ValidationException"),
    ],
)
def test_a_request_that_cannot_be_read_gets_aws_s_error(
    cloud: Any, target: str, body: bytes, method: str, status: int, code: str
) -> None:
    answered, error, _headers = request(cloud, target, body, method)

    assert (answered, error["__type"]) == (status, code)


def test_reset_forgets_everything_and_ends_what_runs(cloud: Any) -> None:
    make_models(cloud, "m")
    cloud.train("long", "echo up $$; while :; do sleep 0.01; done")
    has_ended = cloud.watch(int(cloud.wait_for_line("training-job", "long", "up").split()[1]))

    cloud.service.reset()

    assert has_ended()
    assert names(cloud) == []
    assert cloud.client.list_training_jobs()["TrainingJobSummaries"] == []
    assert not cloud.service.foundation.settings.scratch.exists()
    cloud.train("long", "true")
    assert cloud.wait_for_training("long")["TrainingJobStatus"] == "Completed"
