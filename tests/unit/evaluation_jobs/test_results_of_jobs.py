"""What jobs of AWS leave becomes results of cases; nothing that they left out is hidden."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.evaluation.cases import Case, Message
from hallmark.evaluation.datasets.reading import read_dataset
from hallmark.evaluation.datasets.writing import write_conversations, write_prompts
from hallmark.evaluation.jobs.batch_inference import PRICE_SHARE, read_records, record_id, write_records
from hallmark.evaluation.jobs.collecting import JobEnd, collect, unscored
from hallmark.evaluation.jobs.evaluation_outputs import read_output
from hallmark.evaluation.jobs.events import job_of
from hallmark.evaluation.jobs.planning import split
from hallmark.evaluation.judging import read_rubric
from hallmark.evaluation.plans import Batch, affordable_batches, call_cost_usd
from hallmark.evaluation.results import Answer, CaseResult, FailureKind
from hallmark.evaluation.suites import DatasetFormat, DatasetSource, HumanMetric, ModelVariant
from tests.fakes.planned_jobs import COMPUTED, HEAVY, batches, plan_of, suite

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
END = JobEnd("Completed", "", NOON)
LITE = ModelVariant(model_id="amazon.nova-lite-v1:0")
PAYLOADS = Path(__file__).parents[2] / "payloads" / "aws"
words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30)


def output_line(record: dict[str, Any], response: str, *scores: dict[str, Any]) -> bytes:
    told = {
        "automatedEvaluationResult": {"scores": list(scores)},
        "inputRecord": record,
        "modelResponses": [{"modelIdentifier": "m", "response": response}],
    }
    return json.dumps(told).encode()


# --- formats ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(words, st.lists(words, max_size=1), st.none() | words), min_size=1, max_size=8))
def test_prompts_that_were_written_are_read_as_the_same_cases(drawn: list[Any]) -> None:
    cases = [
        Case(id=str(n), prompt=f"{n} {prompt}", expected=tuple(expected), category=category)
        for n, (prompt, expected, category) in enumerate(drawn)
    ]

    written = write_prompts(cases)

    source = DatasetSource(location="s3://b/k.jsonl", format=DatasetFormat.BEDROCK)
    found = read_dataset([("k.jsonl", written.content)], source).cases
    assert [(case.prompt, case.expected, case.category) for case in found] == [
        (case.prompt, case.expected, case.category) for case in cases
    ]


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=5), words)
def test_conversations_that_were_written_are_read_as_the_same_cases(drawn: list[Any], passage: str) -> None:
    cases = [
        Case(
            id=str(n),
            messages=(
                Message(role="user", text=first),
                Message(role="assistant", text="so"),
                Message(role="user", text=f"{n} {last}"),
            ),
            expected=(expected,),
            context=(passage,),
            answers={"kb": "it is so"},
        )
        for n, (first, last, expected) in enumerate(drawn)
    ]

    written = write_conversations(cases, identifier="kb")

    source = DatasetSource(location="s3://b/k.jsonl", format=DatasetFormat.BEDROCK_RAG)
    found = read_dataset([("k.jsonl", written.content)], source).cases
    assert [(case.messages, case.expected, case.context, case.answers) for case in found] == [
        (case.messages, case.expected, case.context, case.answers) for case in cases
    ]


def test_what_a_format_cannot_hold_is_refused_with_the_reason_and_the_rest_is_written() -> None:
    turns = (Message(role="user", text="a"), Message(role="assistant", text="b"), Message(role="user", text="c"))
    cases = [Case(id="long", prompt="ä" * 2049), Case(id="turns", messages=turns), Case(id="good", prompt="?")]

    written = write_prompts(cases, system="Be kind.")
    brought = write_prompts(cases[2:], identifier="last-year")

    assert list(written.lines) == ["good"]
    assert written.lines["good"]["prompt"] == "Be kind.\n\n?"
    assert list(written.refused) == ["long", "turns"]
    assert written.refused["long"].startswith("its prompt has 4,108 bytes")
    assert written.refused["turns"].startswith("it has several turns")
    assert "last-year" in brought.refused["good"]


@given(
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from("ab"), st.integers(0, 1)), max_size=30),
    st.integers(60, 200),
    st.integers(1, 5),
)
def test_jobs_take_each_batch_once_in_order_and_within_their_limits(
    drawn: list[tuple[int, str, int]], cases: int, files: int
) -> None:
    asked = [
        Batch(number=n, dataset=dataset, epoch=epoch, cases=tuple(Case(id=str(i), prompt="?") for i in range(size)))
        for n, (size, dataset, epoch) in enumerate(drawn)
    ]

    jobs = list(split(asked, cases, files))

    assert [number for job in jobs for part in job for number in part.batches] == [batch.number for batch in asked]
    for job in jobs:
        assert len(job) <= files
        for part in job:
            assert sum(len(asked[number].cases) for number in part.batches) <= cases
            assert {(asked[number].dataset, asked[number].epoch) for number in part.batches} == {
                (part.dataset, part.epoch)
            }


@given(st.lists(st.floats(0, 5), max_size=12), st.floats(0, 30))
def test_jobs_get_the_most_batches_that_the_budget_is_sure_to_pay(costs: list[float], budget: float) -> None:
    taken = affordable_batches(len(costs), lambda first: sum(costs[:first]), budget)

    assert sum(costs[:taken]) <= budget
    assert taken == len(costs) or sum(costs[: taken + 1]) > budget


# --- evaluation jobs --------------------------------------------------------------------------------------------------

# Of the Bedrock user guide, "Review model evaluation metrics and reports in Amazon S3": an automatic record.
DOCUMENTED = {
    "automatedEvaluationResult": {
        "scores": [
            {"metricName": "Classification accuracy", "result": 0.5},
            {"metricName": "Accuracy", "result": 1.0},
        ]
    },
    "inputRecord": {
        "prompt": "What is high intensity interval training?",
        "category": "Fitness",
        "referenceResponse": "HIIT",
    },
    "modelResponses": [{"modelIdentifier": "anthropic.claude-v2", "response": "High-intensity interval training …"}],
}


def test_a_documented_record_is_read_whatever_its_metrics_are_called() -> None:
    record = DOCUMENTED["inputRecord"]

    found = read_output([json.dumps(DOCUMENTED).encode()], {"case": record})  # type: ignore[dict-item]  # JSON

    scores = {score.metric: score.value for score in found.answers["case"].scores}
    assert scores == {"Classification accuracy": 0.5, "Builtin.Accuracy": 1.0}
    assert found.answers["case"].text.startswith("High-intensity")


def test_no_result_is_not_zero_and_a_label_is_its_place_on_the_scale() -> None:
    record = {"prompt": "?"}
    line = output_line(
        record,
        "yes",
        {"metricName": "Builtin.Helpfulness", "result": None},
        {"metricName": "Builtin.Refusal"},
        {"metricName": "judge_correctness", "result": "level 5", "evaluatorDetails": [{"explanation": "because"}]},
        {"metricName": "Builtin.Coherence", "result": "very"},
    )

    (answer,) = read_output([line], {"c": record}, {"correctness": read_rubric("correctness")}).answers.values()

    scores = {score.metric: score for score in answer.scores}
    assert [scores[name].value for name in ("Builtin.Helpfulness", "Builtin.Refusal")] == [None, None]
    assert (scores["judge_correctness"].value, scores["judge_correctness"].explanation) == (1.0, "because")
    assert "'very'" in (scores["Builtin.Coherence"].failure or "")


@given(st.permutations(range(6)))
def test_lines_find_their_cases_in_any_order_and_equal_ones_are_shared_out(order: list[int]) -> None:
    written = {f"c{n}": {"prompt": f"q{n // 2}", "referenceResponse": "a"} for n in range(6)}
    lines = [output_line(written[f"c{n}"], f"answer {n // 2}") for n in order]

    found = read_output([*lines, b"{half a li", b'{"inputRecord": {"prompt": "of nobody"}}'], written)

    assert {case: answer.text for case, answer in found.answers.items()} == {
        f"c{n}": f"answer {n // 2}" for n in range(6)
    }
    assert found.broken == 2


def test_answers_that_were_brought_are_told_apart_by_what_they_say() -> None:
    written = {
        case: {"prompt": "q", "modelResponses": [{"response": said, "modelIdentifier": "x"}]}
        for case, said in (("a", "one"), ("b", "two"))
    }
    lines = [
        json.dumps({"automatedEvaluationResult": {"scores": []}, "inputRecord": record}).encode()
        for record in reversed(written.values())
    ]

    found = read_output(lines, written)

    assert {case: answer.text for case, answer in found.answers.items()} == {"a": "one", "b": "two"}


def test_retrieval_is_read_turn_by_turn() -> None:
    turn = {"prompt": {"content": [{"text": "q"}]}, "referenceResponses": [{"content": [{"text": "a"}]}]}
    told = {
        "conversationTurns": [
            {
                "inputRecord": turn,
                "output": {"text": "so", "knowledgeBaseIdentifier": "kb"},
                "results": [{"metricName": "Builtin.Correctness", "result": 0.75}],
            }
        ]
    }

    found = read_output([json.dumps(told).encode()], {"c": {"conversationTurns": [turn]}})

    assert found.answers["c"].text == "so"
    assert [(score.metric, score.value) for score in found.answers["c"].scores] == [("Builtin.Correctness", 0.75)]


def test_what_people_said_is_kept_and_who_said_it_is_not() -> None:
    def said(worker: str, likert: int, thumb: bool) -> dict[str, Any]:
        rated = {
            "individualLikertScale": [{"metricName": "tone", "modelResponseId": "0", "result": likert}],
            "thumbsUpDown": [{"metricName": "ok", "modelResponseId": "0", "result": thumb}],
        }
        return {"workerId": worker, "answerContent": {"evaluationResults": rated}, "workerMetadata": {"name": worker}}

    told = {
        "humanEvaluationResult": [{"humanAnswers": [said("ann", 5, True), said("bob", 2, False)]}],
        "inputRecord": {"prompt": "?"},
        "modelResponses": [{"response": "yes"}],
    }
    people = [HumanMetric(name="tone"), HumanMetric(name="ok", rating_method="ThumbsUpDown"), HumanMetric(name="wit")]

    found = read_output([json.dumps(told).encode()], {"c": {"prompt": "?"}}, people=people)

    values = {score.metric: score.value for score in found.answers["c"].scores}
    assert values == {"human_tone": pytest.approx((1 + 0.25) / 2), "human_ok": 0.5, "human_wit": None}
    assert "ann" not in str(found)


def test_what_an_evaluation_job_left_out_has_failed_with_its_reason() -> None:
    asked = batches(70)
    plan = plan_of(suite("lite", **COMPUTED), asked)
    by_number = {batch.number: batch for batch in asked}
    written = write_prompts([case for batch in asked for case in batch.cases], system="Be short.").lines
    lines = [output_line(dict(written[f"c{n}"]), "a", {"metricName": "Accuracy", "result": 1}) for n in range(60)]
    outputs = {"hm-1/uuid/models/m/taskTypes/t/datasets/part-0/x_output.jsonl": b"\n".join(lines)}

    found = collect(plan, plan.jobs[0], by_number, outputs, JobEnd("Stopped", "by somebody", NOON))

    results = [result for number in (0, 1) for result in found["lite", number]]
    assert [result.case for result in results] == [f"c{n}" for n in range(70)]
    assert all(result.answer is not None and result.answer.input_tokens is None for result in results[:60])
    assert all((result.answer.cost_usd or 0) > 0 for result in results[:60] if result.answer is not None)
    failures = [result.failure for result in results[60:] if result.failure is not None]
    assert {(failure.kind, failure.reason) for failure in failures} == {
        (FailureKind.MISSING, "its job is Stopped: by somebody")
    }
    assert len(failures) == 10


# --- batch inference --------------------------------------------------------------------------------------------------


def reply(text: str) -> dict[str, Any]:
    return {
        "output": {"message": {"content": [{"text": text}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1000, "outputTokens": 100},
        "metrics": {"latencyMs": 5},
    }


def test_records_go_out_and_come_back_in_any_order_at_half_the_price() -> None:
    asked = batches(120)
    records = [json.loads(line) for line in write_records(asked, LITE)]
    outputs = [
        json.dumps(record | {"modelOutput": reply(record["modelInput"]["messages"][0]["content"][0]["text"])}).encode()
        for record in records
    ]
    random.Random(1).shuffle(outputs)  # noqa: S311

    found = read_records([*outputs[:100], b"half a li"], LITE, NOON)

    assert len({record["recordId"] for record in records}) == 120
    assert all(len(record["recordId"]) == 11 and record["recordId"].isalnum() for record in records)
    assert (len(found.outcomes), found.broken) == (100, 1)
    for (number, place), outcome in found.outcomes.items():
        assert outcome.answer is not None
        assert outcome.answer.text == asked[number].cases[place].question
        assert outcome.answer.cost_usd == pytest.approx(PRICE_SHARE * (call_cost_usd(LITE, 1000, 100) or 0))
        assert outcome.answer.latency_ms is None


def test_what_a_batch_job_could_not_answer_for_the_moment_is_left_to_converse_and_what_it_refused_is_not() -> None:
    asked = batches(100)
    plan = plan_of(suite("lite", engine="batch"), asked)
    by_number = {batch.number: batch for batch in asked}

    def line(place: int, **told: Any) -> bytes:
        return json.dumps({"recordId": record_id(0, place), "modelInput": {}, **told}).encode()

    lines = [
        line(0, modelOutput=reply("a")),
        line(1, error={"errorCode": 429, "errorMessage": "slow down"}),
        line(2, error={"errorCode": 400, "errorMessage": "too long"}),
    ]
    found = collect(plan, plan.jobs[0], by_number, {"records.jsonl.out": b"\n".join(lines)}, END)

    assert [(result.case, result.failure.kind if result.failure else None) for result in found["lite", 0]] == [
        ("c0", None),
        ("c2", FailureKind.REFUSED),
    ]
    assert found["lite", 1] == ()


def test_a_batch_job_that_failed_as_a_whole_is_told_with_its_reason_and_not_paid_for_twice_as_dear() -> None:
    asked = batches(100)
    plan = plan_of(suite("lite", engine="batch"), asked)

    found = collect(
        plan, plan.jobs[0], {batch.number: batch for batch in asked}, {}, JobEnd("Failed", "no such model", NOON)
    )

    reasons = {result.failure.reason for several in found.values() for result in several if result.failure}
    assert reasons == {"its job is Failed: no such model"}


def test_few_cases_are_asked_without_a_job() -> None:
    assert plan_of(suite("lite", engine="batch"), batches(99)).jobs == ()
    assert len(plan_of(suite("lite", engine="batch"), batches(100)).jobs) == 1
    assert plan_of(suite("frozen", engine="batch"), batches(100)).jobs == ()


def test_answers_without_scores_of_a_scoring_job_have_failed_scores() -> None:
    plan = plan_of(suite("lite", **HEAVY), batches(10))
    answered = CaseResult(
        model="lite", dataset="d", case="c0", answer=Answer(text="a", stop_reason="end_turn", answered_at=NOON)
    )

    (found,) = unscored(plan, [answered], JobEnd("Failed", "no such image", NOON))

    assert [(score.metric, score.failure) for score in found.scores] == [
        ("token_f1", "its job is Failed: no such image")
    ]


# --- events -----------------------------------------------------------------------------------------------------------

OURS = "hm-0123456789abcdef0123-7"


@pytest.mark.parametrize(
    ("file", "field"),
    [
        ("bedrock-batch-inference-job-state-change.json", "batchJobName"),
        ("sm-processing-job-state-change-failed.json", "ProcessingJobName"),
    ],
)
def test_an_event_tells_of_our_job_by_its_name_and_of_nobody_elses(file: str, field: str) -> None:
    event = json.loads((PAYLOADS / file).read_text())

    assert job_of(event) is None
    event["detail"][field] = OURS
    assert job_of(event) == OURS


@pytest.mark.parametrize(
    ("key", "job"),
    [
        (f"runs/s/r/jobs/{OURS}/output/a/b/x_output.jsonl", OURS),
        (f"runs/s/r/jobs/{OURS}/output/amazon-bedrock-evaluations-permission-check", None),
        (f"runs/s/r/jobs/{OURS}/input/part-0.jsonl", None),
        ("reports/x_output.jsonl", None),
    ],
)
def test_an_object_tells_of_the_job_in_whose_output_it_lies(key: str, job: str | None) -> None:
    assert job_of({"detail": {"bucket": {"name": "b"}, "object": {"key": key}}}) == job
    assert job_of({"detail": "nonsense"}) is None
