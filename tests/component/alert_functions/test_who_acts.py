"""Whoever acts on alerts is whoever signed, or whom a channel named; nobody is whoever the message says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hallmark.aws import caller_proof
from hallmark.errors import InvalidInputError
from hallmark.people import Person
from tests.component.alert_functions.conftest import Functions
from tests.fakes.lambda_functions import Context, load_function
from tests.unit.alerts.events_of_others import verdict

KIM = "arn:aws:iam::111122223333:user/kim"


@pytest.fixture
def acknowledge(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ACCOUNT_ID", "111122223333")

    def verify(_message: Any, proof: Any, _client: Any, account: str) -> Person:
        if proof is None:
            raise InvalidInputError("proof", None, "sign the message")
        assert account == "111122223333"
        return Person(arn=proof)

    # The contract of signatures themselves is held in tests/contract.
    monkeypatch.setattr(caller_proof, "verify_caller", verify)
    functions.deliver("route_alerts", verdict(at=datetime.now(UTC)))
    (told,) = functions.hear()

    def ask(function: str, reason: str = "mine", **more: Any) -> str:
        message = {"ask": "acknowledge", "target": told.alerts[0].fingerprint, "reason": reason, **more.pop("to", {})}
        answer = load_function(function).handler({"message": message, **more}, Context())
        return str(answer["acknowledged"][0]["acknowledged"]["by"])

    return ask


def test_a_person_acts_in_their_own_name_and_in_no_other(acknowledge: Any) -> None:
    with pytest.raises(InvalidInputError, match="proof"):
        acknowledge("act_on_alerts")
    with pytest.raises(InvalidInputError, match="proof"):
        acknowledge("act_on_alerts", by="grace")
    with pytest.raises(InvalidInputError, match="by"):
        acknowledge("act_on_alerts", proof=KIM, to={"by": "grace"})

    assert acknowledge("act_on_alerts", proof=KIM, by="grace") == KIM


def test_a_channel_names_who_pressed_and_whoever_was_first_has_it(acknowledge: Any) -> None:
    assert acknowledge("act_for_channels", by="grace") == "grace"
    assert acknowledge("act_on_alerts", proof=KIM) == "grace"
