"""Sends what lineage has learned as OpenLineage run events, to who the policy names."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.http_posts import HttpPosts
from hallmark.aws.lineage_service import LineageService
from hallmark.aws.lineage_targets import CatalogDomain, OpenLineageEndpoint
from hallmark.aws.secrets import Secrets
from hallmark.errors import InvalidInputError
from hallmark.lineage.exports.sending import CATALOG_BYTES, Post, send_about
from hallmark.lineage.intake.settings import ForeignLineagePolicy
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class SendingSettings(Settings):
    """What the function is told by its deployment."""

    query_lineage_function_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


class Message(BaseModel):
    """What is to be sent, and to whom."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    target: str
    node: str


@cache
def settings() -> SendingSettings:
    """Read the settings once per execution environment."""
    return SendingSettings.from_environment()


@cache
def targets() -> dict[str, tuple[Post, int | None]]:
    """Return who takes events, and how large they may be."""
    policy = ForeignLineagePolicy.model_validate_json(read_policy_section("lineage"))
    found: dict[str, tuple[Post, int | None]] = {}
    if policy.openlineage is not None:
        wanted = policy.openlineage
        secrets = Secrets(client("secretsmanager"))
        found["openlineage"] = (
            OpenLineageEndpoint(wanted.url, HttpPosts(), secrets=secrets, secret=wanted.secret).post,
            None,
        )
    if policy.catalog is not None:
        found["catalog"] = (CatalogDomain(policy.catalog.domain, client("datazone")).post, CATALOG_BYTES)
    return found


def send(body: str) -> int:
    """Send what one message names."""
    try:
        message = Message.model_validate_json(body)
    except ValidationError as error:
        raise InvalidInputError("the message", body, f"{error.errors()[0]['msg']}: send {{target, node}}") from None
    if message.target not in targets():
        remedy = f"hallmark.yaml names {', '.join(targets()) or 'none'} under lineage"
        raise InvalidInputError("target", message.target, remedy)
    post, most = targets()[message.target]
    lineage = LineageService(settings().query_lineage_function_name, client("lambda"), people="tokens")
    sent = send_about(lineage.ask, message.node, post, most)
    logger.info("run events sent", target=message.target, node=message.node, events=sent)
    return sent


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "send_lineage").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Send each message's events; what is not taken now comes again."""
    outcome = work_off(event["Records"], send, refuse, maximum_receives=settings().maximum_receives)
    metrics.add_metric(name="RunEventsSent", unit=MetricUnit.Count, value=sum(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
