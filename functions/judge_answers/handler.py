"""Lets judges score the answers of one batch of one model."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.evaluation_asking import asker_of
from hallmark.aws.evaluation_files import RunFiles
from hallmark.errors import NotFoundError
from hallmark.evaluation.batches import BatchOrder, summary_of
from hallmark.evaluation.judging import ANCHORS, judge_anchors, judge_batch, read_rubric
from hallmark.evaluation.plans import Plan
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import policy_folder
from hallmark.runtime.settings import Settings


class JudgingSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_table_name: str
    evaluation_bucket_name: str


@cache
def settings() -> JudgingSettings:
    """Read the settings once per execution environment."""
    return JudgingSettings.from_environment()


def files_of(suite: str, run: str) -> RunFiles:
    """Return the files of a run."""
    return RunFiles(settings().evaluation_bucket_name, client("s3"), suite, run)


@lru_cache(maxsize=4)
def plan_of(suite: str, run: str) -> Plan:
    """Read a run's plan once per execution environment."""
    return files_of(suite, run).read_plan()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Judge a batch; one that is judged already is not judged again."""
    order = BatchOrder.model_validate(event)
    files, plan = files_of(order.suite, order.run), plan_of(order.suite, order.run)
    judged = files.find_results(order.model, order.batch, "judged")
    if judged is None:
        answers = files.find_results(order.model, order.batch)
        if answers is None:
            raise NotFoundError(f"batch {order.batch} of {order.model} has no answers to judge")
        champion = plan.settings.champion
        rivals = files.find_results(champion, order.batch) if champion is not None else None
        asker = asker_of(settings().evaluation_table_name, plan, context)
        rubric = read_rubric(plan.settings.judge.rubric if plan.settings.judge else "", policy_folder() / "rubrics")
        if order.batch == 0 and order.model == plan.asked[0]:
            anchors = judge_anchors(plan, files.read_anchors(), asker, rubric, give_up=order.is_last_attempt)
            files.write_results(ANCHORS, 0, anchors, "judged")
        batch = files.read_batch(order.batch)
        judged = judge_batch(plan, batch, answers, rivals or (), asker, rubric, give_up=order.is_last_attempt)
        files.write_results(order.model, order.batch, judged, "judged")
    summary = summary_of(order, judged)
    logger.info("batch judged", **summary)
    return summary
