"""Who sent a webhook: Slack's and PagerDuty's signatures."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=5)
"""Slack advises to take nothing older (docs.slack.dev, "Verifying requests from Slack")."""


def is_from_slack(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> bool:
    """Tell whether Slack signed a request with the app's signing secret, just now.

    Args:
        headers: By lower-case name.
        body: As it arrived.
        secret: The signing secret.
        now: The time.
    """
    told = headers.get("x-slack-request-timestamp", "")
    if not (told.isascii() and told.isdigit()) or abs(now.timestamp() - int(told)) > WINDOW.total_seconds():
        return False
    expected = hmac.new(secret.encode(), f"v0:{told}:".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v0={expected}".encode(), headers.get("x-slack-signature", "").encode())


def is_from_pagerduty(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Tell whether PagerDuty signed a webhook; while its secret is changed there are two signatures (webhooks v3)."""
    expected = f"v1={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}".encode()
    signatures = headers.get("x-pagerduty-signature", "").split(",")
    return any(hmac.compare_digest(expected, signature.strip().encode()) for signature in signatures)
