"""Does what people say of alerts: somebody has one, nobody is to hear of some. Whose word it is, STS says."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.alerts.questions import AlertDesk, read_request
from hallmark.alerts.settings import AlertsPolicy
from hallmark.aws.alerting import AlertingSettings, make_engine
from hallmark.aws.caller_proof import verify_caller
from hallmark.aws.clients import client
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import read_policy_section


class ActOnAlertsSettings(AlertingSettings):
    """What the function is told by its deployment."""

    account_id: str


@cache
def settings() -> ActOnAlertsSettings:
    """Read the settings once per execution environment."""
    return ActOnAlertsSettings.from_environment()


@cache
def desk() -> AlertDesk:
    """Build what answers once per execution environment."""
    policy = AlertsPolicy.model_validate_json(read_policy_section("alerts"))
    return AlertDesk(make_engine(settings(), policy), clock=lambda: datetime.now(UTC))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Do what is asked (``{"message", "proof"}``); who asks proves who they are."""
    request = read_request(event.get("message"))
    person = verify_caller(event["message"], event.get("proof"), client("sts"), settings().account_id)
    answer = desk().act(request, person.arn)
    logger.info("request done", ask=request.ask, by=person.arn)
    return answer
