from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hallmark.aws.rerunning import RerunError, Reruns, Standing, StartedRun
from hallmark.lineage.model import Fact, NodeKind, NodeRef, NodeState, Origin
from hallmark.lineage.reproduction.announcing import reproduction_id
from hallmark.lineage.reproduction.checking import Image, KeyState, Known, Place, Protection
from hallmark.lineage.reproduction.judging import Outcome
from hallmark.lineage.reproduction.lifecycles import StoredVersion
from hallmark.lineage.reproduction.manifest import Manifest, Row
from hallmark.lineage.reproduction.staging import Copy
from tests.fakes.lineage_service import CannedService
from tests.fakes.memory_store import NOW
from tests.fakes.recorded_jobs import CONTENTS, PROCESSING, TAGS, Recorded
from tests.unit.cli.test_commands import run


class KnownWorld:
    """World in which everything is as it was, but for what is taken away."""

    def __init__(self, *gone: str) -> None:
        self.gone = gone

    def place(self, uri: str, limit: int) -> Place:
        if "place" in self.gone:
            return Place(refused="AccessDenied: no")
        base = uri.removeprefix("s3://bucket/")
        found = [
            StoredVersion(f"{base}/{each.key}" if each.key else base, each.version_id, each.identity, each.size, NOW)
            for each in CONTENTS[uri]
            if each.version_id not in self.gone
        ]
        return Place(found, versioned=True, rules=[])

    def checksum(self, bucket: str, key: str, algorithm: str) -> str | None:
        return None

    def protection(self, bucket: str, key: str, version_id: str) -> Protection:
        return Protection()

    def encryption_key(self, key: str) -> KeyState:
        return KeyState(True, key)

    def rows(self, uri: str) -> Sequence[Row] | str:
        return "not here"

    def image(self, pinned: str) -> Image:
        return Image(True, tags=("latest",))

    def role(self, arn: str) -> Known:
        return Known("role" not in self.gone, arn)

    def instance_type(self, kind: NodeKind, name: str) -> Known:
        return Known(True, name)

    def model(self, name: str) -> Known:
        return Known(True, name)


class JudgedReruns(Reruns):
    """Runs that end at once, and of which lineage knows what they came to."""

    def __init__(self, account: Recorded, outcome: Outcome | None, refusal: str = "") -> None:
        self.account, self.outcome, self.refusal = account, outcome, refusal
        self.copies: Sequence[Copy] = ()
        self.started: list[Manifest] = []

    def copy(self, copies: Sequence[Copy]) -> Iterator[Copy]:
        self.copies = copies
        yield from copies

    def start(self, manifest: Manifest) -> StartedRun:
        if self.refusal:
            raise RerunError(self.refusal)
        self.started.append(manifest)
        arn = f"arn:aws:sagemaker:us-east-1:111122223333:processing-job/again-{len(self.started)}"
        if self.outcome is not None:
            node = NodeRef(kind=NodeKind.REPRODUCTION, id=reproduction_id(f"{arn}@{NOW:%Y%m%dT%H%M%SZ}"))
            told = {"summary": "as it was found", "metrics": {"loss": {"first": 1, "second": 2, "is_near": False}}}
            state = NodeState(node=node, at=NOW, status=self.outcome.value, attributes=told)
            self.account.store.add(Fact(subject=node, origin=Origin.EVENT, states=(state,)), NOW)
        return StartedRun(arn, NOW)

    def standing(self, manifest: Manifest) -> Standing:
        return Standing("Completed", "", "")


def rerun_service(outcome: Outcome | None, *gone: str, refusal: str = "") -> tuple[CannedService, JudgedReruns]:
    account = Recorded()
    account.record(NodeKind.PROCESSING_JOB, PROCESSING, TAGS)
    canned = CannedService(account.ask)
    canned.seen_account = KnownWorld(*gone)
    canned.started_runs = reruns = JudgedReruns(account, outcome, refusal)
    return canned, reruns


@pytest.mark.parametrize(
    ("outcome", "code", "words"),
    [
        (Outcome.EXACT, 0, "wine-prepare: reproduced: as it was found"),
        (Outcome.WITHIN_TOLERANCE, 0, "reproduced within tolerance"),
        (Outcome.DIFFERENT, 3, "not reproduced"),
        (Outcome.INCONCLUSIVE, 4, "cannot be told"),
    ],
)
def test_a_second_run_is_started_and_what_it_came_to_is_said_and_is_the_code(
    outcome: Outcome, code: int, words: str
) -> None:
    canned, reruns = rerun_service(outcome)

    screen = run(canned, "reproduce", "wine-prepare", "--run", "--tolerance", "0.05")

    assert (screen.code, words in screen.out) == (code, True)
    assert "≠ loss: 1 / 2" in screen.out
    (manifest,) = reruns.started
    assert {copy.source_key for copy in reruns.copies} == {"raw/a.csv", "raw/b.csv", "code/prepare.py"}
    assert manifest.request is not None
    assert {"Key": "hallmark:tolerance", "Value": "0.05"} in manifest.request["Tags"]


def test_nothing_is_started_where_data_are_gone_or_the_check_says_so() -> None:
    for words in (("--run",), ("--check", "--run")):
        canned, reruns = rerun_service(Outcome.EXACT, "v2")

        screen = run(canned, "reproduce", "wine-prepare", *words)

        assert (screen.code, reruns.started) == (1 if words == ("--run",) else 3, [])
        assert "b.csv" in screen.out + screen.err


def test_what_sagemaker_refuses_is_said() -> None:
    canned, _ = rerun_service(Outcome.EXACT, refusal="CreateProcessingJob: ResourceLimitExceeded")

    screen = run(canned, "reproduce", "wine-prepare", "--run")

    assert (screen.code, "ResourceLimitExceeded" in screen.err) == (1, True)


def test_a_run_that_is_not_judged_in_time_says_how_to_ask_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hallmark.cli.rerun._JUDGED_WITHIN", timedelta(0))
    canned, _ = rerun_service(None)

    screen = run(canned, "reproduce", "wine-prepare", "--run")

    assert screen.code == 4
    assert "hallmark show hallmark:reproduction/processing-job/again-1@" in screen.err.replace("\n", "")


def service(*gone: str) -> CannedService:
    account = Recorded()
    account.record(NodeKind.PROCESSING_JOB, PROCESSING, [tag for tag in TAGS if tag["Key"] == "team"])
    canned = CannedService(account.ask)
    canned.seen_account = KnownWorld(*gone)
    return canned


def test_a_manifest_goes_to_the_screen_or_to_a_file_and_its_holes_are_said(tmp_path: Path) -> None:
    file = tmp_path / "new" / "manifest.json"

    shown = run(service(), "reproduce", "wine-prepare")
    written = run(service(), "reproduce", "wine-prepare", "-o", str(file))

    assert (shown.code, written.code) == (0, 0)
    assert json.loads(shown.out) == json.loads(file.read_text())
    assert json.loads(shown.out)["operation"] == "CreateProcessingJob"
    assert "not known: the commit" in shown.err
    assert written.out == ""


@pytest.mark.parametrize(
    ("gone", "code", "line"),
    [
        ((), 0, "same    data raw: s3://bucket/raw: 2 objects"),
        (("v2",), 3, "gone    data raw: s3://bucket/raw: 1 of 2 objects are gone: b.csv"),
        (("role",), 3, "gone    role training"),
        (("place",), 4, "unknown data raw: s3://bucket/raw: AccessDenied: no"),
    ],
)
def test_a_check_says_one_line_each_and_ends_with_a_code(gone: tuple[str, ...], code: int, line: str) -> None:
    screen = run(service(*gone), "reproduce", "wine-prepare", "--check")

    assert screen.code == code
    assert [found for found in screen.lines if found.startswith(line)]
    assert len(screen.lines) == 5


def test_a_check_is_told_as_json_too() -> None:
    screen = run(service("v2"), "reproduce", "wine-prepare", "--check", "--json")

    assert screen.code == 3
    assert {each["subject"]: each["standing"] for each in json.loads(screen.out)} == {
        "data raw": "gone",
        "data code": "same",
        "image": "same",
        "role training": "same",
        "instance type ml.m5.large": "same",
    }


def test_a_manifest_can_be_written_as_lineage_had_it_then_as_it_was_known_then() -> None:
    asked = service()
    run(asked, "reproduce", "wine-prepare", "--as-of", "2026-11-23T12:00", "--known-at", "2026-11-24T12:00")

    times = {(question.as_of, question.known_at) for question in asked.asked}
    assert times == {(datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 11, 24, 12, tzinfo=UTC))}


def test_a_run_that_nobody_knows_ends_with_its_own_code() -> None:
    assert run(service(), "reproduce", "nothing-like-it").code == 2


def test_what_cannot_be_started_again_is_refused_with_a_remedy() -> None:
    screen = run(service(), "reproduce", "s3://bucket/raw")

    assert screen.code == 1
    assert "hallmark trace s3://bucket/raw --up" in screen.err


def test_a_value_that_is_no_pair_is_refused() -> None:
    screen = run(service(), "reproduce", "wine-prepare", "--set", "nothing")

    assert screen.code == 2
    assert "PATH=VALUE" in screen.err
