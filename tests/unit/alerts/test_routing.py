from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest
import yaml

from hallmark.alerts.calendars import Digest, WeeklyHours
from hallmark.alerts.inhibition import is_inhibited
from hallmark.alerts.matching import covers, fits
from hallmark.alerts.notifications import SEVERITIES
from hallmark.alerts.routing import Routes, is_quiet
from hallmark.alerts.settings import InhibitionRule, Route, resolve_route
from hallmark.alerts.silences import make_silence, silencing
from hallmark.errors import InvalidInputError
from hallmark.policy.document import PolicyError, read_policy
from tests.unit.alerts.observed import DAY, HOUR, NOON, policy_of


@pytest.mark.parametrize(
    ("patterns", "value", "expected"),
    [
        (("a",), "a", True),
        (("a", "b"), "b", True),
        (("a*",), "abc", True),
        (("!a",), "b", True),
        (("!a",), "a", False),
        (("a*", "!ab*"), "abc", False),
        (("",), None, True),
        (("a",), None, False),
    ],
)
def test_a_matcher_fits_a_value_or_not(patterns: tuple[str, ...], value: str | None, expected: bool) -> None:
    assert fits({"x": patterns}, {} if value is None else {"x": value}) is expected


def test_matchers_cover_others_where_they_surely_take_all_of_them() -> None:
    assert covers({}, {"a": ("1",)})
    assert covers({"a": ("1*",)}, {"a": ("12",), "b": ("2",)})
    assert not covers({"a": ("1",)}, {"b": ("1",)})
    assert not covers({"a": ("1*",)}, {"a": ("!2",)})


def paths(labels: dict[str, str], *, owners: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    policy = policy_of(
        routes=[
            {"name": "all", "match": {"severity": ["error", "critical"]}, "receiver": "chat", "continue": True},
            {
                "name": "production",
                "match": {"stage": "production"},
                "routes": [{"name": "duty", "match": {"severity": "critical"}, "receiver": "duty"}],
            },
            {"name": "late", "match": {"stage": "prod*"}},
        ]
    ).model_copy(update={"owners": {"ada": "chat", "bob": "duty"}})
    return [(key.route, key.receiver) for key in Routes(policy).groups_of(labels, owners)]


def test_the_first_child_that_fits_takes_an_alert_and_those_after_one_that_goes_on() -> None:
    assert paths({"severity": "info"}) == [("root", "mail")]
    assert paths({"severity": "error"}) == [("root/all", "chat")]
    assert paths({"severity": "info", "stage": "production"}) == [("root/production", "mail")]
    assert paths({"severity": "critical", "stage": "production"}) == [
        ("root/all", "chat"),
        ("root/production/duty", "duty"),
    ]


def test_an_owner_is_told_unless_a_route_tells_the_same_receiver() -> None:
    assert paths({"severity": "info"}, owners=("ada", "nobody")) == [("root", "mail"), ("owners", "chat")]
    assert paths({"severity": "error"}, owners=("ada",)) == [("root/all", "chat")]


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    night = WeeklyHours(weekdays=("friday",), start=time(22), end=time(6))

    assert night.has(datetime(2026, 11, 6, 23, tzinfo=UTC))
    assert night.has(datetime(2026, 11, 7, 5, 59, tzinfo=UTC))
    assert not night.has(datetime(2026, 11, 7, 23, tzinfo=UTC))
    assert not night.has(datetime(2026, 11, 6, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    ("at", "works"),
    [
        (datetime(2026, 7, 1, 6, 59, tzinfo=UTC), False),
        (datetime(2026, 7, 1, 7, 0, tzinfo=UTC), True),  # 09:00 in summer
        (datetime(2026, 7, 1, 14, 59, tzinfo=UTC), True),
        (datetime(2026, 7, 1, 15, 0, tzinfo=UTC), False),
        (datetime(2026, 12, 2, 7, 0, tzinfo=UTC), False),
        (datetime(2026, 12, 2, 8, 0, tzinfo=UTC), True),  # 09:00 in winter
        (datetime(2026, 12, 3, 12, 0, tzinfo=UTC), False),  # a Thursday
    ],
)
def test_business_hours_are_those_of_their_time_zone_all_the_year(at: datetime, works: bool) -> None:
    assert policy_of().time_intervals["office"].has(at) is works
    assert is_quiet(resolve_route(Route(receiver="mail", active_times=("office",))), policy_of(), at) is not works


def test_the_shipped_policy_has_a_tier_for_each_severity() -> None:
    policy = read_policy(Path(__file__).parents[3] / "hallmark.yaml").alerts
    routes = Routes(policy)
    tiers = {}
    for severity in SEVERITIES:
        (key,) = routes.groups_of({"severity": severity})
        route = routes.find(key.route, key.receiver)
        assert route is not None
        steps = [policy.receivers[step.receiver].channel for step in route.escalate]
        tiers[severity] = (policy.receivers[key.receiver].channel, route.digest is not None, steps)

    assert tiers == {
        "info": ("email", True, []),
        "warning": ("email", False, ["slack"]),
        "error": ("slack", False, ["pagerduty"]),
        "critical": ("pagerduty", False, ["email"]),
    }


def test_a_digest_keeps_its_hour_when_the_clocks_change() -> None:
    digest = Digest.model_validate({"at": "08:00", "time_zone": "Europe/Berlin"})
    before = digest.after(datetime(2026, 10, 24, 0, tzinfo=UTC))

    assert before == datetime(2026, 10, 24, 6, tzinfo=UTC)
    assert digest.after(before) == datetime(2026, 10, 25, 7, tzinfo=UTC)
    workdays = Digest.model_validate({"weekdays": ["monday"]})
    assert workdays.after(NOON) == datetime(2026, 11, 9, 8, tzinfo=UTC)


RULES = (InhibitionRule(source={"name": ("Down*",)}, target={"name": ("D*",)}, equal=("subject",)),)


def test_one_that_fits_both_sides_is_not_muted_by_another_one_that_does() -> None:
    down = {"name": "Down", "subject": "live"}

    assert is_inhibited({"name": "Drift", "subject": "live"}, [down], RULES)
    assert not is_inhibited({"name": "Drift", "subject": "other"}, [down], RULES)
    assert not is_inhibited({"name": "Downer", "subject": "live"}, [down], RULES)
    assert not is_inhibited(down, [down], RULES)
    assert is_inhibited({"name": "Drift"}, [{"name": "Down"}], RULES)  # both lack the label


def test_a_silence_says_of_what_why_and_until_when() -> None:
    silence = make_silence({"name": ("Drift*",)}, "ada", "maintenance", NOON, HOUR)

    assert silencing({"name": "DriftDetected"}, [silence], NOON) == silence
    assert silencing({"name": "DriftDetected"}, [silence], NOON + HOUR) is None
    assert silencing({"name": "Other"}, [silence], NOON) is None
    for match, author, reason, length in (
        ({}, "ada", "why", HOUR),
        ({"a": ("b",)}, "ada", " ", HOUR),
        ({"a": ("b",)}, "", "why", HOUR),
        ({"a": ("b",)}, "ada", "why", 91 * DAY),
    ):
        with pytest.raises(InvalidInputError):
            make_silence(match, author, reason, NOON, length)


def written(folder: Path, **alerts: Any) -> Path:
    receivers = {"mail": {"email": {}}, "chat": {"slack": {"webhook_secret": "hook"}}}
    content = {"alerts": {"receivers": receivers, "route": {"receiver": "mail"}, **alerts}}
    file = folder / "policy.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


@pytest.mark.parametrize(
    ("alerts", "told"),
    [
        (
            {"route": {"receiver": "nobody"}},
            r"alerts\.route\.receiver is 'nobody': there is no such receiver: take one of",
        ),
        ({"route": {}}, r"alerts\.route\.receiver is None: name who is told"),
        ({"route": {"receiver": "mail", "match": {"a": "b"}}}, r"the first route takes every alert"),
        (
            {"route": {"receiver": "mail", "repeat_interval": "1 minute"}},
            r"alerts\.route\.repeat_interval is '0:01:00': a group is told every 0:05:00 at most",
        ),
        (
            {"route": {"receiver": "mail", "routes": [{"match": {"stage": "*"}}, {"match": {"stage": "b"}}]}},
            r"alerts\.route\.routes\[1\]\.match is .*nothing reaches it",
        ),
        (
            {"route": {"receiver": "mail", "escalate": [{"after": "1 hour", "receiver": "mail"}]}},
            r"escalate\[0\]\.receiver is 'mail': it was told before on this way",
        ),
        (
            {"route": {"receiver": "mail", "mute_times": ["night"]}},
            r"mute_times\[0\] is 'night': there is no such time interval: take one of none yet",
        ),
        (
            {"route": {"receiver": "mail", "routes": [{"match": {"severity": ["fatal", "error"]}}]}},
            r"routes\[0\]\.match\.severity is 'fatal': no alert has such a severity: take one of info, warning",
        ),
        (
            {"route": {"receiver": "mail", "routes": [{"match": {"name": "!Drifted*"}}]}},
            r"routes\[0\]\.match\.name is '!Drifted\*': no alert has such a name: take one of QualityGate",
        ),
        (
            {"route": {"receiver": "mail", "routes": [{"match": {"stag": "production"}}]}},
            r"routes\[0\]\.match is 'stag': no alert has this label: take one of channel, gate",
        ),
        ({"route": {"receiver": "mail", "group_by": ["subjct"]}}, r"alerts\.route\.group_by is 'subjct': no alert has"),
        (
            {"inhibition": [{"source": {"name": "EndpointDwn"}, "target": {"name": "Drift*"}}]},
            r"alerts\.inhibition\[0\]\.source\.name is 'EndpointDwn': no alert has such a name",
        ),
        (
            {"inhibition": [{"source": {"name": "Endpoint*"}, "target": {}, "equal": ["endpoint"]}]},
            r"alerts\.inhibition\[0\]\.equal is 'endpoint': no alert has this label",
        ),
        ({"receivers": {"both": {}}}, r"alerts\.receivers\.both is 'no channel': give it one of"),
        ({"rules": {"Drifted": {}}}, r"alerts\.rules\.Drifted is 'Drifted': there is no such kind of alert"),
        ({"owners": {"ada": "ada"}}, r"alerts\.owners\.ada is 'ada': there is no such receiver"),
        ({"rules": {"DriftDetected": {"fires_after": "3 of 2"}}}, r"write the smaller number first"),
        ({"time_intervals": {"x": {"time_zone": "Mars", "hours": [{}]}}}, r"write a time zone as Europe/Berlin"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_with_line_field_value_and_remedy(
    tmp_path: Path, alerts: dict[str, Any], told: str
) -> None:
    with pytest.raises(PolicyError, match=rf"policy\.yaml:\d+: (?s:.*){told}"):
        read_policy(written(tmp_path, **alerts))


def test_the_line_is_that_of_the_fault(tmp_path: Path) -> None:
    file = written(tmp_path, route={"receiver": "mail", "routes": [{"receiver": "mial"}]})
    line = file.read_text().splitlines().index("    - receiver: mial") + 1

    with pytest.raises(PolicyError, match=rf"policy\.yaml:{line}: alerts\.route\.routes\[0\]\.receiver is 'mial'"):
        read_policy(file)
