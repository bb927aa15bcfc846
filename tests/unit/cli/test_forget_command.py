from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.fakes.lineage_service import CannedService, shipped_twice
from tests.unit.cli.test_commands import run

REASON = "asked for on 2 November, article 17"
DONE = {"forgetting": "1a2b", "tokens": 2, "by": "arn:aws:iam::111122223333:user/officer", "reason": REASON}


class Signed(CannedService):
    """Keeps what was asked in the caller's own name."""

    def __init__(self) -> None:
        super().__init__(shipped_twice().answer)
        self.signed: list[tuple[str, str, Mapping[str, Any]]] = []

    def call_signed(self, output: str, stack: str, message: Mapping[str, Any]) -> dict[str, Any]:
        self.signed.append((output, stack, message))
        return DONE


@pytest.fixture
def service() -> Signed:
    return Signed()


def test_every_name_of_a_person_is_sent_in_the_callers_own_name(service: Signed) -> None:
    screen = run(service, "forget", "anna", "anna@example.com", "--reason", REASON, "--yes")

    message = {"persons": ["anna", "anna@example.com"], "reason": REASON}
    assert service.signed == [("ForgetPersonFunctionName", "HallmarkLineage", message)]
    assert screen.code == 0
    assert "2 tokens stand for nobody any more" in screen.out
    assert "anna" not in screen.out


def test_without_a_yes_nobody_is_forgotten(service: Signed) -> None:
    screen = run(service, "forget", "anna", "--reason", REASON)

    assert screen.code != 0
    assert service.signed == []


def test_the_answer_can_be_had_as_json(service: Signed) -> None:
    screen = run(service, "forget", "anna", "--reason", REASON, "--yes", "--json")

    assert json.loads(screen.out) == DONE


def test_no_one_is_forgotten_without_a_reason(service: Signed) -> None:
    assert run(service, "forget", "anna", "--yes").code != 0
    assert service.signed == []
