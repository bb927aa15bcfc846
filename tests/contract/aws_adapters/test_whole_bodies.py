"""What is sent for a transaction must be what botocore itself would send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from hallmark.aws.whole_bodies import write_transactions_whole

ITEMS = [
    {"Put": {"TableName": "lineage", "Item": {"pk": {"S": "Zürich \U0001f600"}, "body": {"B": b"\x00\xff" * 20}}}},
    {
        "Update": {
            "TableName": "lineage",
            "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}},
            "UpdateExpression": "SET body = if_not_exists(body, :body)",
            "ExpressionAttributeValues": {":body": {"S": '{"quoted":"\\"","line":"\n"}'}, ":none": {"NULL": True}},
        }
    },
]


class _Raw(BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.getvalue()


class Sent:
    """A client whose requests are kept, and refused as often as asked before they are taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, refusals: int = 0) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        config = Config(retries={"total_max_attempts": 2, "mode": "standard"}, parameter_validation=False)
        self.client: Any = botocore.session.get_session().create_client("dynamodb", "us-east-1", config=config)
        self.client.meta.events.register("before-send.dynamodb", self._answer)  # type: ignore[arg-type] # its stubs want handlers that name nothing
        self.requests: list[AWSPreparedRequest] = []
        self._refusals = refusals

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        status = 500 if len(self.requests) <= self._refusals else 200
        return AWSResponse("https://aws.example", status, HTTPHeaders(), _Raw(b"{}"))

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(_body(request)) for request in self.requests]


def _body(request: AWSPreparedRequest) -> bytes:
    assert isinstance(request.body, bytes)
    return request.body


def test_a_transaction_says_what_botocore_would_say(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, whole = Sent(monkeypatch), Sent(monkeypatch)
    write_transactions_whole(whole.client)
    for sent in (plain, whole):
        sent.client.transact_write_items(TransactItems=ITEMS, ClientRequestToken="token")

    assert whole.bodies == plain.bodies
    assert whole.requests[0].url == plain.requests[0].url
    assert int(whole.requests[0].headers["Content-Length"]) == len(_body(whole.requests[0]))


def test_an_attempt_again_has_the_token_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch, refusals=1)
    write_transactions_whole(sent.client)
    sent.client.transact_write_items(TransactItems=ITEMS)

    first, second = sent.bodies
    assert first == second
    assert first["ClientRequestToken"]


def test_two_transactions_have_two_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch)
    write_transactions_whole(sent.client)
    for _ in range(2):
        sent.client.transact_write_items(TransactItems=ITEMS)

    assert len({body["ClientRequestToken"] for body in sent.bodies}) == 2


def test_other_operations_are_left_to_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = Sent(monkeypatch)
    write_transactions_whole(sent.client)
    sent.client.put_item(TableName="lineage", Item={"pk": {"B": b"\x00"}})

    assert sent.bodies == [{"TableName": "lineage", "Item": {"pk": {"B": "AA=="}}}]
