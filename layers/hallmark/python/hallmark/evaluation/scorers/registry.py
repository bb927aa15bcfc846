"""Scorers by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from hallmark.errors import InvalidInputError
from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.scorers.choices import ChoiceSettings
from hallmark.evaluation.scorers.chrf import ChrfSettings
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.custom import CustomSettings, read_source
from hallmark.evaluation.scorers.directions import find_bedrock_metric
from hallmark.evaluation.scorers.labels import LabelSettings
from hallmark.evaluation.scorers.numeric import NumericSettings
from hallmark.evaluation.scorers.operations import Cost, Latency, Tokens
from hallmark.evaluation.scorers.perturbations import PERTURBATIONS
from hallmark.evaluation.scorers.refusal import RefusalSettings
from hallmark.evaluation.scorers.rouge import RougeSettings
from hallmark.evaluation.scorers.settings import ScorerSettings
from hallmark.evaluation.scorers.similarity import EmbeddingMatchSettings, SimilaritySettings
from hallmark.evaluation.scorers.structure import JsonFieldsSettings, JsonSchemaSettings
from hallmark.evaluation.scorers.text import Contains, ExactMatch, PartialCredit, Pattern, TokenF1
from hallmark.evaluation.scorers.toxicity import ToxicitySettings
from hallmark.evaluation.scorers.translation import BleuSettings, TerSettings
from hallmark.evaluation.suites import BEDROCK_PREFIX, EvaluationPolicy, ScorerChoice, Suite

SCORERS: dict[str, type[ScorerSettings]] = {
    "bleu": BleuSettings,
    "choice": ChoiceSettings,
    "chrf": ChrfSettings,
    "contains": Contains,
    "cost": Cost,
    "custom": CustomSettings,
    "embedding_match": EmbeddingMatchSettings,
    "exact_match": ExactMatch,
    "json_fields": JsonFieldsSettings,
    "json_schema": JsonSchemaSettings,
    "label": LabelSettings,
    "latency": Latency,
    "numeric": NumericSettings,
    "partial_credit": PartialCredit,
    "refusal": RefusalSettings,
    "regex": Pattern,
    "rouge": RougeSettings,
    "semantic_similarity": SimilaritySettings,
    "ter": TerSettings,
    "token_f1": TokenF1,
    "tokens": Tokens,
    "toxicity": ToxicitySettings,
}
"""Parameters of each scorer, by its name in the policy."""


def make_scorer(
    choice: ScorerChoice, *, labels: tuple[str, ...] = (), field: str = "scorers", folder: Path | None = None
) -> Scorer:
    """Make a scorer.

    Args:
        choice: Its name and parameters.
        labels: Classes of the suite's datasets, for the scorers of classes.
        field: Where the choice stands, for errors.
        folder: Folder of the team's own scorers; the working directory where it is None.

    Raises:
        InvalidInputError: There is none of that name, or a parameter is wrong.
    """
    settings = SCORERS.get(choice.name)
    if settings is None:
        raise InvalidInputError(field, choice.name, f"name one of {', '.join(sorted(SCORERS))}")
    place = f"{field}.{choice.name}"
    try:
        return settings.model_validate(embed_source(choice, folder).parameters).scorer(labels)
    except ValidationError as error:
        raise _explained(error, place, settings) from error
    except ValueError as error:
        raise InvalidInputError(place, choice.parameters, str(error)) from error


def embed_source(choice: ScorerChoice, folder: Path | None = None) -> ScorerChoice:
    """Return a choice of a team's own scorer with what its file says, so that it needs the file no more.

    Args:
        choice: Any choice; others are returned as they are.
        folder: Folder of the team's own scorers; the working directory where it is None.

    Raises:
        ValueError: The file cannot be read.
    """
    file = choice.parameters.get("file")
    if choice.name != "custom" or not isinstance(file, str) or choice.parameters.get("source") is not None:
        return choice
    source = read_source((folder or Path()) / file)
    return choice.model_copy(update={"parameters": {**choice.parameters, "source": source}})


def _explained(error: ValidationError, place: str, settings: type[ScorerSettings]) -> InvalidInputError:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, (place, *first["loc"])))
    if first["type"] == "extra_forbidden":
        there = ", ".join(sorted(settings.model_fields)) or "none"
        return InvalidInputError(where, first["input"], f"there is no such parameter: the scorer's are {there}")
    return InvalidInputError(where, first["input"], first["msg"].removeprefix("Value error, "))


def metrics_of(choice: ScorerChoice, *, labels: tuple[str, ...] = ()) -> tuple[Metric, ...]:
    """Return what a scorer measures.

    Raises:
        InvalidInputError: There is none of that name, or a parameter is wrong.
    """
    return make_scorer(choice, labels=labels).metrics


def validate_scorers(policy: EvaluationPolicy, folder: Path | None = None) -> None:
    """Check the scorers of all suites, when the policy is deployed.

    Args:
        policy: What the team says.
        folder: Folder of the team's own scorers; the working directory where it is None.

    Raises:
        InvalidInputError: A scorer or a parameter is wrong, or two scorers of a suite measure the same.
    """
    for name, suite in policy.suites.items():
        field = f"evaluation.suites.{name}.scorers"
        labels = _labels_of(suite, policy)
        _check_suite(field, suite.scorers, labels, folder)
        for kind in suite.robustness.perturbations if suite.robustness is not None else ():
            if kind not in PERTURBATIONS:
                place = f"evaluation.suites.{name}.robustness.perturbations"
                raise InvalidInputError(place, kind, f"choose from {', '.join(PERTURBATIONS)}")


def measured_by(choice: ScorerChoice, suite: Suite, policy: EvaluationPolicy) -> tuple[Metric, ...]:
    """Return what a scorer of a suite measures.

    Args:
        choice: One of the suite's, with its source where it is a team's own.
        suite: The suite.
        policy: The team's datasets, whose classes some scorers need.

    Raises:
        InvalidInputError: There is none of that name, or a parameter is wrong.
    """
    return _metrics_at("scorers", choice, _labels_of(suite, policy), None)


def _labels_of(suite: Suite, policy: EvaluationPolicy) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for each in suite.datasets for label in policy.datasets[each].labels))


def _check_suite(field: str, choices: Sequence[ScorerChoice], labels: tuple[str, ...], folder: Path | None) -> None:
    measured: dict[str, str] = {}
    for place, choice in enumerate(choices):
        for metric in _metrics_at(f"{field}[{place}]", choice, labels, folder):
            if metric.name in measured:
                remedy = f"{measured[metric.name]} measures {metric.name} already: leave one of them out"
                raise InvalidInputError(f"{field}[{place}]", choice.name, remedy)
            measured[metric.name] = choice.name


def _metrics_at(field: str, choice: ScorerChoice, labels: tuple[str, ...], folder: Path | None) -> tuple[Metric, ...]:
    if choice.name.startswith(BEDROCK_PREFIX):
        return (find_bedrock_metric(choice.name, field),)
    return make_scorer(choice, labels=labels, field=field, folder=folder).metrics
