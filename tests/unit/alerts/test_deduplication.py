"""The decision table of what a receiver needs to be told, case by case."""

from __future__ import annotations

import pytest

from hallmark.alerts.deduplication import Told, need_of_telling
from tests.unit.alerts.observed import HOUR, NOON, SECOND

REPEAT = HOUR


def log(firing: str = "", resolved: str = "", *, age: object = SECOND) -> Told:
    return Told.model_validate(
        {"at": NOON - age, "firing": dict.fromkeys(firing, NOON), "resolved": frozenset(resolved)}  # type: ignore[operator]
    )


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
