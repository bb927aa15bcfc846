"""Each new fact of the table's stream is announced on the bus; what cannot be is kept with the reason."""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.lineage.model import Edge, EdgeType, Fact, NodeKind, NodeRef, NodeState, Origin
from tests.contract.aws_adapters.lineage_table import create_lineage_table
from tests.fakes.aws_calls import AwsCalls, Crash, Fault, watched_clients
from tests.fakes.lambda_functions import Context, load_function
from tests.fakes.memory_store import NOW

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# A function that is gone has counted nothing.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish:UserWarning")

BUS = "hallmark"
TABLE = "lineage"
ARN = "arn:aws:sagemaker:us-east-1:111122223333:training-job"


@pytest.fixture(autouse=True)
def paths_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read each path once: moto makes its parser anew for each event, which takes it longer than the rest."""
    monkeypatch.setattr("jsonpath_ng.ext.parse", _read_path)


@cache
def _read_path(path: str) -> Any:
    return importlib.import_module("jsonpath_ng.ext.parser").parse(path)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsCalls]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": "announce_lineage",
        "EVENT_BUS_NAME": BUS,
    }.items():
        monkeypatch.setenv(name, value)
    with watched_clients() as watched:
        yield watched


class Queue:
    """A queue of the test's account."""

    def __init__(self, client: SQSClient, name: str) -> None:
        self._client = client
        self.url = client.create_queue(QueueName=name)["QueueUrl"]
        attributes = client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
        self.arn = attributes["QueueArn"]

    def take(self) -> list[Any]:
        """Take all messages, in their order."""
        found: list[Any] = []
        while received := self._client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        ).get("Messages"):
            found += received
        return found


@pytest.fixture
def published(calls: AwsCalls) -> Queue:
    """What comes over the bus."""
    queue = Queue(boto3.client("sqs"), "published")
    events = boto3.client("events")
    events.create_event_bus(Name=BUS)
    events.put_rule(Name="all", EventBusName=BUS, EventPattern=json.dumps({"source": ["hallmark"]}))
    events.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": queue.arn}])
    return queue


@pytest.fixture
def dead_letters(calls: AwsCalls, monkeypatch: pytest.MonkeyPatch) -> Queue:
    queue = Queue(boto3.client("sqs"), "dead-letters")
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", queue.url)
    return queue


@pytest.fixture
def function(published: Queue, dead_letters: Queue) -> ModuleType:
    return load_function("announce_lineage")


def fact(name: str, **attributes: object) -> Fact:
    job = NodeRef(kind=NodeKind.TRAINING_JOB, id=f"{ARN}/{name}", born=NOW)
    data = NodeRef(kind=NodeKind.DATASET, id="s3://data/train")
    return Fact(
        subject=job,
        origin=Origin.EVENT,
        states=(NodeState(node=job, at=NOW, status="Completed", attributes=attributes),),
        edges=(Edge(source=data, target=job, type=EdgeType.CONTRIBUTED_TO, role="train", valid_from=NOW),),
    )


def stream_of(*facts: Fact) -> list[dict[str, Any]]:
    """Return the records that the table's stream has of new facts, as Lambda hands them over."""
    client = boto3.client("dynamodb")
    create_lineage_table(client, TABLE)
    table = DynamoLineageTable(TABLE, client)
    records: list[dict[str, Any]] = []
    for each in facts:
        table.add(each, NOW)
        key = {"pk": {"S": f"FACT#{each.id}"}, "sk": {"S": "FACT"}}
        records.append(record(client.get_item(TableName=TABLE, Key=key)["Item"], len(records)))
    return records


@cache
def many_facts() -> tuple[list[Fact], list[dict[str, Any]]]:
    """Return more facts than one call of the bus takes, and what the stream has of them; recorded once for all."""
    facts = [fact(f"job-{number}") for number in range(25)]
    return facts, stream_of(*facts)


def record(image: Mapping[str, Any], position: int) -> dict[str, Any]:
    body = image.get("body", {})
    written = {"B": base64.b64encode(body["B"]).decode()} if "B" in body else body
    return {
        "eventName": "INSERT",
        "dynamodb": {"SequenceNumber": f"sequence-{position}", "NewImage": {**image, "body": written}},
    }


POISON = record({"pk": {"S": "FACT#poison"}, "sk": {"S": "FACT"}, "body": {"S": "{}"}}, 99)


def announce(function: ModuleType, records: list[dict[str, Any]]) -> list[str]:
    """Hand the records to the function; return where the stream must go on."""
    response = function.handler({"Records": records}, Context())
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def announced(published: Queue) -> list[dict[str, Any]]:
    return [json.loads(message["Body"]) for message in published.take()]


def test_a_new_fact_is_announced_with_what_it_tells_of(function: ModuleType, published: Queue) -> None:
    told = fact("a", arn=f"{ARN}/a", approval_status="Approved", stage="Production")

    assert announce(function, stream_of(told)) == []

    [event] = announced(published)
    assert (event["source"], event["detail-type"]) == ("hallmark", "LineageRecorded")
    assert event["detail"] == {
        "factId": told.id,
        "node": told.subject.key,
        "kind": "training-job",
        "arn": f"{ARN}/a",
        "status": "Completed",
        "origin": "event",
        "recordedAt": "2026-11-23T12:00:00Z",
        "occurredAt": "2026-11-23T12:00:00Z",
        "approvalStatus": "Approved",
        "stage": "Production",
        "edges": 1,
    }


def test_all_facts_of_a_batch_are_announced_in_their_order(function: ModuleType, published: Queue) -> None:
    facts, records = many_facts()

    assert announce(function, records) == []
    assert [event["detail"]["factId"] for event in announced(published)] == [each.id for each in facts]


def test_a_compressed_fact_is_announced(function: ModuleType, published: Queue) -> None:
    large = fact("large", note="long " * 20_000)

    records = stream_of(large)

    assert "B" in records[0]["dynamodb"]["NewImage"]["body"]
    assert announce(function, records) == []
    assert [event["detail"]["factId"] for event in announced(published)] == [large.id]


@pytest.mark.parametrize(
    "poison",
    [POISON, {"eventName": "REMOVE", "dynamodb": {"SequenceNumber": "sequence-99"}}],
    ids=["no fact", "no image"],
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_poison_record_is_kept_with_the_reason_and_holds_up_no_other(
    function: ModuleType, published: Queue, dead_letters: Queue, poison: dict[str, Any], position: int
) -> None:
    records = stream_of(fact("a"), fact("b"))
    records.insert(position, poison)

    assert announce(function, records) == []

    [letter] = dead_letters.take()
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert len(announced(published)) == 2
    assert json.loads(letter["Body"]) == poison
    assert attributes["Function"] == "announce_lineage"
    assert attributes["ErrorType"] in {"InvalidInputError", "KeyError"}
    assert attributes["ErrorMessage"]


def test_a_throttled_bus_brings_the_batch_again_from_its_first_record(
    function: ModuleType, published: Queue, calls: AwsCalls
) -> None:
    facts = [fact(f"job-{number}") for number in range(3)]
    records = stream_of(*facts)
    calls.fails = lambda operation: operation == "events.PutEvents"

    assert announce(function, records) == ["sequence-0"]
    assert announced(published) == []
    calls.clear()
    assert announce(function, records) == []
    assert len(announced(published)) == len(facts)


def test_the_batch_comes_again_from_the_first_record_that_the_bus_did_not_take(
    function: ModuleType, published: Queue, calls: AwsCalls
) -> None:
    facts, records = many_facts()
    calls.inject(1, Fault.THROTTLED)

    assert announce(function, records) == ["sequence-10"]
    assert calls.made == ["events.PutEvents"] * 2
    assert announce(function, records[10:]) == []
    assert [event["detail"]["factId"] for event in announced(published)] == [each.id for each in facts]


def test_the_batch_comes_again_from_a_poison_record_that_could_not_be_kept(
    function: ModuleType, dead_letters: Queue, calls: AwsCalls
) -> None:
    calls.fails = lambda operation: operation == "sqs.SendMessage"
    records = [*stream_of(fact("a")), POISON]

    assert announce(function, records) == ["sequence-99"]
    calls.clear()
    assert announce(function, records[1:]) == []
    assert len(dead_letters.take()) == 1


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("number", range(4))
def test_one_fault_at_any_call_leaves_no_fact_unannounced(
    function: ModuleType, published: Queue, dead_letters: Queue, calls: AwsCalls, number: int, fault: Fault
) -> None:
    facts, stream = many_facts()
    records = [*stream[:12], POISON, *stream[12:]]
    calls.inject(number, fault)

    left = records
    try:
        [begin] = announce(function, records)
    except Crash:
        function = load_function("announce_lineage")
    else:
        positions = [record["dynamodb"]["SequenceNumber"] for record in records]
        left = records[positions.index(begin) :]
    assert announce(function, left) == []

    assert {event["detail"]["factId"] for event in announced(published)} == {each.id for each in facts}
    assert {letter["Body"] for letter in dead_letters.take()} == {json.dumps(POISON)}
