"""Suites whose models AWS's own jobs ask, or whose answers they score, on the deployed app with IAM enforced."""

from __future__ import annotations

from typing import Any

import pytest

from local.bedrock.faults import Fault
from tests.e2e.conftest import SENTENCES, TEXTBLOB, TWEETS, VADER
from tests.e2e.evaluations import Evaluations

pytestmark = pytest.mark.e2e

REPEATS = 3


def estimates(report: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what each model reached over all cases, by model and metric."""
    return {(each["model"], each["metric"]): each for each in report["estimates"] if each["part"] is None}


@pytest.fixture
def jobs(evaluations: Evaluations, deployed: Any) -> Any:
    """Return Bedrock's control plane, with the jobs that are there."""
    return deployed.client("bedrock")


def test_batch_inference_answers_what_converse_would_answer_for_half_of_the_money(evaluations: Evaluations) -> None:
    run = evaluations.completed(evaluations.start("by-batch"))

    direct = evaluations.completed(evaluations.start("sentiment"))
    calls = evaluations.faults.calls(VADER)
    assert (run["answered"], run["failed"]) == (2 * TWEETS * REPEATS, 0)
    assert run["spent_usd"] / REPEATS == pytest.approx(direct["spent_usd"] / 2)
    assert calls.answered == TWEETS * (REPEATS + 1)
    by_job, by_call = (estimates(evaluations.report(name["run"])) for name in (run, direct))
    assert by_job["vader", "accuracy"]["value"] == by_call["vader", "accuracy"]["value"]
    assert evaluations.event(run["run"])["detail"]["coverage"] == 1.0


def test_what_a_batch_job_had_no_time_for_is_asked_by_converse_and_nothing_twice(evaluations: Evaluations) -> None:
    evaluations.faults.set(VADER, Fault(batch_records=50))

    run = evaluations.completed(evaluations.start("by-batch"))

    calls = evaluations.faults.calls(VADER)
    assert (run["answered"], run["failed"]) == (2 * TWEETS * REPEATS, 0)
    assert calls.answered == TWEETS * REPEATS


def test_evaluation_jobs_answer_and_measure_and_our_scorers_score_the_same_answers(
    evaluations: Evaluations, jobs: Any
) -> None:
    run = evaluations.completed(evaluations.start("by-jobs"))

    report = evaluations.report(run["run"])
    found = estimates(report)
    assert run["answered"] == 3 * TWEETS
    for model in ("vader", "textblob", "last-year"):
        # Bedrock counts an answer as right where it is the reference, as the label of a class is.
        assert found[model, "Builtin.Accuracy"]["value"] == pytest.approx(found[model, "accuracy"]["value"])
    assert evaluations.faults.calls(VADER).answered == TWEETS
    assert "estimated by the length of texts" in evaluations.report(run["run"], "md")
    assert run["spent_usd"] > 0
    assert not jobs.list_evaluation_jobs().get("jobSummaries"), "jobs that were collected are cleaned up"


def test_an_evaluator_judges_by_bedrocks_metrics_and_by_our_rubrics(evaluations: Evaluations) -> None:
    run = evaluations.completed(evaluations.start("judged-by-jobs"))

    found = estimates(evaluations.report(run["run"]))
    for model in ("lium", "xmu"):
        for metric in ("Builtin.Helpfulness", "judge_correctness", "chrf"):
            assert found[model, metric]["cases"] == SENTENCES
        assert 0 < found[model, "judge_correctness"]["value"] < 1


def test_people_rate_the_answers_and_their_ratings_are_compared_like_any_metric(
    deployed: Any, evaluations: Evaluations
) -> None:
    workers = deployed.cloud.bedrock().workers
    name = evaluations.start("rated-by-people")

    tasks = deployed.eventually(lambda: len(workers.waiting()) == 24 and workers.waiting())
    for task in tasks:
        is_right = task.response == task.record["referenceResponse"]
        workers.rate(task, {"agreement": 5 if is_right else 1, "usable": is_right})
    evaluations.completed(name)

    found = estimates(evaluations.report(name))
    for model in ("vader", "textblob"):
        right = found[model, "accuracy"]["value"]
        assert found[model, "human_agreement"]["value"] == pytest.approx(right)
        assert found[model, "human_usable"]["value"] == pytest.approx(right)


def test_a_job_that_someone_stops_is_missing_coverage_with_its_reason(
    deployed: Any, evaluations: Evaluations, jobs: Any
) -> None:
    evaluations.faults.set(TEXTBLOB, Fault(latency_seconds=30))
    name = evaluations.start("by-jobs")

    def running() -> str | None:
        listed = [job for job in jobs.list_evaluation_jobs().get("jobSummaries", ()) if job["status"] == "InProgress"]
        return next((job["jobArn"] for job in listed if job.get("modelIdentifiers") == [TEXTBLOB]), None)

    jobs.stop_evaluation_job(jobIdentifier=deployed.eventually(running))
    run = evaluations.completed(name)

    models = {model["name"]: model["answered"] for model in evaluations.event(name)["detail"]["models"]}
    assert models == {"vader": TWEETS, "textblob": 0, "last-year": TWEETS}
    assert run["failed"] == TWEETS
    assert "missing" in evaluations.report(name, "md")


def test_jobs_that_the_budget_cannot_pay_for_are_not_started(evaluations: Evaluations) -> None:
    run = evaluations.ended(evaluations.start("dear-by-jobs"))

    assert (run["status"], run["answered"], run["spent_usd"]) == ("stopped", 0, 0)
    assert run["reason"] == "the run's money is spent"
    assert evaluations.faults.calls(VADER).answered == 0


def test_a_heavy_scorer_runs_in_a_processing_job_and_what_it_cannot_judge_is_a_value(
    deployed: Any, evaluations: Evaluations
) -> None:
    run = evaluations.completed(evaluations.start("heavy"))

    found = estimates(evaluations.report(run["run"]))
    brought = found["last-year", "brevity"]
    assert brought["value"] == pytest.approx(1 / len("positive"))
    assert 0 < brought["cases"] < TWEETS
    assert "I do not judge what is negative" in evaluations.report(run["run"], "md")
    summaries = deployed.client("sagemaker").list_processing_jobs(NameContains="hm-")["ProcessingJobSummaries"]
    assert [each["ProcessingJobStatus"] for each in summaries] == ["Completed"]


def test_answers_that_the_dataset_brings_cost_nothing_and_ask_nobody(evaluations: Evaluations) -> None:
    run = evaluations.completed(evaluations.start("heavy", models=["last-year"]))

    results = {model["name"]: model for model in evaluations.event(run["run"])["detail"]["models"]}
    assert results["last-year"]["answered"] == TWEETS
    assert evaluations.faults.calls(VADER).answered == TWEETS
