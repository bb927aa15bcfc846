from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.events.spelling import api_spelling, spell_all
from hallmark.events.tags import parse_tags
from hallmark.events.times import parse_time

MOMENT = datetime(2020, 3, 10, 9, 18, 9, 50_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1583831889050", MOMENT),
        (1583831889050, MOMENT),
        (1583831889050.0, MOMENT),
        ("1583831889050.0", MOMENT),
        ("1.58383188905E12", MOMENT),
        (1583831889, datetime(2020, 3, 10, 9, 18, 9, tzinfo=UTC)),
        ("2020-03-10T09:18:09.050Z", MOMENT),
        ("2020-03-10T09:18:09.050000000Z", MOMENT),
        ("2020-03-10T10:18:09.050+0100", MOMENT),
        ("2020-03-10T09:18:09.050", MOMENT),
        ("2022-12-03T00:09:44.893854735Z", datetime(2022, 12, 3, 0, 9, 44, 893854, tzinfo=UTC)),
        ("Wed Aug 28 22:58:30 UTC 2024", datetime(2024, 8, 28, 22, 58, 30, tzinfo=UTC)),
        ("Aug 28, 2024, 10:47:53 PM", datetime(2024, 8, 28, 22, 47, 53, tzinfo=UTC)),
        ("Aug 28, 2024, 10:47:53\u202fPM", datetime(2024, 8, 28, 22, 47, 53, tzinfo=UTC)),
        (MOMENT, MOMENT),
    ],
)
def test_every_way_in_which_aws_writes_a_time_is_read(written: object, expected: datetime) -> None:
    assert parse_time(written) == expected


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_time_is_no_time(nothing: object) -> None:
    assert parse_time(nothing) is None


@pytest.mark.parametrize("garbage", ["yesterday", "2020-13-40", True, [1], {"a": 1}, float("inf"), float("nan"), 1e300])
def test_what_is_no_time_is_refused(garbage: object) -> None:
    with pytest.raises(ValueError, match="epoch milliseconds"):
        parse_time(garbage)


@given(st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001 - strategies are naive
def test_milliseconds_survive_as_number_text_and_float(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC, microsecond=naive.microsecond // 1000 * 1000)
    milliseconds = round(moment.timestamp() * 1000)

    assert {parse_time(way) for way in (milliseconds, float(milliseconds), str(milliseconds))} == {moment}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, None),
        ({}, {}),
        ({"team": "fraud", "none": None, "number": 7}, {"team": "fraud", "none": "", "number": "7"}),
        ([{"Key": "team", "Value": "fraud"}], {"team": "fraud"}),
        ([{"key": "team", "value": "fraud"}], {"team": "fraud"}),
        ([{"Key": "team"}], {"team": ""}),
    ],
)
def test_tags_are_read_as_map_and_as_list(written: object, expected: object) -> None:
    assert parse_tags(written) == expected


@pytest.mark.parametrize("garbage", ["team=fraud", [1], [{"Name": "x"}], 3])
def test_what_is_no_tags_is_refused(garbage: object) -> None:
    with pytest.raises(ValueError, match="tags are"):
        parse_tags(garbage)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("IN_SERVICE", "InService"),
        ("UPDATE_ROLLBACK_FAILED", "UpdateRollbackFailed"),
        ("FULLYREPLICATED", "FullyReplicated"),
        ("MANIFEST_FILE", "ManifestFile"),
        ("InService", "InService"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
        ("another status... GO", "another status... GO"),
    ],
)
def test_upper_case_words_get_the_spelling_of_the_api(written: str, expected: str) -> None:
    assert api_spelling(written) == expected


def test_texts_of_users_keep_their_spelling() -> None:
    section = {"S3Input": {"S3Uri": "s3://NONE/FILE", "S3InputMode": "FILE"}, "InputName": "PIPE"}

    assert spell_all(section) == {"S3Input": {"S3Uri": "s3://NONE/FILE", "S3InputMode": "File"}, "InputName": "PIPE"}
