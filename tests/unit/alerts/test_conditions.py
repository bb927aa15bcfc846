from __future__ import annotations

import itertools

import pytest

from hallmark.alerts.conditions import KEPT_LOOKS, Standing, Tuning, alert_of, observe, record_of, stand
from tests.unit.alerts.observed import DAY, HOUR, MINUTE, NOON, seen

PLAIN = Tuning()


def after(pattern: str, tuning: Tuning = PLAIN, *, wait: int = 0) -> Standing:
    """Return how a condition stands after an observation a minute: ``x`` is bad, ``.`` is good."""
    looks = [seen(letter == "x", NOON + place * MINUTE) for place, letter in enumerate(pattern)]
    record = observe(record_of(looks[0]), looks)
    return stand(record, tuning, NOON + (len(pattern) - 1 + wait) * MINUTE)


@pytest.mark.parametrize(
    ("pattern", "tuning", "fires"),
    [
        ("x", Tuning(), True),
        (".", Tuning(), False),
        ("x.", Tuning(), False),
        ("x", Tuning(times=2, of=3), False),
        ("x.x", Tuning(times=2, of=3), True),
        ("x..x", Tuning(times=2, of=3), False),
        ("xx", Tuning(times=2, of=3), True),
        ("x.", Tuning(clears_after=2), True),
        ("x..", Tuning(clears_after=2), False),
        ("x.x.", Tuning(clears_after=2), True),
    ],
)
def test_so_many_of_so_many_make_it_fire_and_so_many_in_a_row_end_it(pattern: str, tuning: Tuning, fires: bool) -> None:
    assert (after(pattern, tuning).status == "firing") is fires


def test_it_began_when_it_fired_and_ended_when_it_was_clear() -> None:
    assert after(".x.") == Standing("resolved", NOON + MINUTE, NOON + 2 * MINUTE)
    assert after("xx.xx", Tuning(flap_changes=9)).starts_at == NOON + 3 * MINUTE


def test_what_nobody_tells_of_any_more_ends_by_itself_and_begins_anew() -> None:
    tuning = Tuning(expires=5 * MINUTE)

    assert after("x", tuning, wait=4).status == "firing"
    assert after("x", tuning, wait=5) == Standing("resolved", NOON, NOON + 5 * MINUTE)
    late = observe(record_of(seen(True)), [seen(True), seen(True, NOON + HOUR)])
    assert stand(late, tuning, NOON + HOUR) == Standing("firing", NOON + HOUR)


def test_what_comes_and_goes_counts_as_firing_until_it_stays_away() -> None:
    tuning = Tuning(flap_changes=4, flap_hold=10 * MINUTE)

    assert after("x.x", tuning).flapping is False
    assert after("x.x.", tuning) == Standing("firing", NOON, None, flapping=True)
    assert after("x.x.", tuning, wait=9).status == "firing"
    assert after("x.x.", tuning, wait=10).status == "resolved"


def test_of_two_events_of_one_moment_the_bad_one_counts() -> None:
    looks = [seen(True, NOON - DAY), seen(False, id="a"), seen(True, id="b")]

    for order in itertools.permutations(looks):
        assert stand(observe(record_of(looks[0]), order), Tuning(), NOON) == Standing("firing", NOON - DAY)


def test_the_order_and_the_number_of_deliveries_do_not_matter() -> None:
    looks = [seen(letter == "x", NOON + place * MINUTE) for place, letter in enumerate("x.x.x")]
    whole = observe(record_of(looks[0]), looks)

    for order in itertools.permutations(looks):
        record = record_of(looks[0])
        for look in (*order, order[0]):
            record = observe(record, [look])
        assert record == whole


def test_only_the_newest_looks_are_kept_and_an_older_one_changes_nothing() -> None:
    looks = [seen(True, NOON + place * MINUTE) for place in range(KEPT_LOOKS + 5)]
    record = observe(record_of(looks[0]), looks)

    assert len(record.looks) == KEPT_LOOKS
    assert observe(record, [seen(False, NOON)]).looks == record.looks


def test_an_alert_says_what_it_was_while_it_fires_and_how_it_is_when_it_is_over() -> None:
    record = observe(record_of(seen(True)), [seen(True), seen(False, NOON + MINUTE)])

    assert alert_of(record, Standing("firing", NOON)).summary == "it drifted"
    over = alert_of(record, Standing("resolved", NOON, NOON + MINUTE))
    assert (over.summary, over.ends_at) == ("it is well", NOON + MINUTE)
    with pytest.raises(ValueError, match="never bad"):
        alert_of(record_of(seen(False)), Standing("resolved"))
