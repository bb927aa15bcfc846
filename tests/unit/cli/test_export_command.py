from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.described_lineage import ENDPOINT, described
from tests.fakes.lineage_service import CannedService
from tests.unit.cli.test_commands import run


def service() -> CannedService:
    return CannedService(described().answer)


def test_an_export_writes_the_same_file_each_time(tmp_path: Path) -> None:
    files = [tmp_path / "new" / "one.json", tmp_path / "other.json"]
    screens = [run(service(), "export", ENDPOINT, "--format", "openlineage", "-o", str(file)) for file in files]

    assert [screen.code for screen in screens] == [0, 0]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert json.loads(files[0].read_text())


@pytest.mark.parametrize("form", ["openlineage", "prov", "cyclonedx", "passport"])
def test_every_format_is_written_and_says_the_same_each_time(form: str, tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "other"]
    codes = [run(service(), "export", ENDPOINT, "--format", form, "-o", str(file)).code for file in files]

    assert codes == [0, 0]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert b"wine-live" in files[0].read_bytes()


def test_a_passport_has_the_picture_and_a_markdown_file_has_none(tmp_path: Path) -> None:
    page, text = tmp_path / "wine.html", tmp_path / "wine.md"
    for file in (page, text):
        assert run(service(), "export", ENDPOINT, "-f", "passport", "-o", str(file)).code == 0

    assert "<svg" in page.read_text()
    assert text.read_text().startswith("# wine-live")


def test_without_a_file_the_document_goes_to_the_screen() -> None:
    assert json.loads(run(service(), "export", ENDPOINT, "--format", "openlineage").out)


def test_an_export_that_was_cut_says_so_and_ends_with_a_code_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "cut.json"
    screen = run(service(), "export", ENDPOINT, "--format", "openlineage", "-o", str(file), "--nodes", "4")

    assert screen.code == 3
    assert "only the nearest 4 nodes" in screen.err
    assert "--nodes" in screen.err
    assert json.loads(file.read_text())[0]["run"]["facets"]["hallmark_export"]["complete"] is False


def test_an_unknown_node_gets_its_candidates_and_no_file(tmp_path: Path) -> None:
    file = tmp_path / "none.json"
    screen = run(service(), "export", "nobody", "--format", "openlineage", "-o", str(file))

    assert screen.code == 2
    assert "nobody" in screen.err
    assert not file.exists()


def test_times_are_passed_on_and_a_wrong_one_is_refused() -> None:
    asked = service()
    run(asked, "export", ENDPOINT, "--format", "openlineage", "--as-of", "2026-11-24", "--known-at", "2026-11-25")

    assert {str(question.as_of) for question in asked.asked} == {"2026-11-24 00:00:00+00:00"}
    assert {str(question.known_at) for question in asked.asked} == {"2026-11-25 00:00:00+00:00"}
    assert run(service(), "export", ENDPOINT, "--format", "openlineage", "--as-of", "soon").code != 0


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    screen = run(service(), "export", ENDPOINT, "--format", "openlineage", "-o", str(tmp_path))

    assert screen.code == 1
    assert "--output" in screen.err
