"""AWS as moto answers it, one account for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from moto import mock_aws

from hallmark.aws import clients
from tests.contract.aws_adapters.injection import Injection


@pytest.fixture
def injection() -> Injection:
    return Injection()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, injection: Injection) -> Iterator[botocore.session.Session]:
    """A session whose clients do not try again by themselves, in an empty account."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        session = botocore.session.get_session()
        session.set_default_client_config(Config(retries={"total_max_attempts": 1, "mode": "standard"}))
        injection.watch(session)
        yield session


@pytest.fixture
def dynamodb(aws: botocore.session.Session) -> Any:
    return aws.create_client("dynamodb")


@pytest.fixture
def s3(aws: botocore.session.Session) -> Any:
    return aws.create_client("s3")


@pytest.fixture
def shared_clients(aws: botocore.session.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the clients of the product come from the session of this test."""
    clients._client.cache_clear()
    monkeypatch.setattr(clients, "_session", lambda: aws)
    yield
    clients._client.cache_clear()
