from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hallmark.lineage.model import NodeKind
from tests.fakes.lineage_service import ACCOUNT, CannedService, shipped_twice
from tests.unit.cli.test_commands import run

LINEAGE = shipped_twice()
SNAPSHOT = next(key for key, node in LINEAGE.nodes.items() if node.kind is NodeKind.DATASET_VERSION)
FOUND = {
    "answer": "subject",
    "token": "ab" * 8,
    "snapshots": [
        {
            "snapshot": SNAPSHOT,
            "recorded_at": "2026-11-01T00:00:00Z",
            "affected": [{"key": "arn:e", "kind": "endpoint", "label": "wine-live", "status": "InService"}],
            "complete": False,
        }
    ],
    "checked": 4,
    "unrecorded": 3,
    "false_positive_bound": 1.5e-12,
}


def service() -> CannedService:
    def answer(output: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if output == "FindSubjectFunctionName":
            return FOUND
        return {"snapshot": SNAPSHOT, "tokens": 3, "false_positive_bound": 1.6e-19}

    return CannedService(LINEAGE.answer, functions=answer)


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("people.txt", "ana\n\n ben \ncleo\nana\n", []),
        ("people.csv", "id,age\nana,1\nben,2\n,3\ncleo,4\n", ["--column", "id"]),
        ("people.jsonl", '{"id": "ana"}\n\n{"id": "ben"}\n{"id": "cleo"}\n', ["--column", "id"]),
    ],
)
def test_every_person_of_a_file_is_sent_once_and_then_the_end(
    name: str, text: str, options: list[str], tmp_path: Path
) -> None:
    file, asked = tmp_path / name, service()
    file.write_text(text)
    screen = run(asked, "subjects", "record", SNAPSHOT, str(file), *options)

    assert screen.code == 0
    assert [payload for _, payload in asked.called] == [
        {"snapshot": SNAPSHOT, "part": 0, "subjects": ["ana", "ben", "cleo"]},
        {"snapshot": SNAPSHOT, "parts": 1},
    ]
    assert "3 people" in screen.out


@pytest.mark.parametrize(
    ("name", "text", "options", "told"),
    [
        ("people.csv", "id\nana\n", [], "--column"),
        ("people.csv", "id\nana\n", ["--column", "name"], "choose one of id"),
        ("people.jsonl", '{"id": 1}\n{"x": 1}\n', ["--column", "id"], "line 2"),
        ("people.txt", "\n", [], "names nobody"),
    ],
)
def test_a_file_that_names_nobody_is_refused_and_nothing_is_sent(
    name: str, text: str, options: list[str], told: str, tmp_path: Path
) -> None:
    file, asked = tmp_path / name, service()
    file.write_text(text)
    screen = run(asked, "subjects", "record", SNAPSHOT, str(file), *options)

    assert (screen.code, asked.called) == (1, [])
    assert told in screen.err


def test_people_are_in_a_content_and_not_in_a_place(tmp_path: Path) -> None:
    file, asked = tmp_path / "people.txt", service()
    file.write_text("ana\n")
    screen = run(asked, "subjects", "record", f"{ACCOUNT}:endpoint/wine-live", str(file))

    assert (screen.code, asked.called) == (1, [])
    assert "no dataset version" in screen.err


def test_a_person_is_looked_for_as_of_one_time_as_known_at_another() -> None:
    nothing = {"snapshots": [], "checked": 1, "unrecorded": 0, "false_positive_bound": 1e-19}
    asked = CannedService(functions=lambda _output, _payload: nothing)
    run(asked, "subjects", "find", "ana", "--as-of", "2026-11-23T12:00", "--known-at", "2026-11-24T12:00")

    [(_, payload)] = asked.called
    assert payload == {
        "subject": "ana",
        "as_of": "2026-11-23T12:00:00+00:00",
        "known_at": "2026-11-24T12:00:00+00:00",
    }


def test_what_is_found_says_what_it_rests_on() -> None:
    screen = run(service(), "subjects", "find", "ana")

    assert screen.code == 0
    for told in ("wine-live", "in 1 of 4", "1.5e-12", "INCOMPLETE", "3 more snapshots"):
        assert told in screen.out, told
