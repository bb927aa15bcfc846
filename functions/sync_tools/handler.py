"""Looks at the servers of other tools, and follows what their webhooks say."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.connector_memory import WakeQueue
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.secrets import Secrets
from hallmark.aws.tool_servers import ToolServers
from hallmark.lineage.connectors.messages import read_wake
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings

_RESERVE_MILLISECONDS = 60_000
"""A step begun with less time left might not be finished: a page of a slow server takes some seconds."""
_REST_SECONDS = 10


class SyncSettings(Settings):
    """What the function is told by its deployment."""

    connectors_table_name: str
    event_bus_name: str
    wake_queue_url: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> SyncSettings:
    """Read the settings once per execution environment."""
    return SyncSettings.from_environment()


@cache
def servers() -> ToolServers:
    """Read which servers there are once per execution environment."""
    return ToolServers.read(
        read_policy_section("lineage"),
        table=settings().connectors_table_name,
        bus=settings().event_bus_name,
        secrets=Secrets(client("secretsmanager")),
    )


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "sync_tools").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Go on with each message while there is time; what is left goes on with a message of its own."""

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() > _RESERVE_MILLISECONDS)

    def work(body: str) -> int:
        told, following = servers().work(read_wake(body), has_time)
        if following is not None:
            WakeQueue(settings().wake_queue_url, client("sqs")).send(following)
        metrics.add_metric(name="ToolSectionsTold", unit=MetricUnit.Count, value=told)
        logger.info("tool looked at", told=told, goes_on=following is not None)
        return told

    outcome = work_off(
        event["Records"],
        work,
        refuse,
        maximum_receives=settings().maximum_receives,
        seconds=context.get_remaining_time_in_millis() / 1000 - _REST_SECONDS,
    )
    return outcome.response
