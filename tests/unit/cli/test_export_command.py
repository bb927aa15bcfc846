from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from hallmark.aws.deployed import DeploymentError
from tests.fakes.described_lineage import ENDPOINT, described
from tests.fakes.lineage_service import CannedService
from tests.unit.cli.test_commands import run

LEDGER = {"origin": "hallmark/1/eu/ledger", "size": 7, "root": "ab" * 32, "keys": ["hallmark/1+1a2b+KEY"]}


def service(ledger: dict[str, Any] | None = None) -> CannedService:
    def answer(output: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if ledger is None:
            raise DeploymentError("the stack HallmarkLedger is not deployed")
        return ledger

    return CannedService(described().answer, functions=answer)


def test_an_export_writes_the_same_file_each_time(tmp_path: Path) -> None:
    files = [tmp_path / "new" / "one.json", tmp_path / "other.json"]
    screens = [run(service(), "export", ENDPOINT, "--format", "openlineage", "-o", str(file)) for file in files]

    assert [screen.code for screen in screens] == [0, 0]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert json.loads(files[0].read_text())


@pytest.mark.parametrize("form", ["openlineage", "prov", "cyclonedx", "model-card", "passport", "annex-iv"])
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


def test_a_passport_names_the_ledger_in_which_all_of_it_is_sealed(tmp_path: Path) -> None:
    file = tmp_path / "wine.md"
    run(service(LEDGER), "export", ENDPOINT, "-f", "passport", "-o", str(file))

    assert "ab" * 32 in file.read_text()
    assert "hallmark/1+1a2b+KEY" in file.read_text()


def test_a_passport_shows_whose_word_approved_its_model_and_whether_that_was_its_author(tmp_path: Path) -> None:
    file = tmp_path / "wine.md"
    run(service(LEDGER), "export", ENDPOINT, "-f", "passport", "-o", str(file))

    (line,) = (line for line in file.read_text().splitlines() if "not as policy asks" in line)
    assert "| the author |" in line
    assert line.count("user/ana") == 2
    assert "hallmark:action/cloudtrail-1" in line
    assert "as policy asks" not in file.read_text().replace("not as policy asks", "")


def test_a_passport_without_a_ledger_says_that_it_was_not_asked(tmp_path: Path) -> None:
    file = tmp_path / "wine.md"
    screen = run(service(), "export", ENDPOINT, "-f", "passport", "-o", str(file))

    assert screen.code == 0
    assert "HallmarkLedger is not deployed" in screen.err
    assert "the ledger was not asked" in file.read_text()


@pytest.mark.parametrize("form", ["passport", "annex-iv"])
def test_pages_become_pdf_and_a_picture_of_their_first_sheet_by_the_name_of_the_file(form: str, tmp_path: Path) -> None:
    sheets, picture = tmp_path / "wine.pdf", tmp_path / "wine.png"
    for file in (sheets, picture):
        assert run(service(LEDGER), "export", ENDPOINT, "-f", form, "-o", str(file)).code == 0
    document = pypdfium2.PdfDocument(sheets)
    text = " ".join(document[number].get_textpage().get_text_range() for number in range(len(document)))

    for told in ("wine-live", "2b00bbbb", "Where it came from"):
        assert told in text, told
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_same_page_makes_the_same_pdf(tmp_path: Path) -> None:
    files = [tmp_path / "one.pdf", tmp_path / "other.pdf"]
    for file in files:
        run(service(LEDGER), "export", ENDPOINT, "-f", "passport", "-o", str(file))

    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_people_say_is_read_from_a_file_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    wrong, page = tmp_path / "wrong.yaml", tmp_path / "annex.md"
    wrong.write_text("points: {1z: {text: x}}")
    example = Path(__file__).parents[3] / "examples" / "annex-iv.yaml"

    screen = run(service(), "export", ENDPOINT, "-f", "annex-iv", "--statements", str(wrong))
    assert (screen.code, "points is '1z'" in screen.err or "points is 1z" in screen.err) == (1, True)
    assert run(service(), "export", ENDPOINT, "-f", "annex-iv", "--statements", str(tmp_path / "none")).code == 1
    assert run(service(), "export", ENDPOINT, "-f", "annex-iv", "--statements", str(example), "-o", str(page)).code == 0
    assert "A forest of decision trees" in page.read_text()


def test_all_formats_are_written_from_one_reading(tmp_path: Path) -> None:
    asked, single = service(LEDGER), service(LEDGER)
    screen = run(asked, "export", ENDPOINT, "-f", "all", "-o", str(tmp_path))
    run(single, "export", ENDPOINT, "-f", "prov", "-o", str(tmp_path / "one.json"))

    assert screen.code == 0
    # Passports ask besides, once, who approved the model.
    assert [question for question in asked.asked if question.ask != "approvals"] == single.asked
    assert len(asked.asked) == len(single.asked) + 1
    assert (tmp_path / "prov.json").read_bytes() == (tmp_path / "one.json").read_bytes()
    assert {file.name for file in tmp_path.iterdir()} >= {
        *("openlineage.json", "cyclonedx.json", "model-card.json", "passport.html", "passport.pdf", "passport.png"),
        *("annex-iv.html", "annex-iv.json"),
    }
    assert run(service(LEDGER), "export", ENDPOINT, "-f", "all").code != 0


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


@pytest.mark.parametrize("to", ["https://marquez.example.com/api/v1/lineage", "datazone://dzd_abc123"])
def test_run_events_are_sent_to_an_address_instead_of_a_file(to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "k1")
    asked = service()
    screen = run(asked, "export", ENDPOINT, "-f", "openlineage", "--to", to)

    assert screen.code == 0
    assert asked.targets == [(to, "k1")]
    assert len(asked.sent) > 10
    assert f"{len(asked.sent)} events" in screen.out
    assert [json.loads(sent.body)["eventTime"] for sent in asked.sent] == sorted(
        json.loads(sent.body)["eventTime"] for sent in asked.sent
    )


def test_only_run_events_have_somebody_to_be_sent_to() -> None:
    assert run(service(), "export", ENDPOINT, "-f", "prov", "--to", "https://x.example.com").code == 2
    assert run(service(), "export", ENDPOINT, "-f", "openlineage", "--to", "ftp://x").code == 2
