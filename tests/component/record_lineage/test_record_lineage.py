"""The function records what it can of a batch, and keeps the rest with the reason."""

from __future__ import annotations

import json
import threading
import uuid
from threading import Event
from typing import Any

import pytest

from tests.component.record_lineage.conftest import (
    BUCKET,
    EVENTS,
    IMAGE,
    LARGE_BUCKET,
    Account,
    Message,
    act_of,
    messages_of,
    training_event,
)
from tests.fakes.lambda_functions import Context

OTHER_ACCOUNT = {**EVENTS["sm-endpoint-state-change"], "account": "999999999999"}
TOO_LARGE = {**EVENTS["sm-endpoint-state-change"], "padding": "x" * 1_000_000}
REFUSED: dict[str, object] = {
    "malformed JSON": '{"detail-type": ',
    "no object": "[]",
    "another account": OTHER_ACCOUNT,
    "a megabyte": TOO_LARGE,
    "another source": {**EVENTS["sm-endpoint-state-change"], "source": "aws.ec2"},
}


def facts(account: Account) -> list[dict[str, Any]]:
    return [json.loads(item["body"]["S"]) for item in account.items() if item["sk"]["S"] == "FACT"]


def test_all_of_a_batch_is_recorded(account: Account) -> None:
    failed = account.environment().run(messages_of(*EVENTS.values()))

    assert failed == []
    assert len(facts(account)) == len(EVENTS)
    assert account.dead_letters() == []


def test_a_batch_that_comes_again_changes_nothing(account: Account) -> None:
    environment = account.environment()
    environment.run(messages_of(*EVENTS.values()))
    before = account.items()

    assert environment.run(messages_of(*EVENTS.values())) == []
    assert account.environment().run(messages_of(*EVENTS.values())) == []
    assert account.items() == before


def test_a_job_is_recorded_with_the_version_of_its_data_and_the_digest_of_its_image(account: Account) -> None:
    account.environment().run(messages_of(training_event("seen", f"s3://{BUCKET}/train")))

    [fact] = facts(account)
    versions = [state["node"] for state in fact["states"] if state["node"]["kind"] == "dataset-version"]
    sources = {edge["source"]["id"] for edge in fact["edges"] if edge["target"]["id"].endswith("training-job/seen")}
    [image] = [state["node"]["id"] for state in fact["states"] if state["node"]["kind"] == "image"]
    assert image.startswith(f"{IMAGE.rpartition(':')[0]}@sha256:")
    [read] = [node["id"] for node in versions if node["id"].startswith(f"s3://{BUCKET}/train#")]
    assert {image, read} <= sources


def test_what_describe_says_is_recorded(account: Account) -> None:
    event = training_event("described", f"s3://{BUCKET}/train")
    account.calls.known["described"] = {
        "TrainingJobName": "described",
        "TrainingJobArn": event["resources"][0],
        "TrainingJobStatus": "Completed",
        "FinalMetricDataList": [{"MetricName": "loss", "Value": 0.25}],
    }

    account.environment().run(messages_of(event))

    [fact] = facts(account)
    assert fact["origin"] == "described"
    assert "0.25" in json.dumps(fact["states"][0]["attributes"])


def test_the_listing_of_a_large_dataset_is_kept_in_the_bucket(account: Account) -> None:
    account.environment().run(messages_of(training_event("large", f"s3://{LARGE_BUCKET}/train")))

    assert account.calls.made.count("s3.PutObject") == 1
    assert "manifests/" in json.dumps(facts(account))


@pytest.mark.parametrize("why", REFUSED)
def test_what_can_never_be_recorded_is_kept_with_the_reason_and_the_rest_is_recorded(
    account: Account, why: str
) -> None:
    good = list(EVENTS.values())[:3]
    [bad] = messages_of(REFUSED[why])

    failed = account.environment().run([*messages_of(*good), bad._replace(id="bad")])

    [letter] = account.dead_letters()
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert failed == []
    assert len(facts(account)) == len(good)
    assert attributes.keys() == {"ErrorType", "ErrorMessage", "Function"}
    assert (attributes["ErrorType"], attributes["Function"]) == ("InvalidInputError", "record_lineage")
    assert attributes["ErrorMessage"]
    assert bad.body.startswith(letter["Body"])


def test_all_refused_messages_of_a_batch_are_kept(account: Account) -> None:
    bodies = [*REFUSED.values(), *EVENTS.values()]

    assert account.environment().run(messages_of(*bodies)) == []
    assert len(account.dead_letters()) == len(REFUSED)
    assert len(facts(account)) == len(EVENTS)


def test_a_service_that_does_not_answer_brings_only_its_own_message_again(account: Account) -> None:
    account.calls.fails = lambda operation: operation == "sagemaker.DescribeEndpoint"
    messages = messages_of(*EVENTS.values())
    asking = [message.id for message in messages if '"SageMaker Endpoint State Change"' in message.body]

    assert set(account.environment().run(messages)) >= set(asking)
    assert len(facts(account)) >= len(EVENTS) - 2
    account.calls.clear()
    assert account.environment().run(messages) == []
    assert len(facts(account)) == len(EVENTS)


def test_a_message_that_failed_for_the_last_time_is_kept_with_the_reason(account: Account) -> None:
    account.calls.fails = lambda operation: operation == "dynamodb.TransactWriteItems"
    [message] = messages_of(EVENTS["sm-endpoint-state-change"])
    environment = account.environment()

    assert environment.run([message._replace(receives=4)]) == [message.id]
    assert account.dead_letters() == []
    assert environment.run([message._replace(receives=5)]) == []

    [letter] = account.dead_letters()
    assert letter["Body"] == message.body
    assert letter["MessageAttributes"]["ErrorType"]["StringValue"] == "UnavailableError"


def test_a_message_stays_in_its_queue_when_the_dead_letters_take_nothing(account: Account) -> None:
    account.calls.fails = lambda operation: operation == "sqs.SendMessage"

    assert account.environment().run([Message("bad", "{")]) == ["bad"]


def test_messages_for_which_no_time_is_left_come_again(account: Account) -> None:
    messages = messages_of(EVENTS["sm-endpoint-state-change"])
    environment = account.environment()
    answering = Event()
    account.calls.fails = lambda operation: not answering.wait(timeout=10)

    assert environment.run(messages, Context(remaining_seconds=10.1)) == [messages[0].id]
    answering.set()
    await_workers()
    assert environment.run(messages) == []
    assert len(facts(account)) == 1


def await_workers() -> None:
    """Let what still runs in the background come to its end: moto's tables are for one thread at a time."""
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join()


def test_a_call_that_cloudtrail_tells_of_costs_one_write_and_asks_nothing(account: Account) -> None:
    environment = account.environment()
    environment.run(messages_of(act_of("ben", 0)))
    account.calls.clear()

    assert environment.run(messages_of(act_of("ben", 1))) == []
    assert account.calls.made == ["dynamodb.TransactWriteItems"]
    assert len(facts(account)) == 2


def test_a_person_who_acts_for_the_first_time_is_looked_for_once_and_kept_once(account: Account) -> None:
    account.environment().run(messages_of(act_of("ben", 0)))
    environment = account.environment()
    environment.run(messages_of(act_of("ben", 1)))
    account.calls.clear()
    name = f"new-{uuid.uuid4()}"
    environment.run(messages_of(act_of(name, 2)))

    # Once for the name, once for the address from which the call came; then the fact.
    kept = ["dynamodb.GetItem", "kms.Encrypt", "dynamodb.TransactWriteItems"]
    assert account.calls.made == [*kept, *kept, "dynamodb.TransactWriteItems"]
    assert not any(name in str(item) for item in account.items())


@pytest.mark.parametrize("operation", ["GenerateMac", "Encrypt", "GetItem"])
def test_while_people_cannot_be_kept_the_queue_waits_and_nobody_is_named(account: Account, operation: str) -> None:
    name = f"new-{uuid.uuid4()}"
    messages = messages_of(act_of(name, 0))
    account.calls.fails = lambda called: called.endswith(operation)
    assert account.environment().run(messages) == ["message-0"]
    assert account.items() == []
    account.calls.fails = lambda _: False

    assert account.environment().run(messages) == []
    assert account.items()
    assert not any(name in str(item) for item in account.items())
