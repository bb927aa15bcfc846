"""Two runs compared as MLflow's ``compare_evaluations`` compares them: numbers that MLflow gave, of its version 3.18.0.

``python -m benchmarks.comparison`` wrote them, where MLflow is installed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hallmark.statistics.bootstrap import bootstrap_mean
from hallmark.statistics.effects import cohens_dz
from hallmark.statistics.paired import mcnemar, paired_t
from hallmark.statistics.pairs import PairedCounts

RECORDED = Path(__file__).parents[3] / "benchmarks" / "comparison" / "recorded.json"
COMPARISONS: list[dict[str, Any]] = json.loads(RECORDED.read_text())["comparisons"]
RATES = [each for each in COMPARISONS if each["method"].startswith("mcnemar") and each["diff"]]
MEANS = [each for each in COMPARISONS if each["method"].startswith("wilcoxon")]


def test_there_is_something_of_each_kind() -> None:
    assert {each["method"] for each in RATES} == {"mcnemar_exact", "mcnemar_chi2"}
    assert len(MEANS) > 3


@pytest.mark.parametrize("recorded", RATES, ids=lambda each: f"{len(each['baseline'])} cases")
def test_mcnemars_p_value_is_the_same(recorded: dict[str, Any]) -> None:
    found = mcnemar(PairedCounts.of(recorded["candidate"], recorded["baseline"]))

    assert found.p_value == pytest.approx(recorded["p_value"], abs=1e-12)
    assert found.effect == pytest.approx(recorded["diff"], abs=1e-12)


@pytest.mark.parametrize("recorded", MEANS, ids=lambda each: f"{len(each['baseline'])} cases")
def test_the_paired_t_test_and_the_effect_size_are_the_same(recorded: dict[str, Any]) -> None:
    found = paired_t(recorded["candidate"], recorded["baseline"])

    assert found.p_value == pytest.approx(recorded["t_test_p_value"], rel=1e-9)
    assert found.effect == pytest.approx(recorded["diff"], abs=1e-12)
    assert cohens_dz(recorded["candidate"], recorded["baseline"]) == pytest.approx(recorded["effect_size"], rel=1e-9)


@pytest.mark.parametrize("recorded", MEANS, ids=lambda each: f"{len(each['baseline'])} cases")
def test_the_bootstrap_interval_is_the_same_within_what_chance_allows(recorded: dict[str, Any]) -> None:
    differences = np.subtract(recorded["candidate"], recorded["baseline"])

    found = bootstrap_mean(differences).interval

    width = recorded["ci"][1] - recorded["ci"][0]
    assert (found.low, found.high) == pytest.approx(recorded["ci"], abs=0.06 * width)
