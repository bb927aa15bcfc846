from __future__ import annotations

import json
from datetime import timedelta

import pytest

from hallmark.drift.ports import EndpointInfo
from hallmark.drift.reports import DriftReport
from hallmark.errors import UnavailableError
from hallmark.events.drift import BaselineCaptured, MonitorFailed, MonitorReported
from tests.fakes.watched_monitor import ARN, CAPTURED, HOUR, NOON, Watched

SHIFT = 5.0


@pytest.fixture
def rolling() -> Watched:
    """A monitor with a day of traffic before noon, against the six windows before each."""
    watched = Watched(baseline={"kind": "rolling", "windows": 6})
    for hours in range(1, 25):
        watched.call(NOON - hours * HOUR)
    return watched


@pytest.fixture
def deployed() -> Watched:
    """A monitor of an endpoint that was deployed at noon."""
    watched = Watched(baseline={"kind": "deployment", "windows": 2})
    watched.endpoints.info = EndpointInfo(ARN, "live-v1", NOON - timedelta(minutes=20), CAPTURED)
    return watched


def report_of(watched: Watched, key: str | None) -> DriftReport:
    return DriftReport.model_validate_json(watched.own.objects[f"{key}/report.json"])


def test_traffic_like_the_baselines_is_clear(rolling: Watched) -> None:
    looked = rolling.look(NOON)

    report = report_of(rolling, looked.look.key)
    assert (looked.look.outcome, report.records, report.baseline_records) == ("clear", 200, 1200)
    assert rolling.names() == ["BaselineCaptured"]


def test_shifted_traffic_is_drift_told_once_with_its_lineage(rolling: Watched) -> None:
    rolling.call(NOON, shift=SHIFT)
    rolling.look(NOON)
    rolling.names()

    looked = rolling.look(NOON + HOUR)

    detected = next(told.event for told in rolling.told if told.detail_type == "DriftDetected")
    assert isinstance(detected, MonitorReported)
    assert looked.look.outcome == "drifted"
    assert (detected.report, detected.actions) == (looked.look.report, ["alert"])
    assert detected.findings[0].feature == "size"
    assert detected.findings[0].is_drifted
    assert [(flow.node.kind, flow.node.id, flow.direction) for flow in detected.lineage.flows] == [
        ("endpoint-config", ARN.replace("endpoint/live", "endpoint-config/live-v1"), "in"),
        ("baseline", detected.baseline, "in"),
    ]
    assert detected.lineage.at == NOON + HOUR


def test_a_repeated_look_gives_the_same_report_and_tells_nothing(rolling: Watched) -> None:
    rolling.call(NOON, shift=SHIFT)
    first = rolling.look(NOON + HOUR)
    rolling.names()
    reads = len(rolling.team.reads)

    again = rolling.look(NOON + HOUR + timedelta(minutes=40))

    assert again.look == first.look
    assert not again.is_new
    assert rolling.names() == []
    assert len(rolling.team.reads) == reads


def test_a_look_that_died_before_it_was_remembered_makes_the_same_report_again(rolling: Watched) -> None:
    rolling.call(NOON, shift=SHIFT)
    first = rolling.look(NOON + HOUR)
    told = [told.event for told in rolling.told]
    rolling.memory.states.clear()
    rolling.memory.kept.clear()
    rolling.told.clear()

    again = rolling.look(NOON + HOUR)

    assert again.look == first.look
    assert [event.event for event in rolling.told] == told


def test_each_file_is_read_once_however_many_windows_hold_it(rolling: Watched) -> None:
    for hours in range(6):
        rolling.call(NOON + hours * HOUR)
        rolling.look(NOON + (hours + 1) * HOUR)

    own = [uri for uri in rolling.team.reads if "/2026/11/01/1" in uri]
    assert len(own) > 6
    assert len(rolling.own.objects) > 0
    # A file is opened for the hour that it holds, and for the next, in which it was finished; never again.
    assert max(rolling.team.reads.count(uri) for uri in rolling.team.reads) <= 2


def test_drift_that_lasts_is_told_again_only_when_it_is_worse(deployed: Watched) -> None:
    for hours in range(2):
        deployed.call(NOON + hours * HOUR)
    shifts = [2.0, 2.0, 8.0, 8.0]
    for hours, shift in enumerate(shifts, start=2):
        deployed.call(NOON + hours * HOUR, shift=shift)
        deployed.look(NOON + (hours + 1) * HOUR)

    assert deployed.names() == ["BaselineCaptured", "DriftDetected", "DriftDetected"]


def test_drift_is_over_after_several_looks_without_it(deployed: Watched) -> None:
    shifts = [0, 0, SHIFT, 0, SHIFT, 0, 0, 0]
    told = []
    for hours, shift in enumerate(shifts):
        deployed.call(NOON + hours * HOUR, shift=shift)
        deployed.look(NOON + (hours + 1) * HOUR)
        told.append(deployed.names())

    assert told == [[], [], ["BaselineCaptured", "DriftDetected"], [], [], [], ["DriftCleared"], []]


def test_the_baseline_is_captured_after_the_deployment_and_anew_with_another_configuration(deployed: Watched) -> None:
    for hours in range(12):
        deployed.call(NOON + hours * HOUR, shift=SHIFT if hours >= 5 else 0)
    waiting = deployed.look(NOON + 2 * HOUR)
    first = deployed.look(NOON + 3 * HOUR)
    captured = deployed.told[0].event
    deployed.names()

    deployed.endpoints.info = EndpointInfo(ARN, "live-v2", NOON + 5 * HOUR, CAPTURED)
    again = deployed.look(NOON + 6 * HOUR)
    second = deployed.look(NOON + 9 * HOUR)

    assert isinstance(captured, BaselineCaptured)
    assert (captured.window.start, captured.window.end, captured.window.values) == (NOON, NOON + 2 * HOUR, 400)
    assert [look.look.outcome for look in (waiting, first, again, second)] == ["waiting", "clear", "waiting", "clear"]
    assert first.look.baseline != second.look.baseline


def test_an_endpoint_that_only_changes_its_capacity_keeps_its_baseline(deployed: Watched) -> None:
    for hours in range(6):
        deployed.call(NOON + hours * HOUR)
    first = deployed.look(NOON + 3 * HOUR)
    deployed.endpoints.info = EndpointInfo(ARN, "live-v1", NOON + 3 * HOUR, CAPTURED)

    second = deployed.look(NOON + 4 * HOUR)

    assert (second.look.outcome, second.look.baseline) == ("clear", first.look.baseline)


def test_an_empty_window_is_a_failure_told_once_and_then_a_recovery(rolling: Watched) -> None:
    rolling.look(NOON)
    rolling.names()

    failures = [rolling.look(NOON + hours * HOUR) for hours in (1, 2)]
    names = rolling.names()
    rolling.call(NOON + 2 * HOUR)
    rolling.look(NOON + 3 * HOUR)

    assert [looked.look.outcome for looked in failures] == ["failed", "failed"]
    assert "the window had 0 records" in str(failures[0].look.reason)
    assert names == ["MonitorFailed"]
    assert "MonitorRecovered" in rolling.names()


def test_a_failure_that_lasts_is_told_again_after_half_a_day(rolling: Watched) -> None:
    for hours in range(1, 15):
        rolling.look(NOON + hours * HOUR)

    assert rolling.names() == ["MonitorFailed", "MonitorFailed"]


def test_a_failed_window_is_looked_at_again_once_its_data_is_there(rolling: Watched) -> None:
    rolling.look(NOON + HOUR)
    rolling.call(NOON)

    assert rolling.look(NOON + HOUR).look.outcome == "clear"


def test_an_endpoint_that_is_gone_is_said_to_be(rolling: Watched) -> None:
    rolling.endpoints.info = None

    looked = rolling.look(NOON)

    (told,) = rolling.told
    assert isinstance(told.event, MonitorFailed)
    assert looked.look.outcome == "failed"
    assert "the endpoint live does not exist" in told.event.reason


@pytest.mark.parametrize(
    ("captures_to", "said"),
    [
        (None, "switch on its DataCaptureConfig"),
        ("s3://team/other", "captures to s3://team/other"),
        (CAPTURED, "was not called"),
    ],
)
def test_an_empty_window_says_what_is_the_matter_with_the_capture(
    rolling: Watched, captures_to: str | None, said: str
) -> None:
    rolling.endpoints.info = EndpointInfo(ARN, "live-v1", NOON, captures_to)

    assert said in str(rolling.look(NOON + HOUR).look.reason)


def test_without_history_there_is_no_baseline() -> None:
    watched = Watched(baseline={"kind": "rolling", "windows": 6})
    watched.call(NOON)

    looked = watched.look(NOON + HOUR)

    assert looked.look.outcome == "failed"
    assert "there is no history to compare with yet" in str(looked.look.reason)


def test_a_fixed_baseline_is_read_once_until_its_content_changes() -> None:
    watched = Watched(baseline={"kind": "fixed", "location": "s3://team/train/"})
    row = "size,colour\n" + "".join(
        f"{10 + place % 7 - 3},{'red' if place % 3 == 0 else 'blue'}\n" for place in range(300)
    )
    watched.team.put("s3://team/train/part.csv", row.encode(), NOON)
    for hours in range(3):
        watched.call(NOON + hours * HOUR)
        watched.look(NOON + (hours + 1) * HOUR)
    names, reads = watched.names(), watched.team.reads.count("s3://team/train/part.csv")

    watched.team.put("s3://team/train/part.csv", row.replace("red", "green").encode(), NOON)
    watched.call(NOON + 3 * HOUR)
    watched.look(NOON + 4 * HOUR)

    assert names.count("BaselineCaptured") == 1
    assert reads == 1
    assert watched.names().count("BaselineCaptured") == 1


def test_a_late_look_at_an_earlier_window_changes_nothing_of_how_the_monitor_stands(rolling: Watched) -> None:
    rolling.call(NOON, shift=SHIFT)
    rolling.call(NOON + HOUR)
    rolling.look(NOON + 2 * HOUR)
    rolling.names()
    before = rolling.memory.state("sizes")[0]

    late = rolling.look(NOON + HOUR)

    assert late.look.outcome == "drifted"
    assert "DriftDetected" not in rolling.names()
    assert rolling.memory.state("sizes")[0] == before


def test_two_looks_at_once_do_not_overwrite_each_other(rolling: Watched) -> None:
    plan = rolling.plan(NOON)
    assert plan.status == "ready"
    rolling.look(NOON)
    state, version = rolling.memory.state("sizes")

    with pytest.raises(UnavailableError):
        rolling.memory.remember(None, state, "sizes", version - 1)


def test_a_report_can_be_read_by_people_and_by_pipelines(rolling: Watched) -> None:
    rolling.call(NOON, shift=SHIFT)
    key = rolling.look(NOON + HOUR).look.key

    page = rolling.own.objects[f"{key}/report.html"].decode()
    manifest = json.loads(rolling.own.objects[f"{key}/window.manifest"])
    assert page.count("<svg") >= 2
    assert "<script" not in page
    assert "| size | jensen_shannon |" in rolling.own.objects[f"{key}/report.md"].decode()
    assert manifest[0] == {"prefix": "s3://team/"}
    assert all(uri.startswith("captured/live/All/2026/11/01/") for uri in manifest[1:])


def test_suites_and_gates_are_asked_when_drift_begins() -> None:
    watched = Watched(
        baseline={"kind": "rolling", "windows": 2},
        actions=["alert", {"evaluate": {"suite": "answers"}}, {"gate": {"gate": "live"}}],
    )
    for hours in range(4):
        watched.call(NOON + hours * HOUR, shift=SHIFT if hours >= 2 else 0)

    report = watched.look(NOON + 3 * HOUR).look.report
    asked = {told.detail_type: told.event for told in watched.told}

    assert asked["EvaluationRequested"].model_dump()["source"] == report
    assert asked["QualityGateRequested"].model_dump()["trigger"] == "drift"
