from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/analyst"


def make_artifact(client: Any, uri: str = "s3://bucket/train.csv", **more: Any) -> str:
    arn: str = client.create_artifact(**{"Source": {"SourceUri": uri}, "ArtifactType": "DataSet", **more})[
        "ArtifactArn"
    ]
    return arn


def make_action(client: Any, name: str = "review", **more: Any) -> str:
    request = {"ActionName": name, "Source": {"SourceUri": "ticket-7"}, "ActionType": "Review", **more}
    arn: str = client.create_action(**request)["ActionArn"]
    return arn


def make_context(client: Any, name: str = "churn_models", **more: Any) -> str:
    request = {"ContextName": name, "Source": {"SourceUri": "churn"}, "ContextType": "Team", **more}
    arn: str = client.create_context(**request)["ContextArn"]
    return arn


def error_code(error: pytest.ExceptionInfo[ClientError]) -> str:
    code: str = error.value.response["Error"]["Code"]
    return code


def test_an_artifact_is_described_as_it_was_made(client: Any) -> None:
    source = {"SourceUri": "s3://bucket/a", "SourceTypes": [{"SourceIdType": "S3ETag", "Value": "abc"}]}
    arn = client.create_artifact(
        ArtifactName="raw",
        Source=source,
        ArtifactType="DataSet",
        Properties={"rows": "10"},
        MetadataProperties={"CommitId": "4f1c"},
        Tags=[{"Key": "team", "Value": "risk"}],
    )["ArtifactArn"]

    described = client.describe_artifact(ArtifactArn=arn)

    assert arn.startswith("arn:aws:sagemaker:eu-west-1:123456789012:artifact/")
    assert (described["ArtifactName"], described["Source"], described["ArtifactType"]) == ("raw", source, "DataSet")
    assert (described["Properties"], described["MetadataProperties"]) == ({"rows": "10"}, {"CommitId": "4f1c"})
    assert described["CreatedBy"] == described["LastModifiedBy"] == {"IamIdentity": {"Arn": ROLE}}
    assert described["CreationTime"] == described["LastModifiedTime"]
    assert described["LineageGroupArn"].endswith(":lineage-group/sagemaker-default-lineage-group")


def test_an_action_is_described_by_name_and_by_arn(client: Any) -> None:
    arn = make_action(client, Status="InProgress", Description="of the churn model")

    by_name, by_arn = (client.describe_action(ActionName=each) for each in ("review", arn))

    assert {**by_name, "ResponseMetadata": None} == {**by_arn, "ResponseMetadata": None}
    assert (by_name["ActionName"], by_name["ActionArn"]) == ("review", arn)
    assert (by_name["Status"], by_name["Description"]) == ("InProgress", "of the churn model")


def test_a_context_is_described_by_name_and_by_arn(client: Any) -> None:
    arn = make_context(client)

    assert client.describe_context(ContextName=arn)["ContextName"] == "churn_models"
    assert client.describe_context(ContextName="churn_models")["ContextArn"] == arn


def test_the_artifact_of_a_source_has_the_same_id_in_every_account(host: Any) -> None:
    ids = [
        make_artifact(host.client(account=account)).rpartition("/")[2] for account in ("111111111111", "222222222222")
    ]

    assert ids[0] == ids[1]


def test_arns_are_of_the_partition_of_the_region(host: Any) -> None:
    arn = make_artifact(host.client(region="cn-north-1", partition="aws-cn"))

    assert arn.startswith("arn:aws-cn:sagemaker:cn-north-1:123456789012:artifact/")


def test_a_second_artifact_of_one_source_is_refused_whatever_its_type(client: Any) -> None:
    make_artifact(client)

    with pytest.raises(ClientError, match=r"s3://bucket/train\.csv") as error:
        make_artifact(client, ArtifactType="Model", ArtifactName="other")

    assert error_code(error) == "ValidationException"


def test_two_artifacts_may_have_one_name(client: Any) -> None:
    make_artifact(client, "s3://bucket/1", ArtifactName="same")
    make_artifact(client, "s3://bucket/2", ArtifactName="same")

    assert len(client.list_artifacts()["ArtifactSummaries"]) == 2


@pytest.mark.parametrize("make", [make_action, make_context])
def test_a_name_is_given_once(client: Any, make: Any) -> None:
    make(client, "mine", Source={"SourceUri": "a"})

    with pytest.raises(ClientError, match="'mine'") as error:
        make(client, "mine", Source={"SourceUri": "b"})

    assert error_code(error) == "ValidationException"


@pytest.mark.parametrize(
    ("make", "name"), [(make_action, "under_score"), (make_action, "-dash"), (make_context, "two words")]
)
def test_a_name_outside_the_pattern_is_refused(client: Any, make: Any, name: str) -> None:
    with pytest.raises(ClientError, match="regular expression pattern") as error:
        make(client, name)

    assert error_code(error) == "ValidationException"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("describe_artifact", {"ArtifactArn": "arn:aws:sagemaker:eu-west-1:123456789012:artifact/none"}),
        ("update_artifact", {"ArtifactArn": "arn:aws:sagemaker:eu-west-1:123456789012:artifact/none"}),
        ("delete_artifact", {"ArtifactArn": "arn:aws:sagemaker:eu-west-1:123456789012:artifact/none"}),
        ("delete_artifact", {"Source": {"SourceUri": "s3://bucket/none"}}),
        ("describe_action", {"ActionName": "none"}),
        ("update_action", {"ActionName": "none"}),
        ("delete_action", {"ActionName": "none"}),
        ("describe_context", {"ContextName": "none"}),
        ("update_context", {"ContextName": "none"}),
        ("delete_context", {"ContextName": "none"}),
    ],
)
def test_what_does_not_exist_is_not_found(client: Any, operation: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(client.exceptions.ResourceNotFound, match="none"):
        getattr(client, operation)(**parameters)


def test_an_entity_of_another_account_or_region_is_not_found(host: Any) -> None:
    arn = make_artifact(host.client())

    for other in (host.client(account="111111111111"), host.client(region="us-east-1")):
        with pytest.raises(other.exceptions.ResourceNotFound):
            other.describe_artifact(ArtifactArn=arn)


def test_an_arn_of_another_kind_is_not_found(client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.describe_action(ActionName=make_context(client, "team"))


def test_properties_are_overwritten_and_removed(client: Any) -> None:
    arn = make_artifact(client, Properties={"k1": "v1", "k2": "v2"})

    client.update_artifact(ArtifactArn=arn, PropertiesToRemove=["k1", "never there"])
    assert client.describe_artifact(ArtifactArn=arn)["Properties"] == {"k2": "v2"}

    client.update_artifact(ArtifactArn=arn, Properties={"k3": "v3"})
    assert client.describe_artifact(ArtifactArn=arn)["Properties"] == {"k3": "v3"}


def test_an_update_changes_what_it_names_and_nothing_else(client: Any) -> None:
    make_action(client, Status="InProgress", Description="first", Properties={"k": "v"})
    before = client.describe_action(ActionName="review")

    client.update_action(ActionName="review", Status="Completed")

    after = client.describe_action(ActionName="review")
    assert after["Status"] == "Completed"
    assert after["LastModifiedTime"] >= before["LastModifiedTime"]
    changed = {"Status", "LastModifiedTime", "ResponseMetadata"}
    assert {k: v for k, v in after.items() if k not in changed} == {k: v for k, v in before.items() if k not in changed}


def test_an_artifact_gets_a_new_name_and_a_context_a_new_description(client: Any) -> None:
    arn = make_artifact(client, ArtifactName="old")
    make_context(client, "team")

    client.update_artifact(ArtifactArn=arn, ArtifactName="new")
    client.update_context(ContextName="team", Description="of risk")

    assert client.describe_artifact(ArtifactArn=arn)["ArtifactName"] == "new"
    assert client.describe_context(ContextName="team")["Description"] == "of risk"


def test_thirty_properties_are_allowed_and_thirty_one_are_not(client: Any) -> None:
    make_artifact(client, "s3://bucket/30", Properties={f"k{i}": "v" for i in range(30)})

    with pytest.raises(ClientError, match="30") as error:
        make_artifact(client, "s3://bucket/31", Properties={f"k{i}": "v" for i in range(31)})

    assert error_code(error) == "ValidationException"


def test_an_artifact_is_deleted_by_its_source(client: Any) -> None:
    arn = make_artifact(client)

    assert client.delete_artifact(Source={"SourceUri": "s3://bucket/train.csv"})["ArtifactArn"] == arn
    assert client.list_artifacts()["ArtifactSummaries"] == []
    assert make_artifact(client) == arn


def test_a_deletion_that_names_nothing_is_refused(client: Any) -> None:
    with pytest.raises(ClientError, match="Either ArtifactArn or Source must be specified") as error:
        client.delete_artifact()

    assert error_code(error) == "ValidationException"


@pytest.mark.parametrize("end", ["source", "destination"])
def test_an_entity_with_associations_is_not_deleted(client: Any, end: str) -> None:
    kept, other = make_artifact(client), make_action(client)
    ends = (kept, other) if end == "source" else (other, kept)
    client.add_association(SourceArn=ends[0], DestinationArn=ends[1])

    with pytest.raises(ClientError, match="DeleteAssociation") as error:
        client.delete_artifact(ArtifactArn=kept)
    assert error_code(error) == "ValidationException"

    client.delete_association(SourceArn=ends[0], DestinationArn=ends[1])
    client.delete_artifact(ArtifactArn=kept)


def test_lists_are_filtered_by_source_and_type(client: Any) -> None:
    wanted = make_artifact(client, "s3://bucket/1", ArtifactType="Model")
    make_artifact(client, "s3://bucket/2", ArtifactType="DataSet")

    for found in (client.list_artifacts(SourceUri="s3://bucket/1"), client.list_artifacts(ArtifactType="Model")):
        assert [summary["ArtifactArn"] for summary in found["ArtifactSummaries"]] == [wanted]
    assert client.list_artifacts(SourceUri="s3://bucket/")["ArtifactSummaries"] == []
    assert client.list_artifacts(SourceUri="s3://bucket/1", ArtifactType="DataSet")["ArtifactSummaries"] == []


def test_the_newest_comes_first_unless_the_caller_says_otherwise(client: Any) -> None:
    arns = [make_context(client, name) for name in ("b", "c", "a")]

    def listed(**order: str) -> list[str]:
        return [summary["ContextArn"] for summary in client.list_contexts(**order)["ContextSummaries"]]

    assert listed() == arns[::-1]
    assert listed(SortOrder="Ascending") == arns
    assert listed(SortBy="Name", SortOrder="Ascending") == [arns[2], arns[0], arns[1]]
    assert listed(SortBy="Name") == [arns[1], arns[0], arns[2]]


def test_time_filters_include_their_bounds(client: Any) -> None:
    arn = make_artifact(client)
    made_at = client.describe_artifact(ArtifactArn=arn)["CreationTime"]
    instant = timedelta(milliseconds=1)

    def count(**bounds: datetime) -> int:
        return len(client.list_artifacts(**bounds)["ArtifactSummaries"])

    assert (count(CreatedAfter=made_at), count(CreatedBefore=made_at)) == (1, 1)
    assert (count(CreatedAfter=made_at + instant), count(CreatedBefore=made_at - instant)) == (0, 0)
    assert made_at <= datetime.now(UTC)


def test_the_status_of_an_action_is_in_its_summary(client: Any) -> None:
    make_action(client, Status="Failed")

    assert client.list_actions()["ActionSummaries"][0]["Status"] == "Failed"


def test_an_account_sees_its_own_lineage_alone(host: Any) -> None:
    make_artifact(host.client(account="111111111111"))

    assert host.client(account="222222222222").list_artifacts()["ArtifactSummaries"] == []


def test_a_reset_forgets_everything(host: Any, client: Any) -> None:
    make_artifact(client)

    for hook in host.reset_hooks:
        hook()

    assert client.list_artifacts()["ArtifactSummaries"] == []
    make_artifact(client)
