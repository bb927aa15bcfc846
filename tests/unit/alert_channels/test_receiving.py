"""Only who holds a message, or is Slack or PagerDuty, may act; and only a press acts, never a look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from hallmark.alerts.channels.answering import show_done
from hallmark.alerts.channels.receiving import HttpRequest, Reception, Response, read_request
from hallmark.alerts.channels.slack import ACKNOWLEDGE
from hallmark.alerts.channels.tokens import Grant, make_token
from hallmark.aws.http_posts import HttpPosts
from hallmark.errors import NotFoundError
from local.channels.faults import SLACK, ChannelFault
from local.channels.server import PAGERDUTY_SIGNING_SECRET, ChannelServer
from tests.fakes.alert_channels import NOW, HmacKey, Lane, MemorySecrets, later, notification

GRANT = Grant(
    purpose="ack",
    group="9f86d081884c7d65",
    receiver="chat",
    title="<b>churn:7</b> failed",
    expires_at=int(later(3600).timestamp()),
)
SILENCE = GRANT.model_copy(update={"purpose": "silence", "match": {"subject": "churn"}})
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Actions:
    """An engine that remembers."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.fires = True

    def acknowledge(self, target: str, by: str, reason: str) -> str:
        if not self.fires:
            raise NotFoundError("nothing fires")
        self.done.append(("acknowledge", target, by, reason))
        return str(self.done[0][2])

    def silence(self, match: Mapping[str, str], length: str, by: str, reason: str) -> None:
        self.done.append(("silence", dict(match), length, by))


@pytest.fixture
def actions() -> Actions:
    return Actions()


@pytest.fixture
def channels() -> ChannelServer:
    return ChannelServer()


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def reception(actions: Actions, warnings: list[str]) -> Reception:
    return Reception(
        mac=HmacKey(),
        acting=actions,
        secrets=MemorySecrets({"slack": "local-slack-signing-secret", "pd": PAGERDUTY_SIGNING_SECRET}),
        slack_secrets=("slack",),
        pagerduty_secrets=("pd",),
        clock=lambda: NOW,
        poster=HttpPosts(connect_seconds=0.5, read_seconds=1.0),
        warn=warnings.append,
    )


def look(reception: Reception, path: str, token: str) -> Response:
    return reception.answer(HttpRequest("GET", path, {"token": token}, {}, b""))


def press(reception: Reception, path: str, token: str, by: str = "Ada") -> Response:
    return reception.answer(HttpRequest("POST", path, {}, FORM, urlencode({"token": token, "by": by}).encode()))


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_a_look_asks_and_a_press_acts(reception: Reception, actions: Actions) -> None:
    token = make_token(GRANT, HmacKey())
    page = look(reception, "/alerts/ack", token)

    assert (page.status, actions.done) == (200, [])
    assert "&lt;b&gt;churn:7&lt;/b&gt; failed" in page.body
    assert "<b>churn" not in page.body
    field = re.search(r'name="token" value="([^"]+)"', page.body)
    assert field is not None
    assert press(reception, "/alerts/ack", field[1]).status == 200
    assert actions.done == [("acknowledge", GRANT.group, "Ada", "by the link that was sent to chat")]


def test_a_silence_covers_what_its_group_has_in_common(reception: Reception, actions: Actions) -> None:
    assert press(reception, "/alerts/silence", make_token(SILENCE, HmacKey())).status == 200
    assert actions.done == [("silence", {"subject": "churn"}, "2 hours", "Ada")]


@pytest.mark.parametrize("method", [look, press])
@pytest.mark.parametrize(
    "token",
    [
        "",
        "no token",
        "é.é",
        ".",
        "YQ.YQ",
        make_token(GRANT, HmacKey(b"another key")),
        make_token(GRANT, HmacKey())[:-2],
        make_token(SILENCE, HmacKey()),
        make_token(GRANT.model_copy(update={"expires_at": int(NOW.timestamp())}), HmacKey()),
        "A" * 5000 + ".YQ",
    ],
)
def test_a_link_that_does_not_hold_does_nothing(
    reception: Reception, actions: Actions, method: Any, token: str
) -> None:
    answer = method(reception, "/alerts/ack", token)

    assert (answer.status, actions.done) == (403, [])
    assert "Nothing was done" in answer.body


def test_a_changed_group_breaks_the_signature(reception: Reception, actions: Actions) -> None:
    own = make_token(GRANT, HmacKey())
    other = make_token(GRANT.model_copy(update={"group": "another"}), HmacKey())
    mixed = f"{other.partition('.')[0]}.{own.partition('.')[2]}"

    assert press(reception, "/alerts/ack", mixed).status == 403
    assert actions.done == []


def test_a_page_may_not_be_kept_framed_or_told_of(reception: Reception) -> None:
    headers = look(reception, "/alerts/ack", make_token(GRANT, HmacKey())).headers

    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_what_fires_no_more_is_said(reception: Reception, actions: Actions) -> None:
    actions.fires = False

    assert press(reception, "/alerts/ack", make_token(GRANT, HmacKey())).status == 409


def pushed(reception: Reception, channels: ChannelServer, name: str, by: str) -> Response:
    """Press a button of the one message that there is."""
    (message,) = channels.slack.messages
    button = message.buttons[name]
    assert "url" not in button
    headers, body = channels.press(button["action_id"], button["value"], by=by, at=NOW.timestamp())
    return reception.answer(HttpRequest("POST", "/alerts/slack", {}, lowered(headers), body))


def test_a_button_in_slack_acts_at_once_and_the_message_says_who_has_it(
    reception: Reception, actions: Actions, warnings: list[str]
) -> None:
    with ChannelServer() as channels:
        Lane(channels).hand(notification("buttons"))
        (before,) = channels.slack.messages
        answers = [pushed(reception, channels, "Acknowledge", "<ada>")]
        (after,) = channels.slack.messages
        answers.append(pushed(reception, channels, "Silence 2 h", "grace"))
        (silenced,) = channels.slack.messages

    assert [each.status for each in answers] == [200, 200]
    assert actions.done[0] == ("acknowledge", "9f86d081884c7d65", "<ada>", "by the button in Slack")
    assert [each[0] for each in actions.done] == ["acknowledge", "silence"]
    assert "*&lt;ada&gt; has it*, 2026-11-28 14:30 UTC" in after.text
    assert (set(before.buttons) - set(after.buttons), set(after.buttons) - set(silenced.buttons)) == (
        {"Acknowledge"},
        {"Silence 2 h"},
    )
    assert "*grace silenced it for 2 hours*" in silenced.text
    assert "has it" in silenced.text
    assert before.text.split("\n")[0] == silenced.text.split("\n")[0]
    assert warnings == []


def test_the_message_names_who_was_first(reception: Reception, actions: Actions) -> None:
    actions.done.append(("acknowledge", "9f86d081884c7d65", "ada", "on it"))
    with ChannelServer() as channels:
        Lane(channels).hand(notification("buttons"))
        pushed(reception, channels, "Acknowledge", "grace")

        assert "ada has it" in channels.slack.messages[0].text


def test_what_fires_no_more_is_told_to_who_pressed_alone(reception: Reception, actions: Actions) -> None:
    actions.fires = False
    with ChannelServer() as channels:
        Lane(channels).hand(notification("buttons"))
        before = channels.slack.messages
        assert pushed(reception, channels, "Acknowledge", "ada").status == 200

        assert (channels.slack.messages, channels.responses[0]["response_type"]) == (before, "ephemeral")


@pytest.mark.parametrize("fault", [ChannelFault(status=404, body="used_url"), ChannelFault(status=500)])
def test_a_message_that_cannot_be_changed_undoes_nothing(
    reception: Reception, actions: Actions, warnings: list[str], fault: ChannelFault
) -> None:
    with ChannelServer() as channels:
        Lane(channels).hand(notification("buttons"))
        channels.faults.set(SLACK, fault)

        assert pushed(reception, channels, "Acknowledge", "ada").status == 200
    assert len(actions.done) == 1
    assert str(fault.status) in warnings[0]
    assert "/slack/responses" not in warnings[0]


def test_a_message_as_long_as_slack_takes_it_still_says_who_has_it() -> None:
    blocks: list[Any] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"alert {place}"}} for place in range(49)
    ]
    buttons = [{"type": "actions", "elements": [{"action_id": ACKNOWLEDGE}, {"action_id": "hallmark_open"}]}]
    shown = show_done({"text": "x", "blocks": blocks + buttons}, "ack", "ada", NOW, "2 hours")

    assert (len(shown["blocks"]), shown["blocks"][-1]["elements"]) == (50, [{"action_id": "hallmark_open"}])
    assert "ada has it" in shown["blocks"][-2]["elements"][0]["text"]
    assert shown["blocks"][-3]["text"]["text"] == "alert 47"
    assert "ada has it" in show_done(None, "ack", "ada", NOW, "2 hours")["blocks"][0]["elements"][0]["text"]


@pytest.mark.parametrize(
    ("changed", "at"),
    [
        ({}, later(-400)),
        ({}, later(400)),
        ({"x-slack-signature": "v0=00"}, NOW),
        ({"x-slack-signature": ""}, NOW),
        ({"x-slack-request-timestamp": "soon"}, NOW),
        ({"x-slack-request-timestamp": str(int(NOW.timestamp()) + 1)}, NOW),
    ],
)
def test_a_press_that_slack_did_not_sign_just_now_does_nothing(
    reception: Reception, actions: Actions, changed: dict[str, str], at: Any
) -> None:
    with ChannelServer() as channels:
        headers, body = channels.press(ACKNOWLEDGE, make_token(GRANT, HmacKey()), at=at.timestamp())
    answer = reception.answer(HttpRequest("POST", "/alerts/slack", {}, {**lowered(headers), **changed}, body))

    assert (answer.status, actions.done) == (401, [])


@pytest.mark.parametrize("event", ["incident.acknowledged", "incident.resolved"])
def test_who_takes_the_incident_in_pagerduty_has_the_alert(
    reception: Reception, actions: Actions, channels: ChannelServer, event: str
) -> None:
    key = notification("duty").thread_key
    headers, body = channels.pagerduty.webhook(event, key, PAGERDUTY_SIGNING_SECRET, by="Grace")
    answer = reception.answer(HttpRequest("POST", "/alerts/pagerduty", {}, lowered(headers), body))

    assert answer.status == 200
    assert actions.done == [("acknowledge", "9f86d081884c7d65", "Grace", f"{event.partition('.')[2]} in PagerDuty")]


@pytest.mark.parametrize(
    ("event", "key", "secret", "status"),
    [
        ("incident.acknowledged", "hallmark/9f86d081884c7d65/20261128T142500", "forged", 401),
        ("incident.triggered", "hallmark/9f86d081884c7d65/20261128T142500", PAGERDUTY_SIGNING_SECRET, 200),
        ("incident.acknowledged", "of another tool", PAGERDUTY_SIGNING_SECRET, 200),
    ],
)
def test_other_webhooks_do_nothing(
    reception: Reception, actions: Actions, channels: ChannelServer, event: str, key: str, secret: str, status: int
) -> None:
    headers, body = channels.pagerduty.webhook(event, key, secret)
    answer = reception.answer(HttpRequest("POST", "/alerts/pagerduty", {}, lowered(headers), body))

    assert (answer.status, actions.done) == (status, [])


def test_a_second_signature_counts_while_a_secret_is_changed(reception: Reception, channels: ChannelServer) -> None:
    headers, body = channels.pagerduty.webhook("incident.resolved", "k", PAGERDUTY_SIGNING_SECRET)
    both = {"x-pagerduty-signature": f"v1=00,{headers['X-PagerDuty-Signature']}"}

    assert reception.answer(HttpRequest("POST", "/alerts/pagerduty", {}, both, body)).status == 200


def test_a_request_is_read_as_the_api_hands_it_over() -> None:
    event = {
        "rawPath": "/alerts/ack",
        "headers": {"X-Slack-Signature": "v0=1"},
        "queryStringParameters": {"token": "t"},
        "requestContext": {"http": {"method": "POST"}},
        "isBase64Encoded": True,
        "body": "YT1i",
    }

    assert read_request(event) == HttpRequest(
        "POST", "/alerts/ack", {"token": "t"}, {"x-slack-signature": "v0=1"}, b"a=b"
    )


def test_a_link_in_a_message_is_one_that_holds(reception: Reception, actions: Actions) -> None:
    with ChannelServer() as channels:
        Lane(channels).hand(notification("chat"))
        url = urlsplit(channels.slack.messages[0].buttons["Acknowledge"]["url"])
    token = parse_qs(url.query)["token"][0]

    assert look(reception, url.path, token).status == 200
