"""Profiles are exact while they can be, merge in any order, and survive JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.drift.statistics.categories import MOST_CATEGORIES, OTHER, on_common_names
from hallmark.drift.statistics.histograms import MOST_BUCKETS, Histogram, doubles_of, keys_of, quantile
from hallmark.drift.statistics.profiles import Kind, Profile
from hallmark.errors import InvalidInputError

NUMBERS = st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.none() | st.booleans(), max_size=60)
SPLITS = st.lists(st.integers(0, 60), max_size=4)


def _document(profile: Profile) -> dict[str, object]:
    """All but the moments, which agree up to rounding only."""
    return {name: part for name, part in profile.to_document().items() if name not in {"mean", "squares"}}


def _parts(values: Sequence[object], places: Sequence[int]) -> list[Sequence[object]]:
    edges = [0, *sorted(min(place, len(values)) for place in places), len(values)]
    return [values[start:end] for start, end in pairwise(edges)]


@given(NUMBERS, SPLITS, st.randoms(use_true_random=True))
@settings(max_examples=150, deadline=None)
def test_parts_of_numbers_merge_in_any_order_and_grouping(values, places, random) -> None:  # type: ignore[no-untyped-def]
    whole = Profile.of(values, Kind.NUMERIC)
    parts = [Profile.of(part, Kind.NUMERIC) for part in _parts(values, places)]
    random.shuffle(parts)
    half = random.randrange(len(parts))
    left = reduce(Profile.merge, parts[half:])
    merged = reduce(lambda so_far, part: part.merge(so_far), parts[:half], left)

    assert _document(merged) == _document(whole)


@pytest.mark.parametrize("seed", range(3))
def test_parts_of_a_large_sample_have_the_buckets_of_the_whole(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.concatenate([random.normal(1000, 1, 30_000), random.lognormal(0, 2, 30_000), -random.random(5_000)])
    random.shuffle(values)
    whole = Profile.of(values, Kind.NUMERIC)
    parts = [Profile.of(part, Kind.NUMERIC) for part in np.array_split(values, 9)]
    random.shuffle(parts)
    grouped = reduce(Profile.merge, parts[:4]).merge(reduce(Profile.merge, parts[4:]))

    assert _document(grouped) == _document(whole)
    assert whole.numbers is not None
    assert MOST_BUCKETS / 4 < len(whole.numbers.keys) <= MOST_BUCKETS
    assert grouped.mean == pytest.approx(values.mean(), rel=1e-12)
    assert grouped.deviation == pytest.approx(values.std(ddof=1), rel=1e-12)


def test_few_distinct_values_are_kept_exactly_however_many_there_are() -> None:
    values = np.repeat([0.1, 0.25, -3.7, 1e300], 10_000)
    histogram = Histogram.of(values)

    assert (histogram.shift, histogram.values.tolist()) == (0, [-3.7, 0.1, 0.25, 1e300])
    assert histogram.counts.tolist() == [10_000] * 4


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
@settings(deadline=None)
def test_keys_keep_the_order_of_numbers_and_give_them_back(values: list[float]) -> None:
    found = np.array(sorted(values)) + 0.0

    keys = keys_of(found)

    assert np.all(keys[:-1] <= keys[1:])
    assert doubles_of(keys).tolist() == found.tolist()


def test_quantiles_of_buckets_are_near_those_of_the_values() -> None:
    values = np.random.default_rng(5).lognormal(5, 1, 200_000)
    histogram = Histogram.of(values)

    assert histogram.shift > 0
    for share in (0.01, 0.25, 0.5, 0.95, 0.999):
        assert quantile(histogram, share) == pytest.approx(np.quantile(values, share), rel=0.01)
    assert math.isnan(quantile(Histogram.of(np.zeros(0)), 0.5))


@given(st.lists(st.text(max_size=3) | st.none() | st.just(math.nan), max_size=40), SPLITS)
@settings(deadline=None)
def test_parts_of_categories_merge_in_any_order(values: list[object], places: list[int]) -> None:
    parts = [Profile.of(part, Kind.CATEGORICAL) for part in _parts(values, places)]

    assert reduce(Profile.merge, reversed(parts)).to_document() == Profile.of(values, Kind.CATEGORICAL).to_document()


def test_too_many_categories_are_counted_together_whatever_the_order() -> None:
    names = [f"user-{number}" for number in range(3 * MOST_CATEGORIES)]
    whole = Profile.of(names + names[:10], Kind.CATEGORICAL)
    parts = [Profile.of(names[start::5] + names[start:10:5], Kind.CATEGORICAL) for start in range(5)]
    merged = parts[3].merge(parts[0]).merge(parts[4].merge(parts[1].merge(parts[2])))

    assert merged.to_document() == whole.to_document()
    assert whole.categories is not None
    assert (len(whole.categories.counts), whole.present) == (MOST_CATEGORIES, len(names) + 10)
    few = Profile.of(names[:30] * 10, Kind.CATEGORICAL)
    assert few.categories is not None
    shown, many, less = on_common_names(whole.categories, few.categories)
    assert (shown[-1], int(many.sum()), int(less.sum())) == (OTHER, len(names) + 10, 300)
    # What lost its name in one of them counts as other in both, and never as new.
    assert (many > 0).all()
    assert 0 < less[-1] < 300


def test_missing_values_nan_and_infinity_are_counted_apart() -> None:
    profile = Profile.of([1.0, None, math.nan, math.inf, -math.inf, True], Kind.NUMERIC)

    assert (profile.count, profile.present, profile.missing, profile.nan, profile.infinite) == (6, 2, 1, 1, 2)
    assert profile.mean == 1.0
    named = Profile.of(["a", None, math.nan, True], Kind.CATEGORICAL)
    assert (named.count, named.present, named.missing, named.nan) == (4, 2, 1, 1)


@pytest.mark.parametrize("values", [[], [None], [1, 2, 2], list(np.random.default_rng(0).normal(size=20_000))])
def test_a_numeric_profile_survives_json(values: list[float]) -> None:
    profile = Profile.of(values, Kind.NUMERIC)
    text = json.dumps(profile.to_document(), allow_nan=False)

    assert Profile.from_document(json.loads(text)).to_document() == profile.to_document()
    assert len(text) < 100_000


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": 2}, "profile.version"),
        ({"kind": "picture"}, "profile.kind"),
        ({"missing": -1}, "profile.missing"),
        ({"counts": [1]}, "profile.values"),
        ({"values": [2.0, 1.0]}, "profile.values"),
        ({"surprise": 1}, "profile.surprise"),
    ],
)
def test_a_document_that_is_none_is_refused_by_name(change: dict[str, object], field: str) -> None:
    document = {**Profile.of([1.0, 2.0], Kind.NUMERIC).to_document(), **change}

    with pytest.raises(InvalidInputError) as refused:
        Profile.from_document(document)
    assert (refused.value.field, "capture the baseline anew" in refused.value.remedy) == (field, True)


@pytest.mark.parametrize("values", [["1"], [b"1"], [[1.0]], [object()], [10**400]])
def test_what_is_no_number_is_refused(values: list[object]) -> None:
    with pytest.raises(InvalidInputError):
        Profile.of(values, Kind.NUMERIC)


def test_categories_that_cannot_be_counted_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="write lists and the like as texts"):
        Profile.of([["a"]], Kind.CATEGORICAL)


def test_profiles_of_different_kinds_do_not_merge() -> None:
    numbers = Profile.of([1], Kind.NUMERIC)

    with pytest.raises(InvalidInputError, match="same kind"):
        numbers.merge(Profile.of(["a"], Kind.CATEGORICAL))
    with pytest.raises(InvalidInputError, match="same kind"):
        Profile.of(["a"], Kind.CATEGORICAL, like=numbers)


def test_buckets_are_no_finer_than_those_of_the_profile_that_is_to_be_matched() -> None:
    baseline = Profile.of(np.random.default_rng(1).normal(size=50_000), Kind.NUMERIC)
    window = Profile.of([0.1, 0.2, 0.3], Kind.NUMERIC, like=baseline)

    assert baseline.numbers is not None
    assert window.numbers is not None
    assert window.numbers.shift == baseline.numbers.shift > 0


def test_numbers_too_large_to_square_do_no_harm() -> None:
    profile = Profile.of([1e308, -1e308, 1e308], Kind.NUMERIC).merge(Profile.of([-1e308] * 2, Kind.NUMERIC))

    assert profile.present == 5
    assert Profile.from_document(json.loads(json.dumps(profile.to_document()))).present == 5
