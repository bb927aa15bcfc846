"""The decision table of what a receiver needs to be told, case by case."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hallmark.alerts.deduplication import Told, need_of_telling
from tests.unit.alerts.observed import HOUR, MINUTE, NOON, SECOND

REPEAT = HOUR


def log(firing: str = "", resolved: str = "", *, age: object = SECOND) -> Told:
    return Told.model_validate(
        {"at": NOON - age, "firing": dict.fromkeys(firing, NOON), "resolved": frozenset(resolved)}  # type: ignore[operator]
    )


LONG_AGO, LATELY = 11 * MINUTE, 9 * MINUTE
NEVER = NOON - datetime(1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "firing", "resolved", "send_resolved", "told"),
    [
        (None, "234", "", False, True),
        (None, "", "234", False, False),
        (log("123"), "234", "", False, True),
        (log("123", age=NEVER), "123", "", False, True),
        (log("123", age=LATELY), "123", "", False, False),
        (log("123", age=LONG_AGO), "123", "", False, True),
        (log("", "123", age=LONG_AGO), "", "345", True, False),
        (log("12", "3", age=LATELY), "1", "23", False, False),
        (log("12", "3", age=LATELY), "1", "23", True, True),
        (log("12", "3", age=LATELY), "", "123", False, True),
        (log("12", "3", age=LATELY), "", "123", True, True),
    ],
)
def test_it_decides_as_alertmanager_does(
    known: Told | None, firing: str, resolved: str, send_resolved: bool, told: bool
) -> None:
    """The eleven cases of ``TestDedupStageNeedsUpdate`` (Prometheus Alertmanager), repeated after ten minutes."""
    need = need_of_telling(
        known, set(firing), set(resolved), send_resolved=send_resolved, repeat_interval=10 * MINUTE, now=NOON
    )

    assert (need is not None) is told


@pytest.mark.parametrize(
    ("known", "firing", "resolved", "send_resolved", "expected"),
    [
        # Nothing was ever told.
        (None, "ab", "", True, "first"),
        (None, "ab", "c", True, "first"),
        (None, "", "", True, None),
        (None, "", "a", True, None),  # an end without a beginning
        # Something fires that was not told.
        (log("a"), "ab", "", True, "new_alerts"),
        (log("ab"), "bc", "", True, "new_alerts"),
        (log("", "a"), "a", "", True, "first"),  # what was told last was the end of all
        # All that fires was told.
        (log("ab"), "ab", "", True, None),
        (log("ab"), "a", "", True, None),
        # Nothing fires any more.
        (log("a"), "", "a", True, "resolved"),
        (log("a"), "", "a", False, "resolved"),  # forgotten, though nobody hears of it
        (log("", "a"), "", "a", True, None),
        (log("", "a"), "", "ab", True, None),
        # Some of it is over.
        (log("ab"), "a", "b", True, "resolved"),
        (log("ab"), "a", "b", False, None),
        (log("abc", "c"), "ab", "c", True, None),
        (log("abc", "c"), "a", "bc", True, "resolved"),
        # It was told long ago.
        (log("a", age=REPEAT), "a", "", True, "repeat"),
        (log("a", age=REPEAT - SECOND), "a", "", True, None),
        (log("a", age=REPEAT), "a", "", False, "repeat"),
        (log("", "a", age=REPEAT), "", "a", True, None),
    ],
)
def test_a_receiver_is_told_what_it_does_not_know(
    known: Told | None, firing: str, resolved: str, send_resolved: bool, expected: str | None
) -> None:
    need = need_of_telling(
        known, set(firing), set(resolved), send_resolved=send_resolved, repeat_interval=REPEAT, now=NOON
    )

    assert need == expected
