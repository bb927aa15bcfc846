from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.main import get_command

from hallmark.cli.main import app
from hallmark.cli.times import read_time

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("now", timedelta()),
        ("90s", timedelta(seconds=90)),
        ("5 minutes ago", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("3d ago", timedelta(days=3)),
        ("1 week ago", timedelta(weeks=1)),
    ],
)
def test_a_time_may_be_told_from_now(text: str, ago: timedelta) -> None:
    assert read_time(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T14:00", datetime(2026, 11, 20, 14, tzinfo=UTC)),
        ("2026-11-20T14:00:00Z", datetime(2026, 11, 20, 14, tzinfo=UTC)),
        ("2026-11-20T14:00+02:00", datetime(2026, 11, 20, 12, tzinfo=UTC)),
    ],
)
def test_a_time_may_be_told_as_iso_8601_in_utc_unless_it_says_otherwise(text: str, meant: datetime) -> None:
    assert read_time(text, NOW) == meant


@pytest.mark.parametrize("text", ["", "yesterday", "3 fortnights", "2026-13-01", "-2h", "99999999999d"])
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="write 2026-11-20"):
        read_time(text, NOW)


READS = [
    *("trace", "show", "path", "impact", "diff", "list", "graph", "why", "live", "bisect", "export", "reproduce"),
    *("who", "approvals", "reasons", "blast delete", "blast reject", "blast roll", "subjects find"),
]


@pytest.mark.parametrize("words", READS)
def test_every_question_about_lineage_may_be_asked_of_two_times(words: str) -> None:
    command: Any = get_command(app)
    for word in words.split():
        command = command.commands[word]

    assert {"as_of", "known_at"} <= {each.name for each in command.params}
