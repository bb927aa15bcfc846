"""Scorers by name."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from hallmark.errors import InvalidInputError
from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.scorers.chrf import ChrfSettings
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.scorers.labels import LabelSettings
from hallmark.evaluation.scorers.operations import Cost, Latency, Tokens
from hallmark.evaluation.scorers.rouge import RougeSettings
from hallmark.evaluation.scorers.settings import ScorerSettings
from hallmark.evaluation.scorers.text import Contains, ExactMatch, PartialCredit, Pattern, TokenF1
from hallmark.evaluation.scorers.translation import BleuSettings, TerSettings
from hallmark.evaluation.suites import EvaluationPolicy, ScorerChoice

SCORERS: dict[str, type[ScorerSettings]] = {
    "bleu": BleuSettings,
    "chrf": ChrfSettings,
    "contains": Contains,
    "cost": Cost,
    "exact_match": ExactMatch,
    "label": LabelSettings,
    "latency": Latency,
    "partial_credit": PartialCredit,
    "regex": Pattern,
    "rouge": RougeSettings,
    "ter": TerSettings,
    "token_f1": TokenF1,
    "tokens": Tokens,
}
"""Parameters of each scorer, by its name in the policy."""


def make_scorer(choice: ScorerChoice, *, labels: tuple[str, ...] = (), field: str = "scorers") -> Scorer:
    """Make a scorer.

    Args:
        choice: Its name and parameters.
        labels: Classes of the suite's datasets, for the scorers of classes.
        field: Where the choice stands, for errors.

    Raises:
        InvalidInputError: There is none of that name, or a parameter is wrong.
    """
    settings = SCORERS.get(choice.name)
    if settings is None:
        raise InvalidInputError(field, choice.name, f"name one of {', '.join(sorted(SCORERS))}")
    place = f"{field}.{choice.name}"
    try:
        return settings.model_validate(choice.parameters).scorer(labels)
    except ValidationError as error:
        raise _explained(error, place, settings) from error
    except ValueError as error:
        raise InvalidInputError(place, choice.parameters, str(error)) from error


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


def validate_scorers(policy: EvaluationPolicy) -> None:
    """Check the scorers of all suites, when the policy is deployed.

    Raises:
        InvalidInputError: A scorer or a parameter is wrong, two scorers of a suite measure the same, or its primary
            metric is measured by none.
    """
    for name, suite in policy.suites.items():
        field = f"evaluation.suites.{name}.scorers"
        labels = tuple(dict.fromkeys(label for each in suite.datasets for label in policy.datasets[each].labels))
        _check_suite(field, suite.scorers, labels)


def _check_suite(field: str, choices: Sequence[ScorerChoice], labels: tuple[str, ...]) -> None:
    measured: dict[str, str] = {}
    for place, choice in enumerate(choices):
        for metric in make_scorer(choice, labels=labels, field=f"{field}[{place}]").metrics:
            if metric.name in measured:
                remedy = f"{measured[metric.name]} measures {metric.name} already: leave one of them out"
                raise InvalidInputError(f"{field}[{place}]", choice.name, remedy)
            measured[metric.name] = choice.name
