from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.sagemaker.search_space import find_fault, grid, grid_size, random_points

RANGES: dict[str, Any] = {
    "IntegerParameterRanges": [{"Name": "depth", "MinValue": "2", "MaxValue": "5"}],
    "ContinuousParameterRanges": [
        {"Name": "rate", "MinValue": "0.0001", "MaxValue": "1", "ScalingType": "Logarithmic"},
        {"Name": "keep", "MinValue": "0", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"},
    ],
    "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b"]}],
    "AutoParameters": [{"Name": "batch", "ValueHint": "32"}],
}


@given(st.integers(min_value=0))
def test_every_point_lies_within_its_ranges(seed: int) -> None:
    for point in itertools.islice(random_points(RANGES, seed), 20):
        assert 2 <= int(point["depth"]) <= 5
        assert 0.0001 <= float(point["rate"]) <= 1
        assert 0 <= float(point["keep"]) <= 0.999
        assert point["kind"] in {"a", "b"}
        assert point["batch"] == "32"


def test_the_same_seed_gives_the_same_points_and_another_gives_others() -> None:
    first, second, other = (list(itertools.islice(random_points(RANGES, seed), 5)) for seed in (1, 1, 2))

    assert first == second
    assert first != other


def test_logarithmic_scaling_spreads_the_values_over_the_orders_of_magnitude() -> None:
    rates = [float(point["rate"]) for point in itertools.islice(random_points(RANGES, 0), 2000)]

    below = sum(rate < 0.01 for rate in rates) / len(rates)

    assert math.isclose(below, 0.5, abs_tol=0.05)  # 0.01 is halfway between 0.0001 and 1


def test_reverse_logarithmic_scaling_favours_values_near_the_top() -> None:
    values = [float(point["keep"]) for point in itertools.islice(random_points(RANGES, 0), 2000)]

    above = sum(value > 1 - math.sqrt(0.001) for value in values) / len(values)

    assert math.isclose(above, 0.5, abs_tol=0.05)


def test_a_grid_has_every_combination_once() -> None:
    ranges = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1", "2"]}, {"Name": "y", "Values": ["a", "b"]}]}

    points = list(grid(ranges))

    assert len(points) == grid_size(ranges) == 4
    assert {(point["x"], point["y"]) for point in points} == {("1", "a"), ("1", "b"), ("2", "a"), ("2", "b")}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"MinValue": "5", "MaxValue": "2"}, "less than"),
        ({"MinValue": "low", "MaxValue": "2"}, "'low'"),
        ({"MinValue": "0", "MaxValue": "2", "ScalingType": "Logarithmic"}, "greater than 0"),
        ({"MinValue": "0", "MaxValue": "2", "ScalingType": "ReverseLogarithmic"}, "0 <= x < 1"),
    ],
)
def test_a_range_without_sense_is_found(entry: dict[str, str], words: str) -> None:
    fault = find_fault({"ContinuousParameterRanges": [{"Name": "rate", **entry}]}, "Random")

    assert fault is not None
    assert "rate" in fault
    assert words in fault


def test_a_grid_of_numbers_is_a_fault() -> None:
    assert find_fault(RANGES, "Random") is None
    assert "Grid" in str(find_fault(RANGES, "Grid"))
