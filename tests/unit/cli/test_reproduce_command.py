from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from hallmark.lineage.model import NodeKind
from hallmark.lineage.reproduction.checking import Image, Known, Place
from hallmark.lineage.reproduction.lifecycles import StoredVersion
from hallmark.lineage.reproduction.manifest import Row
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
