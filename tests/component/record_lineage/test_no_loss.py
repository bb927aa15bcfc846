"""Whatever fails, and at whichever call: once the messages have come again, everything is recorded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import pytest

from hallmark.aws import dynamodb
from hallmark.lineage import recording
from tests.component.record_lineage.conftest import (
    BUCKET,
    EVENTS,
    Account,
    Message,
    act_of,
    messages_of,
    training_event,
)
from tests.fakes.aws_calls import Crash, Fault

# A function that is gone has counted nothing.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish:UserWarning")

DELIVERIES = 4
OTHER_ACCOUNT = {**EVENTS["sm-endpoint-state-change"], "account": "999999999999"}
MESSAGES = messages_of(
    training_event("read-two", f"s3://{BUCKET}/train"),
    '{"not": "JSON"',
    training_event("read-three", f"s3://{BUCKET}/test"),
    EVENTS["sm-endpoint-state-change"],
    OTHER_ACCOUNT,
)
REFUSED = {MESSAGES[1].body, MESSAGES[4].body}


def deliver(account: Account, messages: Sequence[Message]) -> int:
    """Deliver until nothing comes again, as SQS does; return how often that was."""
    environment = account.environment()
    left = list(messages)
    for delivery in range(1, DELIVERIES + 1):
        received = [message._replace(receives=delivery) for message in left]
        try:
            failed = set(environment.run(received))
        except Crash:
            environment = account.environment()
        else:
            left = [message for message in left if message.id in failed]
        if not left:
            return delivery
    raise AssertionError(f"still not handled: {[message.id for message in left]}")


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small facts take the ways of large ones: several transactions, and a manifest in the bucket."""
    monkeypatch.setattr(dynamodb, "_TRANSACTION_ITEMS", 8)
    monkeypatch.setattr(recording, "INLINE_MANIFEST_OBJECTS", 2)


@pytest.mark.usefixtures("small_limits")
def test_one_fault_at_any_call_loses_nothing(account: Account, subtests: pytest.Subtests) -> None:
    assert deliver(account, MESSAGES) == 1
    calls = list(account.calls.made)
    expected = account.graph()
    assert Counter(letter["Body"] for letter in account.dead_letters()) == Counter(REFUSED)
    assert {call.partition(".")[0] for call in calls} == {"dynamodb", "sagemaker", "s3", "ecr", "sqs"}
    assert "s3.PutObject" in calls
    assert calls.count("dynamodb.TransactWriteItems") > len(MESSAGES) - len(REFUSED)

    for number, call in enumerate(calls):
        for fault in Fault:
            with subtests.test(call=f"{number} {call}", fault=fault.value):
                account.renew()
                account.calls.inject(number, fault)

                deliveries = deliver(account, MESSAGES)

                assert account.calls.made[number] == call
                assert deliveries == 2
                assert account.graph() == expected
                assert {letter["Body"] for letter in account.dead_letters()} == REFUSED


def test_one_fault_at_any_call_for_a_new_person_loses_nothing_and_makes_one_token(
    account: Account, subtests: pytest.Subtests
) -> None:
    environment = account.environment()
    environment.run(messages_of(act_of("known", 0)))
    account.renew()
    account.calls.clear()
    assert deliver(account, messages_of(act_of(f"new-{uuid4()}", 1))) == 1
    calls = list(account.calls.made)
    assert {"kms.GenerateMac", "kms.Encrypt", "dynamodb.GetItem"} <= set(calls)

    for number, call in enumerate(calls):
        for fault in Fault:
            with subtests.test(call=f"{number} {call}", fault=fault.value):
                account.renew()
                name = f"new-{uuid4()}"
                account.calls.inject(number, fault)

                assert deliver(account, messages_of(act_of(name, 1))) == 2

                assert account.calls.made[number] == call
                (fact,) = [json.loads(item["body"]["S"]) for item in account.items() if item["sk"]["S"] == "FACT"]
                token = fact["states"][0]["attributes"]["by_name"]
                assert account.people().names([token]) == {token: name}
