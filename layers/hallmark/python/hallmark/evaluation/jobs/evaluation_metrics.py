"""What Bedrock's evaluation jobs measure, as scorers and as definitions of metrics.

Source: Amazon Bedrock user guide, "Use metrics to understand model performance", "Create a prompt for a custom metric".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hallmark.errors import InvalidInputError
from hallmark.evaluation.cases import Case
from hallmark.evaluation.judging import Rubric, judge_metric
from hallmark.evaluation.metrics import Metric, MetricKind
from hallmark.evaluation.results import Answer, Score
from hallmark.evaluation.scorers.directions import find_bedrock_metric
from hallmark.evaluation.suites import COMPUTED_BY_BEDROCK, HumanMetric

STEPS = 10
"""Of a rating scale (Bedrock API reference, CustomMetricDefinition)."""
INSTRUCTIONS_LENGTH = 5000
_VARIABLES = "Prompt: {{prompt}}\nExpected: {{ground_truth}}\nAnswer: {{prediction}}"
"""They must come last."""


@dataclass(frozen=True, slots=True)
class JobScorer:
    """A metric that the job has measured when our scorers see the answer."""

    metric: Metric
    signature: str

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it measures."""
        return (self.metric,)

    def score(self, _case: Case, _answer: Answer, /) -> tuple[Score, ...]:
        """Return nothing: the score has come with the answer."""
        return ()


def job_scorer(name: str, task: str, evaluator_model_id: str | None, field: str = "scorers") -> JobScorer:
    """Return one of Bedrock's metrics.

    Args:
        name: As Bedrock names it, with ``Builtin.``.
        task: Bedrock's task type.
        evaluator_model_id: The model that judges; None where no metric of the suite is judged.
        field: Where the name stands, for errors.

    Raises:
        InvalidInputError: There is no such metric.
    """
    metric = find_bedrock_metric(name, field)
    evaluator = f"|evaluator:{evaluator_model_id}" if name not in COMPUTED_BY_BEDROCK else ""
    return JobScorer(metric, f"bedrock|{name}|task:{task}{evaluator}|v1")


# --- custom metrics ---------------------------------------------------------------------------------------------------


def custom_metric_definition(name: str, rubric: Rubric) -> dict[str, Any]:
    """Return a rubric as Bedrock's custom metric (Bedrock API reference, CustomMetricDefinition).

    Its steps have words for values: whether Bedrock brings numbers to 0 to 1 is not documented.

    Args:
        name: The rubric's.
        rubric: What it says.

    Raises:
        InvalidInputError: It is too long.
    """
    instructions = f"{rubric.title}. {rubric.instructions.strip()}\n\n{_VARIABLES}"
    if len(instructions) > INSTRUCTIONS_LENGTH:
        remedy = f"Bedrock takes {INSTRUCTIONS_LENGTH:,} characters; shorten its instructions"
        raise InvalidInputError(f"rubrics.{name}", f"{len(instructions):,} characters", remedy)
    return {
        "name": judge_metric(name, rubric).name,
        "instructions": instructions,
        "ratingScale": [
            {"definition": f"{value:g} of {rubric.scale[1]:g}", "value": {"stringValue": label}}
            for label, value in _steps(rubric).items()
        ],
    }


def custom_metric_value(label: object, rubric: Rubric) -> float | None:
    """Return what a step is worth from 0 to 1; None of a label that the scale has not."""
    value = _steps(rubric).get(str(label).strip().lower())
    low, high = rubric.scale
    return None if value is None else (value - low) / (high - low)


def _steps(rubric: Rubric) -> dict[str, float]:
    """Return label and value of each step: the whole numbers of the scale where they fit, else equal steps."""
    low, high = rubric.scale
    whole = high - low
    count = int(whole) + 1 if whole == int(whole) and whole < STEPS and whole >= 1 else 5
    return {f"level {place + 1}": low + whole * place / (count - 1) for place in range(count)}


# --- people -----------------------------------------------------------------------------------------------------------


def human_metric(asked: HumanMetric) -> Metric:
    """Return what people rate: from 0 to 1, whatever they were shown."""
    kind = MetricKind.BINARY if asked.rating_method == "ThumbsUpDown" else MetricKind.BOUNDED
    return Metric(name=f"human_{asked.name}", title=f"{asked.name} (rated by people)", kind=kind)
