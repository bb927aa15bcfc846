"""From a suite to its report, through the deployed workflow with IAM enforced, on real data."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hallmark.evaluation.asking import LANES
from local.bedrock.faults import Fault
from local.bedrock.published_corpora import (
    json_lines,
    rated_texts,
    sentiment_cases,
    training_records,
)
from tests.e2e.conftest import JUDGE, SENTENCES, TEXTBLOB, TWEETS, VADER
from tests.e2e.evaluations import Evaluations

pytestmark = pytest.mark.e2e

SLOW = Fault(latency_seconds=1)
"""Long enough to do something while a run asks, and less than a run waits for answers of another invocation."""


@pytest.fixture(scope="module")
def sentiment(shared: Evaluations) -> dict[str, Any]:
    """Return a completed run of two models on tweets."""
    shared.faults.clear()
    run = shared.completed(shared.start("sentiment"))
    assert shared.faults.calls(VADER).repeated == 0
    return run


def test_a_run_that_someone_starts_asks_all_models_all_cases(sentiment: dict[str, Any]) -> None:
    assert (sentiment["answered"], sentiment["failed"], sentiment["planned"]) == (2 * TWEETS, 0, 2 * TWEETS)
    assert sentiment["trigger"]["kind"] == "manual"
    assert 0 < sentiment["spent_usd"] < sentiment["budget_usd"]


def test_the_report_has_an_interval_for_each_model_and_covers_all_cases(
    evaluations: Evaluations, sentiment: dict[str, Any]
) -> None:
    report = evaluations.report(sentiment["run"])

    whole = {each["model"]: each for each in report["estimates"] if each["part"] is None}
    assert set(whole) == {"vader", "textblob"}
    for estimate in whole.values():
        assert estimate["cases"] == TWEETS
        assert estimate["span"]["low"] < estimate["value"] < estimate["span"]["high"]
    assert {each["model"]: each["share"] for each in report["coverage"]} == {"vader": 1.0, "textblob": 1.0}
    assert "<svg" in evaluations.report(sentiment["run"], "html")


def test_the_end_is_published_on_the_hallmark_bus(evaluations: Evaluations, sentiment: dict[str, Any]) -> None:
    event = evaluations.event(sentiment["run"])

    assert event["detail-type"] == "EvaluationCompleted"
    assert {model["name"] for model in event["detail"]["models"]} == {"vader", "textblob"}
    assert event["detail"]["coverage"] == 1.0


def test_the_run_is_a_node_in_lineage_with_its_models_and_its_data(
    deployed: Any, evaluations: Evaluations, sentiment: dict[str, Any]
) -> None:
    execution = sentiment["execution"]

    def recorded() -> dict[str, Any] | None:
        shown: dict[str, Any] = deployed.ask("show", node=execution)
        return shown if shown["answer"] == "show" else None

    shown = deployed.eventually(recorded)
    assert shown["node"]["kind"] == "evaluation"
    sources = " ".join(edge["source"] for edge in shown["upstream"])
    assert VADER in sources
    assert TEXTBLOB in sources
    assert f"s3://{evaluations.bucket}/tweets.jsonl" in sources


def test_duckdb_reads_every_case_of_the_run(deployed: Any, sentiment: dict[str, Any], tmp_path: Path) -> None:
    key = f"cases/suite=sentiment/run={sentiment['run']}/cases.parquet"
    file = tmp_path / "cases.parquet"
    deployed.client("s3").download_file(deployed.outputs["EvaluationBucketName"], key, str(file))

    rows = duckdb.execute(
        "select model, count(*), count(distinct case_id), count(answer) from read_parquet(?) group by model order by 1",
        [str(file)],
    ).fetchall()

    assert rows == [("textblob", TWEETS, TWEETS, TWEETS), ("vader", TWEETS, TWEETS, TWEETS)]


def test_three_systems_of_wmt17_are_compared_when_the_schedule_starts_them(
    deployed: Any, evaluations: Evaluations
) -> None:
    name = f"translation-{uuid.uuid4()}"
    evaluations.execute("translation", name)

    run = evaluations.completed(name)

    assert run["trigger"]["kind"] == "schedule"
    assert run["answered"] == 3 * SENTENCES


def test_a_run_that_is_stopped_and_redriven_repeats_no_call(deployed: Any, evaluations: Evaluations) -> None:
    for model in (VADER, TEXTBLOB):
        evaluations.faults.set(model, SLOW)
    workflow = deployed.client("stepfunctions")
    name = f"sentiment-{uuid.uuid4()}"
    execution = evaluations.execute("sentiment", name)
    deployed.eventually(lambda: evaluations.faults.calls(VADER).answered >= 10)

    workflow.stop_execution(executionArn=execution)
    deployed.eventually(lambda: workflow.describe_execution(executionArn=execution)["status"] == "ABORTED")
    answered = evaluations.faults.calls(VADER).answered
    evaluations.be_quick()
    workflow.redrive_execution(executionArn=execution)
    run = evaluations.completed(name)

    assert answered < TWEETS
    for model in (VADER, TEXTBLOB):
        calls = evaluations.faults.calls(model)
        assert (calls.answered, calls.repeated) == (TWEETS, 0)
    assert (run["answered"], run["failed"]) == (2 * TWEETS, 0)


def test_a_run_that_someone_stops_is_listed_as_stopped_and_a_redrive_completes_it(
    deployed: Any, evaluations: Evaluations
) -> None:
    for model in (VADER, TEXTBLOB):
        evaluations.faults.set(model, SLOW)
    workflow = deployed.client("stepfunctions")
    name = f"halted-{uuid.uuid4()}"
    execution = evaluations.execute("halted", name)
    deployed.eventually(lambda: evaluations.faults.calls(VADER).answered >= 10)

    workflow.stop_execution(executionArn=execution, error="TooDear", cause="not this week")
    stopped = evaluations.ended(name)
    event = evaluations.event(name)
    # Long enough that the run can be seen to go on.
    for model in (VADER, TEXTBLOB):
        evaluations.faults.set(model, Fault(latency_seconds=2))
    workflow.redrive_execution(executionArn=execution)
    again = evaluations.ended(name, how={"running"})
    evaluations.be_quick()
    run = evaluations.completed(name)

    assert (stopped["status"], stopped["reason"]) == ("stopped", "stopped in Step Functions: TooDear: not this week")
    assert stopped["trigger"]["kind"] == "schedule"
    assert (event["detail-type"], event["detail"]["reason"]) == ("EvaluationFailed", stopped["reason"])
    assert (again["reason"], again["ended_at"]) == (None, None)
    assert (run["reason"], run["answered"] + run["failed"]) == (None, 2 * TWEETS)


def test_a_function_that_dies_among_its_calls_is_replaced_and_no_call_is_repeated(
    deployed: Any, evaluations: Evaluations
) -> None:
    for model in (VADER, TEXTBLOB):
        evaluations.faults.set(model, SLOW)
    name = evaluations.start("sentiment")
    deployed.eventually(lambda: evaluations.faults.calls(VADER).answered >= 10)

    killed = deployed.cloud.kill_function("AskModels")
    evaluations.be_quick()
    run = evaluations.completed(name)

    assert killed
    assert [evaluations.faults.calls(model).repeated for model in (VADER, TEXTBLOB)] == [0, 0]
    assert run["answered"] + run["failed"] == run["planned"]
    assert 0 < run["failed"] <= killed * LANES
    assert "interrupted" in evaluations.report(name, "md")


def test_a_small_budget_stops_the_run_and_coverage_says_so(evaluations: Evaluations) -> None:
    run = evaluations.ended(evaluations.start("thrifty"))

    event = evaluations.event(run["run"])
    assert run["status"] == "stopped"
    assert 0 < run["spent_usd"] <= run["budget_usd"]
    assert 0 < run["answered"] < 2 * TWEETS
    assert event["detail"]["coverage"] == pytest.approx(run["answered"] / (2 * TWEETS))
    assert event["detail"]["stopped"] == run["reason"] == "the run's money is spent"


def test_a_model_that_does_not_exist_is_told_after_a_few_calls_and_the_other_one_is_evaluated(
    evaluations: Evaluations,
) -> None:
    run = evaluations.completed(evaluations.start("haunted"))

    models = {model["name"]: model for model in evaluations.event(run["run"])["detail"]["models"]}
    assert (models["vader"]["answered"], models["ghost"]["answered"]) == (TWEETS, 0)
    assert "no-such-model" in evaluations.report(run["run"], "md")


def test_a_run_without_one_answer_has_a_report_that_says_why(evaluations: Evaluations) -> None:
    run = evaluations.completed(evaluations.start("haunted-only"))

    detail = evaluations.event(run["run"])["detail"]
    assert (run["answered"], run["failed"], detail["coverage"]) == (0, 2 * TWEETS, 0.0)
    assert {model["name"]: set(model["metrics"].values()) for model in detail["models"]} == {
        "ghost": {None},
        "phantom": {None},
    }
    text = evaluations.report(run["run"], "md")
    assert "no-such-model-v1" in text
    assert "no-such-model-v2" in text


def test_lines_that_are_no_cases_are_reported_and_the_others_asked(evaluations: Evaluations) -> None:
    run = evaluations.completed(evaluations.start("broken"))

    assert run["answered"] == 2 * TWEETS
    text = evaluations.report(run["run"], "md")
    assert "3 lines were rejected" in text
    data = json.loads(evaluations.report(run["run"], "data"))["broken-tweets"]
    assert [each["line"] for each in data["rejections"]] == [21, 22, 23]
    assert all(each["reason"] for each in data["rejections"])
    assert data["report"]["columns"]["expected"] >= TWEETS


@pytest.mark.parametrize(
    ("suite", "reason"),
    [
        ("noisy", "line"),
        ("unfed", "missing.jsonl"),
        ("of-nobody", "of-nobody"),
    ],
)
def test_what_cannot_be_run_fails_with_its_reason_and_an_event(
    evaluations: Evaluations, suite: str, reason: str
) -> None:
    name = f"{suite}-{uuid.uuid4()}"
    evaluations.execute(suite, name)

    run = evaluations.ended(name)

    event = evaluations.event(name)
    assert run["status"] == "failed"
    assert reason in run["reason"]
    assert event["detail-type"] == "EvaluationFailed"
    assert event["detail"]["reason"] == run["reason"]


def test_whoever_starts_a_suite_that_does_not_exist_is_told_which_ones_do(evaluations: Evaluations) -> None:
    with pytest.raises(AssertionError, match="sentiment"):
        evaluations.start("of-nobody")


def test_letters_that_only_look_alike_take_most_of_a_word_lists_wits_away(evaluations: Evaluations) -> None:
    run = evaluations.completed(evaluations.start("flawed"))

    report = evaluations.report(run["run"])
    found = {
        (each["model"], each["perturbation"]): each for each in report["robustness"] if each["metric"] == "accuracy"
    }
    assert {each["planned"] for each in report["coverage"]} == {TWEETS}
    assert run["planned"] > 2 * TWEETS
    assert found["vader", "homoglyphs"]["loss"] > 0
    assert found["vader", "homoglyphs"]["copies"] + found["vader", "homoglyphs"]["missing"] == 20
    assert "homoglyphs" in evaluations.report(run["run"], "md")


def test_a_model_judges_each_answer_in_the_name_of_a_role_of_its_own(evaluations: Evaluations) -> None:
    run = evaluations.completed(evaluations.start("judged-directly"))

    estimates = evaluations.report(run["run"])["estimates"]
    judged = [each for each in estimates if each["metric"] == "judge_correctness" and each["part"] is None]
    assert {(each["model"], each["cases"]) for each in judged} == {("lium", 6), ("xmu", 6)}
    assert all(0 <= each["value"] <= 1 for each in judged)
    # Two systems may translate alike: then two requests are the same, and each is an answer's own.
    calls = evaluations.faults.calls(JUDGE)
    assert (calls.requests, calls.answered) == (12, 12)


def test_throttling_changes_nothing_but_time(evaluations: Evaluations, sentiment: dict[str, Any]) -> None:
    evaluations.faults.set(VADER, Fault(throttle_every=5))

    run = evaluations.completed(evaluations.start("sentiment"))

    calls = evaluations.faults.calls(VADER)
    assert calls.refused["ThrottlingException"] >= TWEETS // 5
    assert (calls.answered, calls.repeated) == (TWEETS, 0)
    now, before = (evaluations.event(name)["detail"]["models"] for name in (run["run"], sentiment["run"]))
    metrics = [
        [{k: v for k, v in model["metrics"].items() if k != "latency_ms"} for model in each] for each in (now, before)
    ]
    assert metrics[0] == metrics[1]


def test_a_custom_model_that_completes_starts_the_suites_that_ask_for_it(
    deployed: Any, evaluations: Evaluations
) -> None:
    training = evaluations.put("training.jsonl", json_lines(training_records(rated_texts("tweets")[100:160])))
    job = deployed.client("bedrock").create_model_customization_job(
        jobName="tune",
        customModelName="tuned",
        roleArn=make_bedrock_role(deployed, evaluations.bucket),
        baseModelIdentifier=VADER,
        trainingDataConfig={"s3Uri": training},
        outputDataConfig={"s3Uri": f"s3://{evaluations.bucket}/models"},
        hyperParameters={"epochCount": "1"},
    )["jobArn"]

    def started() -> dict[str, Any] | None:
        return next((run for run in evaluations.runs() if run["trigger"]["kind"] == "custom_model"), None)

    run = evaluations.completed(deployed.eventually(started)["run"])

    assert run["suite"] == "tuned-sentiment"
    assert set(run["models"]) == {"vader", "candidate"}
    assert run["planned"] == 2 * TWEETS
    bedrock = deployed.client("bedrock")
    model = bedrock.get_model_customization_job(jobIdentifier=job)["outputModelArn"]
    assert run["trigger"]["source"] == model
    assert (run["answered"], run["failed"]) == (2 * TWEETS, 0)
    assert bedrock.list_custom_model_deployments()["modelDeploymentSummaries"] == [], "deployed for the run alone"


def test_one_question_is_answered_in_the_call(evaluations: Evaluations, deployed: Any) -> None:
    case = next(sentiment_cases("tweets"))

    results = deployed.ask_evaluations("try", suite="sentiment", cases=[case])["results"]

    assert {result["model"] for result in results} == {"vader", "textblob"}
    assert all(result["answer"]["text"] for result in results)
    assert all(result["scores"] for result in results)


def make_bedrock_role(deployed: Any, bucket: str) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}
    data = f"arn:aws:s3:::{bucket}"
    allowed = [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{data}/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": data},
    ]
    iam, version = deployed.client("iam"), "2012-10-17"
    role = iam.create_role(
        RoleName="tuning", AssumeRolePolicyDocument=json.dumps({"Version": version, "Statement": [trust]})
    )["Role"]
    iam.put_role_policy(
        RoleName="tuning", PolicyName="data", PolicyDocument=json.dumps({"Version": version, "Statement": allowed})
    )
    return str(role["Arn"])
