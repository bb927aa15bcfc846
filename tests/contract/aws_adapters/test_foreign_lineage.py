"""What the table knows of a place, and reports on the bus, as moto answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.foreign_lineage import KnownPlaces, ReportsOnBus
from hallmark.events.records import LineageNode, LineageSection
from hallmark.events.reports import LineageReported
from hallmark.lineage.model import EdgeType, NodeKind, NodeRef
from tests.contract.aws_adapters.lineage_table import create_lineage_table
from tests.fakes.lineage_facts import edge, fact, place, version

PLACE = place("s3://lake/raw")
CONTENT = version("s3://lake/raw", "ab" * 32)


def run(name: str) -> NodeRef:
    return NodeRef(kind=NodeKind.RUN, id=f"openlineage:{name}")


@pytest.mark.parametrize(
    ("edges", "known"),
    [
        ([], False),
        ([edge(PLACE, run("1"))], False),
        ([edge(PLACE, CONTENT, EdgeType.ASSOCIATED_WITH), edge(CONTENT, run("1"))], False),
        ([edge(version("s3://lake/raw/a", "cd" * 32), CONTENT, EdgeType.DERIVED_FROM, "gathered")], False),
        ([edge(PLACE, run("2"))], True),
        ([edge(run("2"), PLACE, EdgeType.PRODUCED)], True),
        ([edge(PLACE, CONTENT, EdgeType.ASSOCIATED_WITH), edge(run("2"), CONTENT, EdgeType.PRODUCED)], True),
        ([edge(place("hdfs://n/raw"), PLACE, EdgeType.SAME_AS)], True),
    ],
)
def test_a_place_is_known_where_anything_but_the_run_itself_tells_of_it(
    dynamodb: Any, edges: list[Any], known: bool
) -> None:
    table = "lineage"
    create_lineage_table(dynamodb, table)
    recorded = fact(run("1"), *edges)
    DynamoLineageTable(table, dynamodb).add(recorded.fact, recorded.recorded_at)

    assert KnownPlaces(table, dynamodb).is_known("s3://lake/raw", "openlineage:1") is known


def test_reports_are_published_one_an_event(aws: Any) -> None:
    events, sqs = aws.create_client("events"), aws.create_client("sqs")
    events.create_event_bus(Name="hallmark")
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["hallmark"], "detail-type": ["LineageReported"]})
    events.put_rule(Name="all", EventBusName="hallmark", EventPattern=pattern)
    events.put_targets(Rule="all", EventBusName="hallmark", Targets=[{"Id": "1", "Arn": arn}])
    reports = [
        LineageReported(
            tool="kiln",
            lineage=LineageSection(
                node=LineageNode(kind="run", id=f"kiln:{number}"), at=datetime(2026, 11, 29, tzinfo=UTC)
            ),
        )
        for number in range(12)
    ]

    ReportsOnBus("hallmark", events).publish(reports)
    ReportsOnBus("hallmark", events).publish([])

    heard = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            heard.append(json.loads(message["Body"])["detail"]["lineage"]["node"]["id"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert sorted(heard) == sorted(report.lineage.node.id for report in reports)
