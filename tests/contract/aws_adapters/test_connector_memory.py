"""What connectors remember: the same contract on dictionaries and on DynamoDB, and what goes wrong between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.stub import ANY, Stubber

from hallmark.aws.connector_memory import BusReporter, DynamoConnectorMemory, DynamoDeliveries
from hallmark.errors import UnavailableError
from hallmark.events.records import LineageNode, LineageSection
from hallmark.lineage.connectors.ports import Known, Memory
from tests.fakes.memory_connectors import MemoryOfTools

TABLE = "connectors"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def table(dynamodb: Any) -> Any:
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return dynamodb


@pytest.fixture(params=["dictionary", "DynamoDB"])
def memory(request: pytest.FixtureRequest) -> Iterator[Memory]:
    if request.param == "dictionary":
        yield MemoryOfTools()
    else:
        yield DynamoConnectorMemory(TABLE, request.getfixturevalue("table"), "mlflow", "prod")


def known(name: str, minutes: int = 0, **state: Any) -> Known:
    return Known(name, f"digest of {name}", NOW + timedelta(minutes=minutes), state)


def test_what_is_remembered_is_recalled_and_nothing_else(memory: Memory) -> None:
    memory.remember([known("runs/a", lifecycle="active"), known("models/wine", aliases={"champion": "1"})])

    assert memory.recall(["runs/a", "models/wine", "runs/none", "runs/a"]) == {
        "runs/a": known("runs/a", lifecycle="active"),
        "models/wine": known("models/wine", aliases={"champion": "1"}),
    }
    assert memory.recall([]) == {}


def test_more_things_than_a_request_takes_are_remembered_and_recalled(memory: Memory) -> None:
    things = [known(f"runs/{number:03}") for number in range(130)]
    memory.remember(things)

    assert len(memory.recall([thing.name for thing in things])) == 130


def test_what_a_pass_has_not_listed_is_found_by_its_kind(memory: Memory) -> None:
    memory.remember([known("runs/old"), known("runs/new", 10), known("models/old")])

    assert [thing.name for thing in memory.unseen("runs/", NOW + timedelta(minutes=5))] == ["runs/old"]


def test_what_is_forgotten_is_gone_and_can_be_remembered_again(memory: Memory) -> None:
    memory.remember([known("runs/a"), known("runs/b")])
    memory.forget(["runs/a", "runs/none"])
    assert list(memory.recall(["runs/a", "runs/b"])) == ["runs/b"]

    memory.remember([known("runs/a", 1)])
    assert memory.recall(["runs/a"])["runs/a"].seen_at == NOW + timedelta(minutes=1)


def test_servers_do_not_see_each_others_things(table: Any) -> None:
    DynamoConnectorMemory(TABLE, table, "mlflow", "prod").remember([known("runs/a")])

    assert DynamoConnectorMemory(TABLE, table, "mlflow", "dev").recall(["runs/a"]) == {}
    assert DynamoConnectorMemory(TABLE, table, "kubeflow", "prod").recall(["runs/a"]) == {}


def test_what_dynamodb_leaves_over_is_asked_for_again_and_then_said(aws: botocore.session.Session) -> None:
    client = aws.create_client("dynamodb")
    left = {TABLE: {"Keys": [{"pk": {"S": "mlflow/prod"}, "sk": {"S": "runs/a"}}]}}
    with Stubber(client) as stub:
        for _ in range(5):
            stub.add_response(
                "batch_get_item", {"Responses": {TABLE: []}, "UnprocessedKeys": left}, {"RequestItems": ANY}
            )
        with pytest.raises(UnavailableError, match="did not answer to all"):
            DynamoConnectorMemory(TABLE, client, "mlflow", "prod").recall(["runs/a"])
        stub.assert_no_pending_responses()


def test_throttling_is_said_to_pass(table: Any) -> None:
    memory = DynamoConnectorMemory(TABLE, table, "mlflow", "prod")
    with Stubber(table) as stub:
        stub.add_client_error("batch_get_item", "ThrottlingException")
        with pytest.raises(UnavailableError, match="ThrottlingException"):
            memory.recall(["runs/a"])


def test_a_delivery_is_taken_once_and_forgotten_in_time(table: Any) -> None:
    deliveries = DynamoDeliveries(TABLE, table, "mlflow")
    assert not deliveries.is_taken("prod/1")

    deliveries.take("prod/1", NOW)
    deliveries.take("prod/1", NOW)

    assert deliveries.is_taken("prod/1")
    assert not deliveries.is_taken("prod/2")
    (item,) = table.scan(TableName=TABLE)["Items"]
    assert NOW < datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC) < NOW + timedelta(days=3)


def test_each_section_is_an_event_on_the_hallmark_bus(aws: botocore.session.Session) -> None:
    client = aws.create_client("events")
    section = LineageSection(node=LineageNode(kind="run", id="mlflow:prod/runs/1"), at=NOW)
    with Stubber(client) as stub:
        stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}, {"Entries": ANY})
        captured: list[Any] = []
        client.meta.events.register(
            "before-parameter-build.events.PutEvents", lambda params, **_: captured.append(params)
        )
        BusReporter("bus", client).report("mlflow", [section])

    (entry,) = captured[0]["Entries"]
    assert (entry["EventBusName"], entry["Source"], entry["DetailType"]) == ("bus", "hallmark", "LineageReported")
    assert json.loads(entry["Detail"])["tool"] == "mlflow"
