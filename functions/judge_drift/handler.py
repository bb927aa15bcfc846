"""Compares a window with its baseline, writes the report, and says on the hallmark bus what changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from hallmark.aws.clients import client
from hallmark.aws.drift_files import DriftFiles
from hallmark.aws.drift_memory import DynamoMemory
from hallmark.aws.eventbridge import EventPublisher
from hallmark.drift.failing import BrokenLook, plan_of
from hallmark.drift.planning import WindowPlan, find_monitor
from hallmark.drift.settings import DriftPolicy
from hallmark.errors import NotFoundError
from hallmark.events.drift import DRIFT_DETECTED
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings

if TYPE_CHECKING:
    from hallmark.drift.looking import Told


class JudgingSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    aws_region: str
    drift_table_name: str
    drift_bucket_name: str
    event_bus_name: str


@cache
def settings() -> JudgingSettings:
    """Read the settings once per execution environment."""
    return JudgingSettings.from_environment()


@cache
def policy() -> DriftPolicy:
    """Read the policy once per execution environment; its files lie in this account and Region."""
    text = read_policy_section("drift").replace("{account}", settings().account_id)
    return DriftPolicy.model_validate_json(text.replace("{region}", settings().aws_region))


def publish(events: Sequence[Told]) -> None:
    """Publish what a look changed."""
    bus = settings().event_bus_name
    EventPublisher(client("events")).publish([told.event.to_entry(bus, told.detail_type) for told in events])


def read_plan(files: DriftFiles, event: dict[str, Any]) -> WindowPlan:
    """Return the look's plan; of a look that broke off, one that says why."""
    if "error" in event:
        broken = BrokenLook.model_validate(event)
        return plan_of(broken, find_monitor(policy(), broken.monitor))
    content = files.find(event["plan"])
    if content is None:
        raise NotFoundError(f"there is no plan {event['plan']}")
    return WindowPlan.model_validate_json(content)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Judge a window; a repeat answers with the report that there is."""
    from hallmark.drift.looking import Watcher  # noqa: PLC0415 - numpy comes with it, after the start

    files = DriftFiles(settings().drift_bucket_name, client("s3"))
    plan = read_plan(files, event)
    monitor = find_monitor(policy(), plan.monitor)
    watcher = Watcher(DynamoMemory(settings().drift_table_name, client("dynamodb")), files, publish)
    looked = watcher.look(plan, monitor, datetime.now(UTC))
    look = looked.look
    metrics.add_metric(name="WindowsJudged", unit=MetricUnit.Count, value=int(looked.is_new))
    logger.info("window judged", monitor=plan.monitor, outcome=look.outcome, report=look.report, told=look.tells)
    return {
        "monitor": plan.monitor,
        "start": look.start.isoformat(),
        "end": look.end.isoformat(),
        "outcome": look.outcome,
        "reason": look.reason or "",
        "report": look.report or "",
        "told": list(look.tells),
        "retrains": monitor.retraining() is not None and DRIFT_DETECTED in look.tells,
        "window": files.uri(f"{look.key}/window.manifest") if look.key else "",
    }
