"""Does what people ask by links, Slack's buttons and PagerDuty's incidents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.alerts.channels.receiving import Reception, read_request
from hallmark.aws.channel_queues import ActingFunction
from hallmark.aws.clients import client
from hallmark.aws.http_posts import HttpPosts
from hallmark.aws.mac_keys import MacKey
from hallmark.aws.secrets import Secrets
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.settings import Settings


class ReceptionSettings(Settings):
    """What the function is told by its deployment."""

    act_for_channels_function_name: str
    mac_key_id: str
    slack_secrets: str = "[]"
    pagerduty_secrets: str = "[]"


@cache
def reception() -> Reception:
    """Build what answers once per execution environment."""
    settings = ReceptionSettings.from_environment()
    return Reception(
        mac=MacKey(settings.mac_key_id, client("kms")),
        acting=ActingFunction(settings.act_for_channels_function_name, client("lambda")),
        secrets=Secrets(client("secretsmanager")),
        slack_secrets=tuple(json.loads(settings.slack_secrets)),
        pagerduty_secrets=tuple(json.loads(settings.pagerduty_secrets)),
        clock=lambda: datetime.now(UTC),
        # Slack waits three seconds for all of it (docs.slack.dev, "Handling user interaction").
        poster=HttpPosts(connect_seconds=0.5, read_seconds=1.0),
        warn=logger.warning,
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one request; its token and signatures are never logged."""
    request = read_request(event)
    response = reception().answer(request)
    logger.info("action answered", method=request.method, path=request.path, status=response.status)
    return response.to_lambda()
