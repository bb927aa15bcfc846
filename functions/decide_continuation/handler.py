"""Looks at the results so far and says whether another round is worth its money."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.evaluation_files import RunFiles
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import policy_folder
from hallmark.runtime.settings import Settings


class DecidingSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_bucket_name: str


@cache
def settings() -> DecidingSettings:
    """Read the settings once per execution environment."""
    return DecidingSettings.from_environment()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Decide after a round, which is counted from 0."""
    files = RunFiles(settings().evaluation_bucket_name, client("s3"), event["suite"], event["run"])
    plan = files.read_plan()
    done = int(event["round"]) + 1
    if done >= len(plan.rounds):
        return {"goesOn": False, "reason": "all was asked"}
    from hallmark.evaluation.completing import is_spent, look  # noqa: PLC0415 - numpy, for whom there is more to ask

    results = tuple(files.all_results(plan.asked, range(sum(plan.rounds[:done]))))
    if is_spent(results):
        return {"goesOn": False, "reason": "the budget is spent"}
    decision = look(plan, results, datetime.now(UTC), policy_folder() / "rubrics")
    logger.info("looked", run=plan.run, round=done, goes_on=decision.goes_on, reason=decision.reason)
    return {"goesOn": decision.goes_on, "reason": decision.reason}
