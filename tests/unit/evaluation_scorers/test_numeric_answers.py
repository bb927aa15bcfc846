"""Numbers in answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.evaluation.results import Score
from hallmark.evaluation.scorers.numeric import Mark, numbers_in


class Scoring(Protocol):
    def __call__(self, name: str, text: str, expected: object = (), **parameters: object) -> dict[str, Score]: ...


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,234.5", ["1234.5"]),
        ("It costs $1,200.50.", ["1200.50"]),
        ("-$4.50", ["-4.50"]),
        ("\u22127 degrees", ["-7"]),
        ("3/4", ["0.75"]),
        ("1 1/2 cups", ["1.5"]),
        ("½", ["0.5"]),
        ("2½ cups", ["2.5"]),
        ("6.02e23", ["6.02E+23"]),
        ("6.02 x 10^23", ["6.02E+23"]),
        ("6.02·10²³", ["6.02E+23"]),
        ("1.5 * 10^-3", ["0.0015"]),
        ("2.5 million people", ["2.5E+6"]),
        ("GPT-4 says 5", ["4", "5"]),
        ("between 3-5", ["3", "5"]),
        ("1'000'000", ["1000000"]),
        ("x=5km", ["5"]),
        ("H2O and v1.2.3", []),
        ("1/0", []),
        ("1e999999", []),
        ("9" * 80, []),
        ("none", []),
        ("", []),
    ],
)
def test_numbers_are_read_however_they_are_written(text: str, numbers: list[str]) -> None:
    assert [number.value for number in numbers_in(text)] == [Decimal(number) for number in numbers]


def test_a_decimal_comma_can_be_asked_for() -> None:
    assert [number.value for number in numbers_in("1.234,5 und 2,5", "comma")] == [Decimal("1234.5"), Decimal("2.5")]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12))
def test_what_python_writes_is_read_back(number: Decimal) -> None:
    marks: tuple[tuple[Mark, str], ...] = (("point", f"{number:,}"), ("point", str(number)))

    for mark, text in marks:
        assert [found.value for found in numbers_in(f"It is {text} then.", mark)] == [number]


@pytest.mark.parametrize(
    ("answer", "expected", "parameters", "value"),
    [
        ("First 3, then 4. The answer is 42.", "42", {}, 1),
        ("42 is the answer, not 41", "42", {}, 0),
        ("42 is the answer, not 41", "42", {"take": "first"}, 1),
        ("42 or 41", "42", {"take": "only"}, 0),
        ("0.1", "0.1", {}, 1),
        ("3.14", "3.14159", {}, 0),
        ("3.14", "3.14159", {"absolute": 0.01}, 1),
        ("98", "100", {"relative": 0.02}, 1),
        ("97.9", "100", {"relative": 0.02}, 0),
        ("1,000", "1000", {}, 1),
        ("12 %", "12", {}, 1),
        ("12 %", "0.12", {}, 1),
        ("12", "12%", {}, 1),
        ("12 %", "12 percent", {}, 1),
        ("12 %", "1200 %", {}, 0),
        ("0.12", "1200 %", {}, 0),
        ("no idea", "42", {}, 0),
        ("9007199254740993", "9007199254740992", {}, 0),
    ],
)
def test_an_answer_is_right_within_its_tolerance(
    score: Scoring, answer: str, expected: str, parameters: dict[str, object], value: float
) -> None:
    assert score("numeric", answer, expected, **parameters)["numeric"].value == value


def test_an_expected_answer_that_is_no_number_is_a_failure(score: Scoring) -> None:
    assert score("numeric", "42", "many")["numeric"].failure == "the expected answer 'many' is not one number"


def test_a_hundred_thousand_numbers_are_read_in_time(score: Scoring) -> None:
    assert score("numeric", "1," * 100_000 + "7", "7")["numeric"].value == 1
