"""A violation on the bus reaches Slack and PagerDuty over HTTP, and people answer by the API, with IAM enforced."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from hallmark.events import gates
from hallmark.events.records import LineageNode, LineageSection
from local.channels.faults import PAGERDUTY, SLACK, ChannelFault
from local.channels.pagerduty import Incident
from local.channels.server import PAGERDUTY_SIGNING_SECRET, ChannelServer
from local.channels.slack import SlackMessage

pytestmark = pytest.mark.e2e

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Told:
    """What these tests do with the deployed app."""

    def __init__(self, deployed: Any) -> None:
        self.deployed = deployed
        self.channels: ChannelServer = deployed.cloud.channels()

    def fail(self, model: str) -> None:
        """Publish the verdict of a gate whose alerts go to Slack and to PagerDuty."""
        now = datetime.now(UTC)
        name = f"hallmark:verdict/{model}-{uuid.uuid4().hex[:8]}"
        told = gates.QualityGateDecided(
            lineage=LineageSection(node=LineageNode(kind="verdict", id=name), at=now, status="Failed"),
            verdict=name,
            outcome="failed",
            gate="e2e-channels",
            stage="staging",
            model=f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{model}/1",
            model_name=model,
            criteria=[
                gates.JudgedCriterion(
                    name="f1",
                    kind="absolute",
                    outcome="failed",
                    value=0.6,
                    threshold=0.8,
                    comparison="at_least",
                    why="low",
                )
            ],
            action="block",
            decided_at=now,
            trigger="manual",
            summary=f"{model} failed",
        )
        entry = told.to_entry(self.deployed.outputs["EventBusName"], gates.QUALITY_GATE_FAILED)
        assert self.deployed.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def messages(self, model: str) -> list[SlackMessage]:
        return [message for message in self.channels.slack.messages if model in message.text]

    def incidents(self, model: str) -> list[Incident]:
        found = self.channels.pagerduty.incidents
        return [each for each in found if model in each.events[0]["payload"]["summary"]]

    def alert(self, model: str) -> dict[str, Any]:
        question = {"ask": "open", "match": {"subject": model}}
        found = self.deployed.call("QueryAlertsFunctionName", question)["alerts"]
        (alert,) = found
        return dict(alert)

    def request(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Ask the deployed API as the world does: without credentials."""
        url = urlsplit(self.deployed.outputs["ApiUrl"])
        request = urllib.request.Request(  # noqa: S310 - http://127.0.0.1
            f"{self.deployed.cloud.endpoint}{path}", body, {**(headers or {}), "Host": url.netloc}
        )
        try:
            with OPENER.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture
def told(deployed: Any) -> Iterator[Told]:
    deployed.cloud.channels().clear()
    yield Told(deployed)
    deployed.cloud.channels().clear()


@pytest.fixture
def model() -> str:
    return f"model-{uuid.uuid4().hex[:8]}"


def test_slack_asks_for_time_and_is_told_once_while_pagerduty_does_not_wait_for_it(
    told: Told, deployed: Any, model: str
) -> None:
    # Told again after 5 s by itself, then when it asks for it.
    told.channels.faults.set(SLACK, ChannelFault(status=503), ChannelFault(status=429, retry_after=2))
    told.fail(model)

    (incident,) = deployed.eventually(lambda: told.incidents(model))
    assert incident.status == "triggered"
    (message,) = deployed.eventually(lambda: told.messages(model))
    assert "must be at least 0.8" in message.text
    assert told.channels.requests(SLACK) == 3
    assert deployed.dead_letters("Slack") == []


def test_pagerduty_that_is_down_holds_up_nobody_and_hears_of_it_later(told: Told, deployed: Any, model: str) -> None:
    told.channels.faults.set(PAGERDUTY, ChannelFault(status=500))
    told.fail(model)

    deployed.eventually(lambda: told.messages(model))
    (incident,) = deployed.eventually(lambda: told.incidents(model), seconds=60)
    assert incident.notified == 1


def test_what_a_channel_refuses_is_kept_with_the_reason_and_operations_hear_of_it(
    told: Told, deployed: Any, model: str
) -> None:
    sqs, sns = deployed.client("sqs"), deployed.client("sns")
    listening = sqs.create_queue(QueueName=f"operations-{model}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=listening, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=listening, Attributes={"Policy": policy})
    topic = deployed.outputs["AlarmTopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    told.channels.faults.set(SLACK, ChannelFault(status=403, body="action_prohibited", times=None))
    told.fail(model)

    (letter,) = deployed.eventually(lambda: [each for each in deployed.dead_letters("Slack") if model in each["Body"]])
    assert "Slack answered 403 action_prohibited" in letter["MessageAttributes"]["ErrorMessage"]["StringValue"]

    def heard() -> list[str]:
        found = sqs.receive_message(QueueUrl=listening, MaxNumberOfMessages=10).get("Messages", [])
        return [each["Body"] for each in found if "action_prohibited" in each["Body"]]

    assert "slack/" in deployed.eventually(heard)[0]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    deployed.eventually(lambda: told.incidents(model))


def test_a_link_asks_first_and_acknowledges_when_its_button_is_pressed(told: Told, deployed: Any, model: str) -> None:
    told.fail(model)
    (message,) = deployed.eventually(lambda: told.messages(model))
    (incident,) = deployed.eventually(lambda: told.incidents(model))
    links = {link["text"]: link["href"] for link in incident.events[0].get("links", [])}
    token = _token(message, links)

    status, page = told.request(f"/alerts/ack?{urlencode({'token': token})}")
    assert (status, told.alert(model)["acknowledged"]) == (200, None)
    field = re.search(r'name="token" value="([^"]+)"', page)
    assert field is not None
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _ = told.request("/alerts/ack", urlencode({"token": field[1], "by": "Ada"}).encode(), form)
    assert status == 200
    assert deployed.eventually(lambda: told.alert(model)["acknowledged"])["by"] == "Ada"
    # Whoever is called there hears that somebody has it.
    deployed.eventually(lambda: [each.status for each in told.incidents(model)] == ["acknowledged"])


@pytest.mark.parametrize("token", ["", "forged.forged", "eyJwdXJwb3NlIjoiYWNrIn0.AAAA"])
def test_a_link_that_nobody_signed_does_nothing(told: Told, token: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert told.request(f"/alerts/ack?{urlencode({'token': token})}")[0] == 403
    assert told.request("/alerts/ack", urlencode({"token": token, "by": "Eve"}).encode(), form)[0] == 403


def test_a_button_in_slack_acknowledges_and_a_forged_press_does_not(told: Told, deployed: Any, model: str) -> None:
    told.fail(model)
    (message,) = deployed.eventually(lambda: told.messages(model))
    button = message.buttons["Acknowledge"]
    headers, body = told.channels.press(button["action_id"], button["value"], by="grace")

    assert told.request("/alerts/slack", body, {**headers, "X-Slack-Signature": "v0=00"})[0] == 401
    assert told.alert(model)["acknowledged"] is None
    assert told.request("/alerts/slack", body, headers)[0] == 200
    assert deployed.eventually(lambda: told.alert(model)["acknowledged"])["by"] == "grace"
    (shown,) = told.messages(model)
    assert "grace has it" in shown.text
    assert "Acknowledge" not in shown.buttons


def test_who_takes_the_incident_in_pagerduty_has_the_alert(told: Told, deployed: Any, model: str) -> None:
    told.fail(model)
    (incident,) = deployed.eventually(lambda: told.incidents(model))
    webhook = told.channels.pagerduty.webhook
    forged, payload = webhook("incident.acknowledged", incident.dedup_key, "not the secret")
    assert told.request("/alerts/pagerduty", payload, forged)[0] == 401
    headers, body = webhook("incident.acknowledged", incident.dedup_key, PAGERDUTY_SIGNING_SECRET, by="Hedy")
    assert told.request("/alerts/pagerduty", body, headers)[0] == 200

    assert deployed.eventually(lambda: told.alert(model)["acknowledged"])["by"] == "Hedy"


def test_what_changed_in_production_stands_beside_the_incidents(told: Told, deployed: Any, model: str) -> None:
    now = datetime.now(UTC)
    node = LineageNode(kind="verdict", id=f"hallmark:verdict/{model}")
    moved = gates.ModelMoved(
        lineage=LineageSection(node=node, at=now, status="Promoted"),
        model=f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{model}/1",
        model_name=model,
        to_stage="production",
        verdict=node.id,
        by="ada",
        reason="passed",
        moved_at=now,
    )
    entry = moved.to_entry(deployed.outputs["EventBusName"], gates.MODEL_PROMOTED)
    assert deployed.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def changes() -> list[Any]:
        return [each for each in told.channels.pagerduty.changes if model in each["payload"]["summary"]]

    (change,) = deployed.eventually(changes)
    assert change["payload"]["summary"] == f"{model} was promoted to production"
    assert told.incidents(model) == []


def _token(message: SlackMessage, links: Mapping[str, str]) -> str:
    """Return the token of a message: in the button's value, or in its link."""
    button = message.buttons["Acknowledge"]
    return str(button.get("value") or parse_qs(urlsplit(button["url"]).query)["token"][0])
