from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hallmark.evaluation.jobs.evaluation_outputs import read_output
from hallmark.evaluation.suites import HumanMetric
from local.bedrock import evaluation_jobs
from local.bedrock.evaluation_run import SENTINEL
from local.bedrock.faults import Fault
from tests.patience import PATIENCE_SECONDS

VADER = "hallmark.vader-sentiment-v1:0"
JUDGE = "hallmark.likeness-judge-v1:0"
SAMPLE = Path(__file__).parents[2] / "payloads" / "aws" / "bedrock-eval-output-record-automatic.json"
EVALUATOR = {"bedrockEvaluatorModels": [{"modelIdentifier": JUDGE}]}
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def sentiment(text: str, label: str | None) -> dict[str, Any]:
    reference = {} if label is None else {"referenceResponse": label}
    return {"prompt": f"positive or negative?\n\nText: {text}", **reference}


RECORDS = [sentiment("I love it", "Positive."), sentiment("I hate it", "negative"), sentiment("I love it!", "negative")]


def dataset(uri: str, *metrics: str, task: str = "Classification", name: str = "moods") -> dict[str, Any]:
    return {
        "taskType": task,
        "dataset": {"name": name, "datasetLocation": {"s3Uri": uri}},
        "metricNames": list(metrics),
    }


def request(bedrock: Any, *datasets: dict[str, Any], name: str = "nightly", **automated: Any) -> dict[str, Any]:
    return {
        "jobName": name,
        "roleArn": bedrock.role,
        "evaluationConfig": {"automated": {"datasetMetricConfigs": list(datasets), **automated}},
        "inferenceConfig": {"models": [{"bedrockModel": {"modelIdentifier": VADER}}]},
        "outputDataConfig": {"s3Uri": f"s3://{bedrock.bucket}/results/"},
    }


def run(bedrock: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    arn = bedrock.control.create_evaluation_job(**wanted)["jobArn"]
    bedrock.finish(arn)
    job: dict[str, Any] = bedrock.control.get_evaluation_job(jobIdentifier=arn)
    return job


def outputs(bedrock: Any) -> dict[str, list[dict[str, Any]]]:
    return {key: bedrock.lines(key) for key in bedrock.keys("results/") if key.endswith("_output.jsonl")}


def refusal(bedrock: Any, wanted: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        bedrock.control.create_evaluation_job(**wanted)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def test_accuracy_is_measured_and_written_as_awss_sample_shows(bedrock: Any) -> None:
    job = run(bedrock, request(bedrock, dataset(bedrock.put("d.jsonl", RECORDS), "Builtin.Accuracy")))
    sample = json.loads(SAMPLE.read_text())

    assert (job["status"], job["jobType"], job["applicationType"]) == ("Completed", "Automated", "ModelEvaluation")
    ((key, lines),) = outputs(bedrock).items()
    place = f"models/{VADER}/taskTypes/Classification/datasets/moods"
    assert re.fullmatch(rf"results/nightly/{UUID}/{re.escape(place)}/{UUID}_output\.jsonl", key)
    assert f"results/{SENTINEL}" in bedrock.keys("results/")
    assert [line["automatedEvaluationResult"]["scores"] for line in lines] == [
        [{"metricName": "Accuracy", "result": result}] for result in (1.0, 1.0, 0.0)
    ]
    assert [set(line) for line in lines] == [set(sample)] * 3
    assert [line["inputRecord"] for line in lines] == RECORDS
    assert lines[0]["modelResponses"] == [
        {"modelIdentifier": f"arn:aws:bedrock:eu-west-1::foundation-model/{VADER}", "response": "positive"}
    ]


def test_robustness_asks_each_prompt_again_in_five_ways(bedrock: Any) -> None:
    metrics = ("Builtin.Accuracy", "Builtin.Robustness")
    run(bedrock, request(bedrock, dataset(bedrock.put("d.jsonl", RECORDS[:1]), *metrics)))

    ((line,),) = outputs(bedrock).values()
    accuracy, robustness = line["automatedEvaluationResult"]["scores"]
    assert (accuracy["result"], robustness["metricName"]) == (1.0, "Robustness")
    assert 0 <= robustness["result"] <= 100
    assert bedrock.service.faults.calls(VADER).answered == 6


def test_without_a_reference_the_accuracy_is_not_applicable_rather_than_zero(bedrock: Any) -> None:
    run(bedrock, request(bedrock, dataset(bedrock.put("d.jsonl", [sentiment("Fine", None)]), "Builtin.Accuracy")))

    ((line,),) = outputs(bedrock).values()
    assert line["automatedEvaluationResult"]["scores"] == [{"metricName": "Accuracy", "result": None}]


def test_only_prompts_that_got_an_answer_are_scored(bedrock: Any) -> None:
    bedrock.service.faults.set(VADER, Fault(throttle_every=3))
    run(bedrock, request(bedrock, dataset(bedrock.put("d.jsonl", RECORDS), "Builtin.Accuracy")))

    (lines,) = outputs(bedrock).values()
    assert [line["inputRecord"] for line in lines] == RECORDS[:2]


def judged(bedrock: Any, records: list[Any], *metrics: str, source: str = "champion-1", **more: Any) -> dict[str, Any]:
    wanted = request(
        bedrock,
        dataset(bedrock.put("d.jsonl", records), *metrics, task="General"),
        evaluatorModelConfig=EVALUATOR,
        **more,
    )
    wanted["inferenceConfig"] = {"models": [{"precomputedInferenceSource": {"inferenceSourceIdentifier": source}}]}
    return wanted


def brought(response: str, source: str = "champion-1") -> dict[str, Any]:
    return {
        "prompt": "What is the capital of France?",
        "referenceResponse": "Paris",
        "modelResponses": [{"response": response, "modelIdentifier": source}],
    }


def test_a_judge_scores_answers_that_the_team_brings(bedrock: Any) -> None:
    records = [brought("Paris"), brought("London")]
    job = run(bedrock, judged(bedrock, records, "Builtin.Correctness", "Builtin.Harmfulness"))

    assert job["status"] == "Completed"
    ((key, lines),) = outputs(bedrock).items()
    assert re.match(rf"results/nightly/nightly/{UUID}/models/champion-1/taskTypes/General/datasets/moods/", key)
    right, wrong = (line["automatedEvaluationResult"]["scores"] for line in lines)
    assert right[0]["metricName"] == "Builtin.Correctness"
    assert right[0]["result"] == 1.0 > wrong[0]["result"]
    assert right[0]["evaluatorDetails"][0]["modelIdentifier"] == JUDGE
    assert right[0]["evaluatorDetails"][0]["explanation"]
    assert "result" not in right[1]  # the judge says that harmfulness is beyond it
    assert lines[0]["inputRecord"] == records[0]
    assert "modelResponses" not in lines[0]
    assert bedrock.service.faults.calls(VADER).requests == 0


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (brought("Paris", "challenger-2"), "inferenceSourceIdentifier is 'champion-1'"),
        ({**brought("Paris"), "modelResponses": brought("a")["modelResponses"] * 2}, "exactly one response"),
        ({"prompt": "a"}, "exactly one response"),
        ({"referenceResponse": "a"}, "has no prompt"),
        ({**brought("Paris"), "prompt": "ü" * 2049}, "4098 bytes"),
        ("{", "is not JSON"),
    ],
)
def test_a_line_that_breaks_a_rule_fails_the_job_by_its_number(bedrock: Any, record: Any, reason: str) -> None:
    job = run(bedrock, judged(bedrock, [brought("Paris"), record], "Builtin.Correctness"))

    assert job["status"] == "Failed"
    assert "line 2 of s3://data/d.jsonl" in job["failureMessages"][0]
    assert reason in job["failureMessages"][0]
    assert outputs(bedrock) == {}


def custom(name: str, *values: dict[str, Any]) -> dict[str, Any]:
    scale = [{"definition": f"step {number}", "value": value} for number, value in enumerate(values)]
    return {
        "customMetricDefinition": {
            "name": name,
            "instructions": "Judge it.\n{{prompt}}\n{{prediction}}\n{{ground_truth}}",
            **({"ratingScale": scale} if scale else {}),
        }
    }


def test_a_teams_own_metric_is_judged_on_its_own_scale(bedrock: Any) -> None:
    metric = custom("likeness", *({"floatValue": value} for value in (1.0, 2.0, 5.0)))
    wanted = judged(
        bedrock,
        [brought("Paris"), brought("zzz")],
        "likeness",
        customMetricConfig={"customMetrics": [metric], "evaluatorModelConfig": EVALUATOR},
    )
    run(bedrock, wanted)

    (lines,) = outputs(bedrock).values()
    results = [line["automatedEvaluationResult"]["scores"][0]["result"] for line in lines]
    assert results == [5.0, 1.0]
    (definition,) = (key for key in bedrock.keys("results/") if "/custom_metrics/" in key)
    assert bedrock.lines(definition) == [metric["customMetricDefinition"]]


def test_a_judge_that_talks_nonsense_gives_no_score(bedrock: Any) -> None:
    bedrock.service.faults.set(JUDGE, Fault(nonsense_every=1))
    job = run(bedrock, judged(bedrock, [brought("Paris")], "Builtin.Correctness"))

    assert job["status"] == "Completed"
    ((line,),) = outputs(bedrock).values()
    assert "result" not in line["automatedEvaluationResult"]["scores"][0]


def turn(text: str) -> dict[str, Any]:
    return {
        "prompt": {"content": [{"text": "What is the capital of France?"}]},
        "referenceResponses": [{"content": [{"text": "Paris"}]}],
        "output": {
            "text": text,
            "knowledgeBaseIdentifier": "our-rag",
            "retrievedPassages": {"retrievalResults": [{"content": {"text": "Paris is the capital of France."}}]},
        },
    }


def test_answers_with_retrieval_are_judged_turn_by_turn(bedrock: Any) -> None:
    records = [{"conversationTurns": [turn("Paris"), turn("Rome")]}]
    wanted = request(
        bedrock,
        dataset(bedrock.put("d.jsonl", records), "Builtin.Correctness", task="QuestionAndAnswer"),
        evaluatorModelConfig=EVALUATOR,
    )
    source = {"retrieveAndGenerateSourceConfig": {"ragSourceIdentifier": "our-rag"}}
    wanted["inferenceConfig"] = {"ragConfigs": [{"precomputedRagSourceConfig": source}]}
    job = run(bedrock, wanted)

    assert (job["status"], job["applicationType"]) == ("Completed", "RagEvaluation")
    ((key, ((line),)),) = outputs(bedrock).items()
    assert "/inference_configs/0/datasets/moods/" in key
    right, wrong = line["conversationTurns"]
    assert (set(right), set(right["inputRecord"])) == (
        {"inputRecord", "output", "results"},
        {"prompt", "referenceResponses"},
    )
    assert right["results"][0]["result"] > wrong["results"][0]["result"]
    assert right["output"]["text"] == "Paris"


def test_more_than_a_thousand_prompts_fail_the_job(bedrock: Any) -> None:
    uri = bedrock.put("d.jsonl", [sentiment(f"text {number}", "positive") for number in range(1001)])
    job = run(bedrock, request(bedrock, dataset(uri, "Builtin.Accuracy")))

    assert job["status"] == "Failed"
    assert "more than 1000 prompts" in job["failureMessages"][0]


def test_a_role_that_may_not_invoke_the_model_fails_the_job(bedrock: Any) -> None:
    wanted = request(bedrock, dataset(bedrock.put("d.jsonl", RECORDS), "Builtin.Accuracy"))
    job = run(bedrock, wanted | {"roleArn": "arn:aws:iam::123456789012:role/powerless"})

    assert job["status"] == "Failed"
    assert "not allowed bedrock:InvokeModel" in job["failureMessages"][0]


def people(*metrics: str, method: str = "IndividualLikertScale") -> dict[str, Any]:
    flow = "arn:aws:sagemaker:eu-west-1:123456789012:flow-definition/reviewers"
    return {
        "humanWorkflowConfig": {"flowDefinitionArn": flow, "instructions": "Rate it."},
        "customMetrics": [{"name": name, "ratingMethod": method} for name in metrics],
    }


def test_a_human_job_waits_until_every_answer_is_rated(bedrock: Any) -> None:
    asked = dataset(bedrock.put("d.jsonl", RECORDS), "tone")
    wanted = request(bedrock, asked)
    wanted["evaluationConfig"] = {"human": people("tone") | {"datasetMetricConfigs": [asked]}}
    arn = bedrock.control.create_evaluation_job(**wanted)["jobArn"]
    workers, deadline = bedrock.service.workers, time.monotonic() + PATIENCE_SECONDS
    while len(workers.waiting()) < len(RECORDS) and time.monotonic() < deadline:
        time.sleep(0.02)
    first, *others = workers.waiting()

    for task in others:
        workers.rate(task, {"tone": 3})
    assert bedrock.control.get_evaluation_job(jobIdentifier=arn)["status"] == "InProgress"
    with pytest.raises(ValueError, match="tone"):
        workers.rate(first, {"wit": 5})
    workers.rate(first, {"tone": 5}, "worker-2")
    bedrock.finish(arn)

    job = bedrock.control.get_evaluation_job(jobIdentifier=arn)
    assert (job["status"], job["jobType"]) == ("Completed", "Human")
    (summary,) = bedrock.control.list_evaluation_jobs()["jobSummaries"]
    assert summary["jobType"] == "Human"
    (key,) = (key for key in bedrock.keys("results/") if key.endswith("_output.jsonl"))
    assert "/datasets/" in key
    found = read_output(
        [json.dumps(line).encode() for line in bedrock.lines(key)],
        {str(number): record for number, record in enumerate(RECORDS)},
        people=[HumanMetric(name="tone")],
    )
    assert max(answer.scores[0].value or 0 for answer in found.answers.values()) == 1.0
    assert len(found.answers) == len(RECORDS)


def test_what_bedrock_does_not_take_is_refused_at_once(bedrock: Any) -> None:
    plain = dataset("s3://data/d.jsonl", "Builtin.Accuracy")
    two_models = request(bedrock, plain)
    two_models["inferenceConfig"]["models"] *= 2
    human = request(bedrock, plain)
    human["evaluationConfig"] = {"human": {"datasetMetricConfigs": [plain]}}
    ranked = request(bedrock, plain)
    ranked["evaluationConfig"] = {"human": people("tone", method="ComparisonRank") | {"datasetMetricConfigs": [plain]}}
    six = [dataset("s3://data/d.jsonl", "Builtin.Accuracy", name=f"d{number}") for number in range(6)]
    builtin = request(bedrock, {**plain, "dataset": {"name": "Builtin.BoolQ"}})

    assert "exactly one model" in refusal(bedrock, two_models)[1]
    assert "humanWorkflowConfig" in refusal(bedrock, human)[1]
    assert "ComparisonRank" in refusal(bedrock, ranked)[1]
    assert "less than or equal to 5" in refusal(bedrock, request(bedrock, *six))[1]
    assert "built-in datasets" in refusal(bedrock, builtin)[1]
    assert "must differ" in refusal(bedrock, request(bedrock, plain, plain))[1]
    for metric, reason in {
        "Builtin.Toxicity": "no classifier",
        "Builtin.Helpfulness": "needs a judge",
        "Builtin.Charm": "is no metric",
        "charm": "customMetricConfig",
    }.items():
        code, message = refusal(bedrock, request(bedrock, dataset("s3://data/d.jsonl", metric)))
        assert (code, reason in message) == ("ValidationException", True)
    general = request(bedrock, dataset("s3://data/d.jsonl", "Builtin.Accuracy", task="General"))
    assert "taskType" in refusal(bedrock, general)[1]
    assert bedrock.control.list_evaluation_jobs().get("jobSummaries", []) == []


def test_the_twenty_first_job_at_a_time_is_refused(bedrock: Any) -> None:
    bedrock.service.faults.set(VADER, Fault(latency_seconds=3600))
    plain = dataset(bedrock.put("d.jsonl", RECORDS), "Builtin.Accuracy")

    def create(number: int) -> str:
        try:
            wanted = request(bedrock, plain, name=f"job-{number}")
            # moto closes an object's content while another thread writes the same key.
            wanted["outputDataConfig"] = {"s3Uri": f"{wanted['outputDataConfig']['s3Uri'].rstrip('/')}/{number}/"}
            return str(bedrock.control.create_evaluation_job(**wanted)["jobArn"])
        except ClientError as error:
            return str(error.response["Error"]["Code"])

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(create, range(24)))

    arns = [answer for answer in answers if answer.startswith("arn:")]
    assert (len(arns), answers.count("ServiceQuotaExceededException")) == (20, 4)
    for arn in arns:
        bedrock.control.stop_evaluation_job(jobIdentifier=arn)
    for arn in arns:
        bedrock.finish(arn)
    assert create(99).startswith("arn:")
    assert {bedrock.control.get_evaluation_job(jobIdentifier=arn)["status"] for arn in arns} == {"Stopped"}
    assert outputs(bedrock) == {}


def test_what_is_stored_counts_until_it_is_deleted(bedrock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_jobs, "MAX_STORED", 2)
    plain = dataset(bedrock.put("d.jsonl", RECORDS), "Builtin.Accuracy")
    first, second = (run(bedrock, request(bedrock, plain, name=name))["jobArn"] for name in ("one", "two"))

    assert refusal(bedrock, request(bedrock, plain, name="three"))[0] == "ServiceQuotaExceededException"
    missing = f"{first[:-12]}abcdefghijkl"
    answer = bedrock.control.batch_delete_evaluation_job(jobIdentifiers=[first, missing])
    assert [job["jobIdentifier"] for job in answer["evaluationJobs"]] == [first]
    assert [(error["jobIdentifier"], error["code"]) for error in answer["errors"]] == [
        (missing, "ResourceNotFoundException")
    ]
    assert run(bedrock, request(bedrock, plain, name="three"))["status"] == "Completed"
    assert {job["jobArn"] for job in bedrock.control.list_evaluation_jobs()["jobSummaries"]} >= {second}


def test_the_same_request_makes_one_job_and_a_name_is_taken_once(bedrock: Any) -> None:
    wanted = request(bedrock, dataset(bedrock.put("d.jsonl", RECORDS), "Builtin.Accuracy"))
    first = run(bedrock, wanted | {"clientRequestToken": "token-1"})["jobArn"]

    assert bedrock.control.create_evaluation_job(**wanted, clientRequestToken="token-1")["jobArn"] == first
    assert refusal(bedrock, wanted | {"clientRequestToken": "token-2"})[0] == "ConflictException"
    assert bedrock.service.faults.calls(VADER).answered == len(RECORDS)


def test_a_list_has_five_jobs_on_a_page_whatever_is_asked_for(bedrock: Any) -> None:
    plain = dataset(bedrock.put("d.jsonl", RECORDS[:1]), "Builtin.Accuracy")
    names = [f"job-{number}" for number in range(12)]
    for name in names:
        run(bedrock, request(bedrock, plain, name=name))
    pages = list(bedrock.control.get_paginator("list_evaluation_jobs").paginate(maxResults=1000, sortOrder="Ascending"))

    assert [len(page["jobSummaries"]) for page in pages] == [5, 5, 2]
    assert sorted(job["jobName"] for page in pages for job in page["jobSummaries"]) == sorted(names)
    (found,) = bedrock.control.list_evaluation_jobs(nameContains="job-11")["jobSummaries"]
    assert found["modelIdentifiers"] == [VADER]


def test_evaluation_jobs_publish_no_event(bedrock: Any) -> None:
    run(bedrock, request(bedrock, dataset(bedrock.put("d.jsonl", RECORDS), "Builtin.Accuracy")))

    assert bedrock.events() == []
