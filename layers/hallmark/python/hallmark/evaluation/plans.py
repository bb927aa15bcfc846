"""What a run is going to do: batches of cases for each model, what that will cost, and where it stops."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from hallmark.evaluation.cases import Case
from hallmark.evaluation.prices import cost_usd
from hallmark.evaluation.runs import Trigger
from hallmark.evaluation.suites import ModelVariant, Suite

CASES_PER_BATCH = 50
"""One batch is asked by one invocation: at two seconds an answer and eight lanes, 15 s of Lambda's 15 minutes."""
CHARACTERS_PER_TOKEN = 3
"""Of ASCII text: fewer than the usual four of English, so that a forecast errs upwards."""
BYTES_PER_TOKEN = 2
"""Of all other text in UTF-8: a letter with an accent is a token, and two of Japanese or Chinese are three."""


JOB_PREFIX = "hm-"
"""Of the names of the jobs in AWS."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class DatasetVersion(_Value):
    """A dataset as the run read it."""

    name: str
    location: str
    digest: str
    """SHA-256 of the cases: results compare only where it is the same."""
    cases: int = Field(ge=0)
    drawn: int = Field(ge=0)
    rejected: int = Field(default=0, ge=0)
    notes: tuple[str, ...] = ()
    """What a reader of the results must know: rejected lines, contamination, empty strata."""


class SampledStrata(_Value):
    """Strata that were not drawn in proportion to their size: means are weighted by their shares."""

    by: Literal["group", "category", "difficulty"]
    shares: dict[str, float]
    """Share of each stratum in the population."""


class Forecast(_Value):
    """What a run will take, before it starts."""

    calls: int = Field(ge=0)
    expected_usd: float = Field(ge=0)
    """With as many output tokens as the last run needed, or half of what is allowed where none did."""
    at_most_usd: float = Field(ge=0)
    """With as many output tokens as are allowed."""
    unpriced: tuple[str, ...] = ()
    """Models for which the price table has no price: they count as free, and the report says so."""


class JobKind(StrEnum):
    """Which of AWS's jobs."""

    BATCH_INFERENCE = "batch_inference"
    """Bedrock answers."""
    EVALUATION = "evaluation"
    """Bedrock, or people, answer and measure."""
    SCORING = "scoring"
    """SageMaker Processing scores answers that are there."""
    DEPLOYMENT = "deployment"
    """No job, but awaited like one: a custom model is deployed, without which it cannot be called."""


class JobPart(_Value):
    """Batches that stand in one file of a job: of one dataset, asked the same time."""

    dataset: str
    epoch: int = Field(ge=0)
    batches: tuple[int, ...] = Field(min_length=1)
    """Their numbers, in order."""


class Job(_Value):
    """Batches that one job of AWS takes."""

    number: int = Field(ge=0)
    kind: JobKind
    model: str = ""
    """Name of the variant; empty where the job takes the answers of all."""
    parts: tuple[JobPart, ...] = ()

    def name(self, run: str) -> str:
        """Return its name in AWS, which allows 63 lower-case letters, digits and hyphens; the same for each attempt."""
        return f"{JOB_PREFIX}{sha256(run.encode()).hexdigest()[:20]}-{self.number}"

    @property
    def batches(self) -> tuple[int, ...]:
        """Numbers of all batches."""
        return tuple(number for part in self.parts for number in part.batches)


class Plan(_Value):
    """Everything that a run's batches need; written once, read by each."""

    run: str
    suite: str
    settings: Suite
    models: dict[str, ModelVariant]
    """Variants that are asked, and those that judge."""
    asked: tuple[str, ...]
    """Names of the variants that are asked."""
    datasets: tuple[DatasetVersion, ...]
    labels: tuple[str, ...] = ()
    strata: SampledStrata | None = None
    """None where every case had the same chance to be asked."""
    batches: int = Field(ge=0)
    planned: int = Field(ge=0)
    """Cases times repeats, for each model; without copies with flaws."""
    copies: int = Field(default=0, ge=0)
    """Copies with flaws, for each model."""
    jobs: tuple[Job, ...] = ()
    """Jobs of AWS that answer, or score; none where the direct engine does it all."""
    handed_over: int = Field(default=0, ge=0)
    """How many batches, from the first, jobs answer: those that the budget allows."""
    rounds: tuple[int, ...]
    """How many batches each round has; with early stopping there are several, and a look follows each."""
    forecast: Forecast
    trigger: Trigger
    started_at: datetime
    deadline: datetime


class Batch(_Value):
    """Cases that one invocation asks of one model."""

    number: int = Field(ge=0)
    epoch: int = Field(ge=0)
    dataset: str
    cases: tuple[Case, ...]


def make_batches(
    datasets: Mapping[str, Sequence[Case]], repeats: int, size: int = CASES_PER_BATCH, first: int = 0
) -> Iterator[Batch]:
    """Yield the batches of a run, in the order in which they are asked; the same for every model.

    Args:
        datasets: Cases to ask, by the dataset's name.
        repeats: How often each case is asked.
        size: Cases in a batch.
        first: Number of the first batch.
    """
    number = first
    for epoch in range(repeats):
        for name, cases in datasets.items():
            for start in range(0, len(cases), size):
                yield Batch(number=number, epoch=epoch, dataset=name, cases=tuple(cases[start : start + size]))
                number += 1


class Rounds(NamedTuple):
    """Batches with looks at the results between them."""

    batches: tuple[Batch, ...]
    sizes: tuple[int, ...]
    """How many batches are asked before each look."""


def make_rounds(
    datasets: Mapping[str, Sequence[Case]], repeats: int, size: int, look_every: int, seed: int = 0
) -> Rounds:
    """Return batches so that a look at the results is fair whenever it is taken.

    The cases of all datasets are asked in random order, the same in each run: what has been asked before a look is a
    random part of all cases, however the datasets are sorted. All repeats of a case are asked before the same look.

    Args:
        datasets: Cases to ask, by the dataset's name.
        repeats: How often each case is asked.
        size: Cases in a batch.
        look_every: Cases between two looks.
        seed: Of the order.
    """
    every = [(name, case) for name, cases in datasets.items() for case in cases]
    every.sort(key=lambda each: sha256(f"{seed}\nlook\n{each[0]}\n{each[1].id}".encode()).digest())
    batches: list[Batch] = []
    sizes: list[int] = []
    for start in range(0, len(every), look_every):
        part: dict[str, list[Case]] = {}
        for name, case in every[start : start + look_every]:
            part.setdefault(name, []).append(case)
        first = len(batches)
        batches += make_batches(part, repeats, size, first)
        sizes.append(len(batches) - first)
    return Rounds(tuple(batches), tuple(sizes))


def batch_size(suite: Suite, models: int) -> int:
    """Return how many cases a batch has: no more than a look takes, and enough batches for all parallel executions."""
    size = CASES_PER_BATCH
    if suite.comparison.early_stopping:
        size = min(size, suite.comparison.look_every)
    if suite.sampling is not None:
        lanes_per_model = max(1, suite.parallel_executions // max(models, 1))
        size = min(size, max(1, math.ceil(suite.sampling.cases / lanes_per_model)))
    return size


def input_tokens_of(case: Case, system: str | None) -> int:
    """Return how many tokens a case's input has at most, by its length; what the model counts comes with its answer."""
    texts = (*(turn.text for turn in case.conversation), case.system or system or "")
    return sum(output_tokens_of(text) for text in texts) + 8 * len(case.conversation)


def output_tokens_of(text: str) -> int:
    """Return how many tokens an answer has at most, by its length."""
    if text.isascii():
        return math.ceil(len(text) / CHARACTERS_PER_TOKEN)
    plain = sum(letter < "\x80" for letter in text)
    rest = len(text.encode("utf-8", "surrogatepass")) - plain
    return math.ceil(plain / CHARACTERS_PER_TOKEN + rest / BYTES_PER_TOKEN)


def call_cost_usd(model: ModelVariant, input_tokens: int, output_tokens: int) -> float | None:
    """Return what a call costs: by the variant's own price, else by the price table; None where neither knows."""
    if model.price is not None:
        tokens_usd = (
            input_tokens * model.price.input_usd_per_million + output_tokens * model.price.output_usd_per_million
        )
        return tokens_usd / 1_000_000
    return cost_usd(model.model_id, input_tokens, output_tokens)


def worst_cost_usd(model: ModelVariant, case: Case) -> float:
    """Return what one answer can cost at most; 0.0 for a model without a price."""
    return call_cost_usd(model, input_tokens_of(case, model.system), model.inference.max_tokens) or 0.0


JUDGE_PROMPT_TOKENS = 250
"""A rubric and what is said about the form of the reply."""
EVALUATOR_TOKENS = (1500, 200)
"""Tokens in and out for one metric of one answer in an evaluation job: a rule of thumb, since jobs do not tell."""


class Asking(NamedTuple):
    """What an engine makes of one case, as far as it costs."""

    price_share: float = 1.0
    """Of the price on demand."""
    prompts_per_case: int = 1
    """How often a case is asked: with its perturbations, where robustness is measured."""
    evaluator: ModelVariant | None = None
    """Judges within an evaluation job."""
    evaluations: int = 0
    """How often it judges each answer."""

    def evaluation_cost_usd(self) -> float:
        """Return what the evaluator costs for one case."""
        if self.evaluator is None:
            return 0.0
        return self.evaluations * (call_cost_usd(self.evaluator, *EVALUATOR_TOKENS) or 0.0)


def forecast(
    models: Mapping[str, ModelVariant],
    batches: Sequence[Batch],
    output_tokens: Mapping[str, float],
    judges: Sequence[ModelVariant] = (),
    questions: int = 1,
    asking: Asking = Asking(),  # noqa: B008 - frozen
) -> Forecast:
    """Say what a run will cost before it starts.

    Args:
        models: Variants that are asked, by name.
        batches: What each is asked.
        output_tokens: Mean output tokens per answer of earlier runs, by variant; may lack some.
        judges: Variants that judge each answer.
        questions: What each judge is asked about an answer: two in pairs.
        asking: What the engine makes of a case.
    """
    expected = worst = 0.0
    cases = [case for batch in batches for case in batch.cases]
    share = asking.price_share * asking.prompts_per_case
    for name, model in models.items():
        likely = output_tokens.get(name, model.inference.max_tokens / 2)
        for case in cases:
            tokens = input_tokens_of(case, model.system)
            if not model.precomputed:
                worst += share * (call_cost_usd(model, tokens, model.inference.max_tokens) or 0.0)
                expected += share * (call_cost_usd(model, tokens, round(likely)) or 0.0)
            worst += asking.evaluation_cost_usd()
            expected += asking.evaluation_cost_usd()
            for judge in judges if case.copy_of is None else ():
                shown = tokens + JUDGE_PROMPT_TOKENS + questions * model.inference.max_tokens
                most = questions * (call_cost_usd(judge, shown, judge.inference.max_tokens) or 0.0)
                worst += most
                expected += most / 2
    asked = sum(not model.precomputed for model in models.values()) * asking.prompts_per_case
    judged = len(models) * (len(judges) * questions + asking.evaluations)
    every = {name: model for name, model in models.items() if not model.precomputed}
    every |= {judge.model_id: judge for judge in (*judges, *filter(None, [asking.evaluator]))}
    return Forecast(
        calls=len(cases) * (asked + judged),
        expected_usd=expected,
        at_most_usd=worst,
        unpriced=tuple(sorted(name for name, model in every.items() if call_cost_usd(model, 1, 1) is None)),
    )


def affordable_batches(count: int, at_most_usd: Callable[[int], float], budget_usd: float) -> int:
    """Return how many batches, from the first, jobs may take: those that no outcome can make dearer than the budget.

    A job cannot be stopped at a cent as single calls can.

    Args:
        count: How many batches there are.
        at_most_usd: What the first so many cost at most.
        budget_usd: What may be spent.
    """
    return bisect_right(range(1, count + 1), budget_usd, key=at_most_usd)
