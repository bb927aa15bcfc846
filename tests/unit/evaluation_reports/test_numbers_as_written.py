from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.evaluation.comparison.report import Span
from hallmark.evaluation.reports.figures import Scale, write_p, write_percent, write_share, write_usd

PLAIN = Scale(is_rate=False)
RATE = Scale(is_rate=True)


def span(low: float | None, high: float | None) -> Span:
    return Span(low=low, high=high, confidence=0.95, method="t")


@pytest.mark.parametrize(
    ("scale", "value", "low", "high", "expected"),
    [
        (RATE, 0.8734, 0.81, 0.91, "87.3 % (81.0 to 91.0)"),
        (RATE, 0.8734, 0.6, 0.97, "87 % (60 to 97)"),
        (RATE, 0.87341, 0.8712, 0.8756, "87.34 % (87.12 to 87.56)"),
        (PLAIN, 23.3914, 22.8, 24.0, "23.39 (22.80 to 24.00)"),
        (Scale(is_rate=False, unit="ms"), 1234.56, 1100.0, 1400.0, "1,235 ms (1,100 to 1,400)"),
        (Scale(is_rate=False, unit="USD"), 0.000161, 0.000155, 0.000168, "$0.0001610 (0.0001550 to 0.0001680)"),
    ],
)
def test_a_number_has_the_digits_that_its_interval_justifies(
    scale: Scale, value: float, low: float, high: float, expected: str
) -> None:
    assert scale.estimate(value, span(low, high)) == expected


def test_a_difference_of_rates_is_in_percentage_points_with_its_sign() -> None:
    assert RATE.estimate(-0.034, span(-0.06, -0.01), signed=True) == "\u22123.4 pp (\u22126.0 to \u22121.0)"


def test_an_open_end_is_a_question_mark() -> None:
    assert PLAIN.estimate(9.0, span(5.0, None)) == "9.0 (5.0 to ?)"


def test_without_an_interval_four_digits_are_written() -> None:
    assert [PLAIN.value(value) for value in (1234.567, 0.0123456, 0.0, None)] == ["1,235", "0.01235", "0", "\u2013"]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e5))
def test_what_is_written_lies_within_a_twentieth_of_the_interval_of_what_is_meant(value: float, half: float) -> None:
    shown = PLAIN.value(value, span(value - half, value + half)).replace("\u2212", "-").replace(",", "")

    assert float(shown) == pytest.approx(value, abs=half / 20 * (1 + 1e-6) + 1e-7)


def test_a_rounded_zero_has_no_sign() -> None:
    assert PLAIN.number(-0.0001, 2, signed=True) == "0.00"


@pytest.mark.parametrize(
    ("p_value", "expected"),
    [(0.5012, "0.50"), (0.0432, "0.04"), (0.00432, "0.0043"), (1e-9, "< 0.0001"), (1.0, "1.00"), (None, "\u2013")],
)
def test_p_values_have_two_digits_and_no_more_zeros_than_anybody_reads(p_value: float | None, expected: str) -> None:
    assert write_p(p_value) == expected


def test_a_share_is_whole_only_if_all_are_there() -> None:
    assert [write_share(*each) for each in ((3000, 3000), (2999, 3000), (1, 3000), (0, 3000), (0, 0))] == [
        "100 %",
        "99.9 %",
        "0.1 %",
        "0 %",
        "\u2013",
    ]


def test_confidences_and_money_are_written_as_people_say_them() -> None:
    assert (write_percent(0.95), write_percent(0.99667)) == ("95 %", "99.7 %")
    assert [write_usd(amount) for amount in (12.3456, 0.0, 0.0123, 0.00004567)] == [
        "$12.35",
        "$0.00",
        "$0.012",
        "$0.000046",
    ]
