"""The function that judges second runs, over a table, a bus and a dead-letter queue of moto's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import boto3
import pytest
from moto import mock_aws

from hallmark.aws import clients
from hallmark.aws.clients import client
from hallmark.aws.dynamodb import DynamoLineageTable
from tests.fakes.memory_store import NOW
from tests.fakes.stand_in_account import Invocation, create_table, load_handler, sqs_event
from tests.unit.lineage_reproduction.test_judgements import Desk


class Place(NamedTuple):
    desk: Desk
    second: str
    handler: Any
    told: str
    dead: str
    sqs: Any

    def take(self, url: str) -> list[dict[str, Any]]:
        found = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    clients._client.cache_clear()
    clients._session.cache_clear()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": "judge_reproduction",
        "LINEAGE_TABLE_NAME": "lineage",
        "EVENT_BUS_NAME": "hallmark",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        sqs, events = boto3.client("sqs"), boto3.client("events")
        told, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("told", "dead"))
        monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", dead)
        arn = sqs.get_queue_attributes(QueueUrl=told, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.create_event_bus(Name="hallmark")
        events.put_rule(Name="all", EventBusName="hallmark", EventPattern=json.dumps({"source": ["hallmark"]}))
        events.put_targets(Rule="all", EventBusName="hallmark", Targets=[{"Id": "queue", "Arn": arn}])
        create_table("lineage")
        desk = Desk()
        second = desk.again()
        table = DynamoLineageTable("lineage", client("dynamodb"))
        for fact in desk.account.store.facts:
            table.add(fact, NOW)
        yield Place(desk, second, load_handler("judge_reproduction").handler, told, dead, sqs)
    clients._client.cache_clear()
    clients._session.cache_clear()


def recorded(node: str) -> str:
    return json.dumps({"source": "hallmark", "detail-type": "LineageRecorded", "detail": {"node": node}})


def test_a_second_run_is_judged_from_the_table_and_told_on_the_bus(place: Place) -> None:
    answer = place.handler(sqs_event(recorded(place.second)), Invocation())

    (event,) = place.take(place.told)
    assert answer == {"batchItemFailures": []}
    assert event["detail-type"] == "ReproductionJudged"
    assert (event["detail"]["outcome"], event["detail"]["original"]) == ("Exact", place.desk.manifest.run.key)


def test_what_reproduces_nothing_is_passed_over_and_what_is_no_event_is_kept_as_a_dead_letter(place: Place) -> None:
    first = place.desk.manifest.run.key

    answer = place.handler(sqs_event(recorded(first), recorded(""), recorded(place.second)), Invocation())

    assert answer == {"batchItemFailures": []}
    assert len(place.take(place.told)) == 1
    (letter,) = place.take(place.dead)
    assert letter["detail"] == {"node": ""}
