"""What is tried again, by botocore and by the queue."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError
from botocore.retries import standard
from botocore.utils import parse_timestamp

from hallmark.aws import clients
from hallmark.aws.clients import client
from hallmark.aws.failures import calling
from hallmark.errors import UnavailableError
from hallmark.people import Actor, caller_of
from tests.contract.aws_adapters.injection import refusal

FUNCTION_SECONDS = 60
"""The shortest time-out of a function that makes calls."""
_THROTTLED: Any = standard.ThrottledRetryableChecker
_TRANSIENT: Any = standard.TransientRetryableChecker
PASSING = {*_THROTTLED._THROTTLED_ERROR_CODES, *_TRANSIENT._TRANSIENT_ERROR_CODES}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("service", ["dynamodb", "s3", "sqs", "events", "ecr", "sagemaker", "bedrock"])
def test_one_call_gives_up_before_the_function_is_ended(service: str) -> None:
    config = client(service).meta.config

    assert config.retries["mode"] == "standard"
    assert config.retries["total_max_attempts"] > 1
    assert config.connect_timeout + config.read_timeout < FUNCTION_SECONDS / 2
    assert "hallmark" in config.user_agent_extra


@pytest.mark.usefixtures("aws")
def test_aws_hears_that_a_function_calls_so_that_cloudtrail_tells_it_from_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
    clients._client.cache_clear()
    told = client("sts").meta.config.user_agent
    identity = {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/SetModelStage/its-own-name"}

    assert caller_of(identity, told).actor is Actor.MACHINE
    clients._client.cache_clear()


@pytest.mark.usefixtures("aws")
def test_threads_share_one_client() -> None:
    clients._client.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: client("dynamodb"), range(8)))

    assert len(made) == 1


@pytest.mark.parametrize("code", sorted(PASSING))
def test_what_botocore_tries_again_may_pass(code: str) -> None:
    with pytest.raises(UnavailableError, match=code), calling("doing it"):
        raise ClientError(refusal(code), "Do")  # type: ignore[arg-type] # an answer as botocore reads it


@pytest.mark.parametrize("status", sorted(_TRANSIENT._TRANSIENT_STATUS_CODES))
def test_a_fault_of_the_service_may_pass(status: int) -> None:
    with pytest.raises(UnavailableError, match="doing it"), calling("doing it"):
        raise ClientError(refusal("Whatever", status), "Do")  # type: ignore[arg-type] # as above


def test_a_time_out_may_pass() -> None:
    with pytest.raises(UnavailableError), calling("doing it"):
        raise ReadTimeoutError(endpoint_url="https://aws.example")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException", "NoSuchBucket"])
def test_a_refusal_is_told_as_it_is(code: str) -> None:
    with pytest.raises(ClientError), calling("doing it"):
        raise ClientError(refusal(code), "Do")  # type: ignore[arg-type] # as above


def test_a_request_that_is_never_sent_is_told_as_it_is() -> None:
    with pytest.raises(ParamValidationError), calling("doing it"):
        raise ParamValidationError(report="no such parameter")


@pytest.mark.parametrize(
    "told",
    ["2026-10-01T00:00:00.000Z", "2026-10-01T00:00:00Z", "20261001T000000Z", 1790812800, "1790812800.25", 1790812800.5],
)
def test_times_are_read_as_botocore_reads_them(told: Any) -> None:
    assert clients._parse_timestamp(told) == parse_timestamp(told)
    assert clients._parse_timestamp(told).tzinfo is not None


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    expected = datetime(2026, 10, 1, 12, tzinfo=timezone(timedelta(hours=2)))

    assert clients._parse_timestamp("2026-10-01T12:00:00+02:00") == expected.astimezone(UTC)


def test_the_product_has_one_session(aws: botocore.session.Session) -> None:
    assert clients._session() is clients._session()
