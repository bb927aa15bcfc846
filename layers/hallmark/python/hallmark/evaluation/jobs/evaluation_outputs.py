"""What an evaluation job wrote: answers and what was measured of them.

Source: Amazon Bedrock user guide, "Review model evaluation metrics and reports in Amazon S3". The forms vary, and so
this reads tolerantly: names of metrics with and without their prefix, a result that is null or absent (which means that
the metric does not apply), answers beside the input or in it, lines in any order. Who rated an answer is not kept.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hallmark.evaluation.jobs.evaluation_metrics import custom_metric_value, human_metric
from hallmark.evaluation.judging import Rubric, judge_metric
from hallmark.evaluation.results import Score
from hallmark.evaluation.scorers.directions import normalised_name
from hallmark.evaluation.suites import HumanMetric

Document = Mapping[str, Any]
_LIKERT_STEPS = 5
"""Of IndividualLikertScale (Amazon Bedrock user guide, "Creating a human-based model evaluation job")."""


class JobAnswer(NamedTuple):
    """An answer, and what the job measured of it."""

    text: str
    scores: tuple[Score, ...]


class JobOutput(NamedTuple):
    """What was found in an output."""

    answers: Mapping[str, JobAnswer]
    """By id of the case."""
    broken: int
    """Lines that cannot be read, or that tell of no case of ours."""


def read_output(
    lines: Iterable[bytes],
    written: Mapping[str, Document],
    rubrics: Mapping[str, Rubric] | None = None,
    people: Sequence[HumanMetric] = (),
) -> JobOutput:
    """Read the output of one dataset of a job.

    A line carries no identifier: it belongs to the case that was written as it says; equal ones are told apart by
    their order alone, and are equal.

    Args:
        lines: Of all objects of the dataset.
        written: What was written of each case, by its id.
        rubrics: Rubrics that the evaluator judged by, by name.
        people: What people were asked.
    """
    waiting: defaultdict[tuple[str, ...], deque[str]] = defaultdict(deque)
    given = any("modelResponses" in record for record in written.values())
    for case, record in written.items():
        waiting[_identity(record, _response(record) if given else "")].append(case)
    reading = _Reading({judge_metric(name, rubric).name: rubric for name, rubric in (rubrics or {}).items()}, people)
    answers: dict[str, JobAnswer] = {}
    broken = 0
    for line in filter(None, map(bytes.strip, lines)):
        try:
            record = json.loads(line)
            answer = reading.answer_of(record)
            cases = waiting[_identity(_input_of(record), answer.text if given else "")]
            answers[cases.popleft()] = answer
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            broken += 1
    return JobOutput(answers, broken)


class _Reading:
    def __init__(self, rubrics: Mapping[str, Rubric], people: Sequence[HumanMetric]) -> None:
        self._rubrics = rubrics
        self._people = {each.name: each for each in people}

    def answer_of(self, record: Document) -> JobAnswer:
        if "conversationTurns" in record:
            turn = record["conversationTurns"][-1]
            return JobAnswer(str(turn.get("output", {}).get("text", "")), tuple(map(self._score, turn["results"])))
        text = _response(record) or _response(record["inputRecord"])
        if "humanEvaluationResult" in record:
            return JobAnswer(text, tuple(self._rated(record["humanEvaluationResult"])))
        return JobAnswer(text, tuple(map(self._score, record["automatedEvaluationResult"]["scores"])))

    def _score(self, told: Document) -> Score:
        name, result = normalised_name(told["metricName"]), told.get("result")
        reasons = [each.get("explanation") for each in told.get("evaluatorDetails", ())]
        explanation = "\n".join(filter(None, reasons)) or None
        if result is None:
            return Score(metric=name, explanation=explanation)
        rubric = self._rubrics.get(name)
        value = custom_metric_value(result, rubric) if rubric is not None else _number(result)
        if value is None:
            return Score(metric=name, failure=f"the evaluator said {result!r}, which is no value of the metric")
        return Score(metric=name, value=value, explanation=explanation)

    def _rated(self, results: Sequence[Document]) -> Iterator[Score]:
        """Yield the mean of what the workers said, by metric."""
        ratings: defaultdict[str, list[float]] = defaultdict(list)
        for answer in (answer for result in results for answer in result["humanAnswers"]):
            for rated in answer["answerContent"]["evaluationResults"].values():
                for each in rated:
                    asked = self._people.get(each["metricName"])
                    value = _rating(each["result"]) if asked is not None else None
                    if asked is not None and value is not None:
                        ratings[human_metric(asked).name].append(value)
        for asked in self._people.values():
            name = human_metric(asked).name
            given = ratings.get(name)
            yield Score(metric=name, value=sum(given) / len(given)) if given else Score(metric=name)


def _rating(result: object) -> float | None:
    """Return what a worker said, from 0 to 1: a thumb, or a step of a scale of five."""
    if isinstance(result, bool):
        return float(result)
    value = _number(result)
    return (value - 1) / (_LIKERT_STEPS - 1) if value is not None and 1 <= value <= _LIKERT_STEPS else None


def _number(result: object) -> float | None:
    return float(result) if isinstance(result, int | float) and not isinstance(result, bool) else None


def _input_of(record: Document) -> Document:
    turns = record.get("conversationTurns")
    if turns is None:
        given: Document = record["inputRecord"]
        return given
    return {"conversationTurns": [turn["inputRecord"] for turn in turns]}


def _response(record: Document) -> str:
    responses = record.get("modelResponses") or [{}]
    return str(responses[0].get("response", ""))


def _identity(record: Document, response: str) -> tuple[str, ...]:
    """Return what tells one line from another: prompt and reference of each turn, and the answer that was given."""
    turns = record.get("conversationTurns")
    if turns is None:
        return (record["prompt"], record.get("referenceResponse") or "", response)
    return tuple(
        "\n".join(
            part["text"]
            for content in (turn["prompt"], *turn.get("referenceResponses", ()))
            for part in content["content"]
        )
        for turn in turns
    )
