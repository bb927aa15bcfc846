"""Plans a look: which window, against which baseline, and which files are new."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.drift_files import DriftFiles, TeamFiles
from hallmark.aws.drift_memory import DynamoMemory
from hallmark.aws.drift_sources import SageMakerEndpoints
from hallmark.drift.planning import INLINE_PARTS, LookRequest, Place, Planner, find_monitor
from hallmark.drift.reports import digest_of
from hallmark.drift.settings import DriftPolicy
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class PlanningSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    aws_region: str
    drift_table_name: str
    drift_bucket_name: str


@cache
def settings() -> PlanningSettings:
    """Read the settings once per execution environment."""
    return PlanningSettings.from_environment()


@cache
def policy() -> DriftPolicy:
    """Read the policy once per execution environment; its files lie in this account and Region."""
    text = read_policy_section("drift").replace("{account}", settings().account_id)
    return DriftPolicy.model_validate_json(text.replace("{region}", settings().aws_region))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Plan a look; a repeat plans the same, less what was profiled since."""
    request = LookRequest.model_validate(event)
    monitor = find_monitor(policy(), request.monitor)
    files = DriftFiles(settings().drift_bucket_name, client("s3"))
    place = Place(settings().account_id, settings().aws_region)
    memory = DynamoMemory(settings().drift_table_name, client("dynamodb"))
    planner = Planner(place, memory, TeamFiles(client("s3")), files, SageMakerEndpoints(client("sagemaker")))
    plan = planner.plan(request, monitor)
    content = plan.model_dump_json().encode()
    name = f"plans/{plan.monitor}/{plan.end:%Y%m%dT%H%MZ}-{digest_of({'plan': content.decode()})}"
    files.put(f"{name}.json", content)
    numbers = range(len(plan.parts))
    files.put(f"{name}.jsonl", b"".join(b'{"part": %d}\n' % number for number in numbers))
    logger.info("look planned", monitor=plan.monitor, end=plan.end.isoformat(), status=plan.status, parts=len(numbers))
    return {
        "plan": f"{name}.json",
        "partsKey": f"{name}.jsonl",
        "size": "none" if not numbers else "large" if len(numbers) > INLINE_PARTS else "small",
        "parts": [{"plan": f"{name}.json", "part": number} for number in numbers[:INLINE_PARTS]],
    }
