from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from hallmark.lineage.coverage.report import CoverageReport, Gap, Incomplete, KindCoverage, UnmatchedInput
from tests.fakes.lineage_service import NOON, CannedService
from tests.unit.cli.test_commands import run

GAP = Gap(
    need="data",
    because="s3://lake/rows: AccessDenied: no",
    remedy="add to hallmark.yaml, lineage.data_buckets: lake (for runs from then on)",
)
REPORT = CoverageReport(
    measured_at=NOON,
    since=NOON,
    required=("data", "image"),
    kinds=(
        KindCoverage(
            kind="training-job",
            in_account=40,
            recorded=40,
            judged=40,
            complete=39,
            lacking={"data": 1, "who": 7},
            incomplete=(Incomplete(arn="arn:x", name="wine-17", made_at=NOON, gaps=(GAP,)),),
        ),
        KindCoverage(kind="endpoint", in_account=0, recorded=0, judged=0, complete=0),
    ),
    unmatched=1,
    unmatched_inputs=(
        UnmatchedInput(
            dataset="hdfs://raw", readers=1, first_reader="etl 1", because="none", remedy="give it an alias"
        ),
    ),
)


def service(report: CoverageReport = REPORT) -> CannedService:
    def answer(output: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        assert output == "MeasureCoverageFunctionName"
        return report.model_dump(mode="json")

    return CannedService(functions=answer)


def test_the_screen_says_the_share_what_is_missing_why_and_how_to_mend_it() -> None:
    screen = run(service(), "coverage")

    assert screen.code == 0
    for words in (
        "97.5 % of training jobs have complete lineage; 1 lack",
        "wine-17",
        "data: s3://lake/rows: AccessDenied: no",
        "lineage.data_buckets: lake",
        "1 input matches nothing",
        "hdfs://raw (read by etl 1)",
        "→ give it an alias",
    ):
        assert words in screen.out


def test_the_last_measurement_is_asked_for_unless_a_new_one_is_wanted() -> None:
    last, new = service(), service()

    run(last, "coverage")
    run(new, "coverage", "--now", "--kind", "training-job", "--since", "2026-11-01")

    assert last.called[0][1] == {"ask": "latest"}
    assert new.called[0][1] == {
        "ask": "measure",
        "seconds": 50,
        "since": "2026-11-01T00:00:00+00:00",
        "kinds": ["training-job"],
    }


@pytest.mark.parametrize(("least", "code"), [("97", 0), ("98", 3)])
def test_ci_may_ask_for_a_share(least: str, code: int) -> None:
    assert run(service(), "coverage", "--fail-under", least).code == code


def test_what_could_not_be_listed_is_said_with_a_code_of_its_own() -> None:
    (jobs, endpoints) = REPORT.kinds
    partial = jobs.model_copy(update={"whole": False, "note": "it may not be listed: no"})

    screen = run(service(REPORT.model_copy(update={"kinds": (partial, endpoints)})), "coverage")

    assert screen.code == 4
    assert "it may not be listed: no" in screen.out
    assert "INCOMPLETE" in screen.err


def test_json_has_everything_and_one_kind_alone_may_be_asked_for() -> None:
    document = json.loads(run(service(), "coverage", "--json", "--kind", "training-job").out)

    assert [kind["kind"] for kind in document["kinds"]] == ["training-job"]
    assert document["kinds"][0]["percent"] == 97.5
    assert document["unmatched"] == 1


def test_a_kind_that_is_none_is_refused_with_those_that_are() -> None:
    screen = run(service(), "coverage", "--kind", "jobs")

    assert screen.code == 1
    assert "endpoint, training-job" in screen.err


def test_what_is_missing_for_one_reason_is_told_once_with_all_that_lack_it() -> None:
    (jobs, endpoints) = REPORT.kinds
    lacking = tuple(Incomplete(arn=f"arn:{number}", name=f"job-{number}", gaps=(GAP,)) for number in range(6))
    many = jobs.model_copy(update={"incomplete": lacking, "complete": 34})

    screen = run(service(REPORT.model_copy(update={"kinds": (many, endpoints)})), "coverage")

    assert screen.out.count("AccessDenied") == 1
    assert "job-0, job-1, job-2, job-3 and 2 more" in screen.out
