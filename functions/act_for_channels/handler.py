"""Does what people say of alerts in their channels, in the names that the channels give. No person may invoke it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.alerts.questions import AlertDesk, read_request
from hallmark.alerts.settings import AlertsPolicy
from hallmark.aws.alerting import AlertingSettings, make_engine
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import read_policy_section


class ActForChannelsSettings(AlertingSettings):
    """What the function is told by its deployment."""


@cache
def desk() -> AlertDesk:
    """Build what answers once per execution environment."""
    policy = AlertsPolicy.model_validate_json(read_policy_section("alerts"))
    return AlertDesk(make_engine(ActForChannelsSettings.from_environment(), policy), clock=lambda: datetime.now(UTC))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Do what ``receive_action`` asks (``{"message", "by"}``): it has checked the channel's signature or the link."""
    request = read_request(event.get("message"))
    answer = desk().act(request, event["by"])
    logger.info("request done", ask=request.ask, by=event["by"])
    return answer
