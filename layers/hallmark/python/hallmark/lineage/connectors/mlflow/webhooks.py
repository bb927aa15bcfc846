"""Webhooks of MLflow's registry: who sent them, whether they are fresh, and what they say."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import ValidationError

from hallmark.errors import InvalidInputError
from hallmark.lineage.connectors.mlflow.syncing import MlflowWebhook

WINDOW = timedelta(minutes=5)
"""Standard Webhooks advises a tolerance of minutes; MLflow signs a delivery once, not again for each retry."""
_ID, _TIME, _SIGNATURE = "x-mlflow-delivery-id", "x-mlflow-timestamp", "x-mlflow-signature"
MAXIMUM_BYTES = 200_000
"""A message of SQS has 256 KiB at most."""


def delivery_of(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> str | None:
    """Return the id of a delivery that MLflow signed just now with a secret; None for any other request.

    Args:
        headers: By lower-case name.
        body: As it arrived.
        secret: The webhook's secret.
        now: The time.
    """
    delivery, told = headers.get(_ID, ""), headers.get(_TIME, "")
    if not delivery or not (told.isascii() and told.isdigit()) or len(told) > len("99999999999"):
        return None
    if abs(now.timestamp() - int(told)) > WINDOW.total_seconds():
        return None
    signed = f"{delivery}.{told}.".encode() + body
    expected = "v1," + b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    # Several signatures stand side by side while a secret is changed (Standard Webhooks, "signature scheme").
    signatures = headers.get(_SIGNATURE, "").split(" ")
    is_signed = [hmac.compare_digest(expected.encode(), signature.encode()) for signature in signatures]
    return delivery if any(is_signed) else None


def read_webhook(body: bytes) -> MlflowWebhook:
    """Read a webhook's body.

    Raises:
        InvalidInputError: It is too large, or says nothing that MLflow's webhooks say.
    """
    if len(body) > MAXIMUM_BYTES:
        raise InvalidInputError("the webhook", f"{len(body):,} bytes", f"send {MAXIMUM_BYTES:,} bytes at most")
    try:
        webhook = MlflowWebhook.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(("the webhook", *map(str, fault["loc"])))
        raise InvalidInputError(field, fault["input"], f"{fault['msg']}; send what MLflow sends") from None
    if webhook.timestamp.tzinfo is None:
        raise InvalidInputError("the webhook.timestamp", webhook.timestamp.isoformat(), "send a time with its zone")
    return webhook
