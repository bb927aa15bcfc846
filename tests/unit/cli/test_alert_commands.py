from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hallmark.alerts.questions import AlertDesk, read_question, read_request
from hallmark.alerts.rules import observe_event
from hallmark.cli.main import app
from hallmark.cli.session import Context
from tests.fakes.lineage_service import CannedService
from tests.fakes.memory_alerts import World
from tests.unit.alerts.events_of_others import drifted, verdict
from tests.unit.alerts.observed import MINUTE, NOON, policy_of

ME = "arn:aws:iam::111122223333:user/ada"


class Service(CannedService):
    """The functions of alerts, with their state in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.world, self.now = World(policy_of()), NOON + MINUTE
        self.desk = AlertDesk(self.world.engine, clock=lambda: self.now)

    def see(self, event: dict[str, Any], at: datetime = NOON) -> None:
        self.world.engine.receive(observe_event(event, self.world.engine.policy), at)

    def call(self, output: str, stack: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        assert stack == "HallmarkAlerts"
        assert output == "QueryAlertsFunctionName"
        told = json.loads(json.dumps(payload))
        return json.loads(json.dumps(self.desk.answer(read_question(told))))  # type: ignore[no-any-return]

    def call_signed(self, output: str, stack: str, message: Mapping[str, Any]) -> dict[str, Any]:
        assert (output, stack) == ("ActOnAlertsFunctionName", "HallmarkAlerts")
        told = json.loads(json.dumps(message))
        return json.loads(json.dumps(self.desk.act(read_request(told), ME)))  # type: ignore[no-any-return]


@pytest.fixture
def service() -> Service:
    return Service()


def say(service: Service, *words: str, code: int = 0) -> str:
    screen = StringIO()
    console = Console(file=screen, width=200, highlight=False)
    context = Context(lambda: service, screen=console, errors=console)
    result = CliRunner().invoke(app, ["alerts", *words], obj=context)
    assert result.exit_code == code, (result.output, screen.getvalue(), result.exception)
    return screen.getvalue() + result.stdout


def fingerprint(service: Service) -> str:
    return str(json.loads(say(service, "--json"))["alerts"][0]["fingerprint"])


def test_nothing_fires(service: Service) -> None:
    assert say(service) == "nothing fires\n"


def test_what_fires_is_listed_and_chosen_by_its_labels(service: Service) -> None:
    service.see(verdict("failed"))
    service.see(drifted())

    assert "QualityGateNotPassed: churn:3 failed benchmarks" in say(service)
    assert "churn" not in say(service, "--match", "name=Drift*")
    assert "write LABEL=VALUE" in say(service, "--match", "drift", code=1)


def test_one_alert_is_shown_with_its_numbers_and_what_to_do(service: Service) -> None:
    service.see(verdict("failed"))
    shown = say(service, "show", fingerprint(service))

    assert "accuracy 0.72 (0.68 to 0.76) 0.02 -10.0% 500 cases" in shown
    assert "hallmark alerts ack" in shown
    assert "hallmark diff" in shown


def test_whoever_has_it_is_named_by_their_credentials(service: Service) -> None:
    service.see(verdict("failed"))
    name = fingerprint(service)

    assert f"{ME} has it" in say(service, "ack", name, "--reason", "mine")
    assert "ada has it" in say(service)
    service.see(verdict("passed", at=NOON + MINUTE))
    with pytest.raises(Exception, match="fires"):
        service.call_signed("ActOnAlertsFunctionName", "HallmarkAlerts", {"ask": "acknowledge", "target": name})


def test_nobody_takes_an_alert_without_saying_why(service: Service) -> None:
    service.see(verdict("failed"))

    say(service, "ack", fingerprint(service), code=2)

    assert "has it" not in say(service)


def test_a_silence_begins_is_listed_and_ends(service: Service) -> None:
    service.see(drifted())
    made = say(service, "silence", "--match", "name=Drift*", "--for", "2h", "--reason", "load test")
    silence = made.split()[0]

    assert "2026-11-04 14:01:00 UTC" in made
    assert f"silenced by {silence}" in say(service)
    assert "load test" in say(service, "silences")
    say(service, "unsilence", silence)
    assert "nothing is silenced" in say(service, "silences")
    assert silence in say(service, "silences", "--ended")
    assert "write how long" in say(service, "silence", "--match", "a=b", "--for", "soon", "--reason", "x", code=1)


def test_a_silence_that_is_over_lets_alerts_be_told(service: Service) -> None:
    service.see(drifted())
    say(service, "silence", "--match", "name=Drift*", "--for", "2h", "--reason", "load test")

    assert service.world.tick(NOON + MINUTE) == []
    service.now += timedelta(hours=3)
    assert "silenced" not in say(service)


def test_what_people_wrote_is_shown_as_they_wrote_it(service: Service) -> None:
    odd = "[/] [bold] of [link=x]people[/link]"
    service.see(verdict("failed", summary=odd))
    say(service, "silence", "--match", "stage=[a]", "--for", "2h", "--reason", odd)
    say(service, "ack", fingerprint(service), "--reason", odd)

    for shown in (say(service), say(service, "show", fingerprint(service)), say(service, "silences")):
        assert odd in " ".join(shown.split())
