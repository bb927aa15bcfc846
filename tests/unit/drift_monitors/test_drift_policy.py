from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from hallmark.drift.settings import ANY_KIND, HAS_READING, ON_EMBEDDINGS, DriftPolicy, Monitor, Statistic
from hallmark.drift.statistics import checks
from hallmark.policy.document import PolicyError, read_policy

MONITOR: dict[str, Any] = {
    "endpoint": "live",
    "source": {"kind": "data_capture", "location": "s3://team/captured"},
    "features": {"size": {"select": "$.input[0]"}, "colour": {"kind": "categorical", "select": "$.input[1]"}},
}


def test_the_policy_has_the_statistics_that_there_are() -> None:
    on_profiles = set(checks.Statistic) - checks.ON_EMBEDDINGS
    assert set(get_args(Statistic)) == {statistic.value for statistic in checks.Statistic}
    assert {statistic.value for statistic in checks.ON_EMBEDDINGS} == ON_EMBEDDINGS
    assert {each.value for each in on_profiles if len(checks.NORMS[each].kinds) > 1} == ANY_KIND
    assert {each.value for each, norm in checks.NORMS.items() if norm.has_reading} == HAS_READING


def test_a_text_is_watched_by_its_traits() -> None:
    monitor = Monitor.model_validate(
        {**MONITOR, "features": {"answer": {"kind": "text", "select": "$.output", "traits": ["length", "language"]}}}
    )

    assert monitor.profiled() == {"answer.length": "numeric", "answer.language": "categorical"}
    assert monitor.judged_by(monitor.checks[0]) == ["answer.length", "answer.language"]


def test_a_check_judges_what_it_names_or_all_that_it_can() -> None:
    monitor = Monitor.model_validate({**MONITOR, "checks": ["jensen_shannon", "p95_ratio"]})

    assert [monitor.judged_by(check) for check in monitor.checks] == [["size", "colour"], ["size"]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "m"}, "name what is watched: one of endpoint, model and suite"),
        ({"endpoint": None, "model": "m"}, "the source data_capture needs the subject endpoint"),
        ({"every": "90 seconds"}, "every must be whole minutes"),
        ({"every": "1 hour", "window": "90 minutes"}, "window must be 1 to 1000 times every"),
        ({"checks": [{"ks": {}}]}, "Input should be 'jensen_shannon'"),
        ({"checks": [{"p95_ratio": {"features": ["colour"]}}]}, "they are categories"),
        ({"checks": ["mmd"]}, "add the trait embedding to a text"),
        (
            {"features": {"answer": {"kind": "text", "select": "$.answer", "traits": ["embedding"]}}},
            "vectors, which mmd and domain_classifier judge",
        ),
        ({"checks": [{"psi": {"features": ["weight"]}}]}, "names the feature weight: there are colour, size"),
        ({"checks": ["psi", {"psi": {"features": ["size"]}}]}, "judges a feature twice"),
        ({"checks": [{"psi": {"reading": "relative"}}]}, "leave reading out"),
        ({"features": {"size": {"select": "input[0]"}}}, "write the way to a value"),
        ({"actions": [{"retrain": {}}]}, "Field required"),
        ({"colour": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_a_monitor_that_cannot_be_is_refused_with_the_reason(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("[", r"\[")):
        Monitor.model_validate({**MONITOR, **changes})


def test_a_baseline_that_is_captured_on_deployment_needs_an_endpoint() -> None:
    logs = {"kind": "invocation_logs", "location": "s3://team"}

    with pytest.raises(ValidationError, match="only an endpoint is deployed"):
        Monitor.model_validate({"model": "m", "source": logs, "features": {"length": {"select": "$.output_tokens"}}})


def test_a_bucket_that_may_not_be_read_is_named_with_the_remedy() -> None:
    with pytest.raises(ValidationError, match=r"monitor sizes reads s3://team/captured: add its bucket"):
        DriftPolicy.model_validate({"monitors": {"sizes": MONITOR}})


@pytest.mark.parametrize(
    ("monitor", "said"),
    [
        (
            {"actions": ["alert", {"gate": {"gate": "live"}}]},
            "drift.monitors.sizes.actions[1] is 'live': there is no such gate",
        ),
        (
            {"actions": [{"evaluate": {"suite": "answers"}}]},
            "drift.monitors.sizes.actions[0] is 'answers': there is no such suite",
        ),
        (
            {
                "endpoint": None,
                "suite": "answers",
                "source": {"kind": "evaluations", "variant": "m"},
                "baseline": {"kind": "rolling"},
            },
            "drift.monitors.sizes.suite is 'answers': there is no such suite",
        ),
    ],
)
def test_what_a_monitor_names_elsewhere_must_be_there(tmp_path: Path, monitor: dict[str, Any], said: str) -> None:
    file = tmp_path / "hallmark.yaml"
    drift = {"data_buckets": ["team"], "monitors": {"sizes": {**MONITOR, **monitor}}}
    file.write_text(yaml.safe_dump({"drift": drift}))

    with pytest.raises(PolicyError) as refused:
        read_policy(file)

    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{file}:")
