"""Asks one batch of cases of one model, scores the answers, and writes the results."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.evaluation_asking import asker_of
from hallmark.aws.evaluation_files import ANSWERS, RunFiles
from hallmark.evaluation.batches import BatchOrder, ask_batch, summary_of
from hallmark.evaluation.jobs.planning import is_custom
from hallmark.evaluation.plans import Plan
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.registry import make_scorer
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings


class AskingSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_table_name: str
    evaluation_bucket_name: str


@cache
def settings() -> AskingSettings:
    """Read the settings once per execution environment."""
    return AskingSettings.from_environment()


@lru_cache(maxsize=4)
def plan_of(suite: str, run: str) -> Plan:
    """Read a run's plan once per execution environment."""
    return files_of(suite, run).read_plan()


@lru_cache(maxsize=4)
def scorers_of(suite: str, run: str) -> tuple[Scorer, ...]:
    """Make the scorers of a run once per execution environment."""
    plan = plan_of(suite, run)
    return tuple(make_scorer(choice, labels=plan.labels) for choice in plan.settings.scored_at_once)


def files_of(suite: str, run: str) -> RunFiles:
    """Return the files of a run."""
    return RunFiles(settings().evaluation_bucket_name, client("s3"), suite, run)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Ask a batch; one that has its results already is not asked again."""
    order = BatchOrder.model_validate(event)
    files = files_of(order.suite, order.run)
    results = files.find_results(order.model, order.batch)
    if results is None:
        plan, batch = plan_of(order.suite, order.run), files.read_batch(order.batch)
        scorers = scorers_of(order.suite, order.run)
        results = ask_batch(
            plan,
            batch,
            order.model,
            asker_of(settings().evaluation_table_name, plan, context),
            scorers,
            given=files.find_results(order.model, order.batch, ANSWERS) or (),
            deployment=files.find_deployment(order.model) if is_custom(plan.models[order.model]) else None,
            give_up=order.is_last_attempt,
        )
        files.write_results(order.model, order.batch, results)
    summary = summary_of(order, results)
    metrics.add_metric(name="CasesAnswered", unit=MetricUnit.Count, value=summary["answered"])
    logger.info("batch asked", **summary)
    return summary
