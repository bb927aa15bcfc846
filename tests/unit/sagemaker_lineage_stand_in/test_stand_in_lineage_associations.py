from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

JOB = "arn:aws:sagemaker:eu-west-1:123456789012:experiment-trial-component/never-ran-aws-training-job"


def ends(answer: Any) -> list[tuple[str, str]]:
    return [(each["SourceArn"], each["DestinationArn"]) for each in answer["AssociationSummaries"]]


def test_an_association_is_listed_with_names_and_types_of_its_ends(host: Any, client: Any) -> None:
    source = host.artifact(ArtifactName="raw")
    destination = host.action(ActionName="review")

    answer = client.add_association(SourceArn=source, DestinationArn=destination, AssociationType="ContributedTo")
    listed = client.list_associations(SourceArn=source)["AssociationSummaries"][0]

    assert (answer["SourceArn"], answer["DestinationArn"]) == (source, destination)
    assert listed.pop("CreationTime") is not None
    assert listed == {
        "SourceArn": source,
        "DestinationArn": destination,
        "SourceType": "DataSet",
        "DestinationType": "Review",
        "AssociationType": "ContributedTo",
        "SourceName": "raw",
        "DestinationName": "review",
        "CreatedBy": {"IamIdentity": {"Arn": "arn:aws:iam::123456789012:role/analyst"}},
    }


def test_an_association_needs_no_type_and_an_artifact_no_name(host: Any, client: Any) -> None:
    client.add_association(SourceArn=host.artifact(), DestinationArn=host.artifact())

    listed = client.list_associations()["AssociationSummaries"][0]

    assert not {"AssociationType", "SourceName", "DestinationName"} & set(listed)


def test_a_second_association_between_two_entities_is_refused_whatever_its_type(host: Any, client: Any) -> None:
    source, destination = host.artifact(), host.action()
    client.add_association(SourceArn=source, DestinationArn=destination, AssociationType="ContributedTo")

    with pytest.raises(ClientError, match="exists already") as error:
        client.add_association(SourceArn=source, DestinationArn=destination, AssociationType="Produced")
    assert error.value.response["Error"]["Code"] == "ValidationException"

    client.add_association(SourceArn=destination, DestinationArn=source, AssociationType="Produced")


def test_both_ends_must_exist(host: Any, client: Any) -> None:
    known = host.artifact()

    for source, destination in ((known, JOB), (JOB, known)):
        with pytest.raises(client.exceptions.ResourceNotFound, match="never-ran"):
            client.add_association(SourceArn=source, DestinationArn=destination)


def test_an_end_in_another_account_is_not_found(host: Any, client: Any) -> None:
    other = host.client(account="111111111111")
    theirs = other.create_artifact(Source={"SourceUri": "s3://b/x"}, ArtifactType="DataSet")["ArtifactArn"]

    with pytest.raises(client.exceptions.ResourceNotFound):
        client.add_association(SourceArn=host.artifact(), DestinationArn=theirs)


def test_a_resource_that_is_no_entity_is_refused(host: Any, client: Any) -> None:
    with pytest.raises(ClientError, match="regular expression pattern") as error:
        client.add_association(
            SourceArn=host.artifact(), DestinationArn="arn:aws:sagemaker:eu-west-1:123456789012:training-job/churn"
        )
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_an_association_is_deleted_once(host: Any, client: Any) -> None:
    source, destination = host.artifact(), host.action()
    host.associate(source, destination)

    answer = client.delete_association(SourceArn=source, DestinationArn=destination)

    assert (answer["SourceArn"], answer["DestinationArn"]) == (source, destination)
    assert client.list_associations()["AssociationSummaries"] == []
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.delete_association(SourceArn=source, DestinationArn=destination)


def test_associations_are_filtered_by_each_of_their_members(host: Any, client: Any) -> None:
    data, model, review = host.artifact(), host.artifact(ArtifactType="Model"), host.action()
    host.associate(data, model, "Produced")
    host.associate(model, review, "AssociatedWith")
    first, second = (data, model), (model, review)

    filters: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
        ({"SourceArn": data}, [first]),
        ({"DestinationArn": review}, [second]),
        ({"SourceArn": data, "DestinationArn": review}, []),
        ({"SourceType": "Model"}, [second]),
        ({"DestinationType": "Model"}, [first]),
        ({"AssociationType": "Produced"}, [first]),
        ({"SourceArn": model, "AssociationType": "Produced"}, []),
        ({}, [second, first]),
        ({"SortOrder": "Ascending"}, [first, second]),
        ({"SortBy": "DestinationType", "SortOrder": "Ascending"}, [first, second]),
        ({"SortBy": "SourceType"}, [second, first]),
    ]
    for parameters, expected in filters:
        assert ends(client.list_associations(**parameters)) == expected, parameters


def test_an_unknown_end_has_no_associations(client: Any) -> None:
    assert client.list_associations(SourceArn=JOB)["AssociationSummaries"] == []
