from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

READ_QUEUE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
READ_STREAM = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
LIST_STREAMS = ("dynamodb:ListStreams", "*")

# Reports what it was called with to the queue in REPORTS, then behaves as the records say.
REPORTER = """
    import json, os
    import boto3

    sqs = boto3.client("sqs")

    def handler(event, context):
        sqs.send_message(QueueUrl=os.environ["REPORTS"], MessageBody=json.dumps(event["Records"]))
        failed = [name for name, body in map(behaviour, event["Records"]) if body == "fail"]
        if any(body == "raise" for _, body in map(behaviour, event["Records"])):
            raise ValueError("told to")
        if any(body == "unknown" for _, body in map(behaviour, event["Records"])):
            failed.append("no-such-message")
        return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}

    def behaviour(record):
        if "dynamodb" in record:
            return record["dynamodb"]["SequenceNumber"], record["dynamodb"]["Keys"]["sk"]["S"]
        return record["messageId"], record["body"]
"""


@pytest.fixture
def reports(workbench: Any) -> tuple[str, str]:
    url, arn = workbench.queue()
    return url, arn


@pytest.fixture
def reporter(workbench: Any, reports: tuple[str, str]) -> Any:
    def make(*statements: Any) -> str:
        role = workbench.role(("sqs:SendMessage", reports[1]), *statements)
        return str(workbench.function(REPORTER, role, Environment={"Variables": {"REPORTS": reports[0]}}))

    return make


@pytest.fixture
def mapping(workbench: Any) -> Iterator[Any]:
    made = []

    def make(function: str, source: str, **settings: Any) -> str:
        answer = workbench.lambda_.create_event_source_mapping(
            FunctionName=function,
            EventSourceArn=source,
            FunctionResponseTypes=["ReportBatchItemFailures"],
            **settings,
        )
        made.append(answer["UUID"])
        return str(answer["UUID"])

    yield make
    for identifier in made:
        workbench.lambda_.delete_event_source_mapping(UUID=identifier)


@pytest.fixture
def table(workbench: Any) -> dict[str, Any]:
    name = workbench.name("table")
    described = workbench.dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return dict(described["TableDescription"])


def put(workbench: Any, table: dict[str, Any], pk: str, sk: str, **attributes: str) -> None:
    item = {"pk": pk, "sk": sk, **attributes}
    workbench.dynamodb.put_item(TableName=table["TableName"], Item={key: {"S": value} for key, value in item.items()})


def depth(workbench: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = workbench.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def test_only_the_failed_message_comes_again_and_then_goes_to_the_dead_letters(
    workbench: Any, reports: tuple[str, str], reporter: Any, mapping: Any
) -> None:
    dead_url, dead_arn = workbench.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = workbench.queue(VisibilityTimeout="1", RedrivePolicy=redrive)
    before = int(time.time() * 1000)
    workbench.sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": body, "MessageBody": body} for body in ("good", "fail")]
    )

    mapping(reporter((READ_QUEUE, arn)), arn, BatchSize=10)

    first, second = workbench.bodies(reports[0], 2)
    assert {record["body"] for record in first} == {"good", "fail"}
    assert [record["body"] for record in second] == ["fail"]
    assert [batch[-1]["attributes"]["ApproximateReceiveCount"] for batch in ([first[0]], second)] == ["1", "2"]
    assert before <= int(second[0]["attributes"]["SentTimestamp"]) <= int(time.time() * 1000)
    assert second[0]["eventSourceARN"] == arn
    assert [message["Body"] for message in workbench.receive(dead_url)] == ["fail"]
    assert depth(workbench, url) == 0


@pytest.mark.parametrize("behaviour", ["raise", "unknown"])
def test_an_answer_that_fails_the_batch_loses_no_message(
    workbench: Any, reports: tuple[str, str], reporter: Any, mapping: Any, behaviour: str
) -> None:
    url, arn = workbench.queue(VisibilityTimeout="1")
    workbench.sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": body, "MessageBody": body} for body in ("good", behaviour)]
    )

    mapping(reporter((READ_QUEUE, arn)), arn, BatchSize=10)

    batches = workbench.bodies(reports[0], 2)
    assert [{record["body"] for record in batch} for batch in batches] == [{"good", behaviour}] * 2


def test_a_queue_is_read_only_in_the_name_of_a_role_that_may(
    workbench: Any, reports: tuple[str, str], reporter: Any, mapping: Any
) -> None:
    url, arn = workbench.queue()
    workbench.sqs.send_message(QueueUrl=url, MessageBody="good")

    identifier = mapping(reporter((READ_QUEUE[:1], arn)), arn)

    def result() -> str:
        return str(workbench.lambda_.get_event_source_mapping(UUID=identifier)["LastProcessingResult"])

    assert workbench.wait_for(lambda: "sqs:DeleteMessage" in result())
    assert workbench.receive(reports[0], timeout_seconds=0.5) == []


def test_a_queue_under_a_key_is_read_only_by_a_role_that_may_decrypt(
    workbench: Any, reports: tuple[str, str], reporter: Any, mapping: Any
) -> None:
    key = workbench.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    url, arn = workbench.queue(KmsMasterKeyId=key)
    workbench.sqs.send_message(QueueUrl=url, MessageBody="good")

    blind = mapping(reporter((READ_QUEUE, arn)), arn)

    def result() -> str:
        return str(workbench.lambda_.get_event_source_mapping(UUID=blind)["LastProcessingResult"])

    assert workbench.wait_for(lambda: "kms:Decrypt" in result())
    mapping(reporter((READ_QUEUE, arn), ("kms:Decrypt", key)), arn)
    assert [record["body"] for record in workbench.bodies(reports[0])[0]] == ["good"]


def test_a_filter_on_the_body_leaves_out_what_does_not_match(
    workbench: Any, reports: tuple[str, str], reporter: Any, mapping: Any
) -> None:
    url, arn = workbench.queue()
    pattern = json.dumps({"body": {"kind": [{"anything-but": {"prefix": "no"}}], "size": [{"numeric": [">", 1]}]}})
    bodies = [{"kind": "none", "size": 5}, {"kind": "yes", "size": 1}, {"kind": "yes", "size": 2}]
    workbench.sqs.send_message_batch(
        QueueUrl=url,
        Entries=[{"Id": str(number), "MessageBody": json.dumps(body)} for number, body in enumerate(bodies)],
    )

    mapping(reporter((READ_QUEUE, arn)), arn, FilterCriteria={"Filters": [{"Pattern": pattern}]})

    assert [json.loads(record["body"]) for record in workbench.bodies(reports[0])[0]] == [{"kind": "yes", "size": 2}]
    assert workbench.wait_for(lambda: depth(workbench, url) == 0)


def test_inserts_that_match_the_filter_reach_the_function_with_their_new_image(
    workbench: Any, reports: tuple[str, str], reporter: Any, mapping: Any, table: dict[str, Any]
) -> None:
    stream = table["LatestStreamArn"]
    pattern = json.dumps({"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": ["FACT"]}}}})
    mapping(
        reporter(LIST_STREAMS, (READ_STREAM, stream)),
        stream,
        StartingPosition="TRIM_HORIZON",
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
    )

    put(workbench, table, "a", "NODE")
    put(workbench, table, "b", "FACT", text="new")
    put(workbench, table, "b", "FACT", text="changed")
    workbench.dynamodb.delete_item(TableName=table["TableName"], Key={"pk": {"S": "b"}, "sk": {"S": "FACT"}})
    put(workbench, table, "c", "FACT")

    records = [record for batch in workbench.bodies(reports[0], 2, 4) for record in batch]
    assert [(record["eventName"], record["dynamodb"]["Keys"]["pk"]["S"]) for record in records] == [
        ("INSERT", "b"),
        ("INSERT", "c"),
    ]
    first = records[0]
    assert first["dynamodb"]["NewImage"] == {"pk": {"S": "b"}, "sk": {"S": "FACT"}, "text": {"S": "new"}}
    assert "OldImage" not in first["dynamodb"]
    assert first["eventSourceARN"] == stream
    assert first["dynamodb"]["SequenceNumber"] < records[1]["dynamodb"]["SequenceNumber"]


def test_a_transaction_is_in_the_stream(
    workbench: Any, reports: tuple[str, str], reporter: Any, mapping: Any, table: dict[str, Any]
) -> None:
    mapping(
        reporter(LIST_STREAMS, (READ_STREAM, table["LatestStreamArn"])),
        table["LatestStreamArn"],
        StartingPosition="LATEST",
    )

    workbench.dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table["TableName"], "Item": {"pk": {"S": pk}, "sk": {"S": "FACT"}}}} for pk in "ab"
        ]
    )

    records = [record for batch in workbench.bodies(reports[0], 2, 2) for record in batch]
    assert {record["dynamodb"]["Keys"]["pk"]["S"] for record in records} == {"a", "b"}


def test_a_stream_goes_on_from_the_first_record_that_failed(
    workbench: Any, reports: tuple[str, str], reporter: Any, mapping: Any, table: dict[str, Any]
) -> None:
    dead_url, dead_arn = workbench.queue()
    for sk in ("one", "two", "fail", "three"):
        put(workbench, table, "a", sk)

    stream = table["LatestStreamArn"]
    mapping(
        reporter(LIST_STREAMS, (READ_STREAM, stream), ("sqs:SendMessage", dead_arn)),
        stream,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": dead_arn}},
    )

    dead = workbench.bodies(dead_url)[0]
    batches = workbench.bodies(reports[0], 4)
    assert workbench.receive(reports[0], timeout_seconds=0.5) == []
    kinds = [[record["dynamodb"]["Keys"]["sk"]["S"] for record in batch] for batch in batches]
    assert kinds == [["one", "two", "fail", "three"], ["fail"], ["fail"], ["three"]]
    failed = batches[1][0]["dynamodb"]["SequenceNumber"]
    assert dead["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert dead["DDBStreamBatchInfo"]["startSequenceNumber"] == failed
    assert dead["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_batch_that_raises_is_split_until_the_bad_record_stands_alone(
    workbench: Any, reports: tuple[str, str], reporter: Any, mapping: Any, table: dict[str, Any]
) -> None:
    dead_url, dead_arn = workbench.queue()
    for sk in ("one", "raise"):
        put(workbench, table, "a", sk)

    stream = table["LatestStreamArn"]
    mapping(
        reporter(LIST_STREAMS, (READ_STREAM, stream), ("sqs:SendMessage", dead_arn)),
        stream,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": dead_arn}},
    )

    assert workbench.bodies(dead_url)[0]["DDBStreamBatchInfo"]["batchSize"] == 1
    kinds = [[record["dynamodb"]["Keys"]["sk"]["S"] for record in batch] for batch in workbench.bodies(reports[0], 3)]
    assert kinds == [["one", "raise"], ["one"], ["raise"]]


def test_a_stream_is_read_only_in_the_name_of_a_role_that_may(
    workbench: Any, reports: tuple[str, str], reporter: Any, mapping: Any, table: dict[str, Any]
) -> None:
    put(workbench, table, "a", "one")
    stream = table["LatestStreamArn"]

    identifier = mapping(reporter(LIST_STREAMS, (READ_STREAM[:2], stream)), stream, StartingPosition="TRIM_HORIZON")

    def result() -> str:
        return str(workbench.lambda_.get_event_source_mapping(UUID=identifier)["LastProcessingResult"])

    assert workbench.wait_for(lambda: "dynamodb:GetShardIterator" in result())
    assert workbench.receive(reports[0], timeout_seconds=0.5) == []


def test_a_slow_function_of_one_stream_holds_up_no_other_source(
    workbench: Any, reports: tuple[str, str], reporter: Any, mapping: Any, table: dict[str, Any]
) -> None:
    slow = workbench.function(
        "import time\ndef handler(event, context): time.sleep(30)",
        workbench.role(LIST_STREAMS, (READ_STREAM, table["LatestStreamArn"])),
    )
    url, arn = workbench.queue()
    put(workbench, table, "a", "one")
    mapping(slow, table["LatestStreamArn"], StartingPosition="TRIM_HORIZON")
    mapping(reporter((READ_QUEUE, arn)), arn)
    time.sleep(0.5)

    workbench.sqs.send_message(QueueUrl=url, MessageBody="good")

    assert len(workbench.receive(reports[0], timeout_seconds=25)) == 1
