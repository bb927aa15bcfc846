"""The local channels say what Slack and PagerDuty say."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from local.channels.control import answer_channels
from local.channels.faults import PAGERDUTY, SLACK, ChannelFault
from local.channels.pagerduty import PagerDutyEvents
from local.channels.server import ROUTING_KEY, ChannelServer
from local.channels.slack import SlackWebhooks

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def channels() -> Iterator[ChannelServer]:
    with ChannelServer() as server:
        yield server


def post(url: str, body: object) -> tuple[int, dict[str, str], str]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310 - http://127.0.0.1
    try:
        with OPENER.open(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def event(action: str, key: str = "k", routing_key: str = ROUTING_KEY) -> bytes:
    payload = {"summary": "s", "source": "e", "severity": "critical"}
    return json.dumps(
        {"routing_key": routing_key, "event_action": action, "dedup_key": key, "payload": payload}
    ).encode()


def test_slack_takes_a_message_and_keeps_it(channels: ChannelServer) -> None:
    assert post(channels.webhook_url(), {"text": "hi", "blocks": [section("*hi*")]})[::2] == (200, "ok")
    assert [message.text for message in channels.slack.messages] == ["*hi*"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "invalid_payload"),
        ({}, "no_text"),
        ({"blocks": [section("a" * 3001)]}, "invalid_blocks"),
        ({"blocks": [section("")]}, "invalid_blocks"),
        ({"blocks": [section("a")] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "a" * 151}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "a"}] * 11}]}, "invalid_blocks"),
        ({"blocks": [{"type": "actions", "elements": []}]}, "invalid_blocks"),
        ({"blocks": [section("a" * 2900)] * 5}, "msg_blocks_too_long"),
    ],
)
def test_slack_refuses_what_breaks_a_limit(body: object, said: str) -> None:
    answer = SlackWebhooks().post("T/B/x", json.dumps(body).encode())

    assert (answer.status, answer.text) == (400, said)


def test_slack_takes_one_message_at_a_time_where_it_is_told_to() -> None:
    webhooks = SlackWebhooks()
    webhooks.seconds_between = 60
    first, second = (webhooks.post("T/B/x", b'{"text": "hi"}') for _ in range(2))

    assert (first.status, second.status) == (200, 429)
    assert second.retry_after is not None
    assert 58 <= second.retry_after <= 60


def test_faults_are_met_in_their_order_and_then_no_more(channels: ChannelServer) -> None:
    channels.faults.set(SLACK, ChannelFault(status=429, retry_after=7), ChannelFault(status=503, times=2))
    answers = [post(channels.webhook_url(), {"text": "hi"}) for _ in range(4)]

    assert [status for status, _, _ in answers] == [429, 503, 503, 200]
    assert answers[0][1]["Retry-After"] == "7"
    assert channels.requests(SLACK) == 4
    assert len(channels.slack.messages) == 1


def test_a_lost_answer_leaves_the_message_taken(channels: ChannelServer) -> None:
    channels.faults.set(SLACK, ChannelFault(lose_answer=True))
    with pytest.raises((OSError, urllib.error.URLError)):
        post(channels.webhook_url(), {"text": "hi"})

    assert len(channels.slack.messages) == 1


def test_a_fault_of_one_channel_is_not_another_ones(channels: ChannelServer) -> None:
    channels.faults.set(PAGERDUTY, ChannelFault(status=500, times=None))

    assert post(channels.webhook_url(), {"text": "hi"})[0] == 200


def test_an_incident_goes_from_trigger_to_resolve() -> None:
    events = PagerDutyEvents()
    for action in ("trigger", "trigger", "acknowledge", "trigger", "resolve"):
        assert events.enqueue(event(action)).status == 202
    [incident] = events.incidents

    assert (incident.status, len(incident.events), incident.notified) == ("resolved", 5, 1)


def test_what_is_not_open_cannot_be_resolved_and_another_key_touches_nothing() -> None:
    events = PagerDutyEvents()
    events.enqueue(event("resolve"))
    events.enqueue(event("trigger"))
    events.enqueue(event("resolve", routing_key="f" * 32))
    [incident] = events.incidents

    assert incident.status == "triggered"
    assert len(events.dropped) == 2


def test_a_trigger_after_resolve_opens_a_new_incident() -> None:
    events = PagerDutyEvents()
    for action in ("trigger", "resolve", "trigger"):
        events.enqueue(event(action))

    assert [incident.status for incident in events.incidents] == ["resolved", "triggered"]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"{", "JSON"),
        (b'{"routing_key": "short", "event_action": "resolve", "dedup_key": "k"}', "routing_key"),
        (event("delete"), "event_action"),
        (event("resolve", key=""), "dedup_key"),
        (event("resolve", key="k" * 256), "dedup_key"),
        (event("trigger").replace(b'"s"', b'"' + b"s" * 1025 + b'"'), "summary"),
        (event("trigger").replace(b"critical", b"urgent"), "severity"),
        (b" " * (512 * 1024 + 1), "512 KB"),
    ],
)
def test_pagerduty_refuses_what_breaks_a_limit(body: bytes, fault: str) -> None:
    answer = PagerDutyEvents().enqueue(body)

    assert answer.status == 400
    assert fault in " ".join(answer.body["errors"])


def test_pagerduty_takes_so_many_events_a_minute_and_key() -> None:
    events = PagerDutyEvents()
    events.per_minute = 2

    assert [events.enqueue(event("trigger")).status for _ in range(3)] == [202, 202, 429]
    assert events.enqueue(event("trigger", routing_key="f" * 32)).status == 202


def test_a_channel_can_keep_its_caller_waiting(channels: ChannelServer) -> None:
    channels.faults.set(SLACK, ChannelFault(delay_seconds=0.3))
    begun = time.monotonic()
    post(channels.webhook_url(), {"text": "hi"})

    assert time.monotonic() - begun >= 0.3


def ask(channels: ChannelServer, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    return answer_channels(channels, method, path, json.dumps(body).encode())


def test_what_was_sent_can_be_asked_for_and_faults_be_set_over_http(channels: ChannelServer) -> None:
    order = {"channel": "slack", "faults": [{"status": 503, "times": 1}]}
    assert ask(channels, "PUT", "faults", order)[0] == 200
    assert [post(channels.webhook_url(), {"text": "hi"})[0] for _ in range(2)] == [503, 200]
    channels.pagerduty.enqueue(event("trigger"))

    told = ask(channels, "GET", "slack")[1]
    assert (told["requests"], [message["text"] for message in told["messages"]]) == (2, ["hi"])
    incidents = ask(channels, "GET", "pagerduty")[1]["incidents"]
    assert [incident["status"] for incident in incidents] == ["triggered"]
    assert ask(channels, "DELETE", "messages") == (200, {})
    assert ask(channels, "GET", "slack")[1]["messages"] == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"channel": "telex", "faults": []}, "channel"),
        ({"channel": "slack", "faults": [{"status": 7}]}, "status"),
        ([], "the body is no"),
    ],
)
def test_a_fault_that_is_none_is_refused_with_its_field(channels: ChannelServer, body: object, said: str) -> None:
    status, answer = ask(channels, "PUT", "faults", body)

    assert status == 400
    assert said in answer["message"]
