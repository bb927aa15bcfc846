"""The door for webhooks: signed, fresh, once; nothing that it was let in for is lost."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.connectors.messages import Wake, read_wake
from hallmark.lineage.connectors.mlflow.reception import WebhookReception

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SECRET = "s3cret"
BODY = json.dumps(
    {
        "entity": "model_version_alias",
        "action": "created",
        "timestamp": "2026-11-29T11:59:59+00:00",
        "data": {"name": "wine", "alias": "champion", "version": "1"},
    }
)


class World:
    """Secrets, deliveries and queue."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.sent: list[Wake] = []
        self.is_down = False

    def webhook_secret(self, server: str) -> str | None:
        if server == "unset":
            raise InvalidInputError("the webhook secret of unset", None, "put one into hallmark/mlflow-unset")
        return {"prod": SECRET}.get(server)

    def is_taken(self, delivery: str) -> bool:
        return delivery in self.taken

    def take(self, delivery: str, now: datetime) -> None:
        self.taken.add(delivery)

    def send(self, wake: Wake) -> None:
        if self.is_down:
            raise UnavailableError("SQS")
        self.sent.append(wake)


def request(
    body: str = BODY, *, server: str = "prod", delivery: str = "d1", at: str | None = None, **given: Any
) -> Any:
    told = at or str(int(NOW.timestamp()))
    signed = f"{delivery}.{told}.{body}".encode()
    signature = "v1," + b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    headers = {"X-MLflow-Delivery-Id": delivery, "X-MLflow-Timestamp": told, "X-MLflow-Signature": signature}
    return {"rawPath": f"/mlflow/{server}", "headers": headers | given.pop("headers", {}), "body": body} | given


def answered(world: World, event: Any) -> int:
    answer = WebhookReception(world, world, world, lambda: NOW).answer(event).to_lambda()
    return int(answer["statusCode"])


def test_a_signed_webhook_is_handed_on_once() -> None:
    world = World()

    assert [answered(world, request()), answered(world, request()), answered(world, request(delivery="d2"))] == [
        202,
        200,
        202,
    ]
    assert len(world.sent) == 2
    webhook = read_wake(world.sent[0].model_dump_json()).webhook
    assert webhook is not None
    assert (webhook.server, webhook.webhook.data["alias"]) == ("prod", "champion")


def test_a_body_in_base64_is_signed_as_it_was_sent() -> None:
    event = request()
    event |= {"body": b64encode(BODY.encode()).decode(), "isBase64Encoded": True}

    assert answered(World(), event) == 202


@pytest.mark.parametrize(
    "event",
    [
        request(headers={"X-MLflow-Signature": "v1,AAAA"}),
        request(headers={"X-MLflow-Signature": ""}),
        request(headers={"X-MLflow-Timestamp": "٣"}),
        request(at=str(int(NOW.timestamp()) - 301)),
        request(at=str(int(NOW.timestamp()) + 301)),
        request(at="1e9"),
        request(server="nobody"),
        request() | {"body": BODY.replace("champion", "challenger")},
    ],
)
def test_what_is_forged_old_or_from_nobody_is_refused_alike(event: Any) -> None:
    world = World()

    assert answered(world, event) == 401
    assert world.sent == []
    assert world.taken == set()


def test_a_webhook_that_could_not_be_handed_on_may_be_sent_again() -> None:
    world = World()
    world.is_down = True
    assert answered(world, request()) == 503

    world.is_down = False
    assert answered(world, request()) == 202


def test_a_server_without_a_webhook_secret_says_so_without_its_name() -> None:
    answer = WebhookReception(World(), World(), World(), lambda: NOW).answer(request(server="unset"))

    assert (int(answer.status), "hallmark/" in answer.said) == (503, False)


@pytest.mark.parametrize("body", ["[]", "{}", "no JSON", BODY.replace("+00:00", ""), " " * 200_001])
def test_a_signed_body_that_says_nothing_is_refused_by_field(body: str) -> None:
    assert answered(World(), request(body)) == 400


@pytest.mark.parametrize("body", ["{}", "no JSON", '{"mlflow": {}}', '{"other": 1}'])
def test_a_message_that_is_none_is_refused(body: str) -> None:
    with pytest.raises(InvalidInputError, match="the message"):
        read_wake(body)
