"""Does what people say of alerts: somebody has one, nobody is to hear of some."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.alerts.questions import AlertDesk, read_request
from hallmark.alerts.settings import AlertsPolicy
from hallmark.aws.alerting import AlertingSettings, make_engine
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import read_policy_section


class ActOnAlertsSettings(AlertingSettings):
    """What the function is told by its deployment."""


@cache
def desk() -> AlertDesk:
    """Build what answers once per execution environment."""
    policy = AlertsPolicy.model_validate_json(read_policy_section("alerts"))
    return AlertDesk(make_engine(ActOnAlertsSettings.from_environment(), policy), clock=lambda: datetime.now(UTC))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Do what is asked; what cannot be understood raises an error with field, value and remedy."""
    request = read_request(event)
    answer = desk().act(request)
    logger.info("request done", ask=request.ask)
    return answer
