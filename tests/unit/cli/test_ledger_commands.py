"""``hallmark ledger`` on a log in a folder, and on answers of the deployed function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tlog_scales import cli as foreign
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from typer.testing import CliRunner, Result

from hallmark.cli.main import app
from hallmark.cli.session import Context
from hallmark.ledger.asking import answer, read_ledger_question
from hallmark.ledger.entries import read_entry, write_entry
from hallmark.ledger.sequencing import CHECKPOINT, Sequencer
from tests.fakes.lineage_service import CannedService
from tests.fakes.log_files import LogFiles, LogKey

ORIGIN = "hallmark.test/ledger"


class Index:
    """Places of the entries of a log of one bundle."""

    def __init__(self, contents: list[bytes]) -> None:
        self._places = {read_entry(content, "").id: place for place, content in enumerate(contents)}
        self.indexed = len(contents)

    def places(self, identifiers: Any) -> dict[str, int]:
        return {name: self._places[name] for name in identifiers if name in self._places}

    def add(self, places: Any, size: int) -> None:
        raise AssertionError


@pytest.fixture
def log(tmp_path: Path) -> tuple[Path, CannedService]:
    files = LogFiles()
    when = datetime(2026, 11, 28, tzinfo=UTC)
    contents = [
        write_entry(
            f"fact-{number}", when, json.dumps({"subject": {"kind": "model", "id": f"m{number}"}}).encode()
        ).content
        for number in range(9)
    ]
    for start in (0, 4):
        Sequencer(files, ORIGIN, [LogKey()]).append(contents[start : start + (4 if start == 0 else 5)], 0)
    for path, content in files.files.items():
        file = tmp_path / "log" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def functions(output: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if output == "RebuildLineageFunctionName":
            different = [{"entry": 3, "id": "fact-3"}] if payload["mode"] == "check" else []
            return {"size": 9, "looked_at": 9, "different": different, "written": 2 * (payload["mode"] == "write")}
        return answer(read_ledger_question(dict(payload)), files, Index(contents), ORIGIN, (LogKey().key,))

    return tmp_path / "log", CannedService(functions=functions)


def run(service: CannedService, *arguments: str) -> Result:
    screen = Console(width=160, highlight=False)
    errors = Console(width=160, highlight=False, stderr=True)
    return CliRunner().invoke(app, ["ledger", *arguments], obj=Context(lambda: service, screen=screen, errors=errors))


def test_a_whole_log_is_said_to_be_whole(log: tuple[Path, CannedService]) -> None:
    folder, service = log
    done = run(service, "verify", "--from", str(folder), "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["whole"] is True
    assert json.loads(done.stdout)["entries"] == 9


def test_a_proof_is_written_as_a_foreign_library_writes_it(
    log: tuple[Path, CannedService], tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    folder, service = log
    file = tmp_path / "out" / "fact.tlog-proof"

    assert run(service, "prove", "fact-7", "-o", str(file)).exit_code == 0
    asked = foreign.build_parser().parse_args(["gen-proof", str(folder), "7"])
    asked.func(asked)
    assert file.read_bytes() == capsysbinary.readouterr().out
    foreign_reader = TilesReader(LocalBackend(folder))
    foreign_reader.get_checkpoint()
    assert file.with_name("fact.tlog-proof.entry").read_bytes() == foreign_reader.get_entry(7)


def test_a_changed_byte_is_named_and_the_exit_code_says_so(log: tuple[Path, CannedService]) -> None:
    folder, service = log
    file = folder / "tile/entries/000.p/9"
    file.write_bytes(file.read_bytes().replace(b"m7", b"m8"))
    done = run(service, "verify", "--from", str(folder), "--key", str(LogKey().key), "--json")

    assert done.exit_code == 1
    assert [damage["entry"] for damage in json.loads(done.stdout)["damages"]] == [7]
    assert not service.called


def test_what_was_added_since_a_kept_checkpoint_is_verified(log: tuple[Path, CannedService]) -> None:
    folder, service = log
    kept = folder / "checkpoints" / "4"

    assert run(service, "verify", "--from", str(folder), "--since", str(kept)).exit_code == 0
    assert run(service, "verify", "--from", str(folder), "--since", str(folder / "none")).exit_code == 1


def test_a_place_that_is_none_and_a_key_that_is_none_are_refused(log: tuple[Path, CannedService]) -> None:
    folder, service = log

    assert run(service, "verify", "--from", str(folder / "none")).exit_code == 1
    assert run(service, "verify", "--from", str(folder), "--key", "nonsense").exit_code == 1


@pytest.mark.parametrize("entry", ["3", "fact-3"])
def test_an_entry_is_proved_by_its_number_and_by_its_fact(log: tuple[Path, CannedService], entry: str) -> None:
    _, service = log
    done = run(service, "prove", entry, "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["body"]["subject"]["id"] == "m3"


def test_a_proof_that_does_not_lead_to_the_signed_root_is_not_believed(log: tuple[Path, CannedService]) -> None:
    _, service = log
    honest = service._functions
    assert honest is not None

    def lying(output: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return {**honest(output, payload), "content": "e30="}

    done = run(CannedService(functions=lying), "prove", "3")
    assert done.exit_code == 1


def test_the_log_is_shown_to_extend_an_earlier_one(log: tuple[Path, CannedService]) -> None:
    _, service = log

    assert run(service, "consistency", "4").exit_code == 0
    assert run(service, "consistency", "5").exit_code == 1


def test_rebuilding_tells_what_was_written_and_checking_what_differs(log: tuple[Path, CannedService]) -> None:
    _, service = log

    assert json.loads(run(service, "rebuild", "--json").stdout) == {"entries": 9, "written": 2, "different": []}
    checked = run(service, "rebuild", "--check", "--json")
    assert checked.exit_code == 1
    assert json.loads(checked.stdout)["different"] == [{"entry": 3, "id": "fact-3"}]


def test_the_key_and_the_checkpoint_are_printed(log: tuple[Path, CannedService]) -> None:
    folder, service = log

    assert run(service, "key").stdout.strip() == str(LogKey().key)
    assert (folder / CHECKPOINT).read_text(encoding="utf-8").splitlines()[2] in run(service, "status").stdout
