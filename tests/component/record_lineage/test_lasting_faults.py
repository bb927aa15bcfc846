"""What fails at every delivery: kept with the reason in the end, and recorded when it is delivered after the repair."""

from __future__ import annotations

import pytest

from tests.component.record_lineage.conftest import BUCKET, Account, messages_of, training_event
from tests.fakes.aws_calls import Crash

MAXIMUM_RECEIVES = 5
MESSAGE = messages_of(training_event("lasting", f"s3://{BUCKET}/train", "s3://archive/train"))[0]


def deliver_until_done(account: Account) -> int:
    """Deliver the message until it does not come again; return how often that was."""
    environment = account.environment()
    for receives in range(1, MAXIMUM_RECEIVES + 2):
        try:
            if environment.run([MESSAGE._replace(receives=receives)]) == []:
                return receives
        except Crash:
            environment = account.environment()
    raise AssertionError("it never ends")


def test_what_fails_each_time_is_kept_with_the_reason_and_is_recorded_after_the_repair(
    account: Account, subtests: pytest.Subtests
) -> None:
    assert deliver_until_done(account) == 1
    operations, expected = list(dict.fromkeys(account.calls.made)), account.graph()
    assert {operation.partition(".")[0] for operation in operations} >= {"dynamodb", "sagemaker", "s3", "ecr"}

    for operation in operations:
        with subtests.test(operation=operation):
            account.renew()
            account.calls.clear()
            account.calls.fails = lambda called, operation=operation: called == operation  # type: ignore[misc] # binds it

            assert deliver_until_done(account) == MAXIMUM_RECEIVES

            assert not any(key[0].startswith("FACT#") for key in account.graph())
            (letter,) = account.dead_letters()
            told = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
            assert letter["Body"] == MESSAGE.body
            assert told["ErrorType"] == "UnavailableError"
            assert "ThrottlingException" in told["ErrorMessage"]

            account.calls.clear()
            assert deliver_until_done(account) == 1
            assert account.graph() == expected
