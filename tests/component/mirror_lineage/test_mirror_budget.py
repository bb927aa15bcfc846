"""The same contract for the budget in memory and the one in the lineage table."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from hallmark.aws.lineage_mirror import MirrorBudget
from hallmark.errors import UnavailableError
from hallmark.lineage.mirroring import Budget, Entity
from tests.fakes.memory_lineage import MemoryBudget
from tests.fakes.stand_in_account import TABLE, create_table

MakeBudget = Callable[[int, int], Budget]


@pytest.fixture
def make_in_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeBudget]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        create_table()
        client = boto3.client("dynamodb")
        yield lambda artifacts, associations: MirrorBudget(
            TABLE, client, {"artifact": artifacts, "association": associations}
        )


@pytest.fixture(params=["in memory", "in the table"])
def make(request: pytest.FixtureRequest) -> MakeBudget:
    if request.param == "in memory":
        return MemoryBudget
    found: MakeBudget = request.getfixturevalue("make_in_table")
    return found


def test_no_more_is_taken_than_there_is(make: MakeBudget) -> None:
    budget = make(2, 1)

    assert [budget.take("artifact") for _ in range(4)] == [True, True, False, False]
    assert [budget.take("association") for _ in range(2)] == [True, False]


def test_what_is_given_back_can_be_taken_again(make: MakeBudget) -> None:
    budget = make(1, 1)
    budget.take("artifact")

    budget.give_back("artifact")

    assert [budget.take("artifact") for _ in range(2)] == [True, False]


def test_what_was_never_taken_cannot_be_given_back(make: MakeBudget) -> None:
    budget = make(1, 1)

    budget.give_back("artifact")
    budget.take("artifact")
    budget.give_back("artifact")
    budget.give_back("artifact")

    assert [budget.take("artifact") for _ in range(2)] == [True, False]


@pytest.mark.parametrize("entity", ["artifact", "association"])
def test_a_budget_of_nothing_gives_nothing(make: MakeBudget, entity: Entity) -> None:
    assert not make(0, 0).take(entity)


def test_a_smaller_limit_of_a_later_deployment_holds(make_in_table: MakeBudget) -> None:
    before = make_in_table(3, 3)
    for _ in range(3):
        before.take("artifact")

    after = make_in_table(2, 2)

    assert not after.take("artifact")
    assert isinstance(after, MirrorBudget)
    assert after.left() == {"artifact": -1, "association": 2}


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    client = boto3.client("dynamodb", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubs:
        yield stubs
        stubs.assert_no_pending_responses()


def stubbed(dynamodb: Stubber) -> MirrorBudget:
    return MirrorBudget("lineage", dynamodb.client, {"artifact": 5, "association": 5})


def test_a_give_back_that_was_sent_twice_is_not_done_again(dynamodb: Stubber) -> None:
    dynamodb.add_response("get_item", {"Item": {"artifact": {"N": "3"}}})
    dynamodb.add_client_error(
        "update_item", "ConditionalCheckFailedException", "unmet", response_meta={"RetryAttempts": 1}
    )

    stubbed(dynamodb).give_back("artifact")


def test_a_give_back_that_another_one_overtook_is_tried_again(dynamodb: Stubber) -> None:
    for spent in ("3", "4"):
        dynamodb.add_response("get_item", {"Item": {"artifact": {"N": spent}}})
        if spent == "3":
            dynamodb.add_client_error("update_item", "ConditionalCheckFailedException", "unmet")
    dynamodb.add_response("update_item", {})

    stubbed(dynamodb).give_back("artifact")


def test_a_table_that_does_not_answer_is_unavailable(dynamodb: Stubber) -> None:
    dynamodb.add_client_error("update_item", "ProvisionedThroughputExceededException", "later")

    with pytest.raises(UnavailableError):
        stubbed(dynamodb).take("artifact")
