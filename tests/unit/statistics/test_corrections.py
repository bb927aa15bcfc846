"""Adjusted p-values against statsmodels and the R vectors that it ships."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.tests.test_multi import pval0, res_multtest1, res_multtest2

from hallmark.errors import InvalidInputError
from hallmark.statistics.corrections import Correction, adjust

COLUMN_OF_R = {
    Correction.BONFERRONI: 1,
    Correction.HOLM: 2,
    Correction.BENJAMINI_HOCHBERG: 6,
    Correction.BENJAMINI_YEKUTIELI: 7,
}
# R's p.adjust(…, "hommel"), as statsmodels' tests quote it (statsmodels/stats/tests/test_multi.py, test_hommel).
HOMMEL_GIVEN = (
    *(0.00116, 0.00924, 0.01075, 0.01437, 0.01784, 0.01918, 0.02751, 0.02871, 0.03054, 0.03246, 0.04259, 0.06879),
    *(0.0691, 0.08081, 0.08593, 0.08993, 0.09386, 0.09412, 0.09718, 0.09758, 0.09781, 0.09788, 0.13282, 0.20191),
    *(0.21757, 0.24031, 0.26061, 0.26762, 0.29474, 0.32901, 0.41386, 0.51479, 0.52461, 0.53389, 0.56276, 0.62967),
    *(0.72178, 0.73403, 0.87182, 0.95384),
)
HOMMEL_ADJUSTED = (
    *(0.0464, 0.25872, 0.29025, 0.3495714285714286, 0.41032, 0.44114, 0.57771, 0.60291, 0.618954, 0.6492),
    *(0.7402725, 0.86749, 0.86749, 0.88891, 0.8971477777777778, 0.8993, *[0.9175375] * 6, *[0.95384] * 18),
)
NAME_IN_STATSMODELS = {
    Correction.BONFERRONI: "bonferroni",
    Correction.HOLM: "holm",
    Correction.HOMMEL: "hommel",
    Correction.BENJAMINI_HOCHBERG: "fdr_bh",
    Correction.BENJAMINI_YEKUTIELI: "fdr_by",
}
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=15)


@pytest.mark.parametrize("correction", COLUMN_OF_R)
def test_adjusted_values_are_those_of_r(correction: Correction) -> None:
    # R sorts by p-value; so do we here.
    np.testing.assert_allclose(np.sort(adjust(pval0, correction)), res_multtest1[:, COLUMN_OF_R[correction]], rtol=1e-9)


def test_hommels_values_are_those_of_r() -> None:
    np.testing.assert_allclose(adjust(HOMMEL_GIVEN, Correction.HOMMEL), HOMMEL_ADJUSTED, rtol=1e-12)


@pytest.mark.parametrize(
    ("correction", "column"),
    [
        (Correction.BONFERRONI, 1),
        (Correction.HOLM, 2),
        (Correction.BENJAMINI_HOCHBERG, 6),
        (Correction.BENJAMINI_YEKUTIELI, 7),
    ],
)
def test_ties_are_adjusted_as_r_does(correction: Correction, column: int) -> None:
    np.testing.assert_allclose(adjust(res_multtest2[:, 0], correction), res_multtest2[:, column], rtol=1e-9)


@pytest.mark.parametrize("correction", NAME_IN_STATSMODELS)
@given(p_values=P_VALUES)
@settings(max_examples=60, deadline=None)
def test_adjusted_values_are_those_of_statsmodels(correction: Correction, p_values: list[float]) -> None:
    expected = multipletests(p_values, method=NAME_IN_STATSMODELS[correction])[1]
    np.testing.assert_allclose(adjust(p_values, correction), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("correction", Correction)
@given(p_values=P_VALUES)
@settings(max_examples=40, deadline=None)
def test_adjusting_never_lowers_and_keeps_the_order(correction: Correction, p_values: list[float]) -> None:
    adjusted = adjust(p_values, correction)
    assert (adjusted >= np.array(p_values) - 1e-15).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= -1e-15).all()


def test_no_p_values_give_none() -> None:
    assert len(adjust([])) == 0


@pytest.mark.parametrize(("given_values", "field"), [([0.1, 1.2], "p_values[1]"), ([float("nan")], "p_values[0]")])
def test_what_is_no_probability_is_refused(given_values: list[float], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        adjust(given_values)
    assert refused.value.field == field
