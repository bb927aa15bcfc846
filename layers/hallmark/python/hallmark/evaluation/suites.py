"""What a team says of its evaluations: models, datasets, scorers, suites, budgets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from hallmark.durations import Duration
from hallmark.errors import InvalidInputError
from hallmark.schedules import Frequency, TimeZone
from hallmark.statistics.allocation import Allocation

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
"""Lower-case letters, digits and hyphens: it becomes part of names in AWS."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


# --- models -----------------------------------------------------------------------------------------------------------


class Inference(_Section):
    """Parameters of Converse (Bedrock API reference, InferenceConfiguration)."""

    max_tokens: int = Field(default=512, ge=1)
    temperature: float = Field(default=0.0, ge=0, le=1)
    top_p: float | None = Field(default=None, ge=0, le=1)
    stop_sequences: tuple[str, ...] = ()


class Facts(_Section):
    """What no measurement tells of a model; columns of the comparison matrix."""

    licence: str | None = None
    support: str | None = None
    deployment: str | None = None
    """How hard it is to deploy: serverless, provisioned, own endpoint."""
    monitoring: str | None = None
    scaling: str | None = None


class Price(_Section):
    """What a model costs where the price table does not know it: a custom model, a negotiated price."""

    input_usd_per_million: float = Field(ge=0, allow_inf_nan=False)
    output_usd_per_million: float = Field(ge=0, allow_inf_nan=False)


class ModelVariant(_Section):
    """A model with everything that changes its answers."""

    model_id: str = Field(min_length=1, max_length=2048)
    """Identifier, ARN or inference profile that Bedrock's Converse takes as ``modelId``."""
    inference: Inference = Field(default_factory=Inference)
    system: str | None = Field(default=None, min_length=1)
    """System prompt, where the case has none."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Quota to keep, over all runs; Bedrock refuses what is above its own."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    price: Price | None = None
    """Of a million tokens; the price table's where it is None."""
    precomputed: bool = False
    """Nothing is asked: the dataset brings the answers, under ``model_id``."""
    knowledge_base: str | None = Field(default=None, pattern=r"^[0-9a-zA-Z]{1,10}$")
    """Identifier of a Bedrock knowledge base from which the model answers; with the managed engine only."""
    facts: Facts = Field(default_factory=Facts)

    @model_validator(mode="after")
    def _answers_in_one_way(self) -> Self:
        if self.precomputed and self.knowledge_base is not None:
            raise ValueError("precomputed answers come from no knowledge base: leave one of them out")
        return self


# --- datasets ---------------------------------------------------------------------------------------------------------


class DatasetFormat(StrEnum):
    """How a dataset is written; docs/evaluation.md shows each."""

    AUTO = "auto"
    """By the name of the object: ``.jsonl``, ``.csv``, ``.parquet`` in Hallmark's own columns."""
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    GLUE_SST2 = "glue-sst2"
    GLUE_COLA = "glue-cola"
    GLUE_MRPC = "glue-mrpc"
    GLUE_QQP = "glue-qqp"
    GLUE_STSB = "glue-stsb"
    GLUE_MNLI = "glue-mnli"
    GLUE_QNLI = "glue-qnli"
    GLUE_RTE = "glue-rte"
    GLUE_WNLI = "glue-wnli"
    HELLASWAG = "hellaswag"
    MMLU = "mmlu"
    SQUAD = "squad"
    """SQuAD v1.1 and v2."""
    SUMMARIZATION = "summarization"
    TRANSLATION = "translation"
    BEDROCK = "bedrock"
    """Bedrock's automatic and judge evaluation format, with or without precomputed answers."""
    BEDROCK_RAG = "bedrock-rag"


class Sampling(_Section):
    """Which part of a dataset is asked; the rest is neither asked nor paid for."""

    cases: int = Field(ge=1)
    by: Literal["group", "category", "difficulty"] | None = None
    """What the strata are; None draws from the whole."""
    allocation: Allocation = Allocation.PROPORTIONAL
    seed: int = 0


class Contamination(_Section):
    """Whether cases stand in the training data."""

    training_data: str = Field(pattern=r"^s3://[^/]+/.*")
    ngram: int = Field(default=13, ge=3, le=50)
    """Words in a row that count as seen (13 in Brown et al. 2020, appendix C)."""
    threshold: float = Field(default=0.5, gt=0, le=1)
    """Share of a case's n-grams from which on it counts as contaminated."""
    exclude: bool = False
    """Leave contaminated cases out; else they are only reported."""


_PLACE = re.compile(r"\{(\w+)\}")
_PLACES = ("prompt", "context", "choices")


def _check_template(value: str) -> str:
    unknown = [name for name in _PLACE.findall(value) if name not in _PLACES]
    if unknown:
        raise ValueError(f"{{{unknown[0]}}} is unknown: use {{prompt}}, {{context}} and {{choices}}")
    return value


class DatasetSource(_Section):
    """Where cases come from."""

    location: str = Field(pattern=r"^s3://[^/]+/.+")
    """One object, or a prefix that ends with ``/``; ``{account}`` and ``{region}`` are replaced."""
    format: DatasetFormat = DatasetFormat.AUTO
    template: Annotated[str, StringConstraints(min_length=1), AfterValidator(_check_template)] | None = None
    """Text around each prompt; ``{prompt}`` stands for it, ``{context}`` and ``{choices}`` for theirs."""
    shots: int = Field(default=0, ge=0, le=32)
    """Solved examples put before each question, of its own category where there are enough."""
    examples: str | None = Field(default=None, pattern=r"^s3://[^/]+/.+")
    """Where the solved examples come from, in the same format; never from the cases themselves."""
    labels: tuple[str, ...] = ()
    """Classes of a classification task; the scorers of classes need them."""
    options: dict[str, str] = {}
    """Further columns or names that a format asks for, e.g. ``subject``."""

    @model_validator(mode="after")
    def _shots_need_examples(self) -> Self:
        if self.shots and self.examples is None:
            raise ValueError("shots need examples: name where the solved examples are, e.g. the dev split")
        return self


# --- suites -----------------------------------------------------------------------------------------------------------


class ScorerChoice(_Section):
    """A scorer by name; ``rouge``, or ``{rouge: {stemmer: true}}`` with parameters."""

    name: str = Field(min_length=1)
    parameters: dict[str, Any] = {}


def _to_scorer(value: object) -> object:
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and len(value) == 1 and "name" not in value:
        ((name, parameters),) = value.items()
        return {"name": name, "parameters": parameters or {}}
    return value


class Judge(_Section):
    """A model that scores answers by a rubric."""

    models: tuple[Name, ...] = Field(min_length=1)
    """Variants that judge; several make a panel."""
    rubric: str = Field(min_length=1)
    """Name of a rubric: built in, or a file of the policy's folder ``rubrics``."""
    pairwise: bool = False
    """Compare each model with the champion in both positions, rather than score alone."""
    anchors: Name | None = None
    """Dataset that people have scored: how far the judge can be trusted, and whether it has changed. Each case has the
    answer under ``answers`` and the people's score from 0 to 1 as its ``expected`` output."""

    @model_validator(mode="after")
    def _anchors_are_single_answers(self) -> Self:
        if self.pairwise and self.anchors is not None:
            raise ValueError("anchors are scores of single answers: leave them out, or pairwise")
        return self


class Template(StrEnum):
    """What the comparison asks."""

    AB_TEST = "ab-test"
    """Is one of two better?"""
    CHAMPION_CHALLENGER = "champion-challenger"
    """Is a challenger better than the champion?"""
    REGRESSION = "regression"
    """Is a model not worse than its baseline?"""
    SAFETY = "safety"
    """Are harm, refusal and gaps between groups within bounds?"""


class ComparisonSettings(_Section):
    """How differences are judged."""

    primary: str | None = None
    """Metric that decides; the first of the suite where it is None."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    correction: Literal["holm", "benjamini-hochberg", "none"] = "holm"
    """Over metrics, models and groups."""
    margin: float = Field(default=0.0, ge=0)
    """How much worse still counts as not worse, in units of the primary metric."""
    early_stopping: bool = False
    """Stop as soon as the question is decided, by a test that stays valid however often one looks."""
    look_every: int = Field(default=100, ge=10)
    """Cases between looks, with early stopping; all their repeats are asked before the look."""


class Robustness(_Section):
    """How much worse models get when their prompts have small flaws."""

    perturbations: tuple[str, ...] = Field(default=("typos", "upper_case", "white_space"), min_length=1)
    """Kinds of flaws; docs/evaluation.md lists them."""
    cases: int = Field(default=50, ge=2)
    """How many cases of each dataset are asked again with flaws."""
    copies: int = Field(default=1, ge=1, le=10)
    """Of each case and kind."""
    share: float = Field(default=0.1, gt=0, le=1)
    """Of the letters that are changed, by the kinds that change some."""
    seed: int = 0


class Engine(StrEnum):
    """What asks the models."""

    DIRECT = "direct"
    """Converse, case by case, at once."""
    BATCH = "batch"
    """Bedrock's batch inference: at half the price for most models, within hours; what a job leaves out is asked by
    Converse."""
    MANAGED = "managed"
    """Bedrock's evaluation jobs, which answer and measure Bedrock's own metrics."""


BEDROCK_PREFIX = "Builtin."
"""Of the metrics that Bedrock's evaluation jobs measure."""
COMPUTED_BY_BEDROCK = frozenset({"Builtin.Accuracy", "Builtin.Robustness", "Builtin.Toxicity"})
"""Those that no model judges (Amazon Bedrock user guide, model evaluation task types)."""


class HumanMetric(_Section):
    """What people are asked about an answer (Bedrock API reference, HumanEvaluationCustomMetric)."""

    name: str = Field(min_length=1, max_length=63, pattern=r"^[0-9a-zA-Z-_.]+$")
    description: str | None = Field(default=None, min_length=1, max_length=63)
    rating_method: Literal["ThumbsUpDown", "IndividualLikertScale"] = "IndividualLikertScale"


class Workers(_Section):
    """A work team that rates answers."""

    flow_definition: str = Field(pattern=r"^arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:flow-definition/.+$")
    """ARN of SageMaker's flow definition, which names the team."""
    instructions: str = Field(min_length=1, max_length=5000)
    metrics: tuple[HumanMetric, ...] = Field(min_length=1, max_length=10)


class ManagedEngine(_Section):
    """What Bedrock's evaluation jobs are told."""

    task: Literal["General", "Summarization", "Classification", "QuestionAndAnswer", "Generation"] = "General"
    """Bedrock's task type: what accuracy and robustness mean depends on it."""
    evaluator: Name | None = None
    """Variant that judges Bedrock's judged metrics, and the rubrics."""
    retrieval: Literal["retrieve", "retrieve-and-generate"] | None = None
    """Whether the datasets are conversations with retrieval (RAG), and which half of it is measured."""
    rubrics: tuple[str, ...] = Field(default=(), max_length=10)
    """Rubrics that the evaluator judges by: built in, or files of the policy's folder ``rubrics``."""
    workers: Workers | None = None
    """People who rate the answers, instead of metrics."""

    def check(self, measured: Sequence[str]) -> None:
        """Check what jobs are to measure.

        Args:
            measured: Bedrock's own metrics.

        Raises:
            ValueError: One job cannot do that.
        """
        computed = [name for name in measured if name in COMPUTED_BY_BEDROCK]
        judged = [*(name for name in measured if name not in COMPUTED_BY_BEDROCK), *self.rubrics]
        if not (measured or self.rubrics or self.workers):
            raise ValueError("the managed engine has nothing to measure: add Builtin.Accuracy to scorers, or rubrics")
        if self.workers and (measured or self.rubrics or self.evaluator):
            raise ValueError("people rate or a job measures: leave workers out, or Builtin scorers, rubrics, evaluator")
        if judged and self.evaluator is None:
            raise ValueError(f"{judged[0]} is judged by a model: name one in managed.evaluator")
        if judged and computed:
            raise ValueError(f"{computed[0]} is computed and {judged[0]} is judged, by different jobs: make two suites")
        if computed and self.task == "General":
            raise ValueError(f"{computed[0]} depends on the task: set managed.task, e.g. to QuestionAndAnswer")


class Processing(_Section):
    """Scorers that need more time or packages than a function has: they run in a SageMaker Processing job."""

    scorers: tuple[str, ...] = Field(min_length=1)
    """Names of scorers of the suite."""
    image: str = Field(min_length=1)
    """URI of a container image with Python 3.11 or newer."""
    instance_type: str = Field(default="ml.m5.xlarge", pattern=r"^ml\.")
    volume_gb: int = Field(default=30, ge=1, le=16384)
    time: Duration = Field(default=timedelta(hours=1), ge=timedelta(seconds=1), le=timedelta(days=5))
    requirements: tuple[str, ...] = ()
    """Packages that the team's own scorers need, as pip takes them."""


class Budget(_Section):
    """What a run may take; it stops cleanly before it takes more."""

    usd: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    time: Duration = Field(default=timedelta(hours=2), gt=timedelta(0), le=timedelta(days=7))


class Triggers(_Section):
    """What starts a run besides its schedule."""

    model_package_groups: tuple[str, ...] = ()
    """A new model package of one of these groups."""
    custom_models: bool = False
    """A Bedrock customization job that completed: its model is evaluated beside the others."""
    dataset_changes: bool = False
    """A new object at one of the suite's datasets."""
    prompt_changes: bool = False
    """A deployment that changes what is said to the suite's models: system prompts, templates, solved examples."""


_VARIANTS_OF_AB_TEST = 2


class Suite(_Section):
    """Datasets x models x scorers, run by itself."""

    description: str = ""
    template: Template = Template.CHAMPION_CHALLENGER
    engine: Engine = Engine.DIRECT
    managed: ManagedEngine = Field(default_factory=ManagedEngine)
    processing: Processing | None = None
    model_variants: tuple[Name, ...] = Field(min_length=1)
    champion: Name | None = None
    """The model in use, or the baseline; None compares all with all."""
    datasets: tuple[Name, ...] = Field(min_length=1)
    scorers: tuple[Annotated[ScorerChoice, BeforeValidator(_to_scorer)], ...] = Field(min_length=1)
    judge: Judge | None = None
    sampling: Sampling | None = None
    contamination: Contamination | None = None
    robustness: Robustness | None = None
    repeats: int = Field(default=1, ge=1, le=100)
    """How often each case is asked (epochs); pass@k needs k or more."""
    comparison: ComparisonSettings = Field(default_factory=ComparisonSettings)
    frequency: Frequency | None = None
    time_zone: TimeZone = "UTC"
    parallel_executions: int = Field(default=8, ge=1, le=1000)
    """Batches that are asked at the same time, over all models."""
    budget: Budget = Field(default_factory=Budget)
    triggers: Triggers = Field(default_factory=Triggers)
    owners: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for field, names in (("model_variants", self.model_variants), ("datasets", self.datasets)):
            if len(set(names)) < len(names):
                raise ValueError(f"{field} names one of them twice: name each once")
        if self.champion is not None and self.champion not in self.model_variants:
            raise ValueError(f"champion {self.champion!r} is not among model_variants: add it there")
        if self.template is Template.AB_TEST and len(self.model_variants) != _VARIANTS_OF_AB_TEST:
            raise ValueError("an A/B test compares two model_variants: name two, or choose another template")
        if self.template in {Template.CHAMPION_CHALLENGER, Template.REGRESSION} and self.champion is None:
            raise ValueError(f"the template {self.template.value} needs a champion: name one of model_variants")
        if self.judge is not None and self.judge.pairwise and self.champion is None:
            raise ValueError("a pairwise judge compares with the champion: name one of model_variants")
        return self

    @property
    def scored_at_once(self) -> tuple[ScorerChoice, ...]:
        """Scorers that score when answers come: neither measured by Bedrock's jobs nor heavy."""
        heavy = self.processing.scorers if self.processing is not None else ()
        return tuple(
            scorer for scorer in self.scorers if scorer.name not in heavy and not scorer.name.startswith(BEDROCK_PREFIX)
        )

    @model_validator(mode="after")
    def _fits_its_engine(self) -> Self:
        measured = [scorer.name for scorer in self.scorers if scorer.name.startswith(BEDROCK_PREFIX)]
        if self.engine is Engine.MANAGED:
            self.managed.check(measured)
        elif measured:
            raise ValueError(f"{measured[0]} is measured by Bedrock's evaluation jobs: set engine to managed")
        elif self.managed != ManagedEngine():
            raise ValueError("managed is for the managed engine: set engine to managed, or leave it out")
        if self.comparison.early_stopping and (self.engine is not Engine.DIRECT or self.processing is not None):
            raise ValueError("early_stopping looks between rounds of the direct engine: jobs ask everything at once")
        if self.comparison.early_stopping and self.robustness is not None:
            raise ValueError("early_stopping may end before robustness is measured: leave one of them out")
        is_uneven = self.sampling is not None and self.sampling.by and self.sampling.allocation.value != "proportional"
        if self.comparison.early_stopping and is_uneven:
            raise ValueError(
                "early_stopping needs cases that count alike: set sampling.allocation to proportional, or leave it out"
            )
        for name in self.processing.scorers if self.processing else ():
            if name not in {scorer.name for scorer in self.scorers}:
                raise ValueError(f"processing names {name!r}, which is no scorer of the suite: add it to scorers")
        return self


class EvaluationPolicy(_Section):
    """The section ``evaluation`` of ``hallmark.yaml``."""

    models: dict[Name, ModelVariant] = {}
    datasets: dict[Name, DatasetSource] = {}
    suites: dict[Name, Suite] = {}
    data_buckets: tuple[str, ...] = ("sagemaker-{region}-{account}",)
    """Buckets that hold datasets; they may be read, and their changes start runs where a suite asks for it."""
    data_keys: tuple[str, ...] = ()
    """KMS keys of those buckets, where they have one."""

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for suite, content in self.suites.items():
            judges = (*(content.judge.models if content.judge else ()), *filter(None, [content.managed.evaluator]))
            anchors = (content.judge.anchors,) if content.judge and content.judge.anchors else ()
            for section, names, known in (
                ("models", (*content.model_variants, *judges), self.models),
                ("datasets", (*content.datasets, *anchors), self.datasets),
            ):
                for name in names:
                    if name not in known:
                        there = ", ".join(sorted(known)) or "none"
                        raise ValueError(f"suite {suite!r} names {name!r}, which {section} does not have ({there})")
            for name in content.model_variants:
                if content.engine is not Engine.MANAGED and self.models[name].knowledge_base is not None:
                    raise ValueError(f"suite {suite!r}: {name!r} answers from a knowledge base: set engine to managed")
        return self


def find_suite(policy: EvaluationPolicy, name: str) -> Suite:
    """Return a suite.

    Raises:
        InvalidInputError: The policy has none of that name.
    """
    suite = policy.suites.get(name)
    if suite is None:
        there = ", ".join(sorted(policy.suites)) or "none yet"
        raise InvalidInputError("suite", name, f"name one of the suites of hallmark.yaml ({there})")
    return suite
