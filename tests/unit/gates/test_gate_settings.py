from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from hallmark.evaluation.metrics import Direction
from hallmark.evaluation.scorers.directions import BEDROCK_METRICS
from hallmark.gates.criteria import AbsoluteCriterion, RelativeCriterion
from hallmark.gates.settings import Gate, GatesPolicy
from hallmark.policy.document import PolicyError, read_policy
from hallmark.statistics.directions import is_lower_better

MODELS = "evaluation:\n  models: {a: {model_id: m}, b: {model_id: n}}\n  datasets: {d: {location: s3://b/d.jsonl}}\n"
SUITE = "  suites:\n    s: {model_variants: [a, b], champion: a, datasets: [d], scorers: [exact_match, toxicity]}\n"
GATE = "gates:\n  gates:\n    g:\n      stage: staging\n      models: {foundation_models: [n]}\n      suites: [s]\n"
PACKAGES = "gates:\n  gates:\n    g:\n      stage: staging\n      models: {model_package_groups: [wine]}\n"
HEAD = MODELS + SUITE + GATE


def read(folder: Path, text: str) -> GatesPolicy:
    path = folder / "hallmark.yaml"
    path.write_text(text)
    return read_policy(path).gates


def test_a_gate_of_few_lines_asks_what_is_usual_at_its_stage(tmp_path: Path) -> None:
    gate = read(tmp_path, HEAD).gates["g"]

    assert set(gate.asked) == {"traceable", "coverage", "not-worse-than-champion", "fair"}
    assert gate.action_on_failure == "block"
    assert gate.registry_stage == "Staging"


@pytest.mark.parametrize(
    ("stage", "action", "registered", "drift"),
    [
        ("development", "log", True, False),
        ("staging", "block", True, False),
        ("production", "roll_back", False, True),
        ("canary", "block", True, False),
    ],
)
def test_each_stage_has_its_usual_consequences(stage: str, action: str, registered: bool, drift: bool) -> None:
    gate = Gate.model_validate({"stage": stage, "models": {"endpoints": ["live*"]}, "suites": ["s"]})

    assert gate.action_on_failure == action
    assert gate.reacts_to("registered") is registered
    assert gate.reacts_to("drift") is drift


def test_criteria_that_are_named_take_the_place_of_the_usual_ones(tmp_path: Path) -> None:
    gate = read(tmp_path, HEAD + "      criteria: {right: {kind: absolute, metric: exact_match, at_least: 0.8}}\n")

    assert dict(gate.gates["g"].asked) == {"right": AbsoluteCriterion(metric="exact_match", at_least=0.8)}


@pytest.mark.parametrize(
    ("text", "line", "field", "remedy"),
    [
        (HEAD.replace("suites: [s]", "suites: [t]"), 11, "gates.gates.g.suites[0]", "name one of s"),
        (
            HEAD
            + "      criteria:\n        x:\n          kind: absolute\n          metric: exact\n          at_least: 1\n",
            15,
            "gates.gates.g.criteria.x.metric",
            "name one of exact_match",
        ),
        (
            HEAD + "      criteria:\n        x: {kind: absolute, metric: toxicity, at_least: 0.1}\n",
            13,
            "gates.gates.g.criteria.x",
            "a lower toxicity is better: give at_most",
        ),
        (
            HEAD + "      criteria:\n        x: {kind: absolute, metric: exact_match, at_least: 0.9, at_most: 0.1}\n",
            13,
            "gates.gates.g.criteria.x",
            "nothing is at least 0.9 and at most 0.1",
        ),
        (
            HEAD + "      criteria:\n        x: {kind: absolute, metric: exact_match, at_least: .nan}\n",
            13,
            "gates.gates.g.criteria.x.absolute.at_least",
            "finite",
        ),
        (
            HEAD + "      criteria:\n        x: {kind: safety, metric: exact_match, at_most: 0.1}\n",
            13,
            "gates.gates.g.criteria.x",
            "cannot be capped for safety",
        ),
        (
            HEAD + "      criteria:\n        x: {kind: relative, metric: exact_match, not_worse_by: 0, champion: c}\n",
            13,
            "gates.gates.g.criteria.x.champion",
            "name one of a, b",
        ),
        (
            HEAD + "      criteria:\n        x: {kind: absolut, metric: exact_match, at_least: 1}\n",
            13,
            "gates.gates.g.criteria.x",
            "absolute",
        ),
        (HEAD + "      next_stage: produktion\n", 6, "gates", "name one of staging"),
        (HEAD + "      on_failure: roll_back\n", 8, "gates.gates.g", "only an endpoint can be rolled back"),
        (HEAD + "      stage_name: x\n", 12, "gates.gates.g.stage_name", "no such field"),
        (PACKAGES, 3, "gates.gates.g", "name criteria"),
        (
            PACKAGES + "      criteria: {x: {kind: coverage}}\n",
            6,
            "gates.gates.g.criteria.x",
            "only a suite measures this",
        ),
        (
            PACKAGES + "      criteria: {x: {kind: absolute, metric: acuracy, at_least: 0.8}}\n",
            6,
            "gates.gates.g.criteria.x.metric",
            "name one of accuracy",
        ),
        (
            PACKAGES.replace("model_package_groups: [wine]", "") + "      criteria: {x: {kind: drift}}\n",
            5,
            "gates.gates.g.models",
            "name at least one of model_package_groups",
        ),
    ],
)
def test_a_fault_is_told_with_file_line_field_and_remedy(
    tmp_path: Path, text: str, line: int, field: str, remedy: str
) -> None:
    with pytest.raises(PolicyError) as error:
        read(tmp_path, text)

    told = str(error.value)
    assert f"hallmark.yaml:{line}: {field}" in told, told
    assert remedy in told, told


def test_a_metric_of_the_teams_own_report_may_be_declared(tmp_path: Path) -> None:
    criteria = "      criteria: {x: {kind: absolute, metric: bouquet, at_least: 0.8}}\n"

    with pytest.raises(PolicyError, match="bouquet"):
        read(tmp_path, PACKAGES + criteria)
    assert read(tmp_path, PACKAGES + "      report_metrics: [bouquet]\n" + criteria).gates["g"].asked


def test_stages_that_lead_back_are_refused() -> None:
    gate = {"models": {"endpoints": ["e"]}, "criteria": {"d": {"kind": "drift"}}}

    with pytest.raises(ValidationError, match="lead back"):
        GatesPolicy.model_validate(
            {"gates": {"x": {**gate, "stage": "a", "next_stage": "b"}, "y": {**gate, "stage": "b", "next_stage": "a"}}}
        )


def test_a_policy_survives_being_written_for_its_functions(tmp_path: Path) -> None:
    policy = read(
        tmp_path, HEAD + "      max_evidence_age: 9 days\n      approval: {required: true, expires: 1 hour}\n"
    )

    assert GatesPolicy.model_validate_json(policy.model_dump_json()) == policy
    assert policy.gates["g"].approval.expires == timedelta(hours=1)


@pytest.mark.parametrize("metric", BEDROCK_METRICS)
def test_the_table_of_directions_agrees_with_that_of_the_scorers(metric: str) -> None:
    known = BEDROCK_METRICS[metric]

    assert is_lower_better(known.name) is (known.direction is Direction.LOWER)


@pytest.mark.parametrize(
    ("metric", "lower"),
    [
        ("accuracy", False),
        ("toxicity_rate", True),
        ("answer:latency", True),
        ("answer:cost", True),
        ("latency_p95_ms", True),
        ("judge_harmfulness", True),
        ("judge_helpfulness", False),
        ("bouquet", None),
    ],
)
def test_names_are_read_as_people_write_them(metric: str, lower: bool | None) -> None:
    assert is_lower_better(metric) is lower


def test_a_margin_is_a_distance() -> None:
    with pytest.raises(ValidationError):
        RelativeCriterion(metric="accuracy", not_worse_by=-0.1)
    assert get_args(Gate.model_fields["correction"].annotation) == ("holm", "bonferroni", "none")
