"""The door for MLflow's webhooks: who may come in is told by their signature, and nobody comes in twice."""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.connectors.messages import SentWebhook, Wake
from hallmark.lineage.connectors.mlflow.webhooks import delivery_of, read_webhook


class SecretsOfServers(Protocol):
    """With what each server signs."""

    def webhook_secret(self, server: str) -> str | None:
        """Return a server's secret; None for a server that policy does not name.

        Raises:
            InvalidInputError: It has none.
            UnavailableError: It cannot be read now.
        """
        ...


class Deliveries(Protocol):
    """Deliveries that came before."""

    def is_taken(self, delivery: str) -> bool:
        """Tell whether a delivery was taken before."""
        ...

    def take(self, delivery: str, now: datetime) -> None:
        """Remember that a delivery was taken."""
        ...


class Wakes(Protocol):
    """Where work is sent."""

    def send(self, wake: Wake) -> None:
        """Send a message."""
        ...


class WebhookAnswer(NamedTuple):
    """What the server is told; MLflow tries again after a 429 and after the faults of a server (5xx)."""

    status: HTTPStatus
    said: str

    @property
    def is_refused(self) -> bool:
        """Tell whether nothing was done, and nothing will be."""
        return self.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}

    def to_lambda(self) -> dict[str, Any]:
        """Return what an HTTP API expects of its function."""
        headers = {"content-type": "application/json"}
        return {"statusCode": int(self.status), "headers": headers, "body": json.dumps({"message": self.said})}


@dataclass(frozen=True)
class WebhookReception:
    """Answers ``POST /mlflow/{server}``.

    Args:
        secrets: With what the servers sign.
        deliveries: What came before.
        queue: Where work is sent.
        clock: The time.
    """

    secrets: SecretsOfServers
    deliveries: Deliveries
    queue: Wakes
    clock: Callable[[], datetime]

    def answer(self, event: Mapping[str, Any]) -> WebhookAnswer:
        """Answer a request of the HTTP API (payload format 2.0)."""
        server = str((event.get("pathParameters") or {}).get("server") or event["rawPath"].rpartition("/")[2])
        try:
            return self._take(server, _headers(event), _body(event))
        except InvalidInputError as error:
            return WebhookAnswer(HTTPStatus.BAD_REQUEST, str(error))
        except UnavailableError:
            return WebhookAnswer(HTTPStatus.SERVICE_UNAVAILABLE, "it could not be taken now: send it again")

    def _take(self, server: str, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        try:
            secret = self.secrets.webhook_secret(server)
        except InvalidInputError:
            # Said without the secret's name: whoever asks has not shown who they are.
            return WebhookAnswer(HTTPStatus.SERVICE_UNAVAILABLE, "no webhook secret is set for this server")
        now = self.clock()
        # A server that nobody named is answered as a false signature is: the names are nobody's business.
        delivery = delivery_of(headers, body, secret, now) if secret else None
        if delivery is None:
            return WebhookAnswer(HTTPStatus.UNAUTHORIZED, "the signature is not the server's, or too old")
        name = f"{server}/{delivery}"
        if self.deliveries.is_taken(name):
            return WebhookAnswer(HTTPStatus.OK, "it was taken before")
        self.queue.send(Wake(webhook=SentWebhook(server=server, webhook=read_webhook(body))))
        # Remembered last: what is sent twice changes nothing, what is lost would.
        self.deliveries.take(name, now)
        return WebhookAnswer(HTTPStatus.ACCEPTED, "taken")


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in event.get("headers", {}).items()}


def _body(event: Mapping[str, Any]) -> bytes:
    raw = str(event.get("body") or "")
    if not event.get("isBase64Encoded"):
        return raw.encode()
    try:
        return b64decode(raw, validate=True)
    except NotBase64:
        raise InvalidInputError("the body", raw, "send JSON") from None
