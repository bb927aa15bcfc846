"""What the store over DynamoDB does when DynamoDB does not."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from hallmark.aws import dynamodb as adapter
from hallmark.aws.clients import DYNAMODB_SECONDS, client
from hallmark.aws.dynamodb import LOG_OVERLAP, DynamoLineageTable, recorded_fact
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.model import Edge, EdgeType, Fact, NodeKind, NodeRef, NodeState, Origin
from tests.contract.aws_adapters.injection import ANSWER_LOST, Fault, Injection, refusal
from tests.contract.aws_adapters.lineage_table import create_lineage_table, graph_of

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
IMAGE = NodeState(
    node=NodeRef(kind=NodeKind.IMAGE, id="trainer@sha256:0"), attributes={"uri": "trainer:1", "digest": "sha256:0"}
)
TRANSACT = "dynamodb.TransactWriteItems"


@pytest.fixture
def table(dynamodb: Any) -> DynamoLineageTable:
    create_lineage_table(dynamodb, "lineage")
    return DynamoLineageTable("lineage", dynamodb)


def fact_of(name: str, *, edges: int = 1, **attributes: Any) -> Fact:
    subject = NodeRef(kind=NodeKind.TRAINING_JOB, id=f"arn:aws:sagemaker:us-east-1:1:training-job/{name}", born=NOW)
    state = NodeState(node=subject, at=NOW, status="Completed", attributes=attributes)
    flows = tuple(
        Edge(source=IMAGE.node, target=subject, type=EdgeType.CONTRIBUTED_TO, role=f"role-{number}", valid_from=NOW)
        for number in range(edges)
    )
    return Fact(subject=subject, origin=Origin.EVENT, states=(state, IMAGE), edges=flows)


def noise(size: int) -> str:
    """Return text that no compression makes much shorter."""
    return Random(3).randbytes(size // 2).hex()  # noqa: S311 # any noise will do


def cancelled(*codes: str) -> Fault:
    reasons = [{"Code": code} for code in codes]
    return Fault("cancelled", before=lambda: refusal("TransactionCanceledException", CancellationReasons=reasons))


def written(request: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the partition keys that a transaction writes, each with the word for what is written there."""
    keys = [item["Put"]["Item"] if "Put" in item else item["Update"]["Key"] for item in request["TransactItems"]]
    return [(key["pk"]["S"], key["sk"]["S"].partition("#")[0]) for key in keys]


def test_a_fact_is_one_transaction_and_no_read(table: DynamoLineageTable, injection: Injection) -> None:
    injection.clear()

    table.add(fact_of("a"), NOW)

    assert injection.calls == [TRANSACT]


def test_what_was_seen_in_the_table_is_not_written_again(table: DynamoLineageTable, injection: Injection) -> None:
    table.add(fact_of("a"), NOW)
    injection.clear()

    table.add(fact_of("b"), NOW)
    table.add(fact_of("b"), NOW)

    (request,) = injection.of(TRANSACT)
    assert written(request) == [
        (f"NODE#{fact_of('b').subject.id}", "STATE"),
        (f"NODE#{IMAGE.node.id}", "EDGE"),
        (f"FACT#{fact_of('b').id}", "FACT"),
    ]


def test_what_was_not_written_is_not_taken_for_seen(
    table: DynamoLineageTable, dynamodb: Any, injection: Injection
) -> None:
    injection.fail(TRANSACT, cancelled("TransactionConflict"))
    with pytest.raises(UnavailableError):
        table.add(fact_of("a"), NOW)
    injection.clear()

    assert table.add(fact_of("a"), NOW)

    assert len(graph_of(dynamodb, "lineage")) == 4


def test_a_transaction_in_the_way_is_waited_for(table: DynamoLineageTable, injection: Injection) -> None:
    injection.fail(TRANSACT, cancelled("None", "TransactionConflict"), times=3)

    assert table.add(fact_of("a"), NOW)

    assert [recorded.fact for recorded in table.since(None)] == [fact_of("a")]


def test_what_others_wrote_meanwhile_is_left_out(
    table: DynamoLineageTable, dynamodb: Any, injection: Injection
) -> None:
    DynamoLineageTable("lineage", dynamodb).add(fact_of("other"), NOW)
    injection.clear()
    injection.fail(TRANSACT, cancelled("TransactionConflict"), times=1)

    assert table.add(fact_of("a"), NOW)

    first, second = injection.of(TRANSACT)
    assert set(written(first)) - set(written(second)) == {(f"NODE#{IMAGE.node.id}", "STATE")}


def test_a_fact_that_another_delivery_is_just_recording_is_no_news(
    table: DynamoLineageTable, dynamodb: Any, injection: Injection
) -> None:
    DynamoLineageTable("lineage", dynamodb).add(fact_of("a"), NOW)
    injection.fail(TRANSACT, cancelled("TransactionConflict"), times=1)

    assert table.add(fact_of("a"), NOW) is False


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_table_that_stays_busy_is_unavailable(table: DynamoLineageTable, injection: Injection, reason: str) -> None:
    injection.fail(TRANSACT, cancelled("None", reason))

    with pytest.raises(UnavailableError):
        table.add(fact_of("a"), NOW)


def test_a_lost_answer_loses_nothing(table: DynamoLineageTable, injection: Injection) -> None:
    injection.fail(TRANSACT, ANSWER_LOST, times=1)

    with pytest.raises(UnavailableError):
        table.add(fact_of("a"), NOW)
    assert table.add(fact_of("a"), NOW) is False
    assert table.contains([fact_of("a").id]) == {fact_of("a").id}


@pytest.mark.parametrize("done", [0, 1])
def test_a_fact_is_never_there_without_its_edges(
    table: DynamoLineageTable, dynamodb: Any, injection: Injection, done: int
) -> None:
    large = fact_of("a", edges=120)
    calls = iter(range(2))
    injection.choose = lambda number, operation: ANSWER_LOST if operation == TRANSACT and next(calls) == done else None

    with pytest.raises(UnavailableError):
        table.add(large, NOW)
    there = large.id in table.contains([large.id])
    injection.clear()
    again = DynamoLineageTable("lineage", dynamodb)

    assert there is (done == 1)
    assert again.add(large, NOW) is not there
    assert len(again.edges_from(IMAGE.node.id)) == 120


def test_what_fits_no_item_is_refused_with_its_size(table: DynamoLineageTable, dynamodb: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"training-job/a.*bytes.*shorten"):
        table.add(fact_of("a", hyperparameters=noise(1_000_000)), NOW)

    assert graph_of(dynamodb, "lineage") == {}


def test_the_largest_fact_fits_an_item(table: DynamoLineageTable) -> None:
    size = 600_000
    while True:
        try:
            assert table.add(fact_of("a", hyperparameters=noise(size)), NOW)
            break
        except InvalidInputError:
            size -= 20_000

    assert [recorded.fact for recorded in table.since(None)] == [fact_of("a", hyperparameters=noise(size))]


def test_a_name_that_is_no_key_is_refused(table: DynamoLineageTable) -> None:
    subject = NodeRef(kind=NodeKind.DATASET, id="s3://bucket/" + "名" * 1900)
    fact = Fact(subject=subject, origin=Origin.EVENT, states=(NodeState(node=subject),))

    with pytest.raises(InvalidInputError, match="2,043 bytes"):
        table.add(fact, NOW)


def test_what_dynamodb_will_never_take_is_refused(table: DynamoLineageTable, injection: Injection) -> None:
    injection.fail(TRANSACT, Fault("invalid", before=lambda: refusal("ValidationException")))

    with pytest.raises(InvalidInputError, match="ValidationException"):
        table.add(fact_of("a"), NOW)


def test_answers_of_many_pages_are_read_to_the_end(
    table: DynamoLineageTable, dynamodb: Any, injection: Injection
) -> None:
    facts = [fact_of(f"job-{number}") for number in range(20)]
    for number, fact in enumerate(facts):
        table.add(fact, NOW + timedelta(minutes=number))
    dynamodb.meta.events.register("before-parameter-build.dynamodb.Query", lambda params, **_: params.update(Limit=3))
    injection.clear()

    assert [recorded.fact for recorded in table.since(None)] == facts
    assert len(table.edges_from(IMAGE.node.id)) == 20
    assert len(injection.of("dynamodb.Query")) >= 20 / 3 * 2


def test_keys_that_were_not_read_are_asked_for_again(table: DynamoLineageTable, dynamodb: Any) -> None:
    facts = [fact_of(f"job-{number}") for number in range(5)]
    for fact in facts:
        table.add(fact, NOW)

    def leave_two(parsed: dict[str, Any], **_: Any) -> None:
        found: Sequence[Any] = parsed["Responses"]["lineage"]
        if len(found) > 2:
            parsed["Responses"]["lineage"] = found[:-2]
            keys = [{"pk": item["pk"], "sk": item["sk"]} for item in found[-2:]]
            parsed["UnprocessedKeys"] = {"lineage": {"Keys": keys}}

    dynamodb.meta.events.register("after-call.dynamodb.BatchGetItem", leave_two)

    assert table.contains([fact.id for fact in facts]) == {fact.id for fact in facts}


def test_keys_that_are_never_read_are_unavailable(table: DynamoLineageTable, dynamodb: Any) -> None:
    def leave_all(parsed: dict[str, Any], **_: Any) -> None:
        parsed["UnprocessedKeys"] = {"lineage": {"Keys": [{"pk": {"S": "FACT#x"}, "sk": {"S": "FACT"}}]}}

    dynamodb.meta.events.register("after-call.dynamodb.BatchGetItem", leave_all)

    with pytest.raises(UnavailableError):
        table.contains(["x"])


@pytest.mark.parametrize("large", [False, True])
def test_a_fact_is_read_from_the_stream_as_from_the_table(
    table: DynamoLineageTable, dynamodb: Any, large: bool
) -> None:
    fact = fact_of("a", notes="x" * (100_000 if large else 1))
    table.add(fact, NOW)
    key = {"pk": {"S": f"FACT#{fact.id}"}, "sk": {"S": "FACT"}}
    item = dynamodb.get_item(TableName="lineage", Key=key)["Item"]

    # As Lambda gets it: bytes are base64 (Lambda developer guide, "Using AWS Lambda with Amazon DynamoDB").
    image = json.loads(json.dumps(item, default=lambda raw: b64encode(raw).decode()))

    assert ("B" in image["body"]) is large
    assert recorded_fact(image) == recorded_fact(item)
    assert recorded_fact(image).fact == fact


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"S": "{}"},
        {"S": "no JSON"},
        {"B": "no base64!"},
        {"B": b64encode(b"no zlib").decode()},
        {"N": "1"},
        "text",
    ],
)
def test_an_item_that_is_no_fact_is_refused_by_name(body: Any) -> None:
    item = {"pk": {"S": "FACT#0"}, "recorded_at": {"S": "2026-11-01T12:00:00.000000Z"}, "body": body}

    with pytest.raises(InvalidInputError, match="FACT#0"):
        recorded_fact(item)


@pytest.mark.usefixtures("shared_clients")
def test_no_fact_is_committed_later_than_readers_of_the_log_look_back() -> None:
    config = client("dynamodb").meta.config
    attempts = config.retries["total_max_attempts"]
    # Standard mode waits up to 1, 2, 4 … seconds between attempts (botocore guide, retries).
    longest = attempts * (config.connect_timeout + config.read_timeout) + sum(
        2**number for number in range(attempts - 1)
    )

    assert longest <= DYNAMODB_SECONDS
    assert timedelta(seconds=adapter._COMMIT_SECONDS + DYNAMODB_SECONDS) < LOG_OVERLAP


def test_no_attempt_begins_after_the_time_for_it(
    table: DynamoLineageTable, injection: Injection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "monotonic", iter([0.0, 10.0, 30.0]).__next__)
    injection.clear()
    injection.fail(TRANSACT, cancelled("TransactionConflict"))

    with pytest.raises(UnavailableError):
        table.add(fact_of("a"), NOW)

    assert len(injection.of(TRANSACT)) == 2
