from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def listed(client: Any, size: int | None = None, **parameters: Any) -> list[list[str]]:
    pages = client.get_paginator("list_artifacts").paginate(**parameters, PaginationConfig={"PageSize": size})
    return [[summary["ArtifactArn"] for summary in page["ArtifactSummaries"]] for page in pages]


def test_a_page_has_ten_items_unless_the_caller_says_otherwise(host: Any, client: Any) -> None:
    made = [host.artifact() for _ in range(25)]

    assert [len(page) for page in listed(client)] == [10, 10, 5]
    assert [len(page) for page in listed(client, 25)] == [25]
    assert [arn for page in listed(client, 4) for arn in page] == made[::-1]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(0, 12),
    size=st.integers(1, 5),
    order=st.sampled_from(["Ascending", "Descending"]),
    # After each page an entity is made, or one of those that are listed or not is deleted.
    upsets=st.lists(st.one_of(st.just("make"), st.integers(0, 11)), max_size=6),
)
def test_entities_that_come_and_go_neither_hide_nor_repeat_others(
    make_host: Any, count: int, size: int, order: str, upsets: list[str | int]
) -> None:
    host = make_host()
    made = [host.artifact() for _ in range(count)]
    kept, seen = set(made), []
    token: dict[str, str] = {}
    while True:
        answer = host.ask("ListArtifacts", MaxResults=size, SortOrder=order, **token)
        seen += [summary["ArtifactArn"] for summary in answer["ArtifactSummaries"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
        upset = upsets.pop() if upsets else None
        if upset == "make":
            host.artifact()
        elif isinstance(upset, int) and upset < count and made[upset] in kept:
            host.ask("DeleteArtifact", ArtifactArn=made[upset])
            kept.discard(made[upset])

    assert len(seen) == len(set(seen))
    assert kept <= set(seen)


def test_deleting_while_listing_reaches_everything(host: Any, client: Any) -> None:
    for _ in range(25):
        host.artifact()

    for page in client.get_paginator("list_artifacts").paginate():
        for summary in page["ArtifactSummaries"]:
            client.delete_artifact(ArtifactArn=summary["ArtifactArn"])

    assert client.list_artifacts()["ArtifactSummaries"] == []


def test_a_token_serves_the_request_that_it_came_from_alone(host: Any, client: Any) -> None:
    for _ in range(3):
        host.artifact()
    token = client.list_artifacts(MaxResults=1)["NextToken"]

    client.list_artifacts(MaxResults=2, NextToken=token)
    for wrong in (
        {"NextToken": token, "ArtifactType": "Model"},
        {"NextToken": token, "SortOrder": "Ascending"},
        {"NextToken": "not a token"},
        {"NextToken": "bm90IGpzb24="},
    ):
        with pytest.raises(ClientError, match="nextToken") as error:
            client.list_artifacts(**wrong)
        assert error.value.response["Error"]["Code"] == "ValidationException"
