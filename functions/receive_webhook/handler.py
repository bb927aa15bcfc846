"""Takes webhooks of MLflow servers: lets in what is signed and fresh, once, and hands it on."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.connector_memory import DynamoDeliveries, WakeQueue
from hallmark.aws.secrets import Secrets
from hallmark.aws.tool_servers import ServerSecrets
from hallmark.lineage.connectors.mlflow.reception import WebhookReception
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class WebhookSettings(Settings):
    """What the function is told by its deployment."""

    connectors_table_name: str
    wake_queue_url: str


@cache
def reception() -> WebhookReception:
    """Build what answers once per execution environment."""
    settings = WebhookSettings.from_environment()
    return WebhookReception(
        secrets=ServerSecrets.read(read_policy_section("lineage"), Secrets(client("secretsmanager"))),
        deliveries=DynamoDeliveries(settings.connectors_table_name, client("dynamodb"), "mlflow"),
        queue=WakeQueue(settings.wake_queue_url, client("sqs")),
        clock=lambda: datetime.now(UTC),
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one request; signatures are never logged."""
    answer = reception().answer(event)
    metrics.add_metric(name="WebhooksRefused", unit=MetricUnit.Count, value=int(answer.is_refused))
    logger.info("webhook answered", status=answer.status, said=answer.said)
    return answer.to_lambda()
